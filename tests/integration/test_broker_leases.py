"""Who holds a message, and when it may be given to another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import dramatiq
import pytest
import redis

from tests.running_worker import running
from tests.waiting import eventually
from workers import metrics
from workers.broker import Broker, leases
from workers.broker.leases import LEASE_S, declare_dead


@pytest.fixture
def broker(redis_client: redis.Redis) -> Iterator[Broker]:
    broker = Broker("test")
    broker.connect(redis_client, worker_id="host:1")
    yield broker
    broker.close()


def refused() -> float:
    return float(metrics.ERRORS.labels("lease_lost", "broker", "warning")._value.get())


def test_the_late_outcome_of_a_worker_declared_dead_is_refused_and_reported(broker: Broker) -> None:
    gates = [threading.Event(), threading.Event()]
    runs: list[int] = []

    @dramatiq.actor(broker=broker)
    def slow() -> None:
        runs.append(len(runs))
        gates[runs[-1]].wait(20)

    before = refused()
    with running(broker):
        slow.send()
        eventually(lambda: runs)
        assert declare_dead(broker.client, "test", "host:1") == 1
        assert declare_dead(broker.client, "test", "host:1") == 0
        assert broker.stats().waiting == 1
        gates[0].set()
        eventually(lambda: refused() == before + 1)
        # Its own new lease takes it again; the first run did not count.
        eventually(lambda: len(runs) == 2)
        assert broker.stats().running == 1
        gates[1].set()
        eventually(lambda: not broker.stats().sizes)


def test_what_was_not_started_does_not_run_after_the_lease_was_lost(broker: Broker) -> None:
    gate = threading.Event()
    ran: list[int] = []

    @dramatiq.actor(broker=broker)
    def slow(number: int) -> None:
        ran.append(number)
        gate.wait(20)

    broker.enqueue_many([slow.message(number) for number in range(4)])
    with running(broker, threads=1):
        eventually(lambda: ran == [0])
        declare_dead(broker.client, "test", "host:1")
        gate.set()
        eventually(lambda: not broker.stats().sizes)
    # Once more for the one that was running when the lease was lost.
    assert sorted(ran) == [0, 0, 1, 2, 3]


def test_an_expired_lease_is_judged_only_by_a_worker_without_a_gap_of_its_own(broker: Broker) -> None:
    keys = broker.keys[0]
    for lease in ("lost.1", "other.1"):
        leases.take(broker.client, keys, lease)

    def time_passes(seconds: float) -> None:
        broker.client.hincrby(keys["state"], "ahead", int(seconds * 1000))

    # Everybody was away: nobody is judged by the first who is back.
    time_passes(10 * LEASE_S)
    assert leases.renew(broker.client, keys, "other.1") == []
    assert leases.release(broker.client, keys, "other.1", "expired") == -1
    time_passes(LEASE_S * 0.6)
    assert leases.renew(broker.client, keys, "other.1") == []
    time_passes(LEASE_S * 0.6)
    assert leases.renew(broker.client, keys, "other.1") == ["lost.1"]
    assert leases.release(broker.client, keys, "lost.1", "expired") == 0
    assert leases.renew(broker.client, keys, "lost.1") is None
    assert leases.renew(broker.client, keys, "other.1") == []


def test_a_server_clock_that_is_set_back_delays_nothing(broker: Broker) -> None:
    keys = broker.keys[0]
    ran: list[float] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        ran.append(time.monotonic())

    # As if the clock had shown an hour more until now.
    leases.take(broker.client, keys, "other.1")
    broker.client.hincrby(keys["state"], "ahead", 3_600_000)
    leases.renew(broker.client, keys, "other.1")
    sent = time.monotonic()
    note.send_with_options(delay=500)
    broker.client.hset(keys["state"], "ahead", 0)
    with running(broker):
        eventually(lambda: ran, within_s=3)
    assert 0.4 < ran[0] - sent < 2


def test_two_workers_share_the_work_and_a_stopped_one_leaves_no_trace(
    broker: Broker, redis_client: redis.Redis
) -> None:
    other = Broker("test")
    other.connect(redis_client)
    done: list[str] = []

    def declare(owner: Broker, name: str) -> dramatiq.Actor[..., None]:
        @dramatiq.actor(broker=owner, actor_name="note")
        def note() -> None:
            done.append(name)
            threading.Event().wait(0.005)

        return note

    note = declare(broker, "first")
    declare(other, "second")
    with running(other, threads=2), running(broker, threads=2):
        broker.enqueue_many([note.message() for _ in range(200)])
        eventually(lambda: len(done) == 200)
    assert min(done.count("first"), done.count("second")) > 40
    assert broker.stats().workers == 0
    assert not list(redis_client.scan_iter("*hand*")) + list(redis_client.scan_iter("*worker*"))
    other.close()
