"""A Redis that is there but takes no commands now: outcomes are held, nothing is lost, nothing runs twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from redis.exceptions import ClusterDownError, MasterDownError, ReadOnlyError, TryAgainError

from tests.redis_process import RedisProcess
from tests.redis_topologies import low_port
from tests.running_worker import running
from tests.waiting import eventually, wait_for
from workers import metrics
from workers.broker import Broker
from workers.broker.scripts import AWAY

Play = Callable[[redis.Redis, RedisProcess], Callable[[], Any]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path / "redis").start()
    yield server
    server.kill()


def short_of_replicas(client: redis.Redis, server: RedisProcess) -> Callable[[], Any]:
    client.config_set("min-replicas-to-write", 1)
    return lambda: client.config_set("min-replicas-to-write", 0)


def cannot_save(client: redis.Redis, server: RedisProcess) -> Callable[[], Any]:
    (server.directory / "dump.rdb").mkdir()
    client.config_set("save", "3600 1")
    client.bgsave()
    wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
    return lambda: client.config_set("save", "")


def is_a_replica(client: redis.Redis, server: RedisProcess) -> Callable[[], Any]:
    client.replicaof("127.0.0.1", "1")
    return lambda: client.replicaof("NO", "ONE")


def is_a_replica_without_its_master(client: redis.Redis, server: RedisProcess) -> Callable[[], Any]:
    client.config_set("replica-serve-stale-data", "no")
    return is_a_replica(client, server)


def runs_a_script_for_ever(client: redis.Redis, server: RedisProcess) -> Callable[[], Any]:
    client.config_set("lua-time-limit", 10)

    def run() -> None:
        with pytest.raises(redis.ResponseError), server.client() as other:
            other.eval("while true do end", 0)

    threading.Thread(target=run, daemon=True).start()
    wait_for(lambda: is_busy(client))
    return client.script_kill


def is_busy(client: redis.Redis) -> bool:
    try:
        client.ping()
    except redis.ResponseError as busy:
        return str(busy).startswith("BUSY")
    return False


def exchange_failures() -> float:
    return float(metrics.REDIS_OPERATIONS.labels("exchange", "error")._value.get())


@pytest.mark.parametrize(
    "play",
    [
        short_of_replicas,
        cannot_save,
        is_a_replica,
        is_a_replica_without_its_master,
        runs_a_script_for_ever,
    ],
    ids=["NOREPLICAS", "MISCONF", "READONLY", "MASTERDOWN", "BUSY"],
)
def test_outcomes_and_sends_wait_until_redis_takes_them(server: RedisProcess, play: Play) -> None:
    gate, runs = threading.Event(), list[int]()
    client = server.client()
    broker = Broker("test")
    broker.connect(client)

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        runs.append(number)
        gate.wait(20)

    with running(broker):
        note.send(1)
        eventually(lambda: runs)
        relent = play(client, server)
        before = exchange_failures()
        gate.set()
        sending = threading.Thread(target=note.send, args=(2,))
        sending.start()
        eventually(lambda: exchange_failures() >= before + 2)
        assert runs == [1]
        relent()
        eventually(lambda: runs == [1, 2])
        sending.join(10)
        eventually(lambda: not broker.stats().sizes)
    assert broker.stats().workers == 0
    broker.close()
    client.close()


def test_a_worker_outlives_a_permission_that_it_lacks_for_a_while(server: RedisProcess) -> None:
    gate, runs = threading.Event(), list[int]()
    client = server.client()
    client.acl_setuser("worker", enabled=True, nopass=True, keys="*", commands=["+@all"])
    producer, broker = Broker("test"), Broker("test")
    producer.connect(client)
    broker.connect(redis.Redis(port=server.port, username="worker", password="any"))

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        runs.append(number)
        gate.wait(20)

    with running(broker):
        producer.enqueue(note.message(1))
        eventually(lambda: runs)
        client.acl_setuser("worker", enabled=True, commands=["-evalsha", "-eval"])
        before = exchange_failures()
        gate.set()
        eventually(lambda: exchange_failures() >= before + 2)
        producer.enqueue(note.message(2))
        client.acl_setuser("worker", enabled=True, commands=["+evalsha", "+eval"])
        eventually(lambda: runs == [1, 2])
        eventually(lambda: not producer.stats().sizes)
    assert producer.stats().workers == 0
    broker.close()
    producer.close()


def test_a_cluster_that_is_down_is_waited_for(tmp_path: Path) -> None:
    arguments = ("--cluster-enabled", "yes")
    server = RedisProcess(tmp_path / "redis", port=low_port(), arguments=arguments).start()
    runs: list[int] = []
    with server.client() as client:
        broker = Broker("test")
        broker.connect(client)

        @dramatiq.actor(broker=broker)
        def note() -> None:
            runs.append(1)

        sending = threading.Thread(target=note.send)
        sending.start()
        with running(broker):
            before = metrics.REDIS_OPERATIONS.labels("lease", "error")._value.get()
            eventually(lambda: metrics.REDIS_OPERATIONS.labels("lease", "error")._value.get() > before)
            client.execute_command("CLUSTER ADDSLOTS", *range(16384))
            eventually(lambda: runs)
            sending.join(10)
            eventually(lambda: not broker.stats().sizes)
        broker.close()
    server.kill()


@pytest.mark.parametrize(
    "error",
    [
        redis.BusyLoadingError,
        redis.ConnectionError,
        redis.TimeoutError,
        ClusterDownError,
        MasterDownError,
        ReadOnlyError,
        TryAgainError,
        ConnectionResetError,
    ],
)
def test_what_redis_py_says_by_class_counts_as_away(error: type[Exception]) -> None:
    assert issubclass(error, AWAY)
