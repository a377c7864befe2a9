"""What is new in a folder: Graph's delta query, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from workers.errors import BadRequest, DeltaLinkExpired, NotFound
from workers.graph import paths
from workers.graph.client import Graph
from workers.graph.leases import Kind
from workers.graph.messages import SELECT

# Graph tracks no more messages in a round that filters by date (message: delta, Graph API reference).
FILTERED_ROUND_LIMIT = 5000


@dataclass(frozen=True)
class Page:
    """One page of a delta round; only the last has a `delta_link`, where the next round starts.

    `removed` are ids that left the folder, deleted or moved. Messages may repeat, and may be partial.
    """

    messages: tuple[dict[str, Any], ...]
    removed: tuple[str, ...]
    next_link: str | None
    delta_link: str | None
    listed: int | None = None
    """In a listing that filters by date: how many messages it has shown so far; to be kept with its link."""


async def pages(
    graph: Graph,
    mailbox: str,
    folder: str,
    *,
    link: str | None = None,
    listed: int | None = None,
    since: datetime | None = None,
    page_size: int = 50,
) -> AsyncIterator[Page]:
    """Pages of what arrived in a folder after `link` (a former page's), or without one from `since` on.

    `listed` is the former page's, where its link goes on with a listing that was broken off.
    Raises DeltaLinkExpired when Graph has forgotten the link, or it leads to another Graph: start without it.
    """
    if link is not None:
        going_on = _round(graph, mailbox, link, since, page_size)
        if listed is not None:
            going_on = _listing(graph, mailbox, folder, going_on, listed, since, page_size)
        async for page in until_refused(going_on):
            yield page
        return
    first = _round(graph, mailbox, _first(graph, mailbox, folder, since), since, page_size)
    async for page in (
        first if since is None else _listing(graph, mailbox, folder, first, 0, since, page_size)
    ):
        yield page


async def until_refused(pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """The same pages; raises DeltaLinkExpired where Graph, or our client, refuses the link to one of them."""
    try:
        async for page in pages:
            yield page
    except (BadRequest, NotFound) as refused:
        # Whatever is wrong with a link (it may be of another Graph), only a new one helps; that also tells
        # whether the folder is gone.
        raise DeltaLinkExpired(str(refused)) from None


async def follow(
    graph: Graph, mailbox: str, link: str, *, since: datetime | None, page_size: int, kind: Kind
) -> AsyncIterator[Page]:
    """All pages from a link on."""
    following: str | None = link
    while following is not None:
        # Preferences are not part of the link: each page asks for its size again.
        content = await graph.get_link(
            following, mailbox=mailbox, prefer=f"odata.maxpagesize={page_size}", kind=kind
        )
        following = content.get("@odata.nextLink")
        yield page_of(content, since)


def first_link(
    graph: Graph, mailbox: str, folder: str, options: Mapping[str, str], since: datetime | None
) -> str:
    """Where a round over a folder begins, with these query options, of what was received since then."""
    received = (
        {}
        if since is None
        else {"$filter": f"receivedDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    )
    path = f"{paths.folder(mailbox, folder)}/messages/delta"
    return graph.transport.url_of(path + paths.query({**options, **received}))


async def _listing(
    graph: Graph,
    mailbox: str,
    folder: str,
    filtered: AsyncIterator[Page],
    listed: int,
    since: datetime | None,
    page_size: int,
) -> AsyncIterator[Page]:
    """A listing filtered by date; where the filter may have hidden messages, a whole one follows."""
    async for page in filtered:
        listed += len(page.messages)
        if page.delta_link is None or listed < FILTERED_ROUND_LIMIT:
            yield replace(page, listed=listed if page.delta_link is None else None)
            continue
        yield Page(page.messages, page.removed, next_link=None, delta_link=None)
        async for whole in _round(graph, mailbox, _first(graph, mailbox, folder, None), since, page_size):
            yield whole


def _first(graph: Graph, mailbox: str, folder: str, since: datetime | None) -> str:
    return first_link(graph, mailbox, folder, {**SELECT, "changeType": "created"}, since)


def _round(
    graph: Graph, mailbox: str, link: str, since: datetime | None, page_size: int
) -> AsyncIterator[Page]:
    return follow(graph, mailbox, link, since=since, page_size=page_size, kind="look")


def page_of(content: dict[str, Any], since: datetime | None) -> Page:
    """Read one page of a delta answer, leaving out what was received before `since`."""
    messages: dict[str, dict[str, Any]] = {}
    removed: dict[str, None] = {}
    for item in content.get("value", ()):
        identifier = str(item["id"])
        if "@removed" in item:
            messages.pop(identifier, None)
            removed[identifier] = None
        elif not _is_older(item, since):
            removed.pop(identifier, None)
            messages[identifier] = {**messages.get(identifier, {}), **item}
    return Page(
        messages=tuple(messages.values()),
        removed=tuple(removed),
        next_link=content.get("@odata.nextLink"),
        delta_link=content.get("@odata.deltaLink"),
    )


def _is_older(item: dict[str, Any], since: datetime | None) -> bool:
    received = item.get("receivedDateTime")
    if since is None or not received:
        return False
    return datetime.fromisoformat(received) < since
