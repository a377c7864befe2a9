"""A message as Graph's JSON: the properties asked for, ids and body in the form preferred."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from workers.sandbox import html_text
from workers.sandbox.extended_properties import Wanted
from workers.sandbox.message import Attachment, Message, preview

# In Graph's order; what a message has when nothing is selected.
DEFAULT_PROPERTIES = (
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
    "internetMessageId",
    "subject",
    "bodyPreview",
    "importance",
    "parentFolderId",
    "conversationId",
    "conversationIndex",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "isRead",
    "isDraft",
    "webLink",
    "inferenceClassification",
    "body",
    "sender",
    "from",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
)
SELECTABLE = frozenset(DEFAULT_PROPERTIES) | {"id", "uniqueBody", "internetMessageHeaders"}


@dataclass(frozen=True, slots=True)
class View:
    """How messages are to be shown: None in `select` means all the default properties."""

    select: tuple[str, ...] | None = None
    immutable_ids: bool = False
    text_bodies: bool = False
    expand_extended: Wanted | None = None
    expand_attachments: bool = False


def message_json(message: Message, view: View) -> dict[str, Any]:
    """The message; `id` and the etag are always there."""
    shown: dict[str, Any] = {
        "@odata.etag": message.etag,
        "id": message.id_for(immutable=view.immutable_ids),
    }
    for name in view.select if view.select is not None else DEFAULT_PROPERTIES:
        if name == "id":
            continue
        computed = _COMPUTED.get(name)
        shown[name] = computed(message, view) if computed else message.properties[name]
    # Drafts and sent mail have no transport headers; Graph leaves the property out.
    if not shown.get("internetMessageHeaders", True):
        del shown["internetMessageHeaders"]
    if view.expand_extended is not None:
        values = [
            {"id": key, "value": text} for key, text in message.extended.items() if view.expand_extended(key)
        ]
        if values:
            shown["singleValueExtendedProperties"] = values
    if view.expand_attachments:
        shown["attachments"] = [attachment_json(one, message) for one in message.attachments]
    return shown


def body_json(body: dict[str, str], *, as_text: bool) -> dict[str, str]:
    """A body in the form preferred: HTML unless text was asked for."""
    if as_text:
        content = html_text.to_text(body["content"]) if body["contentType"] == "html" else body["content"]
        return {"contentType": "text", "content": content}
    content = html_text.to_html(body["content"]) if body["contentType"] == "text" else body["content"]
    return {"contentType": "html", "content": content}


def attachment_json(attachment: Attachment, message: Message, *, content: bool = True) -> dict[str, Any]:
    """A fileAttachment with its bytes, or an itemAttachment."""
    kind = "itemAttachment" if attachment.is_message else "fileAttachment"
    shown: dict[str, Any] = {
        "@odata.type": f"#microsoft.graph.{kind}",
        "id": attachment.id,
        "lastModifiedDateTime": message.modified_at,
        "name": attachment.name,
        "contentType": None if attachment.is_message else attachment.content_type,
        "size": len(attachment.content),
        "isInline": attachment.is_inline,
    }
    if not attachment.is_message:
        shown |= {"contentId": attachment.content_id, "contentLocation": None}
        if content:
            shown["contentBytes"] = base64.b64encode(attachment.content).decode()
    return shown


def _unique_body(message: Message, view: View) -> dict[str, str]:
    body = body_json(message.properties["body"], as_text=False)
    return body_json(
        {"contentType": "html", "content": html_text.unquoted(body["content"])}, as_text=view.text_bodies
    )


def _internet_headers(message: Message, view: View) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in message.headers]


_COMPUTED: dict[str, Callable[[Message, View], Any]] = {
    "lastModifiedDateTime": lambda message, view: message.modified_at,
    "changeKey": lambda message, view: message.change_key,
    "bodyPreview": lambda message, view: preview(message.properties["body"]),
    "hasAttachments": lambda message, view: message.has_attachments,
    "parentFolderId": lambda message, view: message.folder.id,
    "webLink": lambda message, view: (
        f"https://outlook.office365.com/owa/?ItemID={quote(message.default_id, safe='')}"
    ),
    "body": lambda message, view: body_json(message.properties["body"], as_text=view.text_bodies),
    "uniqueBody": _unique_body,
    "internetMessageHeaders": _internet_headers,
}
