"""The half of the limiter that all processes share: places, lines and windows in Redis (leases.lua)."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast
from uuid import uuid4

import redis
import redis.asyncio

from workers.errors import TemporaryError

Kind = Literal["look", "read", "action", "send"]
"""A look says what there is to do, for many messages at once: it goes before other calls."""
GRANTED, QUEUED, COME_BACK, OWN_TURN = 0, 1, 2, 3
_ANY_LENGTH_S = 3600.0
_SCRIPT = Path(__file__).with_name("leases.lua").read_text(encoding="utf-8")


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
    """Looking and reading stop here: the rest is kept for actions."""
    calls_of_acting: int = 8_400
    """Acting stops here: else a mailbox with much to act on would hear of nothing new."""
    sends: int = 30
    lease_s: float = 5.0
    wait_s: float = 2.0
    """Nobody holds a worker longer than this; the message comes back when it is its turn."""
    look_wait_s: float = 1.0
    """Who has less time to wait is served first."""
    queue_s: float = 0.5
    """No more are let in line than can be served in this time, and no longer pauses are sat out."""
    come_back_s: float = 10.0
    """Nobody is sent away for longer: the line may move faster by then."""
    backoff_s: float = 0.5
    backoff_cap_s: float = 60.0
    """Pauses Graph does not name the length of double from the first to the second."""


class Answer(NamedTuple):
    """GRANTED (a place is held), QUEUED (in line), or COME_BACK or OWN_TURN after so many seconds."""

    outcome: int
    seconds: float


class Leases:
    """The shared half as one process uses it; every method raises TemporaryError where Redis fails.

    Tickets are "process:number"; all operations on a ticket may be repeated.
    """

    def __init__(self, client: redis.asyncio.Redis, namespace: str, limits: Limits) -> None:
        self._prefix = f"{{{namespace}}}:throttle:"
        self._limits = limits
        self._script = client.register_script(_SCRIPT)
        self._process = uuid4().hex
        self.channel = f"{self._prefix}granted:{self._process}"
        """Where Redis tells this process which of its tickets in line have got their places."""

    def new_ticket(self, number: int) -> str:
        return f"{self._process}:{number}"

    async def enter(
        self, lane: Lane, ticket: str, places: int, kind: Kind, *, wait_s: float, again: bool
    ) -> Answer:
        """Take places or get in line for them; `again` for a ticket that is in line already."""
        limits = self._limits
        counted_as = _counted_as(kind)
        # However long the line: a look does not stand at its end.
        queue_s = _ANY_LENGTH_S if kind == "look" else limits.queue_s
        return await self._run(
            "enter",
            lane,
            ticket,
            places,
            limits.calls,
            limits.calls_of_reading if counted_as == "reads" else limits.calls_of_acting,
            limits.sends if kind == "send" else 0,
            max(1, int(wait_s * 1000)),
            int(queue_s * 1000),
            int(limits.come_back_s * 1000),
            int(again),
            counted_as,
        )

    async def turn(self, lane: Lane) -> Answer:
        """When a call that is not made yet should come, so that it finds the line short."""
        limits = self._limits
        own_turn = (int(limits.queue_s * 1000), int(limits.come_back_s * 1000))
        return await self._run("turn", lane, "-", 1, *own_turn)

    async def release(
        self, lane: Lane, ticket: str, places: int, *, held_s: float = -1.0, went_well: bool = False
    ) -> Answer:
        """Give places back (or leave the line); `seconds` says how long the mailbox is paused.

        `held_s` is how long a call took, so that the pace of the line is known; negative: there was none.
        """
        return await self._run("release", lane, ticket, places, held_s * 1000, int(went_well))

    async def give_up(self, lane: Lane, ticket: str, places: int, kind: Kind, *, was_counted: bool) -> Answer:
        """Leave without a call: what was counted is counted no more."""
        return await self._run("give_up", lane, ticket, places, int(was_counted), _counted_as(kind))

    async def renew(self, lane: Lane, ticket: str, places: int) -> Answer:
        """Prolong leases; those that have lapsed stay so."""
        return await self._run("renew", lane, ticket, places)

    async def pause(self, lane: Lane, retry_after_s: float | None, *, whole_app: bool) -> Answer:
        """Let nobody in for so long; None: for a time that doubles with each pause in a row."""
        pause_ms = (retry_after_s or 0.0) * 1000
        limits = self._limits
        backoff = (limits.backoff_s * 1000, limits.backoff_cap_s * 1000)
        return await self._run("pause", lane, "-", 0, pause_ms, int(whole_app), *backoff)

    async def _run(self, operation: str, lane: Lane, ticket: str, places: int, *more: float | str) -> Answer:
        base = f"{self._prefix}{lane.app}:{lane.mailbox}"
        keys = [*(f"{base}:{name}" for name in ("leases", "waiting", "state", "sends"))]
        keys.append(f"{self._prefix}{lane.app}:paused")
        limits = self._limits
        common = (f"{self._prefix}granted:", limits.in_flight, int(limits.lease_s * 1000))
        answer = self._script(keys=keys, args=[operation, ticket, places, *common, *more])
        try:
            outcome, ms = await cast("Awaitable[list[int]]", answer)
        except redis.RedisError as failed:
            raise TemporaryError(f"limiter: Redis {type(failed).__name__}") from None
        return Answer(outcome, ms / 1000)


def _counted_as(kind: Kind) -> str:
    return "reads" if kind in ("look", "read") else "acts"
