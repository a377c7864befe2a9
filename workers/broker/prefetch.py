"""How many messages a worker may hold: enough that no thread waits for Redis, too few to matter to others."""

from __future__ import annotations

_MOST_WORK_S = 0.010
_MOST_WAITING = 512
_SAMPLE_S = 0.005
_SMOOTHING = 0.3


class Prefetch:
    """The running messages, and beside them some milliseconds of work by the rate at which messages finish.

    The slower the messages, the less is kept waiting: 10 ms of work for messages of 2 ms and less, 1 ms of
    work for those of 20 ms, where the round trip to Redis hardly counts and an urgent message would notice.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.rate = 0.0
        self._finished = 0
        self._since = 0.0
        self._no_waiting_until = 0.0
        self.limit = threads
        self.refill_at = threads - 1
        self._set(0.0)

    def note(self, finished: int, *, was_full: bool, now: float) -> None:
        """`finished` messages ended since the last call; `was_full`: all threads had work since then."""
        self._finished += finished
        passed = now - self._since
        if passed < _SAMPLE_S:
            return
        rate, self._finished, self._since = self._finished / passed, 0, now
        if was_full:
            self.rate += _SMOOTHING * (rate - self.rate)
        else:
            # With idle threads the rate says how much there was to do, not how much could be done.
            self.rate = max(self.rate, rate)
        self._set(now)

    def hold_back(self, until: float) -> None:
        """Messages waited in hand behind slow ones: keep none waiting for a while."""
        self._no_waiting_until = until
        self.rate = 0.0
        self._set(until - 1e-9)

    def _set(self, now: float) -> None:
        waiting = 0
        if now >= self._no_waiting_until:
            run_time_s = self._threads / self.rate if self.rate else 1.0
            work_s = min(_MOST_WORK_S, 2 * _MOST_WORK_S * 0.001 / run_time_s)
            waiting = min(max(int(self.rate * work_s), self._threads // 16), _MOST_WAITING)
        self.limit = self._threads + waiting
        # Many threads: let a few finish before asking Redis for more, rather than one call for each.
        self.refill_at = self.limit - max(1, waiting // 2 + self._threads // 32)
