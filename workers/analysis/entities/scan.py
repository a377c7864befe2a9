"""One pass over a text that finds the few places where a closer look is worth it: digits, and words that
announce an entity, a quotation or a deadline.

Everything else looks only around these places, so that the cost of a mail without numbers is next to
nothing and that of a hostile one stays in proportion to its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np

from workers.analysis.entities.calendar import MONTHS, WEEKDAYS
from workers.analysis.entities.currencies import CURRENCY_WORDS
from workers.analysis.hashing import Words, read_words
from workers.analysis.vocabulary import Vocabulary

# Of numbers, and of announcing words: looking at each takes some time, and no letter has as many.
MAX_PLACES = 5_000
_ZERO = ord("0")
_FEWEST_LONG_DIGITS = 6
_BETWEEN = " .()/\u00a0-"
_DAY_WORDS = "hoy today tonight tomorrow yesterday mañana ayer anteayer noche"
_UNIT_WORDS = "día días semana semanas mes meses año años day days week weeks month months year years"
_REFERENCE_WORDS = """
factura facturas fra invoice invoices inv recibo recibos receipt abono pedido pedidos order orders po orden
albarán
presupuesto presupuestos quote quotation oferta ticket tique incidencia incidencias incident case caso
expediente
solicitud request ref referencia referência reference reserva localizador booking reservation confirmation
confirmación contrato contract póliza policy claim siniestro seguimiento tracking envío shipment devolución
return rma
remesa transacción transaction customer cliente account number número
"""
Span = tuple[int, int]


class Mark(IntEnum):
    """What a word may announce."""

    MONTH = 0
    WEEKDAY = 1
    DAY_WORD = 2
    UNIT = 3
    CURRENCY = 4
    REFERENCE = 5
    # For quoting.py: what lies beyond is history, forwarded mail, a signature or a legal footer.
    WROTE = 6
    ORIGINAL = 7
    FORWARDED = 8
    HEADER = 9
    PHONE_FOOTER = 10
    DISCLAIMER = 11
    LEGAL_NOTICE = 12
    # For signals.py: how little time there is.
    HOURS_LEFT = 13
    SINCE_THE_HOUR = 14
    MIDDAY = 15


_OTHER_WORDS = {
    Mark.WROTE: "wrote writes escribió escribe escriure escreveu écrit scritto schrieb schreef",
    Mark.ORIGINAL: "original originale origine ursprüngliche oorspronkelijk",
    Mark.FORWARDED: """
        forwarded reenviado reenviat encaminhada transféré weitergeleitete inoltrato doorgestuurd
    """,
    Mark.HEADER: "subject asunto betreff objet assunto oggetto assumpte onderwerp",
    Mark.PHONE_FOOTER: "enviado enviada sent outlook enviat envoyé meinem inviato verzonden",
    Mark.DISCLAIMER: """
        confidencial confidenciales confidencialidad confidencialmente confidence confident confidential
        confidentiality confidentially disclaimer imprimir environment print rgpd lopd lopdgdd protección
    """,
    Mark.LEGAL_NOTICE: "legal",
    Mark.HOURS_LEFT: "hour hours min mins minute minutes hora horas minuto minutos half media",
    Mark.SINCE_THE_HOUR: "since desde minutes minutos now ahora momento",
    Mark.MIDDAY: "noon midday mediodía",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """`digits`: runs of digits. `marks`: for each Mark, where those words stand."""

    text: str
    digits: list[Span]
    long_numbers: list[Span]
    """Those of `digits` that with their neighbours, one mark between, make up at least six digits."""
    marks: list[list[Span]]
    announced: frozenset[int]
    """Those of Mark that occur."""


def scan(text: str, words: Words) -> Scan:
    """Find digits and announcing words. `words` are those of `text`."""
    hits, kinds = _announcing().find(words.hashes)
    marks: list[list[Span]] = [[] for _ in Mark]
    starts, ends = words.text_starts[hits].tolist(), words.text_ends[hits].tolist()
    marked = kinds.tolist()
    for start, end, mark in zip(starts[:MAX_PLACES], ends[:MAX_PLACES], marked[:MAX_PLACES], strict=True):
        marks[mark].append((start, end))
    digits = _digit_runs(words)[:MAX_PLACES]
    return Scan(text, digits, list(_long(text, digits)), marks, frozenset(marked))


def _digit_runs(words: Words) -> list[Span]:
    is_digit = np.zeros(len(words.codes) + 2, dtype=np.bool_)
    np.equal(words.codes, _ZERO, out=is_digit[1:-1])
    edges = (is_digit[1:] != is_digit[:-1]).nonzero()[0]
    starts, ends = edges[::2], edges[1::2]
    if words.kept is not None:
        starts, ends = words.kept[starts], words.kept[ends - 1] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _long(text: str, digits: list[Span]) -> Iterator[Span]:
    """Runs of digits that may be part of a long number: an account, a tax number, a phone."""
    group: list[Span] = []
    for span in digits:
        if group and (span[0] - group[-1][1] > 3 or text[group[-1][1] : span[0]].strip(_BETWEEN)):
            yield from _if_long(group)
            group = []
        group.append(span)
    yield from _if_long(group)


def _if_long(group: list[Span]) -> list[Span]:
    return group if sum(end - start for start, end in group) >= _FEWEST_LONG_DIGITS else []


@cache
def _announcing() -> Vocabulary:
    vocabularies: list[tuple[Mark, Iterable[str]]] = [
        (Mark.MONTH, MONTHS),
        (Mark.WEEKDAY, WEEKDAYS),
        (Mark.DAY_WORD, _DAY_WORDS.split()),
        (Mark.UNIT, _UNIT_WORDS.split()),
        (Mark.CURRENCY, CURRENCY_WORDS),
        (Mark.REFERENCE, _REFERENCE_WORDS.split()),
        *((mark, words.split()) for mark, words in _OTHER_WORDS.items()),
    ]
    return Vocabulary.of(
        (value, mark)
        for mark, vocabulary in vocabularies
        for value in read_words(" ".join(vocabulary)).hashes.tolist()
    )
