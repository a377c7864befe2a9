"""What of a mail a model is shown: subject and new text, and a few facts. With redaction no entity of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from workers.analysis.llm.correspondents import domains_of, names_of
from workers.analysis.llm.redaction import Redactor
from workers.analysis.llm.spelling import plain
from workers.analysis.mail import Mail
from workers.analysis.result import Analysis
from workers.analysis.text import read_text
from workers.errors import NoAnswer

_MOST_CHARS = 6_000
_FEWEST_LETTERS = 3
_MOST_ATTACHMENTS = 10


@dataclass(frozen=True)
class ShownMail:
    """JSON-ready facts of a mail, and what the marks in them stand for."""

    facts: dict[str, Any]
    originals: dict[str, str] = field(default_factory=dict)


def show(mail: Mail, analysis: Analysis, *, ours: Collection[str], redact: bool) -> ShownMail:
    """What a model may see of a mail; `ours` are our own mailboxes, which are no secret.

    Raises NoAnswer "empty" where there is no text and "redaction" where it cannot be redacted.
    """
    text = plain(read_text(mail).analysed)
    if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
        raise NoAnswer("the mail has no text", code="empty")
    redactor = Redactor(analysis.language, (mail.received_at or datetime.now(UTC)).date())
    if redact:
        text = redactor.redact(
            text,
            known=[(entity.type, entity.text, entity.value) for entity in analysis.entities],
            names=names_of(mail, ours),
            domains=domains_of(mail, ours),
        )
    # Only now: a cut through an address would hide it from the redaction.
    subject, _, body = text[:_MOST_CHARS].partition("\n")
    facts: dict[str, Any] = {"subject": subject, "text": body.strip(), "language": analysis.language}
    if not redact:
        facts["from"] = f"{mail.sender.name} <{mail.sender.address}>"
    if mail.importance != "normal":
        facts["importance"] = mail.importance
    if analysis.automatic:
        facts["sent_by_a_machine"] = analysis.automatic
    if mail.attachments:
        facts["attachments"] = sorted({_kind(one.name) for one in mail.attachments[:_MOST_ATTACHMENTS]})
    return ShownMail(facts, redactor.originals)


def _kind(name: str) -> str:
    """The type of a file by the end of its name: the rest may name people."""
    kind = name.rpartition(".")[2].lower()
    return kind if kind.isascii() and kind.isalpha() and len(kind) <= 5 else "other"
