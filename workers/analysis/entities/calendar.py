"""Names of months and weekdays, and the day that an incomplete date means."""

from __future__ import annotations

import re
from datetime import date

_MONTH_NAMES = """
enero ene january jan gener janeiro janvier januar gennaio
febrero feb february febrer fevereiro février februar febbraio
marzo mar march març março mars märz
abril abr april apr avril aprile
mayo may maig maio mai maggio
junio jun june juny junho juin juni giugno
julio jul july juliol julho juillet juli luglio
agosto ago august aug agost août
septiembre setiembre sep sept set september setembre setembro septembre settembre
octubre oct october octubre outubro octobre oktober ottobre
noviembre nov november novembre novembro
diciembre dic december dec desembre dezembro décembre dezember dicembre
"""
_WEEKDAY_NAMES = """
lunes monday mon lun
martes tuesday tue tues mar
miércoles miercoles wednesday wed mié mie
jueves thursday thu thurs jue
viernes friday fri vie
sábado sabado saturday sat sáb sab
domingo sunday sun dom
"""


def _numbered(lines: str, first: int) -> dict[str, int]:
    return {
        name: number for number, line in enumerate(lines.split("\n")[1:-1], first) for name in line.split()
    }


MONTHS = _numbered(_MONTH_NAMES, 1)
WEEKDAYS = _numbered(_WEEKDAY_NAMES, 0)
WEEKDAY = (
    r"(?:lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(?:mon|tues?|wed|thurs?|fri|sat|sun|lun|mi[ée]|jue|vie|s[áa]b|dom)\b\.?)"
)
# "this friday", "próximo lunes,", "martes": what may stand before a date and belongs to it.
LEAD = rf"(?:(?:this|next|este|pr[óo]ximo)[ ])?(?:{WEEKDAY},?[ ](?:(?:el |the )?d[íi]a |of |the )?)?"
_LEAD_BEFORE = re.compile(rf"(?<![^\W_]){LEAD}\Z", re.IGNORECASE)


def with_lead(text: str, start: int) -> int:
    """Where "friday 5/12" or "próximo 12/05" begins, given the start of its digits."""
    lead = _LEAD_BEFORE.search(text, max(0, start - 28), start)
    return lead.start() if lead else start


def day_or_none(year: int, month: int, day: int) -> date | None:
    """The date, or None if there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def full_year(digits: str) -> int:
    """Two digits mean 1950 to 2049."""
    year = int(digits)
    return year if year > 99 else year + (2000 if year < 50 else 1900)


def nearest_year(month: int, day: int, today: date) -> date | None:
    """The day and month in the year that brings them nearest to `today`."""
    candidates = (day_or_none(today.year + shift, month, day) for shift in (-1, 0, 1))
    return min(filter(None, candidates), key=lambda found: abs((found - today).days), default=None)


def nearest_month(day: int, weekday: int | None, today: date) -> date | None:
    """The next such day of a month, on the weekday that was said if it falls on one within half a year."""
    months = [
        divmod(today.year * 12 + today.month - 1 + shift, 12) for shift in (0, 1, 2, 3, -1, -2, -3, -4, -5)
    ]
    days = [found for year, month in months if (found := day_or_none(year, month + 1, day))]
    fitting = [found for found in days if weekday in (None, found.weekday())]
    return next((found for found in (*fitting, *days) if found >= today or found.weekday() == weekday), None)
