"""Which parts of a body are new, and which are history, forwarded mail, signature or legal footer.

The forms are those of Outlook, Gmail, Apple Mail, Thunderbird and phones in Spanish and English, and the
commonest of ca, pt, fr, de, it and nl. All patterns are bounded: time is linear in the text. Most are only
tried where a word of theirs occurs.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Literal, NamedTuple

from workers.analysis.entities.scan import Mark, Scan
from workers.analysis.patterns import any_of, either

PartKind = Literal["new", "quoted", "forwarded", "signature", "disclaimer"]


class Part(NamedTuple):
    start: int
    end: int
    kind: PartKind


# The verb ends the line; the line that starts with a date word is looked for backwards from it.
_WROTE = any_of(r"""
    \b(?:wrote|writes|escribi[óo]|escribe|va escriure|escreveu|a écrit|ha scritto)\s?:[ \t]*$
    \b(?:schrieb|schreef)(?:\s[^\n]{0,120})?:[ \t]*$
""")
_WROTE_START = re.compile(
    r"[ \t>*]{0,6}(?:(?:On|El|Le|Am|Em|Il|Op|Den|A|\d{4}-\d\d-\d\d|\d\d?/\d\d?/\d{2,4})\b"
    r"|[^\n]{0,80}<[^\n\s]{1,80}@)"
)


def _ruled_title(titles: str, ruler: str) -> re.Pattern[str]:
    """One of these titles alone on its line, between rulers or none; `ruler` is the pattern of the second."""
    line = rf"^[ \t>]{{0,6}}[-_]{{0,40}}[ \t]?{either(titles)}[ \t]?:?{ruler}[ \t]*$"
    return re.compile(line, re.IGNORECASE | re.MULTILINE)


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
)
_HEADER_FROM = re.compile(
    r"^[ \t>*]{0,6}(?:From|De|Von|Da|Desde|Van)[ \t]?:\*?[ \t]?\S", re.IGNORECASE | re.MULTILINE
)
_HEADER_OTHER = any_of(r"""
    ^[ \t>*]{0,6}(?:Sent|Date|To|Cc|Subject)[ \t]?:
    ^[ \t>*]{0,6}(?:Enviado(?: el)?|Fecha|Para|Asunto|Enviat|Data|Assumpte)[ \t]?:
    ^[ \t>*]{0,6}(?:Gesendet|An|Betreff|Envoyé|À|Objet|Enviada em|Assunto)[ \t]?:
    ^[ \t>*]{0,6}(?:Inviato|A|Oggetto|Verzonden|Aan|Onderwerp)[ \t]?:
""")
# Lotus Notes: name, date and time, then To, cc and Subject.
_NOTES_HEADER = re.compile(
    r"^[^\n]{0,120}(?:\n[^\n]{0,60})?\d\d/\d\d/\d{4} \d\d:\d\d(?::\d\d)? [AP]M\n"
    r"(?:Please respond[^\n]{0,80}\n)?To:",
    re.MULTILINE,
)
_NOTES_HINTS = ("M\nTo:", "M\nPlease respond")
# The line break first: the pattern engine skips to a plain character, and not to the beginning of a line.
_QUOTE_LINES = re.compile(r"\n(?:[ \t]{0,3}[>|][^\n]*(?:\n|\Z))+")
_SIGNATURE_MARK = re.compile(r"\n--[ \u00a0]?$", re.MULTILINE)
_PHONE_FOOTER = any_of(r"""
    ^[ \t]{0,3}(?:Enviado|Enviada) (?:desde|con|do meu|a través)[^\n]{0,80}$
    ^[ \t]{0,3}Sent (?:from|with|via)[^\n]{0,80}$
    ^[ \t]{0,3}(?:Get Outlook for|Obtener Outlook para|Descargar? Outlook)[^\n]{0,80}$
    ^[ \t]{0,3}(?:Enviat des de|Envoyé de|Von meinem|Inviato da|Verzonden vanaf)[^\n]{0,80}$
""")
_CLOSING = any_of(r"""
    \n[ \t]{0,3}(?:muchas |mil )?gracias(?: y| de antemano|,| por adelantado)?[^\n]{0,30}[,.! \t]{0,4}$
    \n[ \t]{0,3}(?:un |recib[ae]n? un )?(?:muy )?(?:cordial |afectuoso )?saludos?[^\n]{0,30}[,.! \t]{0,4}$
    \n[ \t]{0,3}(?:muy )?(?:atentamente|atte|cordialmente)[^\n]{0,12}$
    \n[ \t]{0,3}(?:un (?:fuerte )?abrazo|abrazos|besos|un beso)[^\n]{0,16}$
    \n[ \t]{0,3}(?:many |with |kind |best |warm |warmest )*(?:thanks|thank you|regards|wishes)[^\n]{0,30}$
    \n[ \t]{0,3}(?:best|cheers|sincerely|love|yours [^\n]{0,20})[,.! \t]{0,4}$
    \n[ \t]{0,3}(?:salutacions|atenciosamente|cordialement|cordiali saluti)[^\n]{0,12}$
    \n[ \t]{0,3}mit freundlichen grüßen[,.! \t]{0,4}$
""")
_LEGAL_NOTICE = any_of(r"^[ \t*_]{0,6}(?:aviso|nota) legal\b")
_DISCLAIMER = any_of(r"""
    ^[ \t*_]{0,6}(?:aviso de confidencialidad|confidentiality notice|disclaimer)\b
    ^[ \t*_]{0,6}cl[áa]usula de confidencialidad
    ^[ \t*_]{0,6}(?:este (?:mensaje|correo|e-?mail))[^\n]{0,160}(?:confiden|destinatari)
    ^[ \t*_]{0,6}(?:this (?:message|e-?mail|communication))[^\n]{0,160}(?:confiden|intended|privileg)
    ^[ \t*_]{0,6}la informaci[óo]n contenida en este[^\n]{0,160}(?:confiden|destinatari)
    ^[ \t*_]{0,6}the information (?:contained )?in this[^\n]{0,160}(?:confiden|intended|privileg)
    ^[ \t*_]{0,6}(?:antes de imprimir|please consider the environment|think before you print)
    ^[ \t*_]{0,6}(?:de conformidad|en cumplimiento|de acuerdo|conforme) [^\n]{0,80}(?:RGPD|LOPD)
    ^[ \t*_]{0,6}(?:de conformidad|en cumplimiento|de acuerdo|conforme) [^\n]{0,80}protecci[óo]n de datos
""")
_MOST_SENDERS = 200
_MAX_SIGNATURE_LINES = 10
_MAX_SIGNATURE_CHARS = 900


def split_parts(scan: Scan, start: int, quoted: list[tuple[int, int]]) -> list[Part]:
    """Parts of a body in order, covering it whole.

    The body is what follows in the text from `start` on, where a line begins. `quoted`: ranges of it that
    HTML markup already set apart.
    """
    text, hints = scan.text, scan.announced
    history = _history(text, start, hints)
    marks = [Part(begin, end, "quoted") for begin, end in quoted]
    if ">" in text or "|" in text:
        marks += [
            Part(_with_attribution(text, start, lines.start() + 1), lines.end(), "quoted")
            for lines in _QUOTE_LINES.finditer(text, start - 1, history.start)
        ]
    if history.end > history.start:
        marks.append(history)
    return _cover(text, start, hints, sorted(marks))


def _cover(text: str, start: int, hints: frozenset[int], marks: list[Part]) -> list[Part]:
    """Fill the gaps between marked ranges with what is new; where marks overlap, the first wins."""
    parts: list[Part] = []
    at = start
    for begin, end, kind in marks:
        if end <= at:
            continue
        if begin > at:
            parts += _split_footers(text, hints, at, begin)
        parts.append(Part(max(begin, at), end, kind))
        at = end
    if at < len(text):
        parts += _split_footers(text, hints, at, len(text))
    return parts


def _history(text: str, body: int, hints: frozenset[int]) -> Part:
    """The range from which everything that follows is history or a forwarded mail; empty if there is none."""
    start = len(text)
    kind: PartKind = "quoted"
    found = _ORIGINAL.search(text, body) if Mark.ORIGINAL in hints else None
    if found:
        start = found.start()
    found = _FORWARDED.search(text, body, start) if Mark.FORWARDED in hints else None
    if found:
        start, kind = found.start(), "forwarded"
    senders = _HEADER_FROM.finditer(text, body, start) if Mark.HEADER in hints else ()
    for found in islice(senders, _MOST_SENDERS):
        if len(_HEADER_OTHER.findall(text, found.end(), found.end() + 500)) >= 2:
            start, kind = found.start(), "quoted"
            break
    has_notes = any(hint in text for hint in _NOTES_HINTS)
    found = _NOTES_HEADER.search(text, body, start) if has_notes else None
    if found:
        start, kind = found.start(), "quoted"
    for found in _WROTE.finditer(text, body, start) if Mark.WROTE in hints else ():
        begin = _attribution_start(text, body, found.start())
        # Quote marks below it: the answer may go on between or under them, so only those lines are history.
        if begin is not None and not text[found.end() : found.end() + 12].lstrip().startswith((">", "|")):
            start, kind = begin, "quoted"
            break
    return Part(start, len(text), kind)


def _attribution_start(text: str, body: int, verb: int) -> int | None:
    """Start of "On … wrote:", which mail programs wrap over up to three lines."""
    line = text.rfind("\n", 0, verb) + 1
    for _ in range(3):
        if verb - line > 400:
            return None
        if _WROTE_START.match(text, line):
            return line
        if line == body:
            return None
        line = text.rfind("\n", 0, line - 1) + 1
    return None


def _with_attribution(text: str, body: int, start: int) -> int:
    """Where the line above a run of quote marks begins that names its writer ("Ana wrote:"), or the run
    itself."""
    end = start
    while end > max(body, start - 4) and text[end - 1] in "\n ":
        end -= 1
    line = text.rfind("\n", 0, end) + 1
    return line if line < end < line + 200 and text[end - 1] == ":" else start


def _split_footers(text: str, hints: frozenset[int], start: int, end: int) -> list[Part]:
    """Split a new part into what is said, the signature and the legal footer."""
    legal_start = end
    for hint, pattern in ((Mark.DISCLAIMER, _DISCLAIMER), (Mark.LEGAL_NOTICE, _LEGAL_NOTICE)):
        legal = pattern.search(text, start, legal_start) if hint in hints else None
        # A mail may be about confidentiality; a footer comes last and after something else.
        if legal and legal.start() > start:
            legal_start = legal.start()
    signature = _signature_start(text, hints, start, legal_start)
    parts = (
        Part(start, signature, "new"),
        Part(signature, legal_start, "signature"),
        Part(legal_start, end, "disclaimer"),
    )
    return [part for part in parts if part.end > part.start]


def _signature_start(text: str, hints: frozenset[int], start: int, end: int) -> int:
    best = end
    mark = _SIGNATURE_MARK.search(text, start - 1, end)
    if mark and mark.start() >= start:
        best = mark.start() + 1
    footer = _PHONE_FOOTER.search(text, start, end) if Mark.PHONE_FOOTER in hints else None
    if footer and footer.start() > start:
        best = min(best, footer.start())
    closings = list(_CLOSING.finditer(text, max(start, best - _MAX_SIGNATURE_CHARS) - 1, best))
    if not closings or closings[-1].end() >= best:
        return best
    lines = [line for line in text[closings[-1].end() : best].split("\n") if line.strip()]
    is_signature = len(lines) <= _MAX_SIGNATURE_LINES and all(len(line) <= 110 for line in lines)
    # What follows the closing is the signature, the name included: it says nothing about the mail.
    return closings[-1].end() if is_signature else best
