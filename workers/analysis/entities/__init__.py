"""What a mail names: addresses, numbers, money, days, accounts. One file a family, all linear in the text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice

from workers.analysis.entities.addresses import find_emails, find_urls
from workers.analysis.entities.amounts import find_amounts
from workers.analysis.entities.dates import find_dates
from workers.analysis.entities.found import Found
from workers.analysis.entities.identifiers import find_ibans, find_vat_ids
from workers.analysis.entities.phones import find_phones
from workers.analysis.entities.references import find_references
from workers.analysis.entities.scan import Scan, scan

MAX_PER_TYPE = 200

__all__ = ["MAX_PER_TYPE", "Found", "find_entities", "scan"]


def find_entities(places: Scan, language: str, today: date) -> list[Found]:
    """Entities of a text in its order, none overlapping; at most MAX_PER_TYPE of a type.

    `language` decides how "03/04/2026" is read and which country a phone number
    without prefix belongs to; `today` is the day of the mail, which relative dates count from.
    """
    text = places.text
    taken = bytearray(len(text))
    kept: list[Found] = []
    # The surest first: digits inside an IBAN are no phone, a date is no order number.
    for candidates in (
        find_urls(text),
        find_emails(text),
        find_ibans(places),
        find_vat_ids(places),
        find_amounts(places),
        find_dates(places, language, today),
        find_phones(places, language),
        find_references(places),
    ):
        kept += islice(_free(candidates, taken), MAX_PER_TYPE)
    return sorted(kept, key=lambda found: found.start)


def _free(candidates: Iterator[Found], taken: bytearray) -> Iterator[Found]:
    for found in candidates:
        if taken.find(1, found.start, found.end) < 0:
            taken[found.start : found.end] = b"\x01" * (found.end - found.start)
            yield found
