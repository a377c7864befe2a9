"""IBANs, tax numbers (checked by their check digits) and reference numbers (known by the words before
them)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.analysis.entities.found import Found
from workers.analysis.patterns import either

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
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ \u00a0.-]?[A-Za-z0-9]{2})")
_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_CIF_LETTERS = "JABCDEFGHI"
_SPANISH_ID = re.compile(
    r"(?<![\w])(?:ES[ -]?)?(?:(\d{2}\.?\d{3}\.?\d{3}|[XYZKLM][ -]?\d{7}"
    r"|[XYZ][ -]?\d\.\d{3}\.\d{3})[ -]?([A-Z])"
    r"|([ABCDEFGHJNPQRSUVW])[ .-]?(\d{7}|\d{2}\.\d{3}\.\d{2}|\d\.\d{3}\.\d{3})[ -]?([0-9A-J]))(?![\w])",
    re.IGNORECASE,
)
_EU_VAT = re.compile(
    r"(?<![\w])(AT|BE|BG|CY|CZ|DE|DK|EE|EL|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI|GB)"
    r"[ .-]?((?:[A-Z0-9+*][ .-]?){6,13}[A-Z0-9])(?![\w])"
)
_REFERENCE_WORDS = either(r"""
    facturas?|fra|invoices?|inv|recibos?|receipt|abono|credit note
    pedidos?|orders?|purchase order|po|orden(?: de compra)?|albar[áa]n|delivery note
    presupuestos?|quote|quotation|oferta
    ticket|tique|incidencias?|incident|case|caso|expediente|solicitud|request
    ref|refer[eê]ncia|reference
    reserva|localizador|booking|reservation|confirmation|confirmaci[óo]n
    contrato|contract|p[óo]liza|policy|claim|siniestro
    seguimiento|tracking|env[íi]o|shipment|devoluci[óo]n|return|rma
    remesa|transacci[óo]n|transaction|customer|cliente|account
""")
_OF_WHAT = r"(?:(?:de |of )?(?:compra|venta|pago|cliente|seguimiento|env[íi]o|purchase)[ \t]{1,2})?"
_NUMBER_WORD = (
    r"(?:n[úu]m(?:ero)?\b\.?|n[º°.o]{1,2}\.?(?=[ :#\d])|number\b|no\.|id\b|code\b|c[óo]digo\b|is\b|es\b)?"
)
_REFERENCE = re.compile(
    rf"\b{_REFERENCE_WORDS}\b[ \t]{{0,2}}{_OF_WHAT}{_NUMBER_WORD}[ \t]{{0,2}}[:#nN]{{0,2}}[º°]?[ \t]{{0,2}}"
    r"([A-Za-z]{0,8}[-/_.]?\d[A-Za-z0-9]{0,20}(?:[-/_.][A-Za-z0-9]{1,12}){0,4}|[A-Z]{1,4}[A-Z0-9]{3,12})(?![\w%€$£])",
    re.IGNORECASE,
)
_HASH_NUMBER = re.compile(r"(?<![\w&/#])#[ ]?([A-Z]{0,5}-?\d{3,15})(?![\w])")
_CODE = re.compile(r"(?<![\w/-])[A-Z]{2,6}[-/](?:\d{2,12}|[A-Z0-9]{2,8})(?:[-/][A-Z0-9]{1,12}){0,3}(?![\w-])")
_SEPARATORS = str.maketrans("", "", " .-\u00a0")


def find_ibans(text: str) -> Iterator[Found]:
    """IBANs with the right length for their country and right check digits (ISO 13616, mod 97)."""
    for start in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(start[0][:2].upper())
        if length is None:
            continue
        end = _end_of_run(text, start.start(), length)
        if end is None:
            continue
        compact = text[start.start() : end].translate(_SEPARATORS).upper()
        if _mod97(compact) == 1:
            yield Found("iban", start.start(), end, compact)


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


def find_vat_ids(text: str) -> Iterator[Found]:
    """Spanish NIF, NIE and CIF and EU VAT numbers whose check digits are right."""
    for found in _SPANISH_ID.finditer(text):
        compact = found[0].upper().translate(_SEPARATORS)
        if _is_spanish_id(compact.removeprefix("ES")):
            yield Found("vat_id", found.start(), found.end(), compact)
    for found in _EU_VAT.finditer(text):
        end = _end_of_vat(found)
        if end is not None:
            yield Found("vat_id", found.start(), end, text[found.start() : end].translate(_SEPARATORS))


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


def find_references(text: str) -> Iterator[Found]:
    """Order, invoice, ticket and similar numbers, known by the word before them or by their form."""
    for found in _REFERENCE.finditer(text):
        token = found[1].rstrip(".-/_")
        if sum(char.isdigit() for char in token) >= 3:
            yield Found("reference", found.start(1), found.start(1) + len(token), token)
    for found in _HASH_NUMBER.finditer(text):
        yield Found("reference", found.start(1), found.end(1), found[1])
    for found in _CODE.finditer(text):
        if sum(char.isdigit() for char in found[0]) >= 3:
            yield Found("reference", found.start(), found.end(), found[0])
