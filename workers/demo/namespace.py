"""The demo's keys in Redis: none of an earlier run at its start, none left in a shared Redis at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workers import redis_clients
from workers.settings import Settings


@contextmanager
def emptied(settings: Settings, *, also_at_end: bool) -> Iterator[None]:
    """Delete everything in the namespace, now and where wanted at the end."""
    _empty(settings)
    try:
        yield
    finally:
        if also_at_end:
            _empty(settings)


def _empty(settings: Settings) -> None:
    with redis_clients.connect_sync(settings) as client:
        # "{name}:..." and, in partitions, "{name:0}:..."
        pattern = f"{{{settings.namespace}[}}:]*"
        for key in client.scan_iter(match=pattern, count=1000):
            client.unlink(key)
