"""A message that kills its worker is found out, and its neighbours are not blamed."""

from __future__ import annotations

from typing import Any

import dramatiq

from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker
from workers.broker.encoding import parse
from workers.broker.hand import Hand, Taken
from workers.broker.leases import declare_dead
from workers.broker.sorting import sort


def declare(broker: Broker) -> dramatiq.Actor[..., Any]:
    @dramatiq.actor(broker=broker)
    def note(word: str) -> None: ...

    return note


def send(broker: Broker, note: dramatiq.Actor[..., Any], *words: str) -> None:
    broker.enqueue_many([note.message(word) for word in words])


class Process:
    """A worker process as Redis sees it."""

    born = 0

    def __init__(self, broker: Broker) -> None:
        Process.born += 1
        self.name = f"process{Process.born}"
        self.broker = broker
        self.hand = Hand(broker.keys[0], broker.client, self.name)
        self.hand.register()

    def take(self, wanted: int = 10) -> tuple[str, list[str]]:
        taken = self.hand.exchange(wanted)
        assert isinstance(taken, Taken)
        self.deliveries = sort(lambda _: True, self.hand, taken)
        return taken.mode, [delivery.args[0] for delivery in self.deliveries]

    def finish(self) -> None:
        self.hand.outbox += [delivery.settled("done") for delivery in self.deliveries]
        self.hand.exchange(0)

    def die(self) -> None:
        declare_dead(self.broker.client, "test", self.name)


def test_what_a_dead_worker_held_is_taken_one_at_a_time_before_anything_else(broker: Broker) -> None:
    send(broker, declare(broker), "a", "b", "c", "d")
    first = Process(broker)
    assert first.take(3) == ("open", ["a", "b", "c"])
    first.die()
    second = Process(broker)
    assert second.take() == ("brief", ["a"])
    # It outlived its time alone: the others may join it, still one by one, and then the rest.
    assert second.take() == ("company", ["b"])
    assert Process(broker).take() == ("brief", ["c"])
    assert second.take() == ("empty", ["d"])


def test_a_busy_worker_makes_room_for_a_suspect_but_not_for_ever(broker: Broker) -> None:
    note = declare(broker)
    send(broker, note, "a", "long")
    first, busy = Process(broker), Process(broker)
    first.take(1)
    assert busy.take(1) == ("empty", ["long"])
    first.die()
    send(broker, note, "more")
    assert busy.take() == ("draining", [])
    # Meanwhile the others go on as before.
    other = Process(broker)
    other.hand.exchange(0)
    broker.client.hincrby(broker.keys[0]["state"], "ahead", 1000)
    assert busy.take() == ("company", ["a"])


def test_a_message_whose_worker_died_twice_in_company_runs_strictly_alone(broker: Broker) -> None:
    note = declare(broker)
    send(broker, note, "a", "b")
    first = Process(broker)
    first.take()
    first.die()
    second = Process(broker)
    second.take()
    second.take()
    second.die()
    send(broker, note, "fresh")
    third, busy = Process(broker), Process(broker)
    assert third.take() == ("strict", ["a"])
    assert third.take() == ("draining", [])
    third.die()
    assert broker.stats().suspects == 2
    # One that holds something must not take it, however long that lasts.
    assert busy.take(1) == ("strict", ["b"])
    broker.client.hincrby(broker.keys[0]["state"], "ahead", 3_600_000)
    assert busy.take() == ("draining", [])


def test_three_deaths_alone_are_poison_and_tell_on_dead(broker: Broker) -> None:
    told: list[dict[str, Any]] = []
    ran: list[str] = []

    @dramatiq.actor(broker=broker)
    def note(word: str) -> None:
        ran.append(word)

    @dramatiq.actor(broker=broker)
    def job_failed(**kwargs: Any) -> None:
        told.append(kwargs)

    broker.enqueue(
        note.message_with_options(args=("poison",), on_dead={"actor": "job_failed", "kwargs": {"job": "1"}})
    )
    send(broker, note, "neighbour")
    first = Process(broker)
    first.take()
    first.die()
    for word in ("poison", "neighbour", "poison", "poison"):
        worker = Process(broker)
        assert worker.take()[1] == [word]
        if word == "neighbour":
            worker.finish()
        worker.die()
    with running(broker):
        eventually(lambda: told)
    assert ran == []
    [letter], _ = broker.dead_letters.page()
    assert (letter.reason, letter.error) == ("poison", "3 workers died running it alone")
    assert told == [{"job": "1", "reason": "poison", "error": "3 workers died running it alone"}]


def test_a_suspect_that_ends_well_is_cleared(broker: Broker) -> None:
    done: list[str] = []

    @dramatiq.actor(broker=broker)
    def note(word: str) -> None:
        done.append(word)
        if done.count(word) == 1:
            raise ValueError("once more")

    send(broker, note, "a")
    for _ in range(2):
        unlucky = Process(broker)
        unlucky.take()
        unlucky.die()
    assert broker.stats().suspects == 1
    with running(broker):
        eventually(lambda: broker.stats().delayed == 1)
        [raw] = broker.client.zrange(broker.keys[0]["due"], 0, -1)
        assert (parse(raw).died_in_company, parse(raw).died_alone) == (0, 0)
        eventually(lambda: not broker.stats().sizes)
