"""A model's text made fit to stand in a reply, or refused: plain words of modest length, nothing to click."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

from workers.analysis.entities import find_entities, scan
from workers.analysis.hashing import read_words
from workers.errors import NoAnswer

_MOST_CHARS = 2_000
# What a mail says of itself may be repeated to its writer; where to write, call, click or pay may not.
_MAY_COME_BACK = re.compile(r"\[(?:NAME|DATE|AMOUNT|REFERENCE)_\d{1,4}(?:_SOON|_PAST|_LATER)?\]")
_ANY_MARK = re.compile(r"\[?[A-Z_]{3,12}_\d{1,4}(?:_SOON|_PAST|_LATER)?\]?")
_CONTACTS = frozenset({"url", "email", "iban", "phone", "vat_id"})
_TO_CLICK = re.compile(r"://|\bwww\.|@|\b[a-z0-9-]{2,}\.[a-z]{2,24}\b|<[a-z/!]|\]\(", re.IGNORECASE)
_GAPS = re.compile(r"\n{3,}")


def fit_to_send(text: str, originals: Mapping[str, str], *, frame: str) -> str:
    """The text with names, days, amounts and case numbers of the mail back in it.

    Raises NoAnswer "unfit" where it is empty, too long, or holds markup, a link, address, phone or account
    number that the frame (the configured template) does not have.
    """
    for mark in set(_MAY_COME_BACK.findall(text)) & originals.keys():
        text = text.replace(mark, originals[mark])
    text = _plain(text)
    if not any(map(str.isalpha, text)) or len(text) > _MOST_CHARS:
        raise NoAnswer(f"the text has {len(text)} characters", code="unfit")
    if _ANY_MARK.search(text):
        raise NoAnswer("the text has marks that must not come back", code="unfit")
    if foreign := sorted(_to_click_or_call(text) - _to_click_or_call(frame)):
        raise NoAnswer(f"the text has {len(foreign)} links, addresses or numbers of its own", code="unfit")
    return text


def _plain(text: str) -> str:
    visible = "".join(
        char for char in unicodedata.normalize("NFKC", text.replace("\r\n", "\n"))
        if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )  # fmt: skip
    return _GAPS.sub("\n\n", visible).strip()


def _to_click_or_call(text: str) -> set[str]:
    entities = find_entities(scan(text, read_words(text)), "und", datetime.now(UTC).date())
    contacts = {text[one.start : one.end].lower() for one in entities if one.type in _CONTACTS}
    pieces = {word.lower().strip(".,;:()") for word in text.split() if _TO_CLICK.search(word)}
    return contacts | pieces
