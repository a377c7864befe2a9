"""Keeps every mailbox within Graph's limits, over all processes and hosts, by leases in Redis (throttle.lua).

Outlook's limits per app and mailbox: 4 calls in flight, 10,000 calls in 10 minutes (Graph throttling limits);
Exchange's: 30 sent messages a minute. A process that dies loses its leases by not renewing them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from uuid import uuid4

import redis
import redis.asyncio

from workers import logs
from workers.errors import TemporaryError, Throttled

Kind = Literal["read", "action", "send"]
_SCRIPT = Path(__file__).with_name("throttle.lua").read_text(encoding="utf-8")
_GRANTED, _QUEUED, _OWN_TURN = 0, 1, 3
_ASK_AGAIN_S = 0.5
_log = logs.get_logger("throttle")


@dataclass(frozen=True)
class Lane:
    """Whose limits a call counts against: one mailbox as one app uses it."""

    app: str
    mailbox: str


@dataclass(frozen=True)
class Limits:
    """Graph's limits for a mailbox, a little under what it grants, and how we wait for them."""

    in_flight: int = 4
    calls: int = 9_900
    calls_of_reading: int = 9_000
    """Reading (sync, resync) stops here: the rest is kept for actions."""
    sends: int = 30
    lease_s: float = 5.0
    wait_s: float = 2.0
    """Nobody holds a worker longer than this; the message comes back when it is its turn."""
    queue_s: float = 0.5
    """No more are let in line than can be served in this time, and no longer pauses are sat out."""
    come_back_s: float = 5.0
    backoff_s: float = 0.5
    backoff_cap_s: float = 60.0
    """Pauses Graph does not name the length of double from the first to the second."""


class Slot:
    """A call's place among those in flight.

    Whoever does not say that the call finished leaves the place to lapse: Graph may still be at work on it.
    """

    def __init__(self, lane: Lane, ticket: str, places: int) -> None:
        self.lane = lane
        self.ticket = ticket
        self.places = places
        self.taken_at = self.renewed_at = time.monotonic()
        self.went_well: bool | None = None

    def finish(self, *, went_well: bool) -> None:
        """The call ended; `went_well` ends the row of refusals that lengthens our pauses."""
        self.went_well = went_well


class Throttle:
    """The limiter as one process uses it."""

    def __init__(self, client: redis.asyncio.Redis, namespace: str, limits: Limits) -> None:
        self._redis = client
        self._prefix = f"{{{namespace}}}:throttle:"
        self._limits = limits
        self._script = client.register_script(_SCRIPT)
        self._process = uuid4().hex
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._held: dict[str, Slot] = {}
        self._background: set[asyncio.Task[Any]] = set()
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
        ticket = f"{self._process}:{next(self._numbers)}"
        await self._enter(lane, ticket, kind, places)
        slot = self._held[ticket] = Slot(lane, ticket, places)
        try:
            yield slot
        finally:
            del self._held[ticket]
            if slot.went_well is not None:
                held_ms = (time.monotonic() - slot.taken_at) * 1000
                # Nobody waits for this: the caller goes on, the place is free a moment later.
                self._later(self._run("release", lane, ticket, places, held_ms, int(slot.went_well)))

    async def pause(self, lane: Lane, retry_after_s: float | None, *, whole_app: bool = False) -> float:
        """Let no call of the mailbox (or of the whole app) in for so long; returns for how many seconds.

        None: for a pause that doubles with each refusal in a row.
        """
        limits = self._limits
        pause_ms = (retry_after_s or 0.0) * 1000
        arguments = (pause_ms, int(whole_app), limits.backoff_s * 1000, limits.backoff_cap_s * 1000)
        _, paused_ms = await self._run("pause", lane, "-", 0, *arguments)
        _log.warning("graph_asks_to_slow_down", seconds=paused_ms / 1000, whole_app=whole_app)
        return paused_ms / 1000

    async def _enter(self, lane: Lane, ticket: str, kind: Kind, places: int) -> None:
        granted = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = granted
        end = time.monotonic() + self._limits.wait_s
        entered = False
        try:
            while not entered:
                outcome, ms = await self._ask(lane, ticket, kind, places, end - time.monotonic())
                if outcome == _GRANTED:
                    entered = True
                else:
                    wait_s = self._wait_of(outcome, ms / 1000, end - time.monotonic())
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait_s):
                            await asyncio.shield(granted)
                            entered = True
        finally:
            del self._waiting[ticket]
            if not entered:
                self._later(self._run("give_up", lane, ticket, places))

    def _wait_of(self, outcome: int, told_s: float, left_s: float) -> float:
        """Seconds until asking again; raises Throttled where that would hold the worker too long."""
        if outcome == _QUEUED:
            if left_s <= 0:
                raise Throttled("mailbox busy: no place in time", retry_after_s=_spread(_ASK_AGAIN_S))
            # A grant can be lost on its way (a reconnect): so it is asked for now and then.
            return min(_ASK_AGAIN_S, left_s)
        if outcome == _OWN_TURN:
            raise Throttled("mailbox busy: the line is long", retry_after_s=told_s)
        wait_s = _spread(told_s)
        if wait_s > min(self._limits.queue_s, left_s):
            raise Throttled("mailbox paused or at its limit", retry_after_s=wait_s)
        return wait_s

    async def _ask(self, lane: Lane, ticket: str, kind: Kind, places: int, left_s: float) -> tuple[int, int]:
        limits = self._limits
        return await self._run(
            "enter",
            lane,
            ticket,
            places,
            limits.calls_of_reading if kind == "read" else limits.calls,
            limits.sends if kind == "send" else 0,
            max(1, int(left_s * 1000)),
            int(limits.queue_s * 1000),
            int(limits.come_back_s * 1000),
        )

    async def _run(
        self, operation: str, lane: Lane, ticket: str, places: int, *more: float
    ) -> tuple[int, int]:
        base = f"{self._prefix}{lane.app}:{lane.mailbox}"
        keys = [*(f"{base}:{name}" for name in ("leases", "waiting", "state", "sends"))]
        keys.append(f"{self._prefix}{lane.app}:paused")
        limits = self._limits
        common = (f"{self._prefix}granted:", limits.in_flight, int(limits.lease_s * 1000))
        answer = self._script(keys=keys, args=[operation, ticket, places, *common, *more])
        try:
            outcome, ms = await cast("Awaitable[list[int]]", answer)
        except redis.RedisError as unreachable:
            raise TemporaryError(f"limiter: Redis {type(unreachable).__name__}") from None
        return outcome, ms

    async def _listen(self) -> None:
        channel = f"{self._prefix}granted:{self._process}"
        # redis-py can swallow the cancellation of a read: hence the flag, and reads that end by themselves.
        while self._is_open:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(channel)
                    while self._is_open:
                        if message := await pubsub.get_message(timeout=1.0):
                            self._wake(message["data"])
            except redis.RedisError as lost:
                _log.warning("throttle_channel_lost", error=type(lost).__name__)
                await asyncio.sleep(_spread(0.5))

    def _wake(self, ticket: bytes | str) -> None:
        waiting = self._waiting.get(ticket.decode() if isinstance(ticket, bytes) else ticket)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def _renew(self) -> None:
        """Prolong the leases of calls that take long; most end long before."""
        every_s = self._limits.lease_s / 4
        while True:
            await asyncio.sleep(every_s)
            due = [slot for slot in self._held.values() if time.monotonic() - slot.renewed_at >= every_s]
            for slot in due:
                try:
                    await self._run("renew", slot.lane, slot.ticket, slot.places)
                except TemporaryError as failed:
                    _log.warning("lease_not_renewed", error=str(failed))
                else:
                    slot.renewed_at = time.monotonic()

    def _later(self, work: Coroutine[Any, Any, tuple[int, int]]) -> None:
        task = asyncio.create_task(self._tried(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    @staticmethod
    async def _tried(work: Coroutine[Any, Any, tuple[int, int]]) -> None:
        try:
            await work
        except TemporaryError as failed:
            # The lease lapses by itself.
            _log.warning("lease_not_given_back", error=str(failed))


def _spread(seconds: float) -> float:
    """A little longer, by chance: those told to wait together should not come back together."""
    return seconds * random.uniform(1.0, 1.2)  # noqa: S311
