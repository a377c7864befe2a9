"""What a worker process takes from the queue, holds, and hands back. It outlives dramatiq's consumers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from workers.broker.delivery import Delivery
from workers.broker.hand import Hand, Taken
from workers.broker.leases import LeaseThread
from workers.broker.outcomes import Outcomes
from workers.broker.pace import Pace
from workers.broker.prefetch import Prefetch
from workers.broker.scripts import TROUBLE
from workers.broker.source import LINGER_S, Source
from workers.broker.work_queue import Ready, WorkQueue
from workers.logs import get_logger

log = get_logger("broker")
_BUSY_RATE = 500
_UNSTARTED_S = 0.1


class Intake:
    """Takes messages for the worker's threads and settles what they finished.

    Only dramatiq's consumer thread calls `next`; worker threads call `settle`, which never waits.
    """

    def __init__(
        self,
        hands: Sequence[Hand],
        threads: int,
        accept: Callable[[Hand, Taken], list[Delivery]],
        *,
        feeds_line: bool = True,
    ) -> None:
        """`feeds_line`: threads wait at the line, what the bell brings may go there without a detour."""
        self.line = WorkQueue(threads, self._refuse)
        self._accept = accept
        self._threads = threads
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._feeds_line = feeds_line
        self._sources = [Source(hand, self._on_ring) for hand in hands]
        self._leases = LeaseThread(hands, self._wake)
        self._prefetch = Prefetch(threads)
        self._pace = Pace(threads)
        self._ready: deque[Delivery] = deque()
        self._outcomes = Outcomes(self._wake)
        self._outstanding = 0
        """Deliveries given to dramatiq, or about to be, whose end was not collected yet."""
        self.is_draining = False
        self._is_consumed = False
        self._checked_at = 0.0

    def start(self) -> None:
        self._leases.start()
        for source in self._sources:
            source.bell.start()

    def consume(self, begin: bool) -> None:
        """A consumer begins, or ends: in between nothing is taken."""
        with self._lock:
            self._is_consumed = begin

    def next(self, timeout_s: float) -> Delivery | None:
        """The next message to run, None if there was none in time. Settles meanwhile what was finished."""
        with self._lock:
            if not self._ready:
                self._work_until(time.monotonic() + timeout_s)
            return self._ready.popleft() if self._ready else None

    def settle(self, delivery: Delivery) -> None:
        """A delivery is over, its outcome is on it. Redis hears of it with the next exchange."""
        self._outcomes.add(delivery)

    def _refuse(self, delivery: Delivery) -> None:
        delivery.outcome = "given_back"
        self.settle(delivery)

    def drain(self) -> None:
        """Take nothing more, and give back what no thread has started."""
        self.is_draining = True
        for source in self._sources:
            source.hand.is_leaving = True
        self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Hand in every outcome collected so far; False if Redis did not take them all in time."""
        end = time.monotonic() + timeout_s
        with self._lock:
            self._collect(time.monotonic())
            for source in self._sources:
                while not source.hand.is_settled and time.monotonic() < end:
                    if not self._exchange(source, 0):
                        time.sleep(min(source.backoff_s, max(end - time.monotonic(), 0)))
            return all(source.hand.is_settled for source in self._sources)

    def close(self, timeout_s: float = 5.0) -> None:
        """Flush, give back whatever is still in hand, end the leases."""
        self.flush(timeout_s)
        self._leases.stop()
        for source in self._sources:
            source.bell.stop()
            with self._lock:
                source.leave()

    def _work_until(self, end: float) -> None:
        while not self._ready:
            self._wake.clear()
            now = time.monotonic()
            self._collect(now)
            if self.is_draining:
                self._withdraw(0.0)
            elif now - self._checked_at > _UNSTARTED_S / 2:
                self._checked_at = now
                if self._withdraw(_UNSTARTED_S):
                    self._prefetch.hold_back(now + 1.0)
            self.line.rouse()
            for source in self._sources:
                self._serve(source, now)
            # Each partition is first in its turn.
            self._sources = self._sources[1:] + self._sources[:1]
            if self._ready or now >= end:
                return
            self._sleep(self._nap(now, end))
            if self.is_draining:
                # dramatiq looks whether to stop only when it is given an answer.
                end = now

    def _sleep(self, seconds: float) -> None:
        """Until somebody wakes us. What the bell brings meanwhile is taken in by its own thread."""
        self._lock.release()
        try:
            self._wake.wait(seconds)
        finally:
            self._lock.acquire()

    def _on_ring(self, source: Source) -> None:
        with self._lock:
            # Not before we have the lock: an exchange that ran meanwhile relied on us to be at the bell.
            source.rung()
            is_seen_to = self._answer_the_door(source)
        if not (is_seen_to and source.is_quiet):
            self._wake.set()

    def _collect(self, now: float) -> None:
        """Take in what the threads finished."""
        was_full = self._outstanding >= self._threads
        if was_full:
            self._pace.note_full(now)
        finished = self._outcomes.sort()
        self._outstanding -= finished
        for source in self._sources:
            source.note_pending(now)
        self._prefetch.note(finished, was_full=was_full, now=now)

    def _serve(self, source: Source, now: float) -> None:
        """Talk to Redis if there is a reason: messages to take, outcomes that lingered, a call to repeat."""
        if source.backoff_s and now < source.not_before:
            return
        hand = source.hand
        room = self._prefetch.limit - self._outstanding
        take = self._may_take(source, now)
        if room <= 0 and source.is_called(now):
            source.call_another()
        if take or source.is_overdue(now) or (hand.outbox and self.is_draining):
            sharers = max(sum(each.is_open for each in self._sources), 1)
            room = min(room, self._pace.allows(now, self.line.run_s))
            self._exchange(source, -(-room // sharers) if take else 0)

    def _may_take(self, source: Source, now: float) -> bool:
        """Is there room for more, and reason to believe that this source has more?"""
        is_called = source.is_called(now)
        return (
            not self.is_draining
            and (source.is_open or is_called)
            and self._outstanding < self._prefetch.limit
            and (is_called or self._outstanding <= self._prefetch.refill_at)
            and source.may_ask(now, self._outstanding)
            and self._pace.allows(now, self.line.run_s) > 0
            and not self._another_runs_alone(source)
        )

    def _another_runs_alone(self, source: Source) -> bool:
        return any(each.runs_alone for each in self._sources if each is not source)

    def _exchange(self, source: Source, wanted: int) -> bool:
        hand = source.hand
        source.was_rung = False
        try:
            if not hand.lease:
                hand.register()
            elsewhere = max(self._outstanding - len(hand.held) + len(hand.outbox), 0)
            taken = hand.exchange(wanted, elsewhere=elsewhere)
        except TROUBLE as trouble:
            # Also what no waiting mends by itself: a worker that ended here would hold its messages for ever.
            source.failed(trouble)
            return False
        source.answered()
        if taken is None:
            self._lose(source)
        else:
            self._ready += self._take_in(source, taken)
        return True

    def _answer_the_door(self, source: Source) -> bool:
        """Take in what the doorbell brought along; False if the consumer's thread has to look after it."""
        taken = source.taken_at_bell()
        if taken is None:
            return False
        if self.is_draining or not self._is_consumed or self._another_runs_alone(source):
            for delivery in self._accept(source.hand, taken):
                source.hand.outbox.append(delivery.settled("given_back"))
            self._exchange(source, 0)
            source.was_rung = True
            return False
        source.was_rung = False
        deliveries = self._take_in(source, taken)
        if not self._feeds_line:
            self._ready += deliveries
            return not deliveries
        are_woken = [self.line.put(Ready(delivery)) for delivery in deliveries]
        return all(are_woken)

    def _take_in(self, source: Source, taken: Taken) -> list[Delivery]:
        hand = source.hand
        deliveries = self._accept(hand, taken)
        self._outstanding += len(deliveries)
        if deliveries:
            self._pace.note_taken(len(deliveries), time.monotonic(), self.line.run_s)
        # More than fits into one call, or settled without being run: at once.
        source.pending_since = 0.0 if hand.is_settled else time.monotonic() - LINGER_S
        if taken.mode:
            source.plan(taken, -(-self._threads // len(self._sources)))
        return deliveries

    def _lose(self, source: Source) -> None:
        """Our lease was given away: nothing of it may start any more, and what ends is refused."""
        lost = source.lose()
        for delivery in self._unstarted(0.0):
            if delivery.hand is not source.hand:
                delivery.hand.outbox.append(delivery.settled("given_back"))
        log.warning("lease lost, what was held runs elsewhere", count=len(lost))

    def _withdraw(self, older_than_s: float) -> int:
        """Give back what no thread has started for so long."""
        withdrawn = self._unstarted(older_than_s)
        for delivery in withdrawn:
            delivery.hand.outbox.append(delivery.settled("given_back"))
        for source in self._sources:
            source.note_pending(time.monotonic() - LINGER_S)
        return len(withdrawn)

    def _unstarted(self, older_than_s: float) -> list[Delivery]:
        """Take back what waits in this process; the caller settles it."""
        unstarted = self.line.take_back(older_than_s)
        if older_than_s == 0:
            unstarted += self._ready
            self._ready.clear()
        self._outstanding -= len(unstarted)
        return unstarted

    def _nap(self, now: float, end: float) -> float:
        until = min(end, now + 0.05) if self.is_draining else end
        is_pending = False
        for source in self._sources:
            if self._may_take(source, now):
                return 0.0
            is_pending = is_pending or source.is_pending
            until = min(until, source.looks_again_at(now))
        if self.line.has_sleepers_to_spare:
            until = min(until, now + LINGER_S)
        elif self.line.is_waiting:
            until = min(until, now + _UNSTARTED_S)
        if self._pace.next_at > now:
            until = min(until, self._pace.next_at)
        is_busy = any(source.is_open for source in self._sources)
        missing = self._outstanding - self._prefetch.refill_at
        if is_pending:
            self._outcomes.enough = missing if is_busy else 64
        elif is_busy and self._prefetch.rate > _BUSY_RATE:
            # They come by the hundred: one look in a while costs less than a wake-up for the first.
            self._outcomes.enough = missing
            until = min(until, now + 2 * LINGER_S)
        else:
            self._outcomes.enough = 1
        if self._outcomes.are_enough:
            # It came while it was not enough to wake us, and now it is.
            return 0.0
        return max(until - now, 0.0)
