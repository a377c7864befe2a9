"""A message as the mailbox keeps it, and the letter it arrived as."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workers.sandbox import html_text

if TYPE_CHECKING:
    from workers.sandbox.mailbox import Folder

ADDRESS = re.compile(r"^[^@\s<>]+@[^@\s<>]+$")
_PREVIEW_LENGTH = 255


@dataclass(slots=True)
class Attachment:
    """A file, or (content type message/rfc822) an attached message, with its bytes."""

    name: str
    content_type: str
    content: bytes
    is_inline: bool = False
    content_id: str | None = None
    id: str = ""

    @property
    def is_message(self) -> bool:
        return self.content_type == "message/rfc822"


@dataclass(slots=True)
class Letter:
    """A mail on its way: Graph's message properties by name, transport headers, attachments."""

    properties: dict[str, Any]
    headers: list[tuple[str, str]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    references: tuple[str, ...] = ()
    received_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Message:
    """A message in a folder; `properties` holds Graph's JSON values, dates as datetime in UTC."""

    number: int
    immutable_id: str
    default_id: str
    change_key: str
    folder: Folder
    properties: dict[str, Any]
    headers: list[tuple[str, str]]
    attachments: list[Attachment]
    modified_at: datetime
    # Canonical extended property id -> value.
    extended: dict[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    # The mailbox version at which it came into its present folder.
    entered: int = 0

    def id_for(self, *, immutable: bool) -> str:
        return self.immutable_id if immutable else self.default_id

    @property
    def etag(self) -> str:
        return f'W/"{self.change_key}"'

    @property
    def is_draft(self) -> bool:
        return bool(self.properties["isDraft"])

    @property
    def has_attachments(self) -> bool:
        return any(not one.is_inline for one in self.attachments)

    def recipients(self) -> list[str]:
        """Addresses of to, cc and bcc, lower case."""
        groups = (self.properties[name] for name in ("toRecipients", "ccRecipients", "bccRecipients"))
        return [one["emailAddress"]["address"].lower() for group in groups for one in group]


def complete(properties: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Every property a message has, with Graph's defaults where the letter said nothing."""
    return {
        "createdDateTime": now,
        "receivedDateTime": now,
        "sentDateTime": now,
        "internetMessageId": None,
        "subject": "",
        "body": {"contentType": "text", "content": ""},
        "importance": "normal",
        "categories": [],
        "conversationId": None,
        "conversationIndex": None,
        "isDeliveryReceiptRequested": False,
        "isReadReceiptRequested": False,
        "isRead": False,
        "isDraft": False,
        "inferenceClassification": "focused",
        "sender": None,
        "from": None,
        "toRecipients": [],
        "ccRecipients": [],
        "bccRecipients": [],
        "replyTo": [],
        "flag": {"flagStatus": "notFlagged"},
        **properties,
    }


def preview(body: dict[str, str]) -> str:
    """The first 255 characters of the visible text."""
    text = html_text.to_text(body["content"][:20_000]) if body["contentType"] == "html" else body["content"]
    return text.strip()[:_PREVIEW_LENGTH]


def recipient(address: str, name: str = "") -> dict[str, Any]:
    return {"emailAddress": {"name": name or address, "address": address}}


def now_in_seconds() -> datetime:
    """The present time in UTC; Exchange keeps whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
