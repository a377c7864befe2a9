"""Replies and forwards: a tagged draft, its text, the sending, and finding it again.

Graph has no idempotency for anything sent. So a draft carries a tag (an extended property, set in the call
that creates it), and whoever is in doubt looks for the tag before doing anything again. Before a draft is let
go, the message that it answers gets the tag, too: a Sent copy can be late, this mark never is.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workers.errors import BadRequest, NotFound
from workers.graph import paths
from workers.graph.client import Graph

TAG_PROPERTY = "String {9f3c6c1e-5d0b-4c58-8a64-0b8f6f0c7a11} Name econeura"
_BODY_START = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HELD = "-held"
_FOUND = {"$select": "id,isDraft,parentFolderId"}


@dataclass(frozen=True)
class Tagged:
    """A message of ours found by its tag, wherever a person or a rule has moved it since."""

    id: str
    folder: Literal["drafts", "sentitems"]
    is_draft: bool


def tag_of(organization_id: str, message_id: str, action: str) -> str:
    """The tag of one action on one message.

    Graph compares property values without letter case, but ids differ by case: hence the digest.
    """
    digest = hashlib.sha256(message_id.encode()).hexdigest()[:40]
    return f"{organization_id}:{action}:{digest}"


async def create_reply(
    graph: Graph, mailbox: str, message_id: str, *, tag: str, to: Sequence[str] = ()
) -> dict[str, Any]:
    """A draft reply with the quoted thread, to `to` or else to whom Graph picks (Reply-To before From)."""
    return await _create(graph, mailbox, message_id, "createReply", {**_tagged(tag), **_recipients(to)})


async def create_forward(
    graph: Graph, mailbox: str, message_id: str, *, tag: str, to: Sequence[str]
) -> dict[str, Any]:
    """A draft that forwards the message with its attachments and quoted text to these addresses."""
    # Recipients go in `message` or beside it: Graph refuses both at once.
    return await _create(graph, mailbox, message_id, "createForward", {**_tagged(tag), **_recipients(to)})


async def get_draft(graph: Graph, mailbox: str, draft_id: str) -> dict[str, Any]:
    """A draft as it is now, with its body; raises NotFound once it is sent or deleted."""
    params = {"$select": "id,subject,body,toRecipients,isDraft,conversationId,changeKey,lastModifiedDateTime"}
    return await graph.get(paths.message(mailbox, draft_id), mailbox=mailbox, params=params, kind="action")


async def update_draft_body(
    graph: Graph,
    mailbox: str,
    draft: Mapping[str, Any],
    text_html: str,
    *,
    tag: str,
    held: bool = False,
    subject: str | None = None,
    to: Sequence[str] = (),
) -> dict[str, Any]:
    """Put our text above the quoted thread of a draft (its `body` as Graph returned it); returns the draft.

    A draft that is `held` says so itself, to whoever finds it (`is_held`): it must not be sent as it is.

    Tied to the version given: raises Conflict if a person has edited it since.
    """
    changes: dict[str, Any] = {
        "body": {
            "contentType": "html",
            "content": prepended(text_html, draft.get("body") or {}, tag=tag, held=held),
        },
        **_recipients(to),
    }
    if subject is not None:
        changes["subject"] = subject
    path = paths.message(mailbox, str(draft["id"]))
    return await graph.patch(path, mailbox=mailbox, json=changes, if_match=draft.get("@odata.etag"))


def is_prepared(draft: Mapping[str, Any], tag: str) -> bool:
    """Whether our text already stands in the draft: between creating and filling it a worker may die."""
    return _mark(tag) in _content(draft)


def is_held(draft: Mapping[str, Any], tag: str) -> bool:
    """Whether it was prepared to be looked at by a person."""
    return f"{_mark(tag)}{_HELD}" in _content(draft)


async def set_recipients(graph: Graph, mailbox: str, draft: Mapping[str, Any], to: Sequence[str]) -> None:
    """Address a draft to these and no others; no call if it is."""
    present = [recipient["emailAddress"]["address"].lower() for recipient in draft.get("toRecipients") or ()]
    if present != [address.lower() for address in to]:
        path = paths.message(mailbox, str(draft["id"]))
        await graph.patch(path, mailbox=mailbox, json=_recipients(to), if_match=draft.get("@odata.etag"))


async def mark_answered(graph: Graph, mailbox: str, message_id: str, *, tag: str) -> None:
    """Note on a message itself that its tagged draft is ready; raises NotFound if the message is gone."""
    await graph.patch(paths.message(mailbox, message_id), mailbox=mailbox, json=_tagged(tag))


async def delete_draft(graph: Graph, mailbox: str, draft_id: str) -> None:
    """Delete a draft; one that is already gone is fine."""
    try:
        await graph.delete(paths.message(mailbox, draft_id), mailbox=mailbox)
    except NotFound:
        return


async def send_draft(graph: Graph, mailbox: str, draft_id: str) -> None:
    """Send a draft; accepted is not yet sent, and the id may change: confirm by the tag."""
    await graph.post(f"{paths.message(mailbox, draft_id)}/send", mailbox=mailbox, kind="send")


async def find_tagged(graph: Graph, mailbox: str, tag: str, *, answered_in: str = "") -> list[Tagged]:
    """The tagged drafts in Drafts, what was sent of them, and the message answered, once it is marked.

    Asks the whole mailbox, not Drafts and Sent Items: a copy moved or deleted since was sent all the same. A
    draft that a person moved or deleted is left out. Where the mailbox refuses that as inefficient, these
    two folders are asked, and `answered_in` for the mark.
    """
    quoted = tag.replace("'", "''")
    wanted = f"singleValueExtendedProperties/Any(ep: ep/id eq '{TAG_PROPERTY}' and ep/value eq '{quoted}')"
    params = {"$filter": wanted, **_FOUND}

    async def found_in(path: str) -> list[dict[str, Any]]:
        page = await graph.get(f"{path}/messages", mailbox=mailbox, params=params, kind="action")
        found = list(page.get("value", ()))
        # Also an empty page may have a next one.
        while link := page.get("@odata.nextLink"):
            page = await graph.get_link(link, mailbox=mailbox, kind="action")
            found += page.get("value", ())
        return found

    try:
        items = await found_in(paths.user(mailbox))
    except BadRequest:
        items = []
        for folder in filter(None, ("drafts", "sentitems", answered_in)):
            items += await found_in(paths.folder(mailbox, folder))
    if any(item.get("isDraft") for item in items):
        drafts = await graph.get(
            paths.folder(mailbox, "drafts"), mailbox=mailbox, params={"$select": "id"}, kind="action"
        )
        items = [item for item in items if not item.get("isDraft") or item["parentFolderId"] == drafts["id"]]
    return [
        Tagged(
            id=str(item["id"]),
            folder="drafts" if item.get("isDraft") else "sentitems",
            is_draft=bool(item.get("isDraft")),
        )
        for item in items
    ]


def prepended(text_html: str, body: Mapping[str, Any], *, tag: str, held: bool = False) -> str:
    """HTML of our text followed by the body's own content; Graph would otherwise lose the quoted thread."""
    ours = f'<div id="{_mark(tag)}{_HELD if held else ""}">{text_html}</div><br>'
    content = str(body.get("content") or "")
    if str(body.get("contentType") or "").lower() == "text":
        return f"<html><body>{ours}<pre>{html.escape(content)}</pre></body></html>"
    start = _BODY_START.search(content)
    at = start.end() if start else 0
    return content[:at] + ours + content[at:]


async def _create(
    graph: Graph, mailbox: str, message_id: str, how: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    path = f"{paths.message(mailbox, message_id)}/{how}"
    draft = await graph.post(path, mailbox=mailbox, json={"message": message})
    return draft or {}


def _tagged(tag: str) -> dict[str, Any]:
    return {"singleValueExtendedProperties": [{"id": TAG_PROPERTY, "value": tag}]}


def _recipients(addresses: Sequence[str]) -> dict[str, Any]:
    if not addresses:
        return {}
    return {"toRecipients": [{"emailAddress": {"address": address}} for address in addresses]}


def _content(draft: Mapping[str, Any]) -> str:
    return str((draft.get("body") or {}).get("content") or "")


def _mark(tag: str) -> str:
    return f"econeura-{hashlib.sha256(tag.encode()).hexdigest()[:16]}"
