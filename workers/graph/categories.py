"""A mailbox's master categories: the names a message's categories get their colours from."""

from __future__ import annotations

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


async def ensure_category(graph: Graph, mailbox: str, name: str, colour: str = "preset0") -> bool:
    """Create the master category where missing; True if it was. `colour` is none or preset0 to preset24."""
    # Exchange compares the names without regard to letter case, and refuses the second.
    if name.casefold() in {existing.casefold() for existing in await category_names(graph, mailbox)}:
        return False
    path = f"{paths.user(mailbox)}/outlook/masterCategories"
    try:
        await graph.post(path, mailbox=mailbox, json={"displayName": name, "color": colour})
    except Conflict:
        return False
    return True
