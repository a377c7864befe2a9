"""The queue on a real cluster of three nodes, its partitions spread over all of them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
import redis.asyncio

from tests.faults.fleet import NAMESPACE, Fleet
from tests.faults.worker import declare
from tests.redis_process import RedisProcess
from tests.redis_topologies import cluster, cluster_client
from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker, Producer
from workers.errors import NotFound, TemporaryError

PARTITIONS = 6


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisProcess]]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def broker(nodes: list[RedisProcess]) -> Iterator[Broker]:
    for node in nodes:
        with node.client() as client:
            client.flushall()
    broker = Broker(NAMESPACE, partitions=PARTITIONS)
    broker.connect(cluster_client(nodes))
    yield broker
    broker.close()


def test_messages_of_all_kinds_go_through_all_three_nodes(broker: Broker, nodes: list[RedisProcess]) -> None:
    done: list[str] = []

    @dramatiq.actor(broker=broker)
    async def plain(word: str) -> None:
        await asyncio.sleep(0)
        done.append(word)

    @dramatiq.actor(broker=broker)
    def retrying(word: str) -> None:
        done.append(word)
        if done.count(word) < 2:
            raise TemporaryError("once more", retry_after_s=0.1)

    @dramatiq.actor(broker=broker)
    def hopeless() -> None:
        raise NotFound("gone")

    @dramatiq.actor(broker=broker)
    def told(reason: str, error: str) -> None:
        done.append(reason)

    broker.enqueue_many([plain.message(f"bulk {number}") for number in range(600)])
    used = []
    for node in nodes:
        with node.client() as client:
            used.append(sum(client.llen(key) for key in client.scan_iter("*ready*")))
    assert all(count > 50 for count in used)
    assert sum(used) == 600
    with running(broker, threads=8):
        retrying.send("retry")
        plain.send_with_options(args=("delayed",), delay=200)
        hopeless.send_with_options(on_dead={"actor": "told"})
        eventually(lambda: "not_found" in done)
        eventually(lambda: broker.stats().by_status == {"waiting": 0, "delayed": 0, "running": 0, "dead": 1})
    assert done.count("retry") == 2
    assert set(done) >= {f"bulk {number}" for number in range(600)} | {"delayed"}
    [letter], _ = broker.dead_letters.page()
    assert letter.reason == "not_found"


async def test_the_producer_reaches_every_partition(broker: Broker, nodes: list[RedisProcess]) -> None:
    @dramatiq.actor(broker=broker)
    def plain(number: int) -> None: ...

    client = redis.asyncio.RedisCluster(host="127.0.0.1", port=nodes[0].port, socket_timeout=5)
    producer = Producer(client, NAMESPACE, partitions=PARTITIONS)
    await asyncio.gather(*(producer.send(plain.message(number)) for number in range(100)))
    await client.aclose()
    assert await asyncio.to_thread(lambda: broker.stats().waiting) == 100


def test_what_a_killed_worker_held_in_any_partition_runs_elsewhere(
    broker: Broker, nodes: list[RedisProcess], tmp_path: Path
) -> None:
    with Fleet(
        tmp_path,
        f"cluster://{nodes[0].port}",
        size=2,
        threads=8,
        partitions=PARTITIONS,
        supervisor_client=cluster_client(nodes),
    ) as fleet:
        actors = declare(broker, fleet.journal)
        broker.enqueue_many([actors["plain"].message(number=number, work_ms=100) for number in range(200)])
        eventually(lambda: len(fleet.journal.read()) > 20, within_s=30)
        fleet.signal(signal.SIGKILL)
        eventually(lambda: not broker.stats().sizes, within_s=30)
        ended = {line.number for line in fleet.journal.read() if line.what == "end"}
    assert ended == set(range(200))


def test_an_idle_worker_is_woken_from_any_partition(broker: Broker) -> None:
    done: list[int] = []
    woken = threading.Event()

    @dramatiq.actor(broker=broker)
    def plain(number: int) -> None:
        done.append(number)
        woken.set()

    with running(broker, threads=2):
        eventually(lambda: broker.stats().workers == 1)
        for number in range(30):
            woken.clear()
            plain.send(number)
            # The doorbell, not the look every five seconds.
            assert woken.wait(1)
    assert done == list(range(30))
