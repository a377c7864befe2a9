"""Phone numbers. Digits are plentiful in mail: a number counts only where its form or the words around say
so."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers

from workers.analysis.entities.found import Found
from workers.analysis.entities.scan import Scan
from workers.analysis.patterns import either

_CANDIDATE = re.compile(
    r"(?:\(\s?)?(?:\+\s?)?(?<!-)\d[\d \u00a0().\-/]{4,28}\d"
    r"(?:[ \t]{0,2}(?:x|ext\.?|extn\.?|extensi[óo]n|anexo|interno)[ \t]{0,2}\d{1,6})?(?![\w%€$£]|[.,]\d)",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:\(\s?)?\+\s?\Z|\(\s?\Z")
_NOT_BEFORE = re.compile(r"[\w.,/=#€$£%+]")
_EXTENSION = re.compile(r"[ \t]*(?:x|ext|anexo|interno).*", re.IGNORECASE)
_PHONE_WORDS = either(r"""
    tel[ée]fonos?
    tel[ée]?f?
    tlfn?o?
    tfn?o
    phones?
    m[óo]vil
    mobile
    cell?(?:ular)?
    fax
    whats?app
    ll[áa]m[aeo]\w{0,6}
    llamar
    call(?:ed|ing)?
    ring
    contacto
    contact
    dial
    office
    oficina
    fijo
    centralita
    telefone
    téléphone
    telefon
    handy
    [mtf](?=[:.])
""")
_PHONE_WORD = re.compile(rf"\b{_PHONE_WORDS}(?![^\W\d_])", re.IGNORECASE)
_OTHER_WORDS = either(r"""
    account
    cuenta
    card
    tarjeta
    ticket
    pedidos?
    orders?
    facturas?
    invoices?
    ref\w{0,8}
    expediente
    omb
    ssn
    dni|nif|cif|nie
    iban|swift|bic
    isbn
    vat
    p[óo]liza|policy
    contrato|contract
    c[óo]digo|code
    id
    serial|serie
    tracking|seguimiento|env[íi]o|albar[áa]n
    reserva|booking|localizador
    pin|clave|password
    version|versi[óo]n|build
    cp|zip
    credit|express
    caso|case
    cliente|customer
    solicitud|incidencia
    lote|batch
    pasaporte|passport|matr[íi]cula
    meeting|reuni[óo]n
    n[º°]
    no\.
""")
_OTHER_WORD = re.compile(
    rf"(?:\b{_OTHER_WORDS}|#)\s?(?:\w{{0,10}}\s?){{0,2}}[:#.º°]{{0,2}}\s{{0,2}}\Z", re.IGNORECASE
)
_DATE_LIKE = re.compile(
    r"(?:\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)?\d{2}|(?:19|20)\d{2}[-./ ]\d{1,2}[-./ ]\d{1,2}"
    r"|(?:19|20)\d{2}\s?[-/]\s?(?:19|20)\d{2})\Z"
)
# Ways of grouping that people use for phones and hardly for anything else: Spain, North America, area code
# first.
_GROUPED = re.compile(
    r"(?:[6-9]\d{2}[ .-]\d{3}[ .-]\d{3}|[6-9]\d{2}[ .-]\d{2}[ .-]\d{2}[ .-]\d{2}"
    r"|9\d[ .-]\d{3}[ .-]\d{2}[ .-]\d{2}"
    r"|(?:1[ .-]?)?\(?[2-9]\d{2}\)?[ .-]{0,2}[2-9]?\d{2,3}[.-]\d{4}"
    r"|\(\d{2,4}\)[ .-]{0,2}\d{3,5}[ .-]?\d{3,5}|0\d{1,4}[ -]\d{3,4}[ -]?\d{3,4})\Z"
)
_SOCIAL_SECURITY = re.compile(r"\d{3}-\d{2}-\d{4}\Z")
_LOOK_BACK_CHARS = 40
# Where a number names no country: the plans that writers of the language most likely mean.
_REGIONS = {
    "es": ("ES",), "ca": ("ES",), "gl": ("ES",), "eu": ("ES",), "en": ("US", "GB"), "pt": ("PT", "BR"),
    "fr": ("FR",), "de": ("DE",), "it": ("IT",),
}  # fmt: skip
_OTHERWISE = ("ES", "US", "GB")


def find_phones(scan: Scan, language: str) -> Iterator[Found]:
    """Phone numbers; `value` is E.164 where the country is stated or follows from the plan, else digits."""
    text = scan.text
    end = 0
    for digits_start, _ in scan.long_numbers:
        if digits_start < end:
            continue
        start = _with_opening(text, digits_start)
        found = _CANDIDATE.match(text, start)
        if found is None or (start == digits_start and _NOT_BEFORE.search(text, max(0, start - 1), start)):
            continue
        end = found.end()
        # A bracket that opens before the number and closes behind it belongs to the sentence.
        if text[start] == "(" and found[0].count("(") > found[0].count(")"):
            start += 1
            start += len(text[start:end]) - len(text[start:end].lstrip())
        number = _EXTENSION.sub("", text[start:end])
        digits = "".join(filter(str.isdigit, number))
        if _is_phone(text, start, number, digits):
            yield Found("phone", start, end, _e164(number, digits, language))


def _with_opening(text: str, start: int) -> int:
    """Where the plus or bracket before the digits begins."""
    opening = _OPENING.search(text, max(0, start - 4), start)
    return opening.start() if opening else start


def _is_phone(text: str, start: int, number: str, digits: str) -> bool:
    if not 6 <= len(digits) <= 16 or _DATE_LIKE.match(number) or _SOCIAL_SECURITY.match(number):
        return False
    # "0.000000012", "00 10 00 31": a decimal, a dump.
    if (digits.startswith("000") and "." in number) or (
        number.startswith(("00 ", "0.")) and not number[3:].startswith("4")
    ):
        return False
    before = text[max(0, start - _LOOK_BACK_CHARS) : start]
    looks_like_phone = _has_phone_form(number, digits)
    # Only what would change the answer is looked for: these patterns take long.
    called_phone = _PHONE_WORD.search(before) is not None
    if not called_phone and not looks_like_phone:
        return False
    other = _OTHER_WORD.search(before)
    if called_phone and other:
        called_phone = _PHONE_WORD.search(before, other.start()) is not None
    return called_phone or (looks_like_phone and not other)


def _has_phone_form(number: str, digits: str) -> bool:
    if number.startswith(("+", "(+")) or digits.startswith("00"):
        return len(digits) >= 8 and len(set(digits)) > 2
    return _GROUPED.match(number) is not None or (len(digits) == 9 and number == digits and digits[0] in "67")


def _e164(number: str, digits: str, language: str) -> str:
    states_country = number.lstrip("( ").startswith("+")
    if digits.startswith("00") and len(digits) > 9:
        number, states_country = "+" + digits[2:], True
    likely = _REGIONS.get(language, ())
    regions: tuple[str | None, ...] = (None,) if states_country else (*likely, *_OTHERWISE)
    for region in regions:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        is_known = phonenumbers.is_possible_number if states_country else phonenumbers.is_valid_number
        if is_known(parsed):
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return ("+" if states_country else "") + "".join(filter(str.isdigit, number))
