"""Mail that no person wrote, and mail that must not be answered by a machine.

Sources: RFC 3834 (Auto-Submitted, empty Return-Path), RFC 3464 (delivery reports), RFC 2919 and 2369 (lists),
MS-OXCMAIL 2.1.3.2.20 (X-Auto-Response-Suppress). Without headers (JSON rows, some Graph copies) subject,
sender and the fixed sentences of auto-replies and bounces decide.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.analysis.mail import Mail
from workers.analysis.patterns import any_of
from workers.analysis.text import MAX_SUBJECT_CHARS

LOOP_HEADER = "x-econeura-loop"

_SYSTEM_SENDER = any_of(r"(?:^|[^a-z])(?:mailer[-_ ]?daemon|postmaster|mail[-_ ]delivery)")
_BOUNCE_SUBJECT = any_of(r"""
    undeliver(?:able|ed)
    delivery (?:status notification|failure|has failed|failed|problem|error|incomplete|report|delayed)
    delivery notification\b
    mail delivery (?:failed|failure|subsystem|system|error)
    returned mail
    returned to sender
    failure notice
    failed mail
    mail system error
    could(?: not|n['’o]t) (?:be )?(?:deliver|send)
    not deliver(?:ed|able)
    no se (?:puede|pudo|ha podido) entregar
    no (?:se )?(?:ha )?(?:sido )?entregad[oa]
    (?:correo|mensaje|e-?mail) (?:no entregado|devuelto|rechazado)
    (?:error|fallo) (?:de|en la) (?:la )?entrega
    entrega (?:fallida|retrasada)
    notificaci[óo]n (?:de|del) (?:estado|error)(?: de(?: la)? entrega)?
    devuelto al remitente
    unzustellbar
    übermittlungsstatus
    zustellung fehlgeschlagen
    non remis
    échec (?:de )?(?:la )?(?:remise|livraison)
    impossibile recapitare
    não (?:foi )?entreg
    недоставленное
    rejected:
    warning: (?:could not send|message)\s
""")
_BOUNCE_BODY = any_of(r"""
    the following (?:address(?:es)?|recipients?)[^\n]{0,40}(?:fatal|fail|error)
    could not be delivered to
    permanent (?:fatal )?error
    delivery to the following
    this (?:is|message was created) (?:the mail system|automatically by mail)
    this is the mail system at host
    i['’]m (?:sorry|afraid)[^\n]{0,60}(?:deliver|inform)
    your message (?:to [^\n]{1,80} )?(?:wasn['’]t|was not|couldn['’]t be|could not be|has been blocked)
    smtp error
    diagnostic-code
    remote server returned
    (?:550|552|554)[ -]5\.\d
    no se (?:pudo|ha podido|puede) entregar
    no (?:ha podido|pudo) (?:ser )?entreg
    l?os? siguientes? destinatarios?
    direcci[óo]n (?:de correo )?(?:no (?:existe|encontrada)|rechazada)
    no se (?:encontr[óo]|ha encontrado) (?:el|la) (?:buz[óo]n|direcci[óo]n|destinatario)
    user unknown
    mailbox (?:unavailable|not found|full)
    address (?:not found|rejected)
    host (?:unknown|not found)
""")
_REPLY_SUBJECT = any_of(r"""
    ^\s{0,5}auto(?:matic|mated|matisch|matique)?[ -]?(?:reply|response|respon[sd]|antwort(?:\b|e))
    ^\s{0,5}autorepl
    ^\s{0,5}autorespon
    ^\s{0,5}out[ -]of[ -](?:the[ -])?office
    ^\s{0,5}ooo\b
    ^\s{0,5}(?:re: ?)?(?:respuesta|contestaci[óo]n) autom[áa]tica
    ^\s{0,5}fuera de (?:la )?oficina
    ^\s{0,5}ausente\b
    ^\s{0,5}(?:aviso|mensaje|nota)(?: autom[áa]tic[oa])? de (?:ausencia|vacaciones)
    ^\s{0,5}resposta autom[àá]tica
    ^\s{0,5}fora de l['’]oficina
    ^\s{0,5}r[ée]ponse automatique
    ^\s{0,5}absence du bureau
    ^\s{0,5}automatische antwort
    ^\s{0,5}abwesen
    ^\s{0,5}risposta automatica
    ^\s{0,5}fuori (?:sede|ufficio)
    ^\s{0,5}vacation (?:reply|response)
    ^\s{0,5}estoy de vacaciones
    ^\s{0,5}away from (?:the office|my desk|my mail)
""")
_REPLY_BODY = any_of(r"""
    this is an? (?:auto(?:matic|mated)?|automatically generated)[ -](?:reply|response|message sent in reply)
    (?:mensaje|respuesta|correo) (?:de respuesta )?autom[áa]tic[ao][^\n]{0,30}(?:ausen|vacacion|no respond)
    (?:i['’]m|i am|i will be|i['’]ll be) (?:currently )?(?:out of (?:the )?office|away from)
    (?:i['’]m|i am|i will be|i['’]ll be) (?:currently )?on (?:annual|parental|maternity|paternity|sick) leave
    (?:i['’]m|i am|i will be|i['’]ll be) (?:currently )?on (?:vacation|holiday)[^\n]{0,120}(?:until|back on)
    (?:estoy|estar[ée]|me encuentro|me encontrar[ée]) (?:actualmente )?fuera de (?:la )?oficina
    (?:estoy|estar[ée]|me enc\w{4,8}) (?:actualmente )?(?:de (?:vacaciones|baja|permiso)|ausente)
    (?:limited|no|intermittent) access to (?:my )?e-?mail
    (?:sin|no tendr[ée]|con) acceso (?:limitado )?al? (?:mi )?correo
""")
_REPLY_PURPOSE = any_of(r"""
    (?:until|till|back (?:on|in)|return(?:ing)? (?:on|to))
    (?:hasta|vuelvo|regres[oa]|volver[ée]|incorpor)
    (?:en caso de urgencia|asunto urgente|temas? urgentes?|urgencias?|urgent)
    (?:contact|dir[ií]j|escrib|ll[áa]m|call|e-?mail|reach)[^\n]{0,60}@
    (?:will|shall) (?:reply|respond|answer|get back)
    (?:responder[ée]|contestar[ée]|atender[ée])
    this is an? auto
    autom[áa]tic
""")
_NO_REPLY = any_of(r"""
    (?:^|[^a-z])(?:no|not|non)[-_.]?(?:reply|responder|responda|contestar|respond|rispondere|respondre)
    do[-_.]?not[-_.]?reply
    noreply
    unattended
    sin[-_.]?respuesta
    mailer[-_]daemon
""")
_BULK = frozenset({"bulk", "junk", "list"})
_LONGEST_AUTO_REPLY_CHARS = 1_500
_REPLY_HINTS = (
    "auto",
    "office",
    "oficina",
    "away",
    "leave",
    "vacation",
    "holiday",
    "vacacion",
    "ausen",
    "baja",
    "access",
    "acceso",
)


@dataclass(frozen=True, slots=True)
class Automatic:
    """`is_auto_reply` covers auto-replies and bounces; `reason` is why a machine must not answer, if it
    must not."""

    is_auto_reply: bool
    reason: str | None


def detect_automatic(mail: Mail, text: str) -> Automatic:
    """Tell auto-replies, bounces, lists and senders that take no answer. `text`: the new part of the mail."""
    headers = {name.lower(): value.strip() for name, value in reversed(mail.headers)}
    if LOOP_HEADER in headers:
        return Automatic(False, "own")
    if _is_bounce(mail, headers, text):
        return Automatic(True, "bounce")
    if _is_auto_reply(mail, headers, text):
        return Automatic(True, "auto_reply")
    return Automatic(False, _reason_for_silence(mail, headers))


def _is_bounce(mail: Mail, headers: dict[str, str], text: str) -> bool:
    content_type = headers.get("content-type", "").lower()
    # Read receipts are reports too, sent by a machine; a feedback report is a complaint that somebody made.
    if "multipart/report" in content_type and "feedback-report" not in content_type:
        return True
    if "x-failed-recipients" in headers or any(
        a.content_type == "message/delivery-status" for a in mail.attachments
    ):
        return True
    sender = f"{mail.sender.name} {mail.sender.address.partition('@')[0]}"
    from_system = _SYSTEM_SENDER.search(sender) is not None
    says_so = _BOUNCE_SUBJECT.search(mail.subject[:MAX_SUBJECT_CHARS]) is not None
    # Sender and subject first: the sentences of all mail servers take longest to look for.
    if from_system and (says_so or headers.get("return-path", "x") in ("", "<>")):
        return True
    return (from_system or says_so) and _BOUNCE_BODY.search(text[:4_000]) is not None


def _is_auto_reply(mail: Mail, headers: dict[str, str], text: str) -> bool:
    submitted = headers.get("auto-submitted", "no").lower()
    if submitted.startswith("auto-replied") or "x-vacation" in headers:
        return True
    if (
        "x-autoreply" in headers
        or "x-autorespond" in headers
        or headers.get("x-autogenerated", "").lower() == "reply"
    ):
        return True
    if headers.get("precedence", "").lower() == "auto_reply":
        return True
    if _REPLY_SUBJECT.search(mail.subject[:MAX_SUBJECT_CHARS]):
        return True
    # People write that they will be away too; an auto-reply is short and says until when or whom to ask
    # instead.
    if len(text) > _LONGEST_AUTO_REPLY_CHARS or "?" in text:
        return False
    if not any(word in text.lower() for word in _REPLY_HINTS):
        return False
    return _REPLY_BODY.search(text) is not None and _REPLY_PURPOSE.search(text) is not None


def _reason_for_silence(mail: Mail, headers: dict[str, str]) -> str | None:
    if headers.get("auto-submitted", "no").lower() not in ("no", ""):
        return "auto_reply"
    precedence = headers.get("precedence", "").lower()
    if "list-id" in headers or "list-post" in headers or "mailing-list" in headers or precedence == "list":
        return "mailing_list"
    if precedence in _BULK or "list-unsubscribe" in headers:
        return "bulk"
    suppressed = {item.strip().lower() for item in headers.get("x-auto-response-suppress", "").split(",")}
    if suppressed & {"all", "autoreply", "oof", "dr"}:
        return "suppressed"
    if headers.get("return-path", "x") in ("", "<>"):
        return "bounce"
    answered = mail.reply_to[0] if mail.reply_to else mail.sender
    return "no_reply" if _NO_REPLY.search(answered.address) or _NO_REPLY.search(mail.sender.address) else None
