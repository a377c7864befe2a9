"""Our side of the peer benchmarks: the actors, the enqueuer, and the worker as it ships.

The runner of those benchmarks puts its own directory on the path (its module `jobs` holds the job bodies).
`python -m tests.bench.broker_peer THREADS` is the worker.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from workers.metrics_directory import claimed


def main(threads: int) -> None:
    with tempfile.TemporaryDirectory() as directory, claimed(Path(directory)):
        from workers import logs
        from workers.broker.run import run_worker

        logs.configure("worker", level="warning")
        queue = Peer()
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        run_worker(queue.broker, stop, threads=threads, grace_s=3)


class Peer:
    """The broker with all middleware that ships, and the jobs of the benchmarks as its actors."""

    def __init__(self) -> None:
        import dramatiq
        import redis

        from actors import broker

        self.jobs: Any = import_module("jobs")
        self.broker = broker
        self.broker.connect(redis.Redis(port=self.jobs.PORT, db=self.jobs.DB, socket_timeout=5))
        is_async = os.environ.get("ASYNC") == "1"
        noop, sleep = ("anoop", "asleep") if is_async else ("noop", "sleep")
        self.actors = {
            "noop": dramatiq.actor(actor_name="noop")(getattr(self.jobs, noop)),
            "sleep": dramatiq.actor(actor_name="sleep")(getattr(self.jobs, sleep)),
        }

    def message(self, kind: str, number: int) -> Any:
        """`low` and `urgent` are 20 ms jobs of that priority."""
        if kind in ("low", "urgent"):
            return self.actors["sleep"].message_with_options(args=(number,), priority=kind)
        return self.actors[kind].message(number)


_peer: Peer | None = None


def _enqueuer() -> Peer:
    global _peer
    _peer = _peer or Peer()
    return _peer


def one(kind: str, number: int) -> None:
    """Enqueue one job; called by the runner's enqueuer."""
    queue = _enqueuer()
    queue.broker.enqueue(queue.message(kind, number))


def bulk(kind: str, start: int, count: int) -> None:
    """Enqueue many; called by the runner's enqueuer."""
    queue = _enqueuer()
    for number in range(start, start + count):
        queue.jobs.E.put(number)
    queue.broker.enqueue_many([queue.message(kind, number) for number in range(start, start + count)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
