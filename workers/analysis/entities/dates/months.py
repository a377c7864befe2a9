"""Dates with a month's name: "7 de mayo de 2025", "May 7th, 2025", "2-oct", "fourth of july",
"2019-sep-01"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from workers.analysis.entities.calendar import (
    LEAD,
    MONTHS,
    day_or_none,
    full_year,
    nearest_year,
    with_lead,
)
from workers.analysis.entities.found import Found
from workers.analysis.entities.numerals import WORD_VALUES, read_words, word_value

_DAY_BEFORE = re.compile(
    rf"(?P<lead>(?<![^\W_]){LEAD})(?:(?<![\w.,/:])(?P<day>\d{{1,2}})(?:st|nd|rd|th|º|ª|er|ro|do)?"
    r"|(?<![^\W_])(?P<word>[^\W\d_]{3,12}(?:-[^\W\d_]{4,7}| y [^\W\d_]{3,6})?))"
    r"\.?[ ]?[-/]?[ ]?(?:de[ ]|of[ ]|d['’]|del[ ])?\Z",
    re.IGNORECASE,
)
_DAY_AFTER = re.compile(
    r"(?:[ ]?[-/.]?[ ]?|,[ ])(?P<day>\d{1,2})(?:st|nd|rd|th)?(?![\w:%€$£]|[.,]\d)", re.IGNORECASE
)
_DAY_WORD_AFTER = re.compile(r"[ ](?:the )?(?P<word>[a-z]{5,11}(?:-[a-z]{5,7})?)\b", re.IGNORECASE)
_YEAR_BEFORE = re.compile(r"(?<!\d)((?:19|20)\d{2})[-/ ]\Z")
_YEAR_THEN_DAY = re.compile(r"[-/]((?:19|20)\d{2})[-/](\d{1,2})(?!\d)")
_YEAR_AFTER = re.compile(
    r"(?:[ ]?,?[ ]?(?:de[ ]|del[ ]|of[ ]|in[ ])?(?:año[ ])?|[-/.])(?P<year>(?:1[0-9]|20)\d{2})(?!\d)"
    r"|(?:[ ]|[ ](?:de|of)[ ]|[ ]?['’/,-][ ]?)(?P<short>\d{2})(?![\w:%€$£/-]|[.,]\d)",
    re.IGNORECASE,
)
_YEAR_IN_WORDS = re.compile(
    r"(?:,|[ ]de|[ ]of)[ ]((?:dos mil|nineteen|twenty)(?:[ ][a-zé]{2,12}){0,3})", re.IGNORECASE
)
_ORDINALS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
"""
_ORDINAL_VALUES = {name: number for number, name in enumerate(_ORDINALS.split(), 1)} | {
    "primero": 1,
    "thirtieth": 30,
}

_DAY_WORDS = _ORDINAL_VALUES.keys() | WORD_VALUES.keys()
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]+")


def find_month_dates(text: str, names: list[tuple[int, int]], today: date) -> Iterator[Found]:
    """Dates around the names of months (`names`: where they stand); a month without a day is none."""
    for span in names:
        month = MONTHS.get(text[span[0] : span[1]].lower())
        if month is not None:
            result = _day_first(text, span, month, today) or _month_first(text, span, month, today)
            if result is not None:
                yield result


def _day_first(text: str, name: tuple[int, int], month: int, today: date) -> Found | None:
    # A cheap look first: the pattern is tried at each of many characters.
    near = text[max(0, name[0] - len("treinta y uno de ")) : name[0]].lower()
    has_day = _DIGIT.search(near) or not _DAY_WORDS.isdisjoint(_LETTERS.findall(near))
    before = _DAY_BEFORE.search(text, max(0, name[0] - 48), name[0]) if has_day else None
    if before is None:
        return None
    day = int(before["day"]) if before["day"] else _ordinal(before["word"])
    if day is None:
        return None
    return _with_year(text, before.start(), _end_of_name(text, name), month, day, today)


def _month_first(text: str, name: tuple[int, int], month: int, today: date) -> Found | None:
    between = _YEAR_THEN_DAY.match(text, name[1])
    if between is not None:
        return _found(name[0], between.end(), day_or_none(int(between[1]), month, int(between[2])))
    end = _end_of_name(text, name)
    digits = _DAY_AFTER.match(text, end)
    word = None if digits else _DAY_WORD_AFTER.match(text, end)
    day = int(digits["day"]) if digits else _ordinal(word["word"]) if word else None
    after = digits or word
    if day is None or after is None:
        return None
    year = _YEAR_BEFORE.search(text, max(0, name[0] - 6), name[0])
    if year is not None:
        return _found(year.start(), after.end(), day_or_none(int(year[1]), month, day))
    return _with_year(text, with_lead(text, name[0]), after.end(), month, day, today)


def _end_of_name(text: str, name: tuple[int, int]) -> int:
    """Behind the dot of an abbreviation, which "May" is not."""
    start, end = name
    is_short = end - start <= 4 and text[start:end].lower() not in ("may", "mayo", "mai")
    return end + (is_short and text[end : end + 1] == ".")


def _with_year(text: str, start: int, end: int, month: int, day: int, today: date) -> Found | None:
    year = _YEAR_AFTER.match(text, end)
    if year is not None and (year["year"] or _is_year(text, end, year)):
        return _found(start, year.end(), day_or_none(full_year(year["year"] or year["short"]), month, day))
    words = _YEAR_IN_WORDS.match(text, end)
    if words is not None:
        value, used = _year_in_words(words[1])
        if value:
            return _found(start, words.start(1) + used, day_or_none(value, month, day))
    return _found(start, end, nearest_year(month, day, today))


def _is_year(text: str, end: int, year: re.Match[str]) -> bool:
    """After a mere space, two digits are a year only where nothing follows: "3 May 12 people" has none."""
    return text[end : year.start("short")] != " " or text[year.end() : year.end() + 1] in ("", ".", "\n", ")")


def _year_in_words(words: str) -> tuple[int | None, int]:
    """Year of "dos mil veinte" or "nineteen zero one", and how many characters it takes."""
    names = words.split()
    if names[0].lower() in ("nineteen", "twenty"):
        rest = [0 if name.lower() in ("zero", "oh") else word_value(name) for name in names[1:]]
        known = [value for value in rest if value is not None]
        return (
            (100 * (word_value(names[0]) or 0) + sum(known), len(words))
            if known and known == rest
            else (None, 0)
        )
    number = read_words(names)
    return (int(number[0]), len(words)) if number and number[1] == len(names) else (None, 0)


def _found(start: int, end: int, value: date | None) -> Found | None:
    return Found("date", start, end, value.isoformat()) if value else None


def _ordinal(word: str) -> int | None:
    """Day of the month of "cuatro", "fourth", "twenty-second" or "treinta y uno"."""
    lower = word.lower()
    tens, _, unit = lower.rpartition("-")
    if tens and unit in _ORDINAL_VALUES:
        base = word_value(tens)
        return base + _ORDINAL_VALUES[unit] if base else None
    value = _ORDINAL_VALUES.get(lower) or word_value(lower)
    return value if value and value <= 31 else None
