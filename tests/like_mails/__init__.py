"""Mails of six kinds, thirty-two of each, written for tests of learning: like each other, no two alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson

from workers.analysis.learning import Example, Signature, guesses, signature_of
from workers.analysis.mail import mail_from_row

KINDS = ("en-absences", "en-deliveries", "en-volunteers", "es-applications", "es-bookings", "es-claims")


@cache
def rows(kind: str) -> tuple[dict[str, Any], ...]:
    """The mails of a kind as rows {id, subject, from, body}."""
    lines = (Path(__file__).parent / f"{kind}.jsonl").read_bytes().splitlines()
    return tuple(orjson.loads(line) for line in lines)


@cache
def signatures(kind: str) -> tuple[Signature, ...]:
    return tuple(signature_of(mail_from_row(row)) for row in rows(kind))


def says(head: str, label: str, signature: Signature, weight: float = 1.0) -> Example:
    """What a person says of a mail."""
    return Example(signature, {head: frozenset((label,))}, weight)


def corrections(kind: str, category: str, most: int = 20) -> tuple[list[Example], list[Signature]]:
    """Up to `most` corrections of mails that are taken for another category, and the mails left over."""
    wrong = [mail for mail in signatures(kind) if guesses(None, mail)["category"] != category][:most]
    chosen = {id(mail) for mail in wrong}
    left = [mail for mail in signatures(kind) if id(mail) not in chosen]
    return [says("category", category, mail) for mail in wrong], left
