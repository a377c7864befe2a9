"""How messages of a folder are filed: a delta query of its own, of categories and moves, without any text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from workers.graph.changes import Page, first_link, follow, until_refused
from workers.graph.client import Graph

_SELECT = {"$select": "id,categories,parentFolderId"}


async def pages(
    graph: Graph, mailbox: str, folder: str, *, link: str | None, since: datetime, page_size: int = 250
) -> AsyncIterator[Page]:
    """Pages of what changed or left a folder after `link`; without one, of all received since then.

    Raises DeltaLinkExpired when Graph has forgotten the link: start without it.
    """
    link = link or first_link(graph, mailbox, folder, _SELECT, since)
    following = follow(graph, mailbox, link, since=None, page_size=page_size, kind="read")
    async for page in until_refused(following):
        yield page
