"""Numbers as people write them, in digits (either decimal mark) and in Spanish and English words."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

_GROUPING = re.compile(r"['’ \u00a0\u202f]")
# As handwriting has it in Spain: "19'95 €".
_APOSTROPHE_DECIMALS = re.compile(r"['’](?=\d{1,2}\Z)")
_UNITS = """
un una uno one|dos two|tres three|cuatro four|cinco five|seis six|siete seven|ocho eight|nueve nine|diez ten
once eleven|doce twelve|trece thirteen|catorce fourteen|quince fifteen|dieciséis sixteen|diecisiete seventeen
dieciocho eighteen|diecinueve nineteen|veinte twenty|veintiuno veintiún|veintidós|veintitrés|veinticuatro
veinticinco|veintiséis|veintisiete|veintiocho|veintinueve|treinta thirty
"""
_TENS = "cuarenta forty|cincuenta fifty|sesenta sixty|setenta seventy|ochenta eighty|noventa ninety"
_HUNDREDS = """
cien ciento|doscientos|trescientos|cuatrocientos|quinientos|seiscientos|setecientos|ochocientos|novecientos
"""


def _counted(names: str, first: int, step: int) -> dict[str, int]:
    groups = names.strip().replace("\n", "|").split("|")
    return {name: first + at * step for at, group in enumerate(groups) for name in group.split()}


WORD_VALUES = _counted(_UNITS, 1, 1) | _counted(_TENS, 40, 10) | _counted(_HUNDREDS, 100, 100)
_FACTORS: dict[str, int] = {
    name: factor
    for names, factor in (
        ("hundred", 100),
        ("mil thousand", 1_000),
        ("millón millon millones million millions", 10**6),
        ("billion billions", 10**9),
    )
    for name in names.split()
}
_PARTS: dict[str, Fraction] = {
    "half": Fraction(1, 2),
    "medio": Fraction(1, 2),
    "quarter": Fraction(1, 4),
    "quarters": Fraction(1, 4),
}
_JOINING = frozenset({"y", "and", "a"})


def read_numeral(digits: str) -> Decimal | None:
    """The value of "1.234,56", "1,234.56", "12 000", "12,34,567.89" or "19'95"; None if they make no number.

    The mark that comes last is the decimal one, unless it repeats or exactly three digits follow it,
    which both notations use for thousands.
    """
    plain = _GROUPING.sub("", _APOSTROPHE_DECIMALS.sub(",", digits))
    last = max(plain.rfind("."), plain.rfind(","))
    if last < 0:
        return Decimal(plain) if plain.isdigit() else None
    mark = plain[last]
    other = "," if mark == "." else "."
    whole, decimals = plain[:last], plain[last + 1 :]
    is_grouping = mark in whole or (
        len(decimals) == 3 and other not in whole and whole not in ("0", "") and len(whole) <= 3
    )
    whole = whole.replace(other, "").replace(mark, "")
    if not (whole + decimals).isdigit():
        return None
    return Decimal(whole + decimals) if is_grouping else Decimal(f"{whole or 0}.{decimals}")


def read_words(words: list[str]) -> tuple[Decimal, int] | None:
    """The number at the end of a list of words, and how many words it takes; None if the last one is no
    number."""
    used = 0
    for word in reversed(words):
        if not _is_number_word(word):
            break
        used += 1
    while used and words[-used].lower() in _JOINING:
        used -= 1
    if used == 0:
        return None
    return _value_of([word.lower() for word in words[-used:]]), used


def word_value(word: str) -> int | None:
    """The value of one number word up to ninety-nine, "treinta y uno" and "twenty-one" as one word
    included."""
    parts = [part for part in re.split(r"[-\s]", word.lower()) if part not in _JOINING]
    values = [WORD_VALUES.get(part) for part in parts]
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _is_number_word(word: str) -> bool:
    key = word.lower()
    return key in _FACTORS or key in _PARTS or key in _JOINING or word_value(key) is not None


def _value_of(words: list[str]) -> Decimal:
    total = Fraction(0)
    current = Fraction(0)
    for word in words:
        if word in _PARTS:
            current = (current or Fraction(1)) * _PARTS[word]
        elif word in _FACTORS:
            factor = _FACTORS[word]
            if factor >= 10**6:
                total = ((total + current) or Fraction(1)) * factor
                current = Fraction(0)
            elif factor == 100:
                current = (current or Fraction(1)) * factor
            else:
                total += (current or Fraction(1)) * factor
                current = Fraction(0)
        elif word not in _JOINING:
            current += word_value(word) or 0
    exact = total + current
    return Decimal(exact.numerator) / Decimal(exact.denominator)
