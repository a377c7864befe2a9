"""Graph's own ids of the calls made for a piece of work: what Microsoft's support asks for first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[list[str] | None] = ContextVar("econeura_graph_request_ids", default=None)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the `request-id` of every Graph answer inside, also in coroutines started there."""
    ids: list[str] = []
    reset = _collected.set(ids)
    try:
        yield ids
    finally:
        _collected.reset(reset)


def record(request_id: str | None) -> None:
    """Add an answer's `request-id` to the collection that is open, if any."""
    ids = _collected.get()
    if ids is not None and request_id:
        ids.append(request_id)
