"""The nightly count: what a folder holds against what the ledger knows. It finds what even delta missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from workers.graph import folders
from workers.graph.client import Graph
from workers.store import Ledger

# Hours of the organization's own clock in which nobody waits for mail; the timer comes by several times.
_NIGHT = range(2, 6)
_APART = timedelta(hours=20)


def is_due(counted_at_ms: int, now: datetime) -> bool:
    """Whether a folder last counted then (0: never) is to be counted; `now` is the organization's time."""
    counted_at = datetime.fromtimestamp(counted_at_ms / 1000, UTC)
    return now.hour in _NIGHT and now - counted_at > _APART


async def missed(
    graph: Graph, ledger: Ledger, mailbox: str, folder: str, *, since: datetime
) -> AsyncIterator[list[dict[str, Any]]]:
    """The messages received in a folder since then that the ledger does not know, page by page, if any."""
    async for page in folders.headings(graph, mailbox, folder, since=since):
        known = await ledger.known(mailbox, [str(message["id"]) for message in page])
        unknown = [message for message in page if message["id"] not in known]
        if unknown:
            yield unknown
