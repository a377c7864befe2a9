"""How messages of a folder are filed: a delta query of its own, of categories and moves, without any text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from workers.errors import BadRequest, DeltaLinkExpired, NotFound
from workers.graph import paths
from workers.graph.changes import Page, page_of
from workers.graph.client import Graph

_SELECT = "id,categories,parentFolderId"


async def pages(
    graph: Graph, mailbox: str, folder: str, *, link: str | None, since: datetime, page_size: int = 250
) -> AsyncIterator[Page]:
    """Pages of what changed or left a folder after `link`; without one, of all received since then.

    Raises DeltaLinkExpired when Graph has forgotten the link: start without it.
    """
    following: str | None = link or _first(graph, mailbox, folder, since)
    if link is not None and not graph.owns(link):
        raise DeltaLinkExpired("the stored delta link leads to another Graph than the one configured")
    while following is not None:
        try:
            content = await graph.get_link(
                following, mailbox=mailbox, prefer=f"odata.maxpagesize={page_size}"
            )
        except (BadRequest, NotFound) as refused:
            raise DeltaLinkExpired(str(refused)) from None
        page = page_of(content, None)
        yield page
        following = page.next_link


def _first(graph: Graph, mailbox: str, folder: str, since: datetime) -> str:
    options = {
        "$select": _SELECT,
        "$filter": f"receivedDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    return graph.transport.url_of(f"{paths.folder(mailbox, folder)}/messages/delta{paths.query(options)}")
