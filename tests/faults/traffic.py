"""The traffic of a fault run: four kinds of messages, and what became of each."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import dramatiq
import redis

from tests.faults.journal import Line
from tests.faults.worker import RETRIES, RETRY_AFTER_S
from workers.errors import QueueUnavailable

KINDS = ("plain", "delayed", "retrying", "bulk")
RUNS = {"plain": 1, "delayed": 1, "retrying": RETRIES + 1, "bulk": 1}
"""How often a message of each kind runs when nothing goes wrong."""
Message = tuple[str, int]
_IN_HAND_S = 0.05


class Traffic:
    """Sends one plain, one delayed and one retrying message every 50 ms, and bulks of 1,000 when asked to."""

    def __init__(self, broker: dramatiq.Broker, actors: dict[str, dramatiq.Actor[..., Any]]) -> None:
        self.confirmed: dict[Message, float] = {}
        """Messages that the queue said it has, and the time (s) at which they could be over."""
        self.unconfirmed = 0
        self._broker = broker
        self._actors = actors
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._next_bulk = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(60)

    def bulk(self, size: int = 1000) -> None:
        numbers = range(self._next_bulk, self._next_bulk + size)
        self._next_bulk += size
        actor = self._actors["bulk"]
        messages = [actor.message(number=number, work_ms=5) for number in numbers]
        many = getattr(self._broker, "enqueue_many", None)
        try:
            if many is not None:
                many(messages)
            else:
                for message in messages:
                    self._broker.enqueue(message)
        except (QueueUnavailable, redis.RedisError):
            self.unconfirmed += size
        else:
            self.confirmed |= {("bulk", number): time.monotonic() for number in numbers}

    def _run(self) -> None:
        number = 0
        while not self._stopped.wait(0.05):
            delay_ms = 500 + number % 5 * 500
            self._send("plain", number, 0.0)
            self._send("delayed", number, delay_ms / 1000, delay=delay_ms)
            self._send("retrying", number, RETRIES * RETRY_AFTER_S)
            number += 1

    def _send(self, kind: str, number: int, takes_s: float, **options: Any) -> None:
        try:
            self._actors[kind].send_with_options(kwargs={"number": number, "work_ms": 20}, **options)
        except (QueueUnavailable, redis.RedisError):
            self.unconfirmed += 1
        else:
            self.confirmed[kind, number] = time.monotonic() + takes_s


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a message by a process; `end_s` None: it was cut short."""

    pid: int
    start_s: float
    end_s: float | None

    def overlaps(self, since_s: float, until_s: float) -> bool:
        return self.start_s <= until_s and (self.end_s is None or self.end_s >= since_s)


def runs_of(lines: list[Line]) -> dict[Message, list[Run]]:
    """The runs of each message, from the journal."""
    open_runs: dict[tuple[Message, int], float] = {}
    runs: dict[Message, list[Run]] = defaultdict(list)
    for line in lines:
        message = (line.kind, line.number)
        if line.what == "start":
            open_runs[message, line.pid] = line.at_s
        else:
            runs[message].append(Run(line.pid, open_runs.pop((message, line.pid)), line.at_s))
    for (message, pid), start_s in open_runs.items():
        runs[message].append(Run(pid, start_s, None))
    return runs


@dataclass
class Cell:
    """What became of the messages of one kind under one fault."""

    kind: str
    sent: int = 0
    lost: int = 0
    """Never ran to an end."""
    stuck: int = 0
    """Ran, but not as often as it had to."""
    twice: int = 0
    """Runs too many without a reason."""
    excused: int = 0
    """Runs too many because a worker died, or lost its lease, during one."""
    recovered_s: float = 0.0
    """From the end of the fault until all was over that could have been over by then."""

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.stuck or self.twice)

    def __str__(self) -> str:
        return (
            f"{self.kind:9} sent {self.sent:5}  lost {self.lost:3}  stuck {self.stuck:3}  "
            f"twice {self.twice:3}  excused {self.excused:3}  recovered after {self.recovered_s:5.1f} s"
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """When it was, and the processes that may have died or lost their lease by it."""

    began_s: float
    ended_s: float
    victims: frozenset[int] = frozenset()

    def excuses(self, run: Run) -> bool:
        """It ran then, or had just ended and its outcome was still in hand."""
        return run.pid in self.victims and run.overlaps(self.began_s - _IN_HAND_S, self.ended_s)


def cells(traffic: Traffic, runs: dict[Message, list[Run]], fault: Fault) -> list[Cell]:
    """Add up: one cell for each kind of message."""
    found = {kind: Cell(kind) for kind in KINDS}
    for message, over_s in traffic.confirmed.items():
        cell, wanted = found[message[0]], RUNS[message[0]]
        ended = [run.end_s for run in runs.get(message, ()) if run.end_s is not None]
        excused = sum(fault.excuses(run) for run in runs.get(message, ()))
        too_many = max(len(runs.get(message, ())) - wanted, 0)
        cell.sent += 1
        cell.lost += not ended
        cell.stuck += 0 < len(ended) < wanted and len(ended) + excused < wanted
        cell.excused += min(too_many, excused)
        cell.twice += max(too_many - excused, 0)
        if ended and over_s <= fault.ended_s:
            cell.recovered_s = max(cell.recovered_s, max(ended) - fault.ended_s)
    return list(found.values())


def is_over(traffic: Traffic, lines: list[Line]) -> bool:
    """Has every confirmed message ended at least as often as it has to?"""
    ends: dict[Message, int] = defaultdict(int)
    for line in lines:
        if line.what == "end":
            ends[line.kind, line.number] += 1
    return all(ends[message] >= RUNS[message[0]] for message in list(traffic.confirmed))
