"""What this process holds of one partition: its lease, its deliveries, its calls that may be repeated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers import metrics
from workers.broker import leases
from workers.broker.delivery import Again, Dead, Delivery, Outcome
from workers.broker.encoding import encode, level_of
from workers.broker.keys import PRIORITIES, Keys
from workers.broker.scripts import EXCHANGE, Client
from workers.logs import get_logger

log = get_logger("broker")
_OUTCOMES_A_CALL = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """The reply to an exchange. `due_in_s` None: nobody waits for us; `mode` see exchange.lua."""

    now_ms: int
    messages: list[tuple[bytes, bytes]]
    asked: int
    due_in_s: float | None
    mode: str
    suspects: int

    @property
    def is_short(self) -> bool:
        return self.mode == "open" and len(self.messages) < self.asked


@dataclass(slots=True)
class _Call:
    args: list[Any]
    settled: list[tuple[Delivery, Outcome]]
    asked: int


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
        self.outbox: list[tuple[Delivery, Outcome]] = []
        self.is_fenced = False
        """Our lease was ended by another; the next exchange will be told so."""
        self.is_leaving = False
        """The worker stops: what is cut short was not tried."""
        self._incarnation = 0
        self._sequence = 0
        self._unconfirmed: _Call | None = None
        self._reconcile = False

    @property
    def is_valid(self) -> bool:
        return time.monotonic() < self.valid_until

    @property
    def is_settled(self) -> bool:
        return not self.outbox and self._unconfirmed is None

    def register(self) -> None:
        """Take a lease under a name never used before; raises what redis-py raises."""
        self._incarnation += 1
        lease = f"{self.worker_id}.{self._incarnation}"
        started = time.monotonic()
        leases.take(self.client, self.keys, lease)
        self.lease, self.valid_until = lease, started + leases.LEASE_S
        self._sequence = 0

    def exchange(self, wanted: int, *, elsewhere: int = 0) -> Taken | None:
        """Hand in the outbox and take up to `wanted` messages in one step; None: our lease was given away.

        Raises what redis-py raises; the same call is then repeated, so that nothing is done twice.
        """
        call = self._unconfirmed or self._next_call(wanted, elsewhere)
        self._unconfirmed = call
        try:
            reply = EXCHANGE.run(self.client, (*self.keys.base, *self.keys.of_worker(self.lease)), call.args)
        except Exception:
            self._reconcile = True
            raise
        self._unconfirmed = None
        if reply[0] == b"fenced":
            return None
        _, now, refused, flat, sleep_ms, mode, suspects = reply
        for delivery, _ in call.settled:
            self.held.pop(delivery.delivery_id, None)
        if refused:
            report_refused(len(refused))
        messages = list(zip(flat[::2], flat[1::2], strict=True))
        if self._reconcile:
            self._give_back_unknown({delivery_id for delivery_id, _ in messages})
        due_in_s = None if sleep_ms < 0 else sleep_ms / 1000
        return Taken(int(now), messages, call.asked, due_in_s, mode.decode(), suspects)

    def lose(self) -> list[Delivery]:
        """Forget everything: another worker has it now. Returns what was held."""
        lost = list(self.held.values())
        if self.outbox:
            report_refused(len(self.outbox))
        self.held.clear()
        self.outbox.clear()
        self._unconfirmed = None
        self.lease, self.valid_until, self.is_fenced = "", 0.0, False
        return lost

    def leave(self) -> int:
        """Give back everything held and end the lease; raises what redis-py raises."""
        given_back = leases.release(self.client, self.keys, self.lease, "leaving") if self.lease else 0
        self.lease = ""
        self.held.clear()
        return given_back

    def _next_call(self, wanted: int, elsewhere: int) -> _Call:
        self._sequence += 1
        settled, self.outbox = self.outbox[:_OUTCOMES_A_CALL], self.outbox[_OUTCOMES_A_CALL:]
        args = [self.lease, self._sequence, wanted, elsewhere, *_outcomes(settled)]
        return _Call(args, settled, wanted)

    def _give_back_unknown(self, just_taken: set[bytes]) -> None:
        """After an outage Redis may have lost writes: what it says we hold and we do not, runs again."""
        hand = self.keys.of_worker(self.lease)[0]
        unknown = set(self.client.hkeys(hand)) - just_taken - self.held.keys()
        self._reconcile = False
        if unknown:
            log.warning("redis lost outcomes, their messages run again", count=len(unknown))
            args: list[Any] = [self.lease, self._sequence + 1, 0, 0]
            for delivery_id in unknown:
                args += ["B", delivery_id]
            self._unconfirmed = _Call(args, [], 0)
            self._sequence += 1


def report_refused(count: int) -> None:
    """Outcomes that came after the messages were given away: they may run, or have run, twice."""
    metrics.ERRORS.labels("lease_lost", "broker", "warning").inc(count)
    log.warning("late outcomes refused, other workers have these messages", count=count)


def _outcomes(settled: Sequence[tuple[Delivery, Outcome]]) -> list[Any]:
    done: dict[tuple[str, str], list[bytes]] = {}
    args: list[Any] = []
    given_back: list[bytes] = []
    for delivery, outcome in settled:
        if isinstance(outcome, Again):
            args += ["R", delivery.delivery_id, outcome.delay_ms, outcome.body]
        elif isinstance(outcome, Dead):
            args += ["X", delivery.delivery_id, outcome.meta, outcome.body]
            if outcome.follow_up is None:
                args.append(0)
            else:
                follow_up = outcome.follow_up
                args += [1, level_of(follow_up), follow_up.actor_name, encode(follow_up)]
        elif outcome == "given_back":
            given_back.append(delivery.delivery_id)
        else:
            done.setdefault((delivery.entry.actor, delivery.entry.priority), []).append(delivery.delivery_id)
    for (actor, priority), ids in done.items():
        args += ["D", actor, PRIORITIES.index(priority), len(ids), *ids]
    # Each goes to the front of its line: the first taken must come last.
    for delivery_id in reversed(given_back):
        args += ["B", delivery_id]
    return args
