"""Order, invoice, ticket and similar numbers, known by the word before them or by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.analysis.entities.found import Found
from workers.analysis.entities.scan import Mark, Scan

_NUMBER_WORD = (
    r"(?:n[úu]m(?:ero)?\b\.?|n[º°.o]{1,2}\.?(?=[ :#\d])|number\b|no\.|id\b|code\b|c[óo]digo\b|is\b"
    r"|es\b|de\b|of\b)"
)
_AFTER_WORD = re.compile(
    rf"[ \t.]{{0,2}}(?:(?:de |of )?(?:compra|venta|pago|cliente|seguimiento|env[íi]o|purchase)[ \t]{{1,2}})?"
    rf"{_NUMBER_WORD}?[ \t]{{0,2}}{_NUMBER_WORD}?[ \t]{{0,2}}[:#nN]{{0,2}}[º°]?[ \t]{{0,2}}"
    r"([A-Za-z]{0,8}[-/_.]?\d[A-Za-z0-9]{0,20}(?:[-/_.][A-Za-z0-9]{1,12}){0,4}|[A-Z]{1,4}[A-Z0-9]{3,12})(?![\w%€$£])",
    re.IGNORECASE,
)
_AFTER_HASH = re.compile(r"#[ ]?([A-Z]{0,5}-?\d{3,15})(?![\w])")
_CODE = re.compile(r"[A-Z]{2,6}[-/](?:\d{2,12}|[A-Z0-9]{2,8})(?:[-/][A-Z0-9]{1,12}){0,3}(?![\w-])")
_LETTERS_BEFORE = re.compile(r"(?<![\w/-])[A-Z]{2,6}[-/]\Z")
_FEWEST_DIGITS = 3


def find_references(scan: Scan) -> Iterator[Found]:
    """Numbers of orders, invoices, tickets and the like."""
    text = scan.text
    for _, end in scan.marks[Mark.REFERENCE]:
        found = _AFTER_WORD.match(text, end)
        if found is not None:
            token = found[1].rstrip(".-/_")
            if _has_enough_digits(token):
                yield Found("reference", found.start(1), found.start(1) + len(token), token)
    at = text.find("#")
    while at >= 0:
        found = _AFTER_HASH.match(text, at)
        if found is not None and not text[max(0, at - 1) : at].isalnum():
            yield Found("reference", found.start(1), found.end(1), found[1])
        at = text.find("#", at + 1)
    for start, _ in scan.digits:
        before = _LETTERS_BEFORE.search(text, max(0, start - 8), start)
        found = _CODE.match(text, before.start()) if before else None
        if found is not None and _has_enough_digits(found[0]):
            yield Found("reference", found.start(), found.end(), found[0])


def _has_enough_digits(token: str) -> bool:
    return sum(map(str.isdigit, token)) >= _FEWEST_DIGITS
