"""The vital signs of a process, measured every few seconds: memory and open connections."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workers import metrics
from workers.side_thread import beside

_EVERY_S = 5.0
_STATM = Path("/proc/self/statm")


@contextmanager
def reported(process: str, connections: Mapping[str, Callable[[], int]] | None = None) -> Iterator[None]:
    """Keep this process' memory and connection gauges true for as long as the context lasts.

    `connections` counts open connections by type (http, graph, redis); the counters must not block.
    """

    def measure(stop: threading.Event) -> None:
        while True:
            metrics.MEMORY_USAGE.labels(process).set(resident_bytes())
            for kind, count in (connections or {}).items():
                metrics.ACTIVE_CONNECTIONS.labels(kind).set(count())
            if stop.wait(_EVERY_S):
                return

    with beside("vitals", measure):
        yield


def resident_bytes() -> int:
    """Resident memory of this process (where /proc is missing: its highest so far)."""
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
