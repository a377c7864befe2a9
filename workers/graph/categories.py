"""A mailbox's master categories: the names a message's categories get their colours from."""

from __future__ import annotations

from collections.abc import Mapping

from workers.errors import Conflict
from workers.graph import paths
from workers.graph.client import Graph


async def category_names(graph: Graph, mailbox: str) -> frozenset[str]:
    """Names of all master categories of a mailbox."""
    path = f"{paths.user(mailbox)}/outlook/masterCategories"
    found = await graph.get(path, mailbox=mailbox)
    names = {item["displayName"] for item in found.get("value", ())}
    while link := found.get("@odata.nextLink"):
        found = await graph.get_link(link, mailbox=mailbox)
        names |= {item["displayName"] for item in found.get("value", ())}
    return frozenset(names)


async def ensure_categories(graph: Graph, mailbox: str, wanted: Mapping[str, str]) -> int:
    """Create the master categories that are missing, of name -> colour (none or preset0 to preset24).

    Returns how many were.
    """
    # Exchange compares the names without regard to letter case, and refuses the second.
    existing = {name.casefold() for name in await category_names(graph, mailbox)}
    path = f"{paths.user(mailbox)}/outlook/masterCategories"
    created = 0
    for name, colour in wanted.items():
        if name.casefold() in existing:
            continue
        try:
            await graph.post(path, mailbox=mailbox, json={"displayName": name, "color": colour})
        except Conflict:
            continue
        created += 1
    return created
