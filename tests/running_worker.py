"""A worker of ours in the test's own process: dramatiq's Worker over our broker and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq import Worker

from workers.broker import Broker


@contextmanager
def running(broker: Broker, *, threads: int = 4) -> Iterator[Worker]:
    """Run the broker's actors for the length of the block, then drain."""
    worker = Worker(broker, worker_threads=threads, worker_timeout=30_000)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(timeout=5_000)


def join(broker: Broker, worker: Worker) -> None:
    """Wait for all to be done, as dramatiq's documentation tells tests to."""
    broker.join("default", timeout=20_000)
    worker.join()
