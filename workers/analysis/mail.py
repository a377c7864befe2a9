"""A mail as the analysis sees it, however it came: from Graph, as an .eml file or as a JSON row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from workers.analysis import mime
from workers.analysis.headers import NOBODY, Address, decoded, parse_addresses

BodyType = Literal["text", "html"]


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. `headers` keeps order, repetition and the sender's spelling; look-ups ignore case.

    `html` is the richer form of a plain `body` where the sender wrote both; `notes` says what was cut.
    """

    id: str
    subject: str
    body: str
    body_type: BodyType = "text"
    sender: Address = NOBODY
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    importance: str = "normal"
    received_at: datetime | None = None
    attachments: tuple[Attachment, ...] = ()
    html: str = ""
    notes: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """The first value of a header, or None if the message has none of that name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


def mail_from_graph(message: Mapping[str, Any]) -> Mail:
    """Read a Graph `message` resource; absent properties are empty, as delta pages may leave them out.

    Source: learn.microsoft.com/graph/api/resources/message. Never raises on odd content.
    """
    body = _mapping(message.get("body"))
    content = _text(body.get("content"))
    is_html = _text(body.get("contentType")).lower() == "html"
    headers = tuple(
        (_text(item.get("name")), decoded(_text(item.get("value"))))
        for item in _mappings(message.get("internetMessageHeaders"))
    )
    return Mail(
        id=_text(message.get("id")),
        subject=_text(message.get("subject")),
        body=content,
        body_type="html" if is_html else "text",
        sender=_graph_address(message.get("from") or message.get("sender")),
        reply_to=_graph_addresses(message.get("replyTo")),
        to=_graph_addresses(message.get("toRecipients")),
        cc=_graph_addresses(message.get("ccRecipients")),
        headers=headers,
        importance=_text(message.get("importance")).lower() or "normal",
        received_at=_moment(message.get("receivedDateTime")),
        attachments=_graph_attachments(message),
    )


def mail_from_eml(raw: bytes, *, mail_id: str = "") -> Mail:
    """Read an RFC 5322 message, however broken: what cannot be decoded is replaced, never raised."""
    parsed = mime.read(raw)
    headers = parsed.headers
    mail_header = {name.lower(): value for name, value in reversed(headers)}
    senders = parse_addresses(mail_header.get("from", "") or mail_header.get("sender", ""))
    use_html = not parsed.text.strip() and bool(parsed.html.strip())
    return Mail(
        id=mail_id or mail_header.get("message-id", "").strip("<> \t"),
        subject=" ".join(mail_header.get("subject", "").split()),
        body=parsed.html if use_html else parsed.text,
        body_type="html" if use_html else "text",
        sender=senders[0] if senders else NOBODY,
        reply_to=parse_addresses(mail_header.get("reply-to", "")),
        to=parse_addresses(mail_header.get("to", "")),
        cc=parse_addresses(mail_header.get("cc", "")),
        headers=headers,
        importance=importance_of(mail_header),
        received_at=_mail_date(mail_header.get("date", "")),
        attachments=tuple(Attachment(*part) for part in parsed.attachments),
        html="" if use_html else parsed.html,
        notes=parsed.notes,
    )


def mail_from_row(row: Mapping[str, Any]) -> Mail:
    """Read `{id, subject, body}` with optional `{from, to, cc, body_type, headers, importance,
    received_at}`."""
    headers = _row_headers(row.get("headers"))
    by_name = {name.lower(): value for name, value in reversed(headers)}
    senders = _row_addresses(row.get("from") or by_name.get("from"))
    return Mail(
        id=_text(row.get("id")),
        subject=_text(row.get("subject")),
        body=_text(row.get("body")),
        body_type="html" if _text(row.get("body_type")).lower() == "html" else "text",
        sender=senders[0] if senders else NOBODY,
        reply_to=_row_addresses(row.get("reply_to") or by_name.get("reply-to")),
        to=_row_addresses(row.get("to") or by_name.get("to")),
        cc=_row_addresses(row.get("cc") or by_name.get("cc")),
        headers=headers,
        importance=_text(row.get("importance")).lower() or importance_of(by_name),
        received_at=_moment(row.get("received_at")) or _mail_date(by_name.get("date", "")),
        attachments=tuple(_row_attachment(item) for item in _items(row.get("attachments"))),
    )


def importance_of(headers: Mapping[str, str]) -> str:
    """Importance as the sender's program wrote it: Importance (RFC 2156), X-Priority or X-MSMail-Priority."""
    stated = headers.get("importance", "").strip().lower()
    if stated in ("high", "low", "normal"):
        return stated
    priority = (headers.get("x-priority", "") or headers.get("x-msmail-priority", "")).strip().lower()
    if priority[:1] in ("1", "2") or priority == "high":
        return "high"
    if priority[:1] in ("4", "5") or priority == "low":
        return "low"
    return "normal"


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in _items(value) if isinstance(item, Mapping)]


def _graph_address(value: object) -> Address:
    address = _mapping(_mapping(value).get("emailAddress"))
    return Address.bounded(_text(address.get("name")), _text(address.get("address")))


def _graph_addresses(value: object) -> tuple[Address, ...]:
    return tuple(_graph_address(item) for item in _mappings(value))


def _graph_attachments(message: Mapping[str, Any]) -> tuple[Attachment, ...]:
    listed = [
        Attachment(_text(a.get("name")), _text(a.get("contentType")), _size(a.get("size")))
        for a in _mappings(message.get("attachments"))
    ]
    # Invitations come as eventMessage without an .ics among the attachments.
    if "eventmessage" in _text(message.get("@odata.type")).lower():
        listed.append(Attachment("meeting.ics", "text/calendar", 0))
    return tuple(listed)


def _row_headers(value: object) -> tuple[tuple[str, str], ...]:
    pairs: Iterable[tuple[object, object]]
    if isinstance(value, Mapping):
        pairs = ((k, v) for k, vs in value.items() for v in (vs if isinstance(vs, list) else [vs]))
    else:
        pairs = ((item.get("name"), item.get("value")) for item in _mappings(value))
    return tuple((_text(name), decoded(_text(content))) for name, content in pairs)


def _row_addresses(value: object) -> tuple[Address, ...]:
    if isinstance(value, list | tuple):
        return tuple(address for item in value for address in _row_addresses(item))
    if isinstance(value, Mapping):
        inner = _mapping(value.get("emailAddress")) or value
        return (Address.bounded(_text(inner.get("name")), _text(inner.get("address") or inner.get("email"))),)
    return parse_addresses(_text(value))


def _row_attachment(value: object) -> Attachment:
    if isinstance(value, Mapping):
        content_type = _text(value.get("content_type") or value.get("contentType"))
        return Attachment(_text(value.get("name")), content_type, _size(value.get("size")))
    return Attachment(_text(value), "", 0)


def _size(value: object) -> int:
    return value if isinstance(value, int) else 0


def _moment(value: object) -> datetime | None:
    """An ISO 8601 moment; one without a zone is taken as UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _mail_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value[:100])
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
