"""Dates in digits: "2025-03-31", "31/03/2025", "3-7-25", "22/04"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from workers.analysis.entities.calendar import (
    WEEKDAY,
    day_or_none,
    full_year,
    nearest_year,
    with_lead,
)
from workers.analysis.entities.found import Found
from workers.analysis.entities.scan import Scan

_FULL = re.compile(
    r"(?<![\w.,/$€£-])(?:(?P<y>(?:19|20)\d{2})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})(?=T\d|[^\w/-]|\Z|-(?!\d))"
    r"|(?P<a>\d{1,2})(?P<t>[-/.])(?P<b>\d{1,2})(?:(?P=t)|,)(?P<c>(?:19|20)\d{2}|\d{2})(?![\w/]|[.,-]\d))"
)
_IN_FILE_NAME = re.compile(r"(?<=[A-Za-z_][-_])(?P<y>(?:19|20)\d{2})-(?P<m>\d{2})-(?P<d>\d{2})(?![\d-])")
_DAY_MONTH = re.compile(
    r"(?<![\w.,/$€£-])(\d{1,2})([/.-])(\d{1,2})(?![\w/%€$£]|[.,:-]\d|[ ]?(?:€|\$|%|h\b|am\b|pm\b))"
)
_ANNOUNCED = re.compile(
    r"\b(?:on|by|due|before|until|till|this|next|from|back|el|d[íi]a|hasta|antes del|para el|del|al"
    r"|desde el|vence"
    rf"|fecha:?|date:?|{WEEKDAY},?)[ \t]{{1,6}}\Z",
    re.IGNORECASE,
)
_NEVER_DATES = frozenset({"24/7", "50/50", "1/2", "24/24"})


def find_numeric_dates(scan: Scan, language: str, today: date) -> Iterator[Found]:
    """Dates written in digits alone; those without a year where their form or the words before tell them."""
    text = scan.text
    for (start, end), (following, _) in pairwise(scan.digits):
        if following != end + 1 or text[end] not in "/.-":
            continue
        found = _FULL.match(text, start) or _IN_FILE_NAME.match(text, start)
        value = _full_date(found, language) if found else None
        if found is None:
            found = _DAY_MONTH.match(text, start)
            value = _short_date(text, found, language, today) if found else None
        if found is not None and value is not None:
            yield Found("date", with_lead(text, found.start()), found.end(), value.isoformat())


def _full_date(found: re.Match[str], language: str) -> date | None:
    if found.re is _IN_FILE_NAME or found["y"]:
        return day_or_none(int(found["y"]), int(found["m"]), int(found["d"]))
    day, month = _day_and_month(int(found["a"]), int(found["b"]), language)
    return day_or_none(full_year(found["c"]), month, day)


def _short_date(text: str, found: re.Match[str], language: str, today: date) -> date | None:
    """ "22/04" is a date even unannounced; "9/10", "4.5" and "24/7" are more often something else."""
    announced = _ANNOUNCED.search(text, max(0, found.start() - 18), found.start()) is not None
    if found[0] in _NEVER_DATES or not (announced or (found[2] == "/" and len(found[0]) == 5)):
        return None
    day, month = _day_and_month(int(found[1]), int(found[3]), language)
    return nearest_year(month, day, today)


def _day_and_month(first: int, second: int, language: str) -> tuple[int, int]:
    """English writes the month first; where that gives no month, the order is the other one."""
    month_first = language == "en" if first <= 12 and second <= 12 else second > 12
    return (second, first) if month_first else (first, second)
