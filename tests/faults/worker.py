"""A worker process for the faults: its actors write what they do to a journal that outlives them.

usage: python -m tests.faults.worker JOURNAL THREADS ours|stock
Environment: FAULTS_REDIS_URL, FAULTS_WORKER_ID, FAULTS_PARTITIONS.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage

from tests.faults.journal import Journal
from workers import logs
from workers.broker import Broker
from workers.broker.run import run_worker
from workers.errors import TemporaryError

RETRIES = 2
RETRY_AFTER_S = 0.5


def declare(broker: dramatiq.Broker, journal: Journal) -> dict[str, dramatiq.Actor[..., Any]]:
    """The kinds of traffic; each message is `number` of its kind and takes `work_ms`."""

    def run(kind: str, number: int, work_ms: int) -> None:
        journal.write("start", kind, number)
        time.sleep(work_ms / 1000)
        journal.write("end", kind, number)

    def plain(number: int, work_ms: int) -> None:
        run("plain", number, work_ms)

    def delayed(number: int, work_ms: int) -> None:
        run("delayed", number, work_ms)

    def bulk(number: int, work_ms: int) -> None:
        run("bulk", number, work_ms)

    def retrying(number: int, work_ms: int) -> None:
        run("retrying", number, work_ms)
        message = CurrentMessage.get_current_message()
        if message is not None and message.options.get("retries", 0) < RETRIES:
            raise TemporaryError("once more", retry_after_s=RETRY_AFTER_S)

    def deadly(number: int, work_ms: int) -> None:
        journal.write("start", "deadly", number)
        time.sleep(work_ms / 1000)
        os.kill(os.getpid(), signal.SIGKILL)

    broker.add_middleware(CurrentMessage())
    options: dict[str, Any] = {"max_attempts": 20} if isinstance(broker, Broker) else {"min_backoff": 500}
    return {
        function.__name__: dramatiq.actor(broker=broker, **options)(function)
        for function in (plain, delayed, bulk, retrying, deadly)
    }


def connect(url: str) -> Any:
    """By URL; `sentinel://PORT` asks that sentinel for its master, `cluster://PORT` a node for the others."""
    scheme, _, port = url.partition("://")
    if scheme == "sentinel":
        sentinel = redis.Sentinel([("127.0.0.1", int(port))], socket_timeout=1)  # type: ignore[no-untyped-call]
        return sentinel.master_for("mymaster", socket_timeout=5)  # type: ignore[no-untyped-call]
    if scheme == "cluster":
        return redis.RedisCluster(host="127.0.0.1", port=int(port), socket_timeout=5)
    return redis.Redis.from_url(url, socket_timeout=5)


def main(journal_path: str, threads: int, kind: str) -> None:
    logs.configure("worker", level="info")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    url = os.environ["FAULTS_REDIS_URL"]
    if kind == "stock":
        stock = RedisBroker(client=connect(url))  # type: ignore[no-untyped-call]
        declare(stock, Journal(journal_path))
        worker = dramatiq.Worker(stock, worker_threads=threads)
        worker.start()
        stop.wait()
        worker.stop(timeout=20_000)
        return
    broker = Broker("faults", partitions=int(os.environ["FAULTS_PARTITIONS"]))
    declare(broker, Journal(journal_path))
    broker.connect(connect(url), worker_id=os.environ["FAULTS_WORKER_ID"])
    run_worker(broker, stop, threads=threads, grace_s=20)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
