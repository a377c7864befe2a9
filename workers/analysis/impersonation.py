"""Signs that a sender writes under somebody else's name, or hides words from filters with look-alike
letters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unicodedata import combining, normalize

from workers.analysis.headers import Address

_FILE = Path(__file__).parent / "model" / "brands.txt"
_WORD = re.compile(r"[\w&](?:[\w.&']*[\w&])?")
# Latin letters beside Greek or Cyrillic ones in one word, accents that no language here writes, mathematical
# letters, invisible marks inside words.
_MIXED_WORD = re.compile(
    r"[A-Za-z][\u0370-\u03ff\u0400-\u052f]|[\u0370-\u03ff\u0400-\u052f][A-Za-z]|[\u0250-\u02af]|[\u1e00-\u1e9d]"
    r"|[\U0001d400-\U0001d7ff]|\w[\u200b-\u200d\u2060-\u2064\ufeff\u00ad\u034f\ufe00-\ufe0e\U000e0100-\U000e01ef]\w"
)
# What the pattern above needs one of: plain characters are what the pattern engine skips to fastest.
_STRANGE = re.compile(
    "[\u00ad\u0250-\u02af\u034f\u0370-\u052f\u1e00-\u1e9d\u200b-\u200d\u2060-\u2064\ufe00-\ufe0e\ufeff"
    "\U0001d400-\U0001d7ff\U000e0100-\U000e01ef]"
)
# A capital I where an l belongs: "WaIIet", "BiIIing".
_FALSE_L = re.compile(r"I(?:(?<=[a-z]I)I*[a-z]|(?<!\wI)[bcdfghjklmpqrvwxz][a-z]{2})")
_OVERRIDES = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_VOWELS = re.compile(r"[aeiouy]")
_LABEL_RUN = re.compile(r"[a-z0-9]{7,}")
_NAME_WORD = re.compile(r"[^\W\d_]{3,}")
# Shared mailboxes and departments: who writes as "Accounts Receivable", or from "compras@", hides nothing.
_ROLE = re.compile(
    r"accounts?|admin|aftersales|alert|atencion|aviso|ayuda|billing|boletin|booking|careers|client|cobro"
    r"|comercial|compra|comunicacion|conta|contact|control|customer|department|departamento|direccion|dpto"
    r"|enquiries|equipo|event|expedicion|factura|finance|finanzas|gestion|hello|help|hola|incidencia|info|invoice|jobs|laboral"
    r"|logistica|market|news|no_?reply|noresponder|notific|office|oficina|operac|operation|order|payable|payment"
    r"|payroll|pedido|people|postventa|prensa|press|procure|purchas|receivable|recepcion|reception|recruit|recursos"
    r"|redaccion|reserva|rrhh|sales|secretar|security|seguridad|service|servicio|shipping|soporte|support|team"
    r"|tesoreria|the\b|ventas|warehouse"
)


class _Brand(NamedTuple):
    """`tokens`: what its own domains contain. `is_unmistakable`: its name means nothing else."""

    tokens: tuple[str, ...]
    is_unmistakable: bool


def disguise_signs(sender: Address) -> Mapping[str, float]:
    """Named signs, 0 to 1, of who sends."""
    domain = sender.domain
    return {
        "brand_in_name_not_domain": _foreign(_brands_in(sender.name), domain),
        "random_sender": float(_is_random(sender.address.partition("@")[0].lower())),
        "random_domain": float(any(map(_is_random, domain.split(".")[:-1]))),
        "decorated_name": float(any(ord(char) > 0x2190 for char in sender.name) or "___" in sender.name),
        **_apart(sender),
    }


def opening_signs(sender: Address, subject: str, opening: str) -> dict[str, float]:
    """Named signs, 0 to 2, of how the first words are written, and whom they name."""
    named = {brand for brand in _brands_in(f"{subject} {opening[:200]}") if _load()[brand].is_unmistakable}
    head = f"{sender.name} {subject} {opening}"
    return {
        "brand_in_text_not_domain": _foreign(named, sender.domain),
        "look_alike_letters": _mixed_words(head),
        "false_capitals": min(float(len(_FALSE_L.findall(head[:400]))), 2.0),
        "direction_override": float(not head.isascii() and _OVERRIDES.search(head) is not None),
    }


def _mixed_words(text: str) -> float:
    if text.isascii() or _STRANGE.search(text) is None:
        return 0.0
    return min(len(_MIXED_WORD.findall(text)) / 2, 2.0)


def _foreign(brands: set[str], domain: str) -> float:
    """Whether a brand is named and the domain belongs to none of those named."""
    if not brands or not domain:
        return 0.0
    known = _load()
    return float(not any(_belongs(domain, token) for brand in brands for token in known[brand].tokens))


def _belongs(domain: str, token: str) -> bool:
    """Whether a domain is a brand's own: "info.netflix.com" is, "netflix-pagos.com" is not."""
    if "." in token:
        return domain.endswith(token)
    return any(token in label and "-" not in label.replace(token, "") for label in domain.split(".")[-3:-1])


def _brands_in(text: str) -> set[str]:
    words = _WORD.findall(text.lower())
    known, first_words = _load(), _first_words()
    if first_words.isdisjoint(words):
        return set()
    starts = [at for at, word in enumerate(words) if word in first_words]
    spans = (" ".join(words[at : at + width]) for at in starts for width in (1, 2, 3))
    return {span for span in spans if span in known}


def _is_random(label: str) -> bool:
    """Runs of letters and digits that nobody can pronounce: "khn2rlyf5h6m", "gzbjxqplk"."""
    for run in _LABEL_RUN.findall(label):
        digits = sum(map(str.isdigit, run))
        vowels = len(_VOWELS.findall(run))
        switches = sum(a.isdigit() != b.isdigit() for a, b in pairwise(run))
        if switches >= 3 or (digits == 0 and vowels * 6 < len(run)):
            return True
    return False


def _apart(sender: Address) -> dict[str, float]:
    """Whether none of the words of the display name stands in the address: staff of a firm usually
    share one. Names of departments say nothing; a person may well write from a shared mailbox."""
    address = _plain(sender.address)
    words = [word for word in _NAME_WORD.findall(_plain(sender.name)) if not _ROLE.match(word)]
    if not words or not address or any(word[:5] in address for word in words):
        return {}
    return {"name_apart_from_mailbox" if _ROLE.match(address) else "name_apart_from_domain": 1.0}


def _plain(text: str) -> str:
    """Small letters without accents: addresses have none."""
    if text.isascii():
        return text.lower()
    return "".join(char for char in normalize("NFD", text.lower()) if not combining(char))


@cache
def _first_words() -> frozenset[str]:
    return frozenset(name.partition(" ")[0] for name in _load())


@cache
def _load() -> dict[str, _Brand]:
    brands: dict[str, _Brand] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            names, _, tokens = line.partition(": ")
            own = tuple(token.strip() for token in tokens.split(","))
            for name in map(str.strip, names.split(",")):
                brands[name.lstrip("?")] = _Brand(own, not name.startswith("?"))
    return brands
