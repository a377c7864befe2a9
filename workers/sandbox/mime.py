"""Raw mail (RFC 5322, MIME, well-formed or not) as a letter: however broken, something readable comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import Message as MimePart
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from workers.sandbox.message import Attachment, Letter, now_in_seconds, recipient

_FOLD = re.compile(r"\r?\n[ \t]*")
_MESSAGE_ID = re.compile(r"<[^<>]+>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_IMPORTANCE = {
    "high": "high",
    "urgent": "high",
    "1": "high",
    "2": "high",
    "low": "low",
    "non-urgent": "low",
    "5": "low",
    "4": "low",
}


def read_letter(raw: bytes) -> Letter:
    """The letter a raw mail is; never raises for what it holds: unknown charsets fall back to Latin-1."""
    # compat32 keeps every header as sent; the newer policies raise on some broken ones.
    mail = message_from_bytes(raw, policy=policy.compat32)
    headers = [(name, _header_text(value)) for name, value in mail.raw_items()]
    body, attachments = _contents(mail)
    sender = _recipients(mail, "From") or _recipients(mail, "Sender")
    return Letter(
        properties={
            "subject": _first(headers, "Subject"),
            "body": body,
            "from": sender[0] if sender else None,
            "sender": next(iter(_recipients(mail, "Sender") or sender), None),
            "toRecipients": _recipients(mail, "To"),
            "ccRecipients": _recipients(mail, "Cc"),
            "bccRecipients": _recipients(mail, "Bcc"),
            "replyTo": _recipients(mail, "Reply-To"),
            "importance": _importance(headers),
            "internetMessageId": _message_id(_first(headers, "Message-ID")),
            "sentDateTime": _date(_first(headers, "Date")),
        },
        headers=headers,
        attachments=attachments,
        references=tuple(
            _MESSAGE_ID.findall(f"{_first(headers, 'References')} {_first(headers, 'In-Reply-To')}")[-20:]
        ),
    )


def _contents(mail: MimePart) -> tuple[dict[str, str], list[Attachment]]:
    """The richest body (HTML before text) and everything else as attachments."""
    texts: dict[str, list[str]] = {"text/html": [], "text/plain": []}
    attachments = []
    for part in _leaves(mail):
        kind = _kind(part)
        named = _file_name(part)
        disposition = str(part.get("Content-Disposition", "")).strip().lower()
        is_body = (
            kind in ("text/html", "text/plain") and not named and not disposition.startswith("attachment")
        )
        if is_body:
            texts[kind].append(_text_of(part))
        else:
            attachments.append(_attachment(part, kind, named, disposition))
    # A plain part beside the HTML one is its alternative; without HTML the plain parts are the body.
    if texts["text/html"]:
        return {"contentType": "html", "content": "\n".join(texts["text/html"])}, attachments
    return {"contentType": "text", "content": "\n".join(texts["text/plain"])}, attachments


def _leaves(part: MimePart) -> Iterator[MimePart]:
    # An attached message stays whole.
    if part.get_content_maintype() == "multipart" and isinstance(part.get_payload(), list):
        for inner in part.get_payload():
            if isinstance(inner, MimePart):
                yield from _leaves(inner)
    else:
        yield part


def _kind(part: MimePart) -> str:
    kind = part.get_content_type()
    if part.get_content_maintype() != "multipart":
        return kind
    # Parts without the boundary they announce: what there is, is text.
    content = part.get_payload()
    return "text/html" if isinstance(content, str) and "<html" in content[:2000].lower() else "text/plain"


def _attachment(part: MimePart, kind: str, name: str, disposition: str) -> Attachment:
    if kind == "message/rfc822":
        inner = part.get_payload(0) if isinstance(part.get_payload(), list) and part.get_payload() else part
        content = inner.as_bytes() if isinstance(inner, MimePart) else b""
        subject = _header_text(inner.get("Subject", "")) if isinstance(inner, MimePart) else ""
        return Attachment(name or subject or "message", kind, content)
    content_id = _header_text(part.get("Content-ID", "")).strip("<> ") or None
    return Attachment(
        name=name or _default_name(kind),
        content_type=kind,
        content=_bytes_of(part),
        is_inline=disposition.startswith("inline") and content_id is not None,
        content_id=content_id,
    )


def _default_name(kind: str) -> str:
    return "invite.ics" if kind == "text/calendar" else f"attachment.{kind.rpartition('/')[2]}"


def _bytes_of(part: MimePart) -> bytes:
    payload: Any = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    # delivery-status parts are lists of header blocks.
    blocks = part.get_payload()
    if isinstance(blocks, list):
        return b"\n".join(block.as_bytes() for block in blocks if isinstance(block, MimePart))
    return str(blocks or "").encode("utf-8", "replace")


def _text_of(part: MimePart) -> str:
    content = _bytes_of(part)
    charset = str(part.get_content_charset() or "utf-8")
    return _CONTROL.sub("", decoded(content, charset))


def decoded(content: bytes, charset: str) -> str:
    """Text in the charset said, else UTF-8, else Latin-1, which reads anything."""
    for candidate in (charset, "utf-8"):
        try:
            return content.decode(candidate)
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("latin-1")


def _unfolded(value: Any) -> str:
    """A header on one line; bytes that should not be there (RFC 6532 aside) are read as UTF-8 or Latin-1."""
    return decoded(_FOLD.sub(" ", str(value)).encode("utf-8", "surrogateescape"), "utf-8")


def _header_text(value: Any) -> str:
    """A header unfolded and its encoded words (RFC 2047) decoded; what cannot be decoded is left as sent."""
    text = _unfolded(value).strip()
    if "=?" not in text:
        return text
    try:
        parts = decode_header(text)
    except ValueError:
        return text
    return "".join(
        decoded(part, charset or "ascii") if isinstance(part, bytes) else part for part, charset in parts
    ).strip()


def _recipients(mail: MimePart, name: str) -> list[dict[str, Any]]:
    # Not get_all: it puts replacement characters for the bytes of an unencoded name.
    values = [_unfolded(value) for one, value in mail.raw_items() if one.lower() == name.lower()]
    found = []
    for display_name, sent_address in getaddresses(values):
        address = _header_text(sent_address).replace(" ", "")
        if address:
            found.append(recipient(address, _header_text(display_name)))
    return found


def _file_name(part: MimePart) -> str:
    try:
        return _header_text(part.get_filename() or "")
    except (LookupError, ValueError, TypeError):
        return "attachment"


def _first(headers: list[tuple[str, str]], name: str) -> str:
    return next((value for one, value in headers if one.lower() == name.lower()), "")


def _message_id(text: str) -> str | None:
    return text.strip() or None


def _importance(headers: list[tuple[str, str]]) -> str:
    said = _first(headers, "Importance") or _first(headers, "X-Priority") or _first(headers, "Priority")
    return _IMPORTANCE.get(said.lower().split(" ")[0], "normal")


def _date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
        return (
            (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
        )
    except (ValueError, TypeError, OverflowError, IndexError):
        return now_in_seconds()
