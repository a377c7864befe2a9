"""Keeps every mailbox within Graph's limits, over all processes and hosts.

Outlook's limits per app and mailbox: 4 calls in flight, 10,000 calls in 10 minutes (Graph throttling limits);
Exchange's: 30 sent messages a minute. Who may call is settled in Redis (leases.py); here is how one process
waits for its turn without polling, and passes places on between its own calls. A process that dies loses its
leases by not renewing them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import redis
import redis.asyncio

from workers import logs
from workers.errors import TemporaryError, Throttled
from workers.graph.leases import GRANTED, OWN_TURN, QUEUED, Answer, Kind, Lane, Leases, Limits

_ASK_AGAIN_S = 1.0
# So long a place goes from call to call within this process before it is offered to all of them.
_KEPT_AT_MOST_S = 0.8
_log = logs.get_logger("throttle")


@dataclass
class _Place:
    """Leases of this process, by the ticket they were granted to; passed on from call to call."""

    lane: Lane
    ticket: str
    count: int
    granted_at: float = field(default_factory=time.monotonic)
    renewed_at: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Waiter:
    """A call in line; `granted` becomes the place of a call that ended here, or None for one of its own."""

    ticket: str
    places: int
    granted: asyncio.Future[_Place | None]
    gives_up_at: float
    is_listening: bool = False
    is_counted: bool = False
    """Against the limits of the mailbox: whoever gets in line is."""


class Slot:
    """A call's hold on its place.

    Whoever does not say that the call finished leaves the place to lapse: Graph may still be at work on it.
    """

    def __init__(self) -> None:
        self.taken_at = time.monotonic()
        self.went_well: bool | None = None

    def finish(self, *, went_well: bool) -> None:
        """The call ended; `went_well` ends the row of refusals that lengthens our pauses."""
        self.went_well = went_well


class Throttle:
    """The limiter as one process uses it."""

    def __init__(self, client: redis.asyncio.Redis, namespace: str, limits: Limits) -> None:
        self._redis = client
        self._limits = limits
        self._leases = Leases(client, namespace, limits)
        self._numbers = itertools.count()
        self._lines: dict[Lane, dict[str, _Waiter]] = {}
        self._held: dict[str, _Place] = {}
        self._paused_until: dict[Lane, float] = {}
        self._last_turn_at: dict[Lane, float] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._is_open = True

    @classmethod
    @asynccontextmanager
    async def open(
        cls, client: redis.asyncio.Redis, namespace: str, limits: Limits | None = None
    ) -> AsyncIterator[Throttle]:
        """Start listening for places granted to this process and renewing those it holds."""
        throttle = cls(client, namespace, limits or Limits())
        listening = asyncio.create_task(throttle._listen())
        renewing = asyncio.create_task(throttle._renew())
        try:
            yield throttle
        finally:
            throttle._is_open = False
            for task in (listening, renewing):
                task.cancel()
            await asyncio.gather(listening, renewing, *throttle._background, return_exceptions=True)

    @asynccontextmanager
    async def slot(self, lane: Lane, kind: Kind, *, places: int = 1) -> AsyncIterator[Slot]:
        """Hold so many places of a mailbox; raises Throttled if they are not to be had within `wait_s`."""
        place = await self._enter(lane, kind, places)
        slot = Slot()
        try:
            yield slot
        finally:
            del self._held[place.ticket]
            if slot.went_well is not None:
                self._give_back(place, time.monotonic() - slot.taken_at, went_well=slot.went_well)

    async def pause(self, lane: Lane, retry_after_s: float | None, *, whole_app: bool = False) -> float:
        """Let no call of the mailbox (or of the whole app) in for so long; returns for how many seconds.

        None: for a pause that doubles with each refusal in a row.
        """
        paused = await self._leases.pause(lane, retry_after_s, whole_app=whole_app)
        _log.warning("graph_asks_to_slow_down", seconds=paused.seconds, whole_app=whole_app)
        return paused.seconds

    async def turn_s(self, lane: Lane) -> float:
        """In how many seconds a call that is prepared now should be made: who comes sooner is sent back."""
        if self._last_turn_at.get(lane, 0.0) < time.monotonic():
            # Nobody was sent back here of late: it is not worth asking.
            self._last_turn_at.pop(lane, None)
            return 0.0
        answer = await self._leases.turn(lane)
        self._note_turn(lane, answer)
        return answer.seconds

    def _note_turn(self, lane: Lane, answer: Answer) -> None:
        if answer.outcome == OWN_TURN:
            self._last_turn_at[lane] = time.monotonic() + answer.seconds

    async def _enter(self, lane: Lane, kind: Kind, places: int) -> _Place:
        ticket = self._leases.new_ticket(next(self._numbers))
        wait_s = self._limits.look_wait_s if kind == "look" else self._limits.wait_s
        granted = asyncio.get_running_loop().create_future()
        waiter = _Waiter(ticket, places, granted, gives_up_at=time.monotonic() + wait_s)
        line = self._lines.setdefault(lane, {})
        line[ticket] = waiter
        place: _Place | None = None
        try:
            place = await self._line_up(lane, kind, waiter)
        finally:
            del line[ticket]
            if not line:
                self._lines.pop(lane, None)
            if place is None:
                self._step_out(lane, kind, waiter)
        self._held[place.ticket] = place
        return place

    async def _line_up(self, lane: Lane, kind: Kind, waiter: _Waiter) -> _Place:
        """Ask, and wait where told to, until there is a place; raises Throttled where that takes too long."""
        end = waiter.gives_up_at
        while True:
            answer = await self._leases.enter(
                lane,
                waiter.ticket,
                waiter.places,
                kind,
                wait_s=end - time.monotonic(),
                again=waiter.is_counted,
            )
            if answer.outcome == GRANTED:
                return _Place(lane, waiter.ticket, waiter.places)
            wait_s = self._wait_of(lane, answer, end - time.monotonic())
            waiter.is_listening = answer.outcome == QUEUED
            waiter.is_counted = waiter.is_counted or waiter.is_listening
            await asyncio.wait([waiter.granted], timeout=wait_s)
            # Looked at whether or not time ran out: a place can come in the same turn of the loop.
            if waiter.granted.done():
                return waiter.granted.result() or _Place(lane, waiter.ticket, waiter.places)
            waiter.is_listening = False

    def _wait_of(self, lane: Lane, answer: Answer, left_s: float) -> float:
        """Seconds until asking again; raises Throttled where that would hold the worker too long."""
        if answer.outcome == QUEUED:
            if left_s <= 0:
                raise Throttled("mailbox busy: no place in time", retry_after_s=_spread(0.5))
            # A grant can be lost on its way (a reconnect): so it is asked for now and then.
            return min(_ASK_AGAIN_S, left_s)
        self._note_turn(lane, answer)
        if answer.outcome == OWN_TURN:
            raise Throttled("mailbox busy: the line is long", retry_after_s=answer.seconds)
        wait_s = _spread(answer.seconds)
        if wait_s > min(self._limits.queue_s, left_s):
            raise Throttled("mailbox paused or at its limit", retry_after_s=wait_s)
        return wait_s

    def _step_out(self, lane: Lane, kind: Kind, waiter: _Waiter) -> None:
        """Leave the line without a call; a place that came at the last moment goes back."""
        self._later(
            lane,
            self._leases.give_up(lane, waiter.ticket, waiter.places, kind, was_counted=waiter.is_counted),
        )
        inherited = waiter.granted.result() if waiter.granted.done() else None
        if inherited is not None:
            self._later(lane, self._leases.release(lane, inherited.ticket, inherited.count))

    def _give_back(self, place: _Place, held_s: float, *, went_well: bool) -> None:
        """Pass the place on to the next in line here, or back to Redis for whoever waits longest anywhere.

        Nobody waits for Redis to hear of it: the caller goes on.
        """
        ticket = place.ticket
        heir = self._heir_of(place) if went_well else None
        if heir is not None:
            heir.granted.set_result(place)
            # The place keeps its lease; it is the heir's own ticket that has to leave the line.
            ticket = heir.ticket
        self._later(
            place.lane,
            self._leases.release(place.lane, ticket, place.count, held_s=held_s, went_well=went_well),
        )

    def _heir_of(self, place: _Place) -> _Waiter | None:
        now = time.monotonic()
        if place.count != 1 or now - place.granted_at > _KEPT_AT_MOST_S:
            return None
        if self._paused_until.get(place.lane, 0.0) > now:
            return None
        able = (
            waiter
            for waiter in self._lines.get(place.lane, {}).values()
            # Not one that is just asking: whether Redis has it in line is not known until the answer.
            if waiter.is_listening and waiter.places == 1 and not waiter.granted.done()
        )
        return min(able, key=attrgetter("gives_up_at"), default=None)

    async def _listen(self) -> None:
        # redis-py can swallow the cancellation of a read: hence the flag, and reads that end by themselves.
        while self._is_open:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(self._leases.channel)
                    while self._is_open:
                        if message := await pubsub.get_message(timeout=1.0):
                            self._wake(message["data"])
            except redis.RedisError as lost:
                _log.warning("throttle_channel_lost", error=type(lost).__name__)
                await asyncio.sleep(_spread(0.5))

    def _wake(self, ticket: bytes | str) -> None:
        name = ticket.decode() if isinstance(ticket, bytes) else ticket
        waiter = next((line[name] for line in self._lines.values() if name in line), None)
        if waiter is not None and not waiter.granted.done():
            waiter.granted.set_result(None)

    async def _renew(self) -> None:
        """Prolong the leases of places held long; most are given back long before."""
        every_s = self._limits.lease_s / 4
        while self._is_open:
            await asyncio.sleep(every_s)
            due = [place for place in self._held.values() if time.monotonic() - place.renewed_at >= every_s]
            for place in due:
                try:
                    await self._leases.renew(place.lane, place.ticket, place.count)
                except TemporaryError as failed:
                    _log.warning("lease_not_renewed", error=str(failed))
                else:
                    place.renewed_at = time.monotonic()

    def _later(self, lane: Lane, work: Coroutine[Any, Any, Answer]) -> None:
        task = asyncio.create_task(self._told(lane, work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _told(self, lane: Lane, work: Coroutine[Any, Any, Answer]) -> None:
        """Do what nobody waits for, and remember a pause of the mailbox that Redis answers with."""
        try:
            answer = await work
        except TemporaryError as failed:
            # The lease lapses by itself.
            _log.warning("lease_not_given_back", error=str(failed))
            return
        if answer.seconds > 0:
            self._paused_until[lane] = time.monotonic() + answer.seconds
        else:
            self._paused_until.pop(lane, None)


def _spread(seconds: float) -> float:
    """A little longer, by chance: those told to wait together should not come back together."""
    return seconds * random.uniform(1.0, 1.2)  # noqa: S311 no secret
