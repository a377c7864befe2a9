"""What this process holds of one partition: its lease, its deliveries, its calls that may be repeated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from workers import metrics
from workers.broker import leases
from workers.broker.delivery import Again, Dead, Delivery, Next, Settlement
from workers.broker.encoding import encode, level_of
from workers.broker.keys import PRIORITIES, Keys
from workers.broker.scripts import AWAY, EXCHANGE, TROUBLE, Client
from workers.logs import get_logger

log = get_logger("broker")
_OUTCOMES_A_CALL = 500
"""Outcomes that Redis confirmed, kept for the case that a failover loses them."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The reply to an exchange. `due_in_s` None: nobody waits for us; `mode` see exchange.lua."""

    now_ms: int
    messages: list[tuple[bytes, bytes]]
    due_in_s: float | None
    mode: str
    suspects: int


@dataclass(slots=True)
class Call:
    """An exchange as it was, or is about to be, sent."""

    lease: str
    args: list[Any]
    settled: Sequence[Settlement] = ()

    @property
    def ids_begin(self) -> bytes:
        """How the ids begin of the deliveries that it takes."""
        return f"{self.args[1]}-".encode()


class Hand:
    """One worker's side of a partition. Not thread-safe: the intake calls it under its lock."""

    def __init__(self, keys: Keys, client: Client, worker_id: str) -> None:
        self.keys = keys
        self.client = client
        self.worker_id = worker_id
        self.lease = ""
        self.valid_until = 0.0
        """Monotonic time up to which nobody can have given away what we hold."""
        self.held: dict[bytes, Delivery] = {}
        self.outbox: list[Settlement] = []
        self.is_fenced = False
        """Our lease was ended by another; the next exchange will be told so."""
        self.is_leaving = False
        """The worker stops: what is cut short was not tried."""
        # They name deliveries, and go on over leases: what was said of one is never taken for another.
        self._sequence = 0
        self._bells = 0
        self._at_bell: Call | None = None
        """It waits at the bell: what it takes is not known until its reply is heard."""
        self._unconfirmed: Call | None = None
        self._lost_at_bell: Call | None = None
        self._reconcile = False

    @property
    def is_settled(self) -> bool:
        return not self.outbox and self._unconfirmed is None and self._lost_at_bell is None

    @property
    def script_keys(self) -> tuple[str, ...]:
        return (*self.keys.base, *self.keys.of_worker(self.lease))

    def register(self) -> None:
        """Take a lease under a name never used before; raises what redis-py raises."""
        lease = f"{self.worker_id}.{uuid4().hex[:12]}"
        started = time.monotonic()
        leases.take(self.client, self.keys, lease)
        self.lease, self.valid_until = lease, started + leases.LEASE_S

    def exchange(self, wanted: int, *, elsewhere: int = 0) -> Taken | None:
        """Hand in the outbox and take up to `wanted` messages in one step; None: our lease was given away.

        Raises what redis-py raises; the same call is then repeated, so that nothing is done twice.
        """
        call = self._unconfirmed or self._lost_at_bell or self._next_call(wanted, elsewhere)
        if call is self._lost_at_bell:
            self._lost_at_bell = None
        self._unconfirmed = call
        try:
            reply = EXCHANGE.run(self.client, self.script_keys, call.args)
        except AWAY:
            self._reconcile = True
            raise
        self._unconfirmed = None
        taken = self._received(call, reply)
        if self._reconcile and taken is not None:
            self._give_back_unknown({delivery_id for delivery_id, _ in taken.messages})
        return taken

    def call_at_bell(self, limit: int) -> Call:
        """An exchange that takes a message when the bell rings, unless `limit` are in hand by then."""
        self._bells += 1
        self._at_bell = Call(self.lease, [self.lease, f"b{self._bells}", limit, 0])
        return self._at_bell

    def heard(self, call: Call, reply: Any) -> Taken | None:
        """The reply to `call_at_bell`, as that of `exchange`; None also if nothing can be said by it."""
        self._at_bell = None
        if call.lease != self.lease or reply[0] == b"fenced":
            return None
        return self._received(call, reply)

    def not_heard(self, call: Call) -> None:
        """Nobody knows whether the call was applied: it is repeated with the next exchange."""
        self._at_bell = None
        self._reconcile = True
        if call.lease == self.lease:
            self._lost_at_bell = call

    def _received(self, call: Call, reply: Any) -> Taken | None:
        if reply[0] == b"fenced":
            return None
        _, now, refused, flat, sleep_ms, mode, suspects = reply
        for settlement in call.settled:
            self.held.pop(settlement.delivery_id, None)
        if refused:
            report_refused(len(refused))
        messages = list(zip(flat[::2], flat[1::2], strict=True))
        due_in_s = None if sleep_ms < 0 else sleep_ms / 1000
        return Taken(int(now), messages, due_in_s, mode.decode(), suspects)

    def lose(self) -> list[Delivery]:
        """Forget everything: another worker has it now. Returns what was held."""
        lost = list(self.held.values())
        if self.outbox:
            report_refused(len(self.outbox))
        self.held.clear()
        self.outbox.clear()
        self._unconfirmed = self._lost_at_bell = None
        self.lease, self.valid_until, self.is_fenced = "", 0.0, False
        return lost

    def leave(self) -> int:
        """Give back everything held and end the lease; raises what redis-py raises."""
        given_back = leases.release(self.client, self.keys, self.lease, "leaving") if self.lease else 0
        self.lease = ""
        self.held.clear()
        return given_back

    def _next_call(self, wanted: int, elsewhere: int) -> Call:
        settled, self.outbox = self.outbox[:_OUTCOMES_A_CALL], self.outbox[_OUTCOMES_A_CALL:]
        args = [*self._head(wanted, elsewhere), *_outcomes(settled)]
        return Call(self.lease, args, settled)

    def _give_back_unknown(self, just_taken: set[bytes]) -> None:
        """Redis may have lost writes in an outage: what it says we hold and we do not, runs again.

        It may have ended before. But with its outcome Redis lost what it wrote to the ledger: settled from
        memory it leaves a mail that nobody goes on with. What was effected is found, and not done twice.
        """
        hand = self.keys.of_worker(self.lease)[0]
        try:
            unknown = set(self.client.hkeys(hand)) - just_taken - self.held.keys()
        except TROUBLE:
            # After the next call, then: what this one took must not be forgotten over it.
            return
        awaited = tuple(call.ids_begin for call in (self._at_bell, self._lost_at_bell) if call is not None)
        unknown = {each for each in unknown if not each.startswith(awaited)}
        self._reconcile = False
        if unknown:
            log.warning("redis lost outcomes, their messages run again", count=len(unknown))
            args = self._head(0, 0)
            for delivery_id in unknown:
                args += ["B", delivery_id]
            self._unconfirmed = Call(self.lease, args, [])

    def _head(self, wanted: int, elsewhere: int) -> list[Any]:
        self._sequence += 1
        return [self.lease, self._sequence, wanted, elsewhere]


def report_refused(count: int) -> None:
    """Outcomes that came after the messages were given away: they may run, or have run, twice."""
    metrics.ERRORS.labels("lease_lost", "broker", "warning").inc(count)
    log.warning("late outcomes refused, other workers have these messages", count=count)


def _outcomes(settled: Sequence[Settlement]) -> list[Any]:
    done: dict[tuple[str, str], list[bytes]] = {}
    args: list[Any] = []
    given_back: list[bytes] = []
    for delivery_id, actor, priority, outcome in settled:
        if isinstance(outcome, Again):
            args += ["R", delivery_id, outcome.delay_ms, outcome.body]
        elif isinstance(outcome, Dead):
            args += ["X", delivery_id, outcome.meta, outcome.body]
            if outcome.follow_up is None:
                args.append(0)
            else:
                follow_up = outcome.follow_up
                args += [1, level_of(follow_up), 0, follow_up.actor_name, encode(follow_up)]
        elif isinstance(outcome, Next):
            args += ["N", delivery_id, *outcome.arguments]
        elif outcome == "given_back":
            given_back.append(delivery_id)
        else:
            done.setdefault((actor, priority), []).append(delivery_id)
    for (actor, priority), ids in done.items():
        args += ["D", actor, PRIORITIES.index(priority), len(ids), *ids]
    # Each goes to the front of its line: the first taken must come last.
    for delivery_id in reversed(given_back):
        args += ["B", delivery_id]
    return args
