"""Mail put into mailboxes by the admin route: a raw .eml, or its parts by name."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from workers.sandbox.directory import Directory
from workers.sandbox.message import Attachment, Letter, Message, recipient
from workers.sandbox.mime import read_letter

_FIELDS = {
    "mailbox", "folder", "count", "eml", "subject", "body", "bodyType", "from", "to", "cc", "replyTo",
    "headers", "importance", "isRead", "receivedDateTime", "internetMessageId", "inReplyTo", "attachments",
}  # fmt: skip


def deliver(directory: Directory, order: dict[str, Any]) -> Iterator[Message]:
    """Deliver `count` copies of one mail; `{n}` in subject, body and from becomes the copy's number.

    ValueError for an unknown field, KeyError for an unknown mailbox.
    """
    if unknown := set(order) - _FIELDS:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}; known: {', '.join(sorted(_FIELDS))}")
    mailbox = directory.mailboxes[order["mailbox"].lower()]
    for number in range(1, int(order.get("count", 1)) + 1):
        letter = (
            read_letter(base64.b64decode(order["eml"]))
            if "eml" in order
            else _letter(order, number, mailbox.address)
        )
        if "receivedDateTime" in order:
            letter.received_at = datetime.fromisoformat(order["receivedDateTime"].replace("Z", "+00:00"))
        yield mailbox.receive(letter, order.get("folder", "inbox"))


def _letter(order: dict[str, Any], number: int, mailbox: str) -> Letter:
    def numbered(name: str, default: str) -> str:
        return str(order.get(name, default)).replace("{n}", str(number))

    sender = _person(numbered("from", "someone@elsewhere.example"))
    headers = order.get("headers", {})
    references = (order["inReplyTo"],) if order.get("inReplyTo") else ()
    properties = {
        "subject": numbered("subject", ""),
        "body": {"contentType": order.get("bodyType", "text"), "content": numbered("body", "")},
        "from": sender,
        "sender": sender,
        "toRecipients": [_person(one) for one in order.get("to", [mailbox])],
        "ccRecipients": [_person(one) for one in order.get("cc", [])],
        "replyTo": [_person(one) for one in order.get("replyTo", [])],
        "importance": order.get("importance", "normal"),
        "isRead": order.get("isRead", False),
        "internetMessageId": order.get("internetMessageId"),
    }
    return Letter(
        properties=properties,
        headers=[tuple(pair) for pair in (headers.items() if isinstance(headers, dict) else headers)],
        attachments=[
            Attachment(
                name=one["name"],
                content_type=one.get("contentType", "application/octet-stream"),
                content=base64.b64decode(one.get("contentBytes", "")),
            )
            for one in order.get("attachments", [])
        ],
        references=references,
    )


def _person(text: str) -> dict[str, Any]:
    """`Name <address>` or an address."""
    name, _, address = text.rpartition("<")
    return recipient(address.rstrip("> ").strip(), name.strip())
