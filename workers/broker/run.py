"""The body of a worker process: boot dramatiq's worker, wait for the order to stop, drain."""

from __future__ import annotations

import resource
import threading
from pathlib import Path
from typing import Literal

from dramatiq import Worker

from workers.broker.broker import Broker
from workers.logs import get_logger

log = get_logger("worker")
DEFAULT_THREADS = 256
_IDLE_MS = 30_000
"""Idle threads wake so often for nothing; at a stop they are nudged and do not wait for it."""
_LOOK_EVERY_S = 5.0
_STATM = Path("/proc/self/statm")


def run_worker(
    broker: Broker,
    stop: threading.Event,
    *,
    threads: int = DEFAULT_THREADS,
    grace_s: float = 30.0,
    memory_limit_mb: int | None = None,
) -> Literal["stopped", "memory"]:
    """Run actors until `stop` is set, or this process has grown past its memory limit; then drain.

    Draining takes nothing new, gives back what no thread has started, lets running actors end for `grace_s`,
    cancels asyncio actors that have not, and gives back what they were doing. Returns why it ended; whoever
    started the process starts it again after "memory".
    """
    worker = Worker(broker, worker_threads=threads, worker_timeout=_IDLE_MS)
    worker.start()
    log.info("worker is up", threads=threads, worker=broker.worker_id)
    why: Literal["stopped", "memory"] = "stopped"
    while not stop.wait(_LOOK_EVERY_S):
        if memory_limit_mb is not None and resident_mb() > memory_limit_mb:
            log.warning(
                "memory limit passed, starting anew", limit_mb=memory_limit_mb, resident_mb=resident_mb()
            )
            why = "memory"
            break
    worker.stop(timeout=int(grace_s * 1000))
    log.info("worker has stopped", why=why)
    return why


def resident_mb() -> int:
    """Resident memory of this process in MB (where /proc is missing: its highest so far)."""
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize() // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
