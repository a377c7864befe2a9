"""Names of currencies, as mail writes them, to ISO 4217 codes; None where a name fits several currencies."""

from __future__ import annotations

_ISO_CODES = """
EUR USD GBP CHF JPY CNY CAD AUD NZD MXN ARS CLP COP PEN BRL UYU PYG BOB VES CRC GTQ HNL NIO DOP CUP
PAB SEK NOK DKK ISK PLN CZK HUF RON BGN TRY RUB UAH GEL ILS AED SAR QAR KWD EGP MAD TND DZD NGN KES
ZAR INR PKR BDT LKR THB VND IDR MYR SGD PHP KRW TWD HKD
"""
CODES = frozenset(_ISO_CODES.split())
# Not ISO codes, but written as if they were.
OTHER_CODES: dict[str, str | None] = {"RMB": "CNY", "BTC": None, "ETH": None, "NTD": "TWD"}
# In lower case the other codes are words of some language ("try", "all", "cop").
LOWER_CASE_CODES = frozenset({"EUR", "USD", "GBP", "RMB"})

_SYMBOL_NAMES = """
EUR € | GBP £ | JPY ¥ | INR ₹ RS RS. | RUB ₽ | KRW ₩ | TRY ₺ | UAH ₴ | GEL ₾ | ILS ₪ | VND ₫ | - ₿
USD $ US$ U$ U$D U$S | MXN MX$ MXN$ M$ | CAD C$ CA$ | AUD A$ AU$ | NZD NZ$ | HKD HK$ | BRL R$ | SGD S$
ARS AR$ | CLP CLP$ CL$ | COP COP$ CO$ | PEN S/ S/.
"""
_WORD_NAMES = """
EUR euro euros eur eurs leuros | USD dólar dolar dólares dolares dollar dollars bucks | GBP pound pounds
quid libra
GBP libras | JPY yen yenes | CNY yuan yuanes | BRL reales reais | PEN soles | PLN zloty złoty zlotys | TRY
lira liras
RUB rublos rubles | SEK krona kronor | PYG guaraníes | GTQ quetzales | HNL lempiras | CRC colones | VES
bolívares
BOB bolivianos | ILS shekels | AED dirhams | THB baht | IDR rupiah
- franc francs franco francos peso pesos rupee rupees rupia rupias peseta pesetas markka satoshi satoshis
- bitcoin bitcoins coronas kr
"""
_CENT_NAMES = "cent cents céntimo céntimos centimo centimos centavo centavos penny pence penique peniques"
# "dólares australianos", "us dollars": stems of a name and of the word beside it that says which one is
# meant.
_NATIONS = """
dolar: AUD australian, CAD canad, USD estadounid, USD american, HKD hong, NZD neozel, USD us, SGD singap
peso: MXN mexic, ARS argent, CLP chil, COP colomb, UYU urugu, DOP domin, PHP filip, PHP philip
franc: CHF suiz, CHF swiss
rup: INR indi
corona: SEK suec, DKK danes, NOK norueg, CZK chec
libra: GBP esterlin
pound: GBP british, GBP sterling
lira: TRY turc
yuan: CNY chin
yen: JPY japan
"""


def _table(lines: str) -> dict[str, str | None]:
    entries = (entry.split() for entry in lines.replace("|", "\n").splitlines() if entry.strip())
    return {name: None if code == "-" else code for code, *names in entries for name in names}


SYMBOLS = _table(_SYMBOL_NAMES)
WORDS = _table(_WORD_NAMES)
CENT_WORDS = frozenset(_CENT_NAMES.split())
# What may follow a number written in words.
CURRENCY_WORDS = (*WORDS, *CENT_WORDS, "usd", "gbp", "musd", "meur", "mgbp")
_NATION_CODES = [
    (name, *choice.split())
    for name, _, choices in (line.partition(":") for line in _NATIONS.strip().splitlines())
    for choice in choices.split(",")
]


def code_of(word: str) -> str | None:
    """ISO code of "EUR" or "rmb"; None if it names none or is no code."""
    upper = word.upper()
    return OTHER_CODES.get(upper, upper if upper in CODES else None)


def is_code(word: str) -> bool:
    """Whether a word is a currency code in the case in which it may be one."""
    upper = word.upper()
    return (upper in CODES or upper in OTHER_CODES) and (word.isupper() or upper in LOWER_CASE_CODES)


def nation_code(currency: str, beside: str) -> str | None:
    """Code of a currency name with the word beside it: ("dólares", "canadienses") is CAD."""
    name = currency.lower().replace("ó", "o").replace("dollar", "dolar")
    for stem, code, nation in _NATION_CODES:
        if name.startswith(stem) and beside.lower().startswith(nation):
            return code
    return None
