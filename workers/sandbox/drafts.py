"""New messages from request bodies: drafts, replies, forwards."""

from __future__ import annotations

import base64
from typing import Any

from workers.sandbox.calls import GraphProblem
from workers.sandbox.extended_properties import canonical_id
from workers.sandbox.mailbox import Folder, Mailbox
from workers.sandbox.message import Attachment, Letter, Message, now_in_seconds, recipient
from workers.sandbox.quoting import forward_subject, quoted_body, reply_subject

_MAX_HEADERS = 5
_NOT_PROPERTIES = ("internetMessageHeaders", "attachments", "singleValueExtendedProperties", "@odata.type")


def new_draft(
    mailbox: Mailbox, content: dict[str, Any], folder: Folder, *, references: tuple[str, ...] = ()
) -> Message:
    """A draft from checked message JSON."""
    now = now_in_seconds()
    owner = recipient(mailbox.address)
    letter = Letter(
        properties={
            "isDraft": True,
            "isRead": True,
            "from": owner,
            "sender": owner,
            **plain_properties(content),
        },
        headers=_checked_headers(content),
        attachments=[_attachment(one) for one in content.get("attachments", [])],
        references=references,
    )
    message = mailbox.add(letter, folder, now=now)
    message.extended.update(extended_values(content))
    return message


def reply_draft(mailbox: Mailbox, original: Message, body: dict[str, Any], *, to_all: bool) -> Message:
    """A reply to the sender (Reply-To goes before From), or to everyone."""
    asked = body.get("message") or {}
    if body.get("comment") is not None and "body" in asked:
        raise GraphProblem(
            400, "ErrorInvalidRequest", "Comment and the body of Message must not be given both."
        )
    source = original.properties
    to = source["replyTo"] or ([source["from"]] if source["from"] else [])
    cc: list[dict[str, Any]] = []
    if to_all:
        taken = {mailbox.address} | {one["emailAddress"]["address"].lower() for one in to}
        to = to + [
            one for one in source["toRecipients"] if one["emailAddress"]["address"].lower() not in taken
        ]
        cc = [one for one in source["ccRecipients"] if one["emailAddress"]["address"].lower() not in taken]
    content = {
        "subject": reply_subject(source["subject"]),
        "body": quoted_body(original, body.get("comment") or ""),
        "toRecipients": to,
        "ccRecipients": cc,
        "conversationId": source["conversationId"],
        **asked,
    }
    return new_draft(mailbox, content, mailbox.folder("drafts"), references=_thread(original))


def forward_draft(mailbox: Mailbox, original: Message, body: dict[str, Any], *, sending: bool) -> Message:
    """A forward with the original's attachments; recipients at the top or in the message, not in both."""
    asked = body.get("message") or {}
    if body.get("comment") is not None and "body" in asked:
        raise GraphProblem(
            400, "ErrorInvalidRequest", "Comment and the body of Message must not be given both."
        )
    places = [place["toRecipients"] for place in (body, asked) if place.get("toRecipients")]
    if len(places) > 1 or (sending and not places):
        raise GraphProblem(
            400,
            "ErrorInvalidRequest",
            "ToRecipients must be given either as a parameter or in Message, not in both.",
        )
    content = {
        "subject": forward_subject(original.properties["subject"]),
        "body": quoted_body(original, body.get("comment") or ""),
        "conversationId": original.properties["conversationId"],
        **asked,
        "toRecipients": places[0] if places else [],
    }
    draft = new_draft(mailbox, content, mailbox.folder("drafts"), references=_thread(original))
    mailbox.attach(draft, original.attachments)
    return draft


def plain_properties(content: dict[str, Any]) -> dict[str, Any]:
    """The properties of message JSON that are kept as they are."""
    plain = {name: value for name, value in content.items() if name not in _NOT_PROPERTIES}
    if "subject" in plain:
        plain["subject"] = plain["subject"] or ""
    if "body" in plain:
        body = plain["body"]
        plain["body"] = {
            "contentType": body.get("contentType", "text").lower(),
            "content": body.get("content") or "",
        }
    for name in ("toRecipients", "ccRecipients", "bccRecipients", "replyTo"):
        if name in plain:
            plain[name] = [_named(one) for one in plain[name]]
    for name in ("from", "sender"):
        if name in plain:
            plain[name] = _named(plain[name])
    return plain


def extended_values(content: dict[str, Any]) -> dict[str, str]:
    return {canonical_id(one["id"]): one["value"] for one in content.get("singleValueExtendedProperties", [])}


def _named(one: dict[str, Any]) -> dict[str, Any]:
    return recipient(one["emailAddress"]["address"], one["emailAddress"].get("name") or "")


def _thread(original: Message) -> tuple[str, ...]:
    return (*original.references, original.properties["internetMessageId"])


def _checked_headers(content: dict[str, Any]) -> list[tuple[str, str]]:
    # One to five own x- headers may be set, and only at creation (R/message, internetMessageHeaders).
    if "internetMessageHeaders" not in content:
        return []
    headers = [(one.get("name", ""), one.get("value", "")) for one in content["internetMessageHeaders"]]
    if not 1 <= len(headers) <= _MAX_HEADERS:
        raise GraphProblem(
            400,
            "InvalidInternetMessageHeaderCollection",
            "Maximum number of headers in one message should be 5.",
        )
    for name, _ in headers:
        if not name.lower().startswith("x-"):
            raise GraphProblem(
                400,
                "InvalidInternetMessageHeader",
                f"The internet message header name '{name}' should start with 'x-' or 'X-'.",
            )
    return headers


def _attachment(content: dict[str, Any]) -> Attachment:
    return Attachment(
        name=content["name"],
        content_type=content.get("contentType") or "application/octet-stream",
        content=base64.b64decode(content["contentBytes"]),
        is_inline=content.get("isInline", False),
        content_id=content.get("contentId"),
    )
