"""Dates in Spanish and English, absolute and relative to the day of the mail.

Looked for around digits with date separators, month names and the words for days, never by one pattern over
everything: the time stays linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from workers.analysis.entities.dates.months import find_month_dates
from workers.analysis.entities.dates.numeric import find_numeric_dates
from workers.analysis.entities.dates.relative import find_relative_dates
from workers.analysis.entities.found import Found
from workers.analysis.entities.scan import Mark, Scan


def find_dates(scan: Scan, language: str, today: date) -> Iterator[Found]:
    """Dates with ISO values; a year that is not said is the one that brings the date nearest to `today`."""
    yield from find_numeric_dates(scan, language, today)
    yield from find_month_dates(scan.text, scan.marks[Mark.MONTH], today)
    yield from find_relative_dates(scan, today)
