"""What a folder holds now, without the messages' text: for counting, not for following."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from workers.graph import paths
from workers.graph.client import Graph

_HEADINGS = (
    "id", "subject", "receivedDateTime", "sentDateTime", "internetMessageId", "isDraft", "parentFolderId",
)  # fmt: skip


async def id_of(graph: Graph, mailbox: str, folder: str) -> str:
    """The id of a folder that is given by its well-known name."""
    found = await graph.get(paths.folder(mailbox, folder), mailbox=mailbox, params={"$select": "id"})
    return str(found.get("id") or "")


async def headings(
    graph: Graph, mailbox: str, folder: str, *, since: datetime, page_size: int = 250
) -> AsyncIterator[tuple[dict[str, Any], ...]]:
    """Pages of what was received in a folder since then, newest first; each message without its body."""
    params = {
        "$select": ",".join(_HEADINGS),
        "$filter": f"receivedDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "$orderby": "receivedDateTime desc",
        "$top": str(page_size),
    }
    path = f"{paths.folder(mailbox, folder)}/messages"
    found = await graph.get(path, mailbox=mailbox, params=params)
    while True:
        yield tuple(found.get("value", ()))
        link = found.get("@odata.nextLink")
        if link is None:
            return
        found = await graph.get_link(link, mailbox=mailbox)
