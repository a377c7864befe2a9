"""Messages of a mailbox: read, categorize, archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.errors import Conflict
from workers.graph import paths
from workers.graph.client import Graph

# What the pipeline reads of a message; headers come only when selected by name.
SELECTED = (
    "subject", "body", "bodyPreview", "from", "sender", "replyTo", "toRecipients", "ccRecipients",
    "receivedDateTime", "sentDateTime", "internetMessageId", "internetMessageHeaders", "importance",
    "categories", "hasAttachments", "conversationId", "isDraft", "parentFolderId",
)  # fmt: skip
SELECT = {"$select": ",".join(("id", *SELECTED))}
_ATTACHMENT = {"$select": "id,name,contentType,size,isInline", "$top": "100"}
_RACES = 4


async def get_message(graph: Graph, mailbox: str, message_id: str) -> dict[str, Any]:
    """A message with body, headers and, where it has any, its attachments' names, types and sizes."""
    message = await graph.get(paths.message(mailbox, message_id), mailbox=mailbox, params=SELECT)
    return await with_attachments(graph, mailbox, message)


async def with_attachments(graph: Graph, mailbox: str, message: dict[str, Any]) -> dict[str, Any]:
    """The message with `attachments` listed (no content); one more call only if it has some."""
    if not message.get("hasAttachments") or "attachments" in message:
        return message
    path = f"{paths.message(mailbox, message['id'])}/attachments"
    listed = await graph.get(path, mailbox=mailbox, params=_ATTACHMENT)
    return {**message, "attachments": listed.get("value", [])}


def sender_of(message: Mapping[str, Any]) -> str:
    """The address that a message is from, "" where Graph does not tell."""
    told = message.get("from") or message.get("sender") or {}
    return str((told.get("emailAddress") or {}).get("address") or "")


def is_whole(message: Mapping[str, Any]) -> bool:
    """Whether a delta item holds what we act on; Graph may leave out what did not change."""
    return all(name in message for name in ("subject", "body", "receivedDateTime"))


def headers_of(message: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Internet headers in their order; names repeat and come in any letter case."""
    headers = message.get("internetMessageHeaders") or ()
    return tuple((str(header.get("name") or ""), str(header.get("value") or "")) for header in headers)


async def add_categories(
    graph: Graph,
    mailbox: str,
    message_id: str,
    names: Sequence[str],
    *,
    known: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Set these categories beside those a message has, and return all; no call if it has them.

    `known` is the message as last read: it saves reading it again. A PATCH replaces the whole list, so it is
    tied to the version read and tried again on a newer one; raises Conflict if it never stands still.
    """
    path = paths.message(mailbox, message_id)
    current = known if known is not None and "categories" in known else None
    for _ in range(_RACES):
        if current is None:
            current = await graph.get(
                path, mailbox=mailbox, params={"$select": "id,categories"}, kind="action"
            )
        existing = tuple(current.get("categories") or ())
        wanted = existing + tuple(name for name in dict.fromkeys(names) if name not in existing)
        if wanted == existing:
            return existing
        try:
            await graph.patch(
                path, mailbox=mailbox, json={"categories": wanted}, if_match=current.get("@odata.etag")
            )
        except Conflict:
            current = None
            continue
        return wanted
    raise Conflict(f"message changed {_RACES} times while being categorized", retry_after_s=1.0)


async def folder_of(graph: Graph, mailbox: str, message_id: str) -> str:
    """The id of the folder in which a message is now."""
    params = {"$select": "id,parentFolderId"}
    message = await graph.get(
        paths.message(mailbox, message_id), mailbox=mailbox, params=params, kind="action"
    )
    return str(message.get("parentFolderId") or "")


async def filed(graph: Graph, mailbox: str, message_id: str) -> dict[str, Any]:
    """How a message is filed now: its `categories` and `parentFolderId`."""
    params = {"$select": "id,categories,parentFolderId"}
    return await graph.get(paths.message(mailbox, message_id), mailbox=mailbox, params=params)


async def archive(graph: Graph, mailbox: str, message_id: str) -> str:
    """Move a message to Archive and return its id there: the same, for immutable ids within a mailbox."""
    moved = await graph.post(
        f"{paths.message(mailbox, message_id)}/move", mailbox=mailbox, json={"destinationId": "archive"}
    )
    return str((moved or {}).get("id") or message_id)
