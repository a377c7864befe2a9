"""IBANs and tax numbers, both known by their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.analysis.entities.found import Found
from workers.analysis.entities.scan import Scan

# Lengths by country: IBAN registry, release 99.
_LENGTHS = """
15 NO | 16 BE | 18 DK FI FO GL NL | 19 MK SI | 20 AT BA EE KZ LT LU XK | 21 CH HR LI LV
22 BG BH CR DE GB GE IE ME RS VA | 23 AE GI IL IQ TL | 24 AD CZ ES MD PK RO SA SE SK TN VG | 25 LY PT ST
26 IS TR | 27 FR GR IT MC MR SM | 28 AL AZ BY CY DO GT HU LB PL SV | 29 BR EG PS QA UA | 30 JO KW MU | 31 MT
SC
32 LC
"""
_IBAN_LENGTHS = {
    country: int(length)
    for length, *countries in (
        entry.split() for entry in _LENGTHS.replace("|", "\n").split("\n") if entry.strip()
    )
    for country in countries
}
_LONGEST_PREFIX = 5
_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_CIF_LETTERS = "JABCDEFGHI"
# With a space after it "es" is a word of the sentence unless it is in capitals: "mi NIF es 12345678Z".
_SPANISH_ID = re.compile(
    r"(?:(?-i:ES)[ -]|ES-?)?(?:(\d{2}\.?\d{3}\.?\d{3}|[XYZKLM][ -]?\d{7}"
    r"|[XYZ][ -]?\d\.\d{3}\.\d{3})[ -]?([A-Z])"
    r"|([ABCDEFGHJNPQRSUVW])[ .-]?(\d{7}|\d{2}\.\d{3}\.\d{2}|\d\.\d{3}\.\d{3})[ -]?([0-9A-J]))(?![\w])",
    re.IGNORECASE,
)
_EU_VAT = re.compile(
    r"(AT|BE|BG|CY|CZ|DE|DK|EE|EL|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI|GB)"
    r"[ .-]?((?:[A-Z0-9+*][ .-]?){6,13}[A-Z0-9])(?![\w])"
)
_SEPARATORS = str.maketrans("", "", " .-\u00a0")


def find_ibans(scan: Scan) -> Iterator[Found]:
    """IBANs with the right length for their country and right check digits (ISO 13616, mod 97)."""
    text = scan.text
    for digits, _ in scan.digits:
        start = digits - 2
        length = _IBAN_LENGTHS.get(text[max(0, start) : digits].upper())
        if length is None or text[max(0, start - 1) : start].isalnum():
            continue
        end = _end_of_run(text, start, length)
        if end is None:
            continue
        compact = text[start:end].translate(_SEPARATORS).upper()
        if compact[2:4].isdigit() and _mod97(compact) == 1:
            yield Found("iban", start, end, compact)


def _end_of_run(text: str, start: int, length: int) -> int | None:
    """Where the `length`-th letter or digit ends, separators of one character allowed between them."""
    at = start
    count = 0
    while at < len(text):
        char = text[at]
        if char.isascii() and char.isalnum():
            count += 1
            if count == length:
                following = text[at + 1 : at + 2]
                return None if following.isalnum() else at + 1
        elif char not in " \u00a0.-" or not text[at - 1].isalnum():
            return None
        at += 1
    return None


def _mod97(iban: str) -> int:
    digits = "".join(str(int(char, 36)) for char in iban[4:] + iban[:4])
    return int(digits) % 97


def find_vat_ids(scan: Scan) -> Iterator[Found]:
    """Spanish NIF, NIE and CIF and EU VAT numbers whose check digits are right."""
    text = scan.text
    for digits, _ in scan.long_numbers:
        # The number may begin with letters: "B-12345674", "ES B12345674", "ATU12345678". The
        # longest form wins.
        starts = range(max(0, digits - _LONGEST_PREFIX), digits + 1)
        for start in (at for at in starts if text[at].isalnum() and not text[max(0, at - 1) : at].isalnum()):
            found = _spanish_id_at(text, start) or _foreign_vat_at(text, start)
            if found is not None:
                yield found
                break


def _spanish_id_at(text: str, start: int) -> Found | None:
    found = _SPANISH_ID.match(text, start)
    if found is None:
        return None
    compact = found[0].upper().translate(_SEPARATORS)
    return (
        Found("vat_id", start, found.end(), compact) if _is_spanish_id(compact.removeprefix("ES")) else None
    )


def _foreign_vat_at(text: str, start: int) -> Found | None:
    found = _EU_VAT.match(text, start)
    end = _end_of_vat(found) if found else None
    return Found("vat_id", start, end, text[start:end].translate(_SEPARATORS)) if end else None


def _is_spanish_id(number: str) -> bool:
    """NIF and NIE: letter by remainder of 23. CIF: Luhn-like control (Real Decreto 1065/2007,
    BOE-A-2007-15984)."""
    if len(number) != 9:
        return False
    head, body, control = number[0], number[1:8], number[8]
    if head.isdigit() or head in "XYZ":
        digits = number[:8].translate(str.maketrans("XYZ", "012"))
        # 00000000T and the like are placeholders.
        return digits.isdigit() and int(digits) > 0 and _NIF_LETTERS[int(digits) % 23] == control
    if head in "KLM":
        return body.isdigit() and _NIF_LETTERS[int(body) % 23] == control
    if not body.isdigit():
        return False
    doubled = (2 * int(digit) for digit in body[::2])
    total = sum(int(digit) for digit in body[1::2]) + sum(d // 10 + d % 10 for d in doubled)
    expected = -total % 10
    if head in "PQRSNW":
        return control == _CIF_LETTERS[expected]
    if head in "ABEH":
        return control == str(expected)
    return control in (str(expected), _CIF_LETTERS[expected])


def _end_of_vat(found: re.Match[str]) -> int | None:
    """The longest prefix of the candidate that is a valid number: what follows may be the next word."""
    # Loaded where needed: most mail carries no foreign tax number.
    from stdnum import get_cc_module

    check = get_cc_module({"EL": "gr", "XI": "gb"}.get(found[1], found[1].lower()), "vat")
    if check is None:
        return None
    text = found[2]
    ends = [len(text)] + [at for at in range(len(text) - 1, 5, -1) if text[at] in " .-"]
    for end in ends:
        if check.is_valid(text[:end]):
            return found.start(2) + end
    return None
