"""Days told from the day of the mail: "mañana", "next Friday", "dentro de tres días", "fin de mes"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from workers.analysis.entities.calendar import WEEKDAY, WEEKDAYS, day_or_none, nearest_month
from workers.analysis.entities.found import Found
from workers.analysis.entities.numerals import word_value
from workers.analysis.entities.scan import Mark, Scan

_REACH_CHARS = 40
_OFFSETS = {
    "hoy": 0, "today": 0, "tonight": 0, "esta noche": 0, "mañana": 1, "tomorrow": 1, "pasado mañana": 2,
    "day after tomorrow": 2, "ayer": -1, "yesterday": -1, "anteayer": -2, "antes de ayer": -2,
}  # fmt: skip
_DAY_WORD = re.compile(
    r"(?<![^\W_])(?:pasado mañana|day after tomorrow|antes de ayer|esta noche|anteayer|tomorrow"
    r"|yesterday|tonight|today"
    r"|mañana|ayer|hoy)(?![^\W_])",
    re.IGNORECASE,
)
# "por la mañana", "de la mañana", "esta mañana": the morning, not the next day.
_MORNING = re.compile(r"\b(?:la|las|una|cada|esta|toda|media)[ ]\Z", re.IGNORECASE)
_COUNT_WORDS = "dos|tres|cuatro|cinco|seis|siete|ocho|diez|quince|one|two|three|four|five|six|seven|ten"
_COUNT = rf"(\d{{1,3}}|un[ao]?|{_COUNT_WORDS})"
_COUNT_ENDS = tuple(f"{end} " for end in (*"0123456789", "un", "una", "uno", *_COUNT_WORDS.split("|")))
_UNIT = r"(d[íi]as?|semanas?|mes(?:es)?|años?|days?|weeks?|months?|years?)"
_DISTANCE = re.compile(
    rf"\b(?:(?P<ahead>in|dentro de|en|hace)[ ]{_COUNT}[ ]{_UNIT}"
    rf"|{_COUNT}[ ]{_UNIT},?[ ](?:{_COUNT}[ ]{_UNIT}[ ])?"
    rf"(?:{_COUNT}[ ]{_UNIT}[ ])?ago)(?![^\W_])",
    re.IGNORECASE,
)
_MONTH_END = re.compile(
    r"\b(?:(?:a |el )?fin(?:al(?:es)?)? de(?:l| este)? mes|(?:the )?end of (?:the |this )?month)(?![^\W_])",
    re.IGNORECASE,
)
# What stands right before the words that announce these: a cheap look, where a pattern takes far longer.
_AHEAD = ("in ", "de ", "en ", "hace ")
_BEFORE_MONTH = ("de ", "del ", "este ", "of ", "the ", "this ")
_BEFORE_WEEKDAY = (
    *("next ", "this ", "last ", "on ", "by ", "until ", "el ", "este ", "próximo ", "proximo ", "pasado "),
    "del ",
)
_NO_DAY = (
    r"de |h\b|horas|weeks?|days?|semanas|días|am\b|pm\b|personas|people|euros|años|o ?clock|of "
    r"|-? ?[A-Za-z]{3,9} \d"
)
_WEEKDAY_AND_DAY = re.compile(
    rf"(?<![^\W_])(?:(?P<name>{WEEKDAY}),?[ ](?:(?:el |the )?(?:d[íi]a )?)"
    rf"|(?:el )?d[íi]a )(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
    rf"(?![\w:/€$£%]|[.,]\d|[ ]?(?:{_NO_DAY}))",
    re.IGNORECASE,
)
# What the pattern above needs behind the word: plain sets are found far faster.
_DIGIT = re.compile("[0-9]")
_WEEKDAY = re.compile(
    rf"\b(?P<which>next|this|last|on|by|until|el|este|pr[óo]ximo|para el|antes del"
    rf"|hasta el)[ ](?:pr[óo]ximo |pasado |this |next )?"
    rf"(?P<name>{WEEKDAY})(?P<after>[ ]que viene|[ ]pr[óo]ximo|[ ]pasado)?(?![^\W_])",
    re.IGNORECASE,
)


def find_relative_dates(scan: Scan, today: date) -> Iterator[Found]:
    """Days given by their distance from `today`; weekdays are the next ones unless said to be past."""
    text = scan.text
    for at in scan.marks[Mark.DAY_WORD]:
        found = _around(_DAY_WORD, text, at)
        if found is not None and not _is_morning(text, found):
            yield _found(found, today + timedelta(days=_OFFSETS[found[0].lower()]))
    for at in scan.marks[Mark.UNIT]:
        before = text[max(0, at[0] - 20) : at[0]].lower()
        is_counted = before.endswith(_COUNT_ENDS) and (
            any(word in before for word in _AHEAD) or "ago" in text[at[1] : at[1] + _REACH_CHARS].lower()
        )
        found = _around(_DISTANCE, text, at) if is_counted else None
        value = _at_distance(found, today) if found else None
        if found is not None and value is not None:
            yield _found(found, value)
        found = _around(_MONTH_END, text, at) if before.endswith(_BEFORE_MONTH) else None
        if found is not None:
            yield _found(
                found, (today.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
            )
    days = (at for at in scan.marks[Mark.UNIT] if text[at[0] : at[1]].lower() in ("día", "dia"))
    for at in (*scan.marks[Mark.WEEKDAY], *days):
        has_digit = _DIGIT.search(text, at[1], at[1] + len(", the día 7"))
        start = at[0] - len("el ") if text[max(0, at[0] - 3) : at[0]].lower() == "el " else at[0]
        found = (
            _WEEKDAY_AND_DAY.match(text, start) or _WEEKDAY_AND_DAY.match(text, at[0]) if has_digit else None
        )
        value = _day_of_month(found, today) if found else None
        if found is not None and value is not None:
            yield _found(found, value)
    for at in scan.marks[Mark.WEEKDAY]:
        before = text[max(0, at[0] - 8) : at[0]].lower()
        found = _around(_WEEKDAY, text, at) if before.endswith(_BEFORE_WEEKDAY) else None
        if found is not None:
            yield _found(found, _weekday(found, today))


def _around(pattern: re.Pattern[str], text: str, word: tuple[int, int]) -> re.Match[str] | None:
    """The match that holds a word, looked for close around it."""
    found = pattern.search(text, max(0, word[0] - _REACH_CHARS), word[1] + _REACH_CHARS)
    return found if found and found.start() <= word[0] and found.end() >= word[1] else None


def _is_morning(text: str, found: re.Match[str]) -> bool:
    before = _MORNING.search(text, max(0, found.start() - 8), found.start())
    return before is not None and found[0].lower() == "mañana"


def _found(match: re.Match[str], value: date) -> Found:
    return Found("date", match.start(), match.end(), value.isoformat())


def _day_of_month(found: re.Match[str], today: date) -> date | None:
    weekday = WEEKDAYS.get(found["name"].lower().rstrip(".")) if found["name"] else None
    return nearest_month(int(found["day"]), weekday, today)


def _at_distance(found: re.Match[str], today: date) -> date | None:
    groups = [group for group in found.groups()[1:] if group]
    sign = -1 if found["ahead"] is None or found["ahead"].lower() == "hace" else 1
    moved: date | None = today
    # The coarse units first, so that months and years count from whole days.
    for count, unit in zip(groups[::2], groups[1::2], strict=True):
        number = int(count) if count.isdigit() else word_value(count)
        if number is None or moved is None:
            return None
        moved = _moved(moved, sign * number, unit.lower()[0])
    return moved


def _moved(day: date, count: int, unit: str) -> date | None:
    try:
        if unit == "d":
            return day + timedelta(days=count)
        if unit in "sw":
            return day + timedelta(weeks=count)
    except OverflowError:
        return None
    year, month = divmod(day.year * 12 + day.month - 1 + (count if unit == "m" else 12 * count), 12)
    # The 31st of a shorter month is its last day.
    candidates = (day_or_none(year, month + 1, day.day - back) for back in range(4))
    return next((found for found in candidates if found), None)


def _weekday(found: re.Match[str], today: date) -> date:
    number = WEEKDAYS[found["name"].lower().rstrip(".")]
    if found["which"].lower() == "last" or "pasado" in found[0].lower():
        return today - timedelta(days=(today.weekday() - number) % 7 or 7)
    return today + timedelta(days=(number - today.weekday()) % 7 or 7)
