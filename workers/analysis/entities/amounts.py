"""Amounts of money in Spanish and English notation: "1.234,56 €", "$1.2bn", "-45,00 EUR", "75 USD millones".

Looked for around numbers; those in words ("cinco mil euros") are found in worded_amounts.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from workers.analysis.entities.currencies import (
    CENT_WORDS,
    CODES,
    OTHER_CODES,
    SYMBOLS,
    WORDS,
    code_of,
    is_code,
    nation_code,
)
from workers.analysis.entities.found import Found
from workers.analysis.entities.numerals import read_numeral
from workers.analysis.entities.scan import Mark, Scan
from workers.analysis.entities.worded_amounts import find_worded_amounts

# Digits after a space or mark, or right after a code ("USD50"): grouped by threes, grouped the Indian way,
# or plain.
_NUMBER = re.compile(
    r"(?:(?<![\w.,])|(?<=(?<![A-Za-z])[A-Z]{3}))"
    r"(?:\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3}){1,5}(?!\d)(?:[.,]\d{1,4}(?!\d))?"
    r"|\d{1,2}(?:,\d{2}){1,4},\d{3}(?:\.\d{1,2})?(?!\d)"
    r"|\d{1,3}(?:\.\d{3}){0,3}['’]\d{1,2}(?!\d)"
    r"|\d{1,15}(?:[.,]\d{1,4}(?!\d))?)"
)
_SCALES: dict[str, int] = {
    name: factor
    for names, factor in (
        ("mil|k|thousand", 10**3),
        ("m|mm|mn|mln|mill|mill.|millón|millon|millones|million|millions", 10**6),
        ("mil millones|millardos|b|bn|billion|billions", 10**9),
        # In Spanish "billón" is a million millions.
        ("billón|billones|trillion", 10**12),
    )
    for name in names.split("|")
}
_SCALE = (
    r"(?:mil millones|millardos|mill[oó]n(?:es)?|millions?|billions?|billones|billón|thousand|trillion|mil"
    r"|mill\.?|mln|mm|mn|bn|[kmb])(?![^\W\d_])"
)
_SYMBOL = (
    r"(?:(?<![^\W\d_])(?:U\$[DS](?![^\W\d_])|(?:US|HK|NZ)[ ]?\$|(?:U|MXN|MX|M|CA|C|AU|A|R|S|AR|CLP"
    r"|CL|COP|CO)\$|S/\.?|Rs(?![^\W\d_]))"
    r"|[$€£¥₹₽₩₺₴₾₪₿₫])"
)
# "99,- €", "1000.- euros": dashes in place of the cents.
_AFTER = re.compile(
    rf"(?:[.,][-–—])?[ \u00a0\u202f]{{0,2}}-?(?:(?P<scale>{_SCALE})[ \u00a0]{{0,2}}(?:de[ ]|of[ ])?)?"
    rf"(?:(?P<prefix>[km]{{1,2}})(?=€|[a-z]{{3}}(?![^\W\d_])))?"
    rf"(?:(?P<symbol>{_SYMBOL})|(?P<word>[^\W\d_]{{2,12}}(?![^\W\d_])\$?))",
    re.IGNORECASE,
)
_SECOND_WORD = re.compile(r"[ \u00a0]([^\W\d_]{2,16})")
_BEFORE = re.compile(
    rf"(?:(?P<symbol>{_SYMBOL}|(?<![^\W\d_])Rs\.)|(?<![^\W\d_])(?P<word>[^\W\d_]{{3,7}}))[ \u00a0]{{0,2}}\Z",
    re.IGNORECASE,
)
# All that the pattern above may find ends in one of these.
_ENDS_BEFORE = (*"$€£¥₹₽₩₺₴₾₪₿₫./", "U$D", "U$S", "RS", "DÓLAR", "EUROS", "EURO", "SEN", *CODES, *OTHER_CODES)
# A number that ends or begins at one of these, or with the text, has no currency there.
_NO_CURRENCY = "\n\t:;()[]{}<>?!\"'%+*=#@_|&"
_SCALE_AFTER = re.compile(rf"[ \u00a0]{{0,2}}(?P<scale>{_SCALE})", re.IGNORECASE)
_CENTS = re.compile(
    r"(?:[ ](?:con|y|and|with))?[ ](\d{1,2})[ ](?:c[ée]ntimos|centavos|cents?|pence|peniques)(?![^\W\d_])"
    r"|[ ](?:con|y|and)[ ](\d{1,2})(?![\w%€$£,.-]*\d|[ ]?[%€$£]|[ ][^\W\d_])"
    r"|[ ](\d{2})(?=[.;)]?\s*\Z|[.;)]\s)",
    re.IGNORECASE,
)
# "420 million finnish markka", but not "invoice 20931 for euros".
_NATION_ENDINGS = ("ian", "ean", "ese", "ish")


class _Currency(NamedTuple):
    """A currency beside a number: its code, where it reaches to, and what it multiplies the number by."""

    code: str | None
    edge: int
    scale: int = 1


def find_amounts(scan: Scan) -> Iterator[Found]:
    """Amounts with a currency; `value` is {"amount": decimal string, "currency": ISO code or None}."""
    text = scan.text
    free_from = 0
    end_of_number = 0
    for start, _ in scan.digits:
        number = _NUMBER.match(text, start) if start >= end_of_number else None
        if number is None:
            continue
        end_of_number = number.end()
        found = _amount_at(text, number, free_from)
        if found is not None:
            free_from = found.end
            yield found
    yield from find_worded_amounts(text, scan.marks[Mark.CURRENCY])


def _amount_at(text: str, number: re.Match[str], free_from: int) -> Found | None:
    if number.start() < free_from:
        return None
    left = _currency_before(text, number.start(), free_from)
    right = _currency_after(text, number.end())
    value = read_numeral(number[0]) if left or right else None
    if value is None:
        return None
    if left is not None:
        start, code = left.edge, left.code
        scale, end = _scale_after(text, number.end())
        value = _scaled(value, left.scale * scale)
        # "$5 USD": the code says which dollar.
        if (
            right is not None
            and right.code
            and text[start] == "$"
            and text[end : right.edge].strip() == right.code
        ):
            code, end = right.code, right.edge
    elif right is not None:
        start, code, end = number.start(), right.code, right.edge
        value = _scaled(value, right.scale)
    else:
        return None
    cents = _CENTS.match(text, end) if value % 1 == 0 and left is None else None
    if cents is not None:
        value += Decimal(next(group for group in cents.groups() if group)) / 100
        end = cents.end()
    start, is_negative = _sign(text, start, end)
    return Found(
        "amount", start, end, {"amount": format(-value if is_negative else value, "f"), "currency": code}
    )


def _scaled(value: Decimal, factor: int) -> Decimal:
    """Decimals stay as written ("5.00"), unless a word of size takes their place ("1,20 millones")."""
    if factor == 1:
        return value
    product = value * factor
    return product.quantize(Decimal(1)) if product % 1 == 0 else product


def _sign(text: str, start: int, end: int) -> tuple[int, bool]:
    """A minus before the amount, or the brackets that accounts put around a negative one."""
    before, further = text[max(0, start - 1) : start], text[max(0, start - 2) : max(0, start - 1)]
    if before in ("-", "−", "–") and not further.isalnum():
        return start - 1, before != ""
    return start, before == "(" and text[end : end + 1] == ")" and not further.strip()


def _scale_after(text: str, end: int) -> tuple[int, int]:
    """Factor and end of a word of size after the number of "$ 22,5 millones"; a lone letter must touch it."""
    found = _SCALE_AFTER.match(text, end)
    if found is None or (len(found["scale"]) == 1 and text[end] == " "):
        return 1, end
    return _SCALES[found["scale"].lower()], found.end()


def _currency_before(text: str, at: int, free_from: int) -> _Currency | None:
    if text[at - 1 : at] in _NO_CURRENCY:
        return None
    start = max(free_from, at - 10)
    # A cheap look first: the pattern is tried at each of these characters.
    before = text[start:at].rstrip(" \u00a0").upper()
    found = _BEFORE.search(text, start, at) if before.endswith(_ENDS_BEFORE) else None
    if found is None:
        return None
    if found["symbol"]:
        symbol = found["symbol"].upper().replace(" ", "")
        return _Currency(SYMBOLS.get(symbol, SYMBOLS.get(symbol[-1])), found.start())
    word, start = found["word"], found.start("word")
    if is_code(word):
        return _Currency(code_of(word), start)
    if _is_scaled_code(word):
        return _Currency(word[1:], start, 10**6 if word[0] == "M" else 1000)
    if word.lower() in ("dólar", "euros", "euro", "sen"):
        return _Currency(WORDS.get(word.lower()), start)
    return None


def _currency_after(text: str, at: int) -> _Currency | None:
    found = None if text[at : at + 1] in _NO_CURRENCY else _AFTER.match(text, at)
    if found is None:
        return None
    scale = _SCALES[found["scale"].lower()] if found["scale"] else 1
    if found["prefix"]:
        scale *= 10**6 if "m" in found["prefix"].lower() else 1000
    if found["symbol"]:
        return _Currency(SYMBOLS.get(found["symbol"].upper().replace(" ", ""), "USD"), found.end(), scale)
    return _named_currency(text, found["word"], found.end(), scale)


def _named_currency(text: str, word: str, end: int, scale: int) -> _Currency | None:
    key = word.lower()
    second = _SECOND_WORD.match(text, end)
    beside = second[1].lower() if second else ""
    if word.upper() in SYMBOLS:
        return _Currency(SYMBOLS[word.upper()], end, scale)
    # "3 USD50 cards": the code belongs to the number that it touches.
    if text[end : end + 1].isdigit():
        return None
    if is_code(word):
        if second and len(beside) > 2 and beside in _SCALES:
            return _Currency(code_of(word), second.end(), scale * _SCALES[beside])
        return _Currency(code_of(word), end, scale)
    if _is_scaled_code(word):
        return _Currency(word[1:], end, scale * (10**6 if word[0] == "M" else 1000))
    if key in CENT_WORDS:
        return _Currency(None, end, scale)
    if key in WORDS:
        nation = nation_code(key, beside)
        return (
            _Currency(nation, second.end(), scale) if second and nation else _Currency(WORDS[key], end, scale)
        )
    # "100 chinese yuan", "10 us dollars": the nation comes first.
    if second and beside in WORDS:
        nation = nation_code(beside, key)
        if nation or key.endswith(_NATION_ENDINGS):
            return _Currency(nation or WORDS[beside], second.end(), scale)
    return None


def _is_scaled_code(word: str) -> bool:
    """ "MEUR", "KUSD": a code with its factor before it."""
    return len(word) == 4 and word[0] in "MK" and word[1:] in CODES and word.isupper()
