"""Amounts whose number is written in words: "cinco millones de euros", "half a million usd", "twenty
MUSD"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from workers.analysis.entities.currencies import CENT_WORDS, WORDS, code_of, nation_code
from workers.analysis.entities.found import Found
from workers.analysis.entities.numerals import read_words, word_value

_CURRENCY = re.compile(
    r"(?P<million>m(?=usd|eur|gbp))?(?P<name>euros?|d[óo]lar(?:es)?|dollars?"
    r"|pounds?|libras?|pesos?"
    r"|francos?|francs?|yen(?:es)?|yuan(?:es)?|rupees?|c[ée]nt(?:imos?|avos?|s)?|pence|penny|peniques?|usd|eur|gbp)"
    r"(?![^\W_])(?P<nation>[ ][^\W\d_]{2,16})?",
    re.IGNORECASE,
)
_WORD_BEFORE = re.compile(r"[^\W\d_]+")
_CENTS = re.compile(
    r"(?:[ ](?:and|y|con))?[ ](?P<count>[^\W\d_]{3,9}(?:[ -](?:y[ ])?[^\W\d_]{3,6})?)"
    r"(?:[ ](?:c[ée]ntimos|centavos|cents?|pence)(?![^\W_])|(?=[.;,)]|\Z))",
    re.IGNORECASE,
)
_LOOK_BACK_CHARS = 60


def find_worded_amounts(text: str, names: list[tuple[int, int]]) -> Iterator[Found]:
    """Amounts in words before a currency's name; the cents after it join in. `names`: where such names
    stand."""
    free_from = 0
    for start, _ in names:
        currency = _CURRENCY.match(text, start)
        found = _amount_before(text, currency, free_from) if currency else None
        if found is not None:
            free_from = found.end
            yield found


def _amount_before(text: str, currency: re.Match[str], free_from: int) -> Found | None:
    words = list(
        _WORD_BEFORE.finditer(text, max(free_from, currency.start() - _LOOK_BACK_CHARS), currency.start())
    )
    if words and words[-1][0].lower() == "de":
        words.pop()
    number = read_words([word[0] for word in words])
    if number is None or text[words[-1].end() : currency.start()].strip(" ").lower() not in ("", "de"):
        return None
    value, used = number
    name = currency["name"].lower()
    end = currency.end("name")
    code = code_of(name) or WORDS.get(name)
    nation = nation_code(name, currency["nation"].strip()) if currency["nation"] else None
    if nation is not None:
        code, end = nation, currency.end()
    cents = None if name in CENT_WORDS else _CENTS.match(text, end)
    count = word_value(cents["count"]) if cents else None
    if cents and count:
        value, end = value + Decimal(count) / 100, cents.end()
    if currency["million"]:
        value *= 10**6
    start = words[-used].start()
    return Found("amount", start, end, {"amount": format(value, "f"), "currency": code})
