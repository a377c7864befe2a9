"""Which parts of a body are new, and which are history, forwarded mail, signature or legal footer.

The forms are those of Outlook, Gmail, Apple Mail, Thunderbird and phones in Spanish and English, and the
commonest of ca, pt, fr, de, it and nl. All patterns are bounded: time is linear in the text.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from workers.analysis.patterns import Hinted, any_of, either

PartKind = Literal["new", "quoted", "forwarded", "signature", "disclaimer"]


class Part(NamedTuple):
    start: int
    end: int
    kind: PartKind


# The verb ends the line; the line that starts with a date word is looked for backwards from it.
_WROTE = Hinted(
    any_of(r"""
    \b(?:wrote|writes|escribi[óo]|escribe|va escriure|escreveu|a écrit|ha scritto)\s?:[ \t]*$
    \b(?:schrieb|schreef)(?:\s[^\n]{0,120})?:[ \t]*$
"""),
    (
        "wrote:",
        "writes:",
        "escribi",
        "escribe:",
        "escriure",
        "escreveu",
        "écrit",
        "ha scritto",
        "schrieb",
        "schreef",
        "wrote :",
    ),
)
_WROTE_START = re.compile(
    r"[ \t>*]{0,6}(?:(?:On|El|Le|Am|Em|Il|Op|Den|A|\d{4}-\d\d-\d\d|\d\d?/\d\d?/\d{2,4})\b"
    r"|[^\n]{0,80}<[^\n\s]{1,80}@)"
)


def _ruled_title(titles: str, ruler: str, hints: tuple[str, ...]) -> Hinted:
    """One of these titles alone on its line, between rulers or none; `ruler` is the pattern of the second."""
    line = rf"^[ \t>]{{0,6}}[-_]{{0,40}}[ \t]?{either(titles)}[ \t]?:?{ruler}[ \t]*$"
    return Hinted(re.compile(line, re.IGNORECASE | re.MULTILINE), hints)


_ORIGINAL = _ruled_title(
    r"""
    Original Message
    Original Appointment
    Mensaje original
    Cita original
    Missatge original
    Mensagem original
    Message d'origine
    Ursprüngliche Nachricht
    Messaggio originale
    Oorspronkelijk bericht
""",
    r"[-_]{0,40}",
    ("original", "origine", "ursprüngliche", "oorspronkelijk"),
)
_FORWARDED = _ruled_title(
    r"""
    Forwarded message
    Begin forwarded message
    Forwarded by [^\n]{1,100}(?:\n[^\n]{1,30}-{3})?
    Mensaje reenviado
    Inicio del mensaje reenviado
    Missatge reenviat
    Mensagem encaminhada
    Message transféré
    Weitergeleitete Nachricht
    Messaggio inoltrato
    Doorgestuurd bericht
""",
    r"[ \t]?-{0,40}",
    (
        "forward",
        "reenviad",
        "reenviat",
        "encaminhada",
        "transféré",
        "weitergeleitete",
        "inoltrato",
        "doorgestuurd",
    ),
)
_HEADER_FROM = Hinted(
    re.compile(r"^[ \t>*]{0,6}(?:From|De|Von|Da|Desde|Van)[ \t]?:\*?[ \t]?\S", re.IGNORECASE | re.MULTILINE),
    (
        "subject",
        "asunto",
        "betreff",
        "objet",
        "assunto",
        "oggetto",
        "assumpte",
        "onderwerp",
    ),
)
_HEADER_OTHER = any_of(r"""
    ^[ \t>*]{0,6}(?:Sent|Date|To|Cc|Subject)[ \t]?:
    ^[ \t>*]{0,6}(?:Enviado(?: el)?|Fecha|Para|Asunto|Enviat|Data|Assumpte)[ \t]?:
    ^[ \t>*]{0,6}(?:Gesendet|An|Betreff|Envoyé|À|Objet|Enviada em|Assunto)[ \t]?:
    ^[ \t>*]{0,6}(?:Inviato|A|Oggetto|Verzonden|Aan|Onderwerp)[ \t]?:
""")
# Lotus Notes: name, date and time, then To, cc and Subject.
_NOTES_HEADER = Hinted(
    re.compile(
        r"^[^\n]{0,120}(?:\n[^\n]{0,60})?\d\d/\d\d/\d{4} \d\d:\d\d(?::\d\d)? [AP]M\n"
        r"(?:Please respond[^\n]{0,80}\n)?To:",
        re.MULTILINE,
    ),
    ("to:",),
)
_QUOTE_LINES = re.compile(r"(?:^[ \t]{0,3}(?:>|\|)[^\n]*(?:\n|\Z))+", re.MULTILINE)
_SIGNATURE_MARK = re.compile(r"^--[ \u00a0]?$", re.MULTILINE)
_PHONE_FOOTER = Hinted(
    any_of(r"""
    ^[ \t]{0,3}(?:Enviado|Enviada) (?:desde|con|do meu|a través)[^\n]{0,80}$
    ^[ \t]{0,3}Sent (?:from|with|via)[^\n]{0,80}$
    ^[ \t]{0,3}(?:Get Outlook for|Obtener Outlook para|Descargar? Outlook)[^\n]{0,80}$
    ^[ \t]{0,3}(?:Enviat des de|Envoyé de|Von meinem|Inviato da|Verzonden vanaf)[^\n]{0,80}$
"""),
    (
        "sent ",
        "enviad",
        "outlook",
        "enviat",
        "envoy",
        "von mein",
        "inviato",
        "verzonden",
    ),
)
_CLOSING = any_of(r"""
    ^[ \t]{0,3}(?:muchas |mil )?gracias(?: y| de antemano|,| por adelantado)?[^\n]{0,30}[,.! \t]{0,4}$
    ^[ \t]{0,3}(?:un |recib[ae]n? un )?(?:muy )?(?:cordial |afectuoso )?saludos?[^\n]{0,30}[,.! \t]{0,4}$
    ^[ \t]{0,3}(?:muy )?(?:atentamente|atte|cordialmente)[^\n]{0,12}$
    ^[ \t]{0,3}(?:un (?:fuerte )?abrazo|abrazos|besos|un beso)[^\n]{0,16}$
    ^[ \t]{0,3}(?:many |with |kind |best |warm |warmest )*(?:thanks|thank you|regards|wishes)[^\n]{0,30}$
    ^[ \t]{0,3}(?:best|cheers|sincerely|love|yours [^\n]{0,20})[,.! \t]{0,4}$
    ^[ \t]{0,3}(?:salutacions|atenciosamente|cordialement|cordiali saluti)[^\n]{0,12}$
    ^[ \t]{0,3}mit freundlichen grüßen[,.! \t]{0,4}$
""")
_DISCLAIMER = Hinted(
    any_of(r"""
    ^[ \t*_]{0,6}(?:aviso legal|aviso de confidencialidad|confidentiality notice|disclaimer|nota legal)\b
    ^[ \t*_]{0,6}cl[áa]usula de confidencialidad
    ^[ \t*_]{0,6}(?:este (?:mensaje|correo|e-?mail))[^\n]{0,160}(?:confiden|destinatari)
    ^[ \t*_]{0,6}(?:this (?:message|e-?mail|communication))[^\n]{0,160}(?:confiden|intended|privileg)
    ^[ \t*_]{0,6}la informaci[óo]n contenida en este[^\n]{0,160}(?:confiden|destinatari)
    ^[ \t*_]{0,6}the information (?:contained )?in this[^\n]{0,160}(?:confiden|intended|privileg)
    ^[ \t*_]{0,6}(?:antes de imprimir|please consider the environment|think before you print)
    ^[ \t*_]{0,6}(?:de conformidad|en cumplimiento|de acuerdo|conforme) [^\n]{0,80}(?:RGPD|LOPD)
    ^[ \t*_]{0,6}(?:de conformidad|en cumplimiento|de acuerdo|conforme) [^\n]{0,80}protecci[óo]n de datos
"""),
    (
        "confid",
        "aviso legal",
        "nota legal",
        "disclaimer",
        "imprimir",
        "before you print",
        "environment",
        "rgpd",
        "lopd",
        "protecci",
    ),
)
_MAX_SIGNATURE_LINES = 10
_MAX_SIGNATURE_CHARS = 900


def split_parts(text: str, quoted: list[tuple[int, int]]) -> list[Part]:
    """Parts of a body in order, covering it whole. `quoted`: ranges that HTML markup already set apart."""
    lowered = text.lower()
    # A few characters grow when lowered: positions in the two may differ, so that only hints are looked
    # for in it.
    history = _history(text, lowered)
    marks = [Part(start, end, "quoted") for start, end in quoted]
    if ">" in text or "|" in text:
        marks += [
            Part(_with_attribution(text, lines.start()), lines.end(), "quoted")
            for lines in _QUOTE_LINES.finditer(text, 0, history.start)
        ]
    if history.end > history.start:
        marks.append(history)
    if not marks:
        return _split_footers(text, lowered, 0, len(text))
    return _cover(text, lowered, sorted(marks))


def _cover(text: str, lowered: str, marks: list[Part]) -> list[Part]:
    """Fill the gaps between marked ranges with what is new; where marks overlap, the first wins."""
    parts: list[Part] = []
    at = 0
    for start, end, kind in marks:
        if end <= at:
            continue
        if start > at:
            parts += _split_footers(text, lowered, at, start)
        parts.append(Part(max(start, at), end, kind))
        at = end
    if at < len(text):
        parts += _split_footers(text, lowered, at, len(text))
    return parts


def _history(text: str, lowered: str) -> Part:
    """The range from which everything that follows is history or a forwarded mail; empty if there is none."""
    start = len(text)
    kind: PartKind = "quoted"
    found = _ORIGINAL.search(text, lowered)
    if found:
        start = found.start()
    found = _FORWARDED.search(text, lowered, 0, start)
    if found:
        start, kind = found.start(), "forwarded"
    for found in _HEADER_FROM.matches(text, lowered, start):
        if len(_HEADER_OTHER.findall(text, found.end(), found.end() + 500)) >= 2:
            start, kind = found.start(), "quoted"
            break
    found = _NOTES_HEADER.search(text, lowered, 0, start)
    if found:
        start, kind = found.start(), "quoted"
    for found in _WROTE.matches(text, lowered, start):
        begin = _attribution_start(text, found.start())
        # Quote marks below it: the answer may go on between or under them, so only those lines are history.
        if begin is not None and not text[found.end() : found.end() + 12].lstrip().startswith((">", "|")):
            start, kind = begin, "quoted"
            break
    return Part(start, len(text), kind)


def _attribution_start(text: str, verb: int) -> int | None:
    """Start of "On … wrote:", which mail programs wrap over up to three lines."""
    line = text.rfind("\n", 0, verb) + 1
    for _ in range(3):
        if verb - line > 400:
            return None
        if _WROTE_START.match(text, line):
            return line
        if line == 0:
            return None
        line = text.rfind("\n", 0, line - 1) + 1
    return None


def _with_attribution(text: str, start: int) -> int:
    """Where the line above a run of quote marks begins that names its writer ("Ana wrote:"), or the run
    itself."""
    end = start
    while end > max(0, start - 4) and text[end - 1] in "\n ":
        end -= 1
    line = text.rfind("\n", 0, end) + 1
    return line if line < end < line + 200 and text[end - 1] == ":" else start


def _split_footers(text: str, lowered: str, start: int, end: int) -> list[Part]:
    """Split a new part into what is said, the signature and the legal footer."""
    legal = _DISCLAIMER.search(text, lowered, start, end)
    # A mail may be about confidentiality; a footer comes last and after something else.
    legal_start = legal.start() if legal and legal.start() > start else end
    signature = _signature_start(text, lowered, start, legal_start)
    parts = (
        Part(start, signature, "new"),
        Part(signature, legal_start, "signature"),
        Part(legal_start, end, "disclaimer"),
    )
    return [part for part in parts if part.end > part.start]


def _signature_start(text: str, lowered: str, start: int, end: int) -> int:
    best = end
    for mark in (_SIGNATURE_MARK.search(text, start, end), _PHONE_FOOTER.search(text, lowered, start, end)):
        if mark and mark.start() > start:
            best = min(best, mark.start())
    closings = list(_CLOSING.finditer(text, max(start, best - _MAX_SIGNATURE_CHARS), best))
    if not closings or closings[-1].end() >= best:
        return best
    lines = [line for line in text[closings[-1].end() : best].split("\n") if line.strip()]
    is_signature = len(lines) <= _MAX_SIGNATURE_LINES and all(len(line) <= 110 for line in lines)
    # What follows the closing is the signature, the name included: it says nothing about the mail.
    return closings[-1].end() if is_signature else best
