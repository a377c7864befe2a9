"""What a mail shows besides its words: headers, sender, attachments, links and layout, as named numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain

from workers.analysis.entities.scan import Mark
from workers.analysis.impersonation import opening_signs
from workers.analysis.mail import Mail
from workers.analysis.senders import ODD_DOMAIN, sender_signs
from workers.analysis.text import MailText

_ALL_NAMES = """
list_unsubscribe list_id bulk auto_submitted authentication_failed marked_as_spam reply_to_differs
no_reply_sender free_mail_sender system_sender name_hides_address odd_sender_domain calendar_part
office_attachment pdf_attachment image_attachment risky_attachment archive_attachment any_attachment
importance_high importance_low many_recipients is_reply is_forward is_html many_links one_link
link_to_raw_ip link_text_differs link_to_odd_domain short_link many_images hidden_text has_form capitals
capitals_in_subject exclamations exclamation_in_subject question question_in_subject money emoji
emoji_in_subject very_short short long very_long greets_by_name no_subject
brand_in_name_not_domain brand_in_text_not_domain look_alike_letters false_capitals direction_override
random_sender random_domain name_apart_from_domain name_apart_from_mailbox decorated_name recipient_in_subject
many_digits_in_sender numbered_list shouting_line blank
glad_face sad_face hours_left by_the_hour since_the_hour
"""
NAMES = tuple(_ALL_NAMES.split())

_SHORT_NAMES = "bit.ly tinyurl.com t.co goo.gl ow.ly is.gd cutt.ly rb.gy rebrand.ly shorturl.at t.ly"
_SHORT_HOSTS = frozenset(_SHORT_NAMES.split())
_LINK = re.compile(r"https?://([^\s/<>\"')\]]{1,200})", re.IGNORECASE)
_IP = re.compile(r"^(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?$")
_DOMAIN_IN_TEXT = re.compile(r"(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,10})(?:/|$)", re.IGNORECASE)
# One set in front, which the pattern engine skips to; and none of it without one of the hints.
_MONEY = re.compile(
    r"[€$£0-9](?:(?<=[€$£])\s?\d|(?<=[0-9])\s?(?:€|[eE][uU][rR](?:[oO][sS]?)?\b|[uU][sS][dD]\b|£))"
)
_MONEY_HINTS = ("€", "$", "£", "eur", "usd")
_EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_GREETING = re.compile(
    r"^(?:hola|hello|hi|hey|dear|estimad[oa]|querid[oa]|buen[oa]s \w+|good \w+)[ ,]{1,2}(?!cliente"
    r"|customer|user|usuario|sir|madam|friend|all|team|todos|señor|client|member|amig|colleagues?|compañer)[A-ZÁÉÍÓÚÑ][\wáéíóúñ]{2,20}",
    re.MULTILINE,
)
# The line break first: the pattern engine skips to a plain character, and not to the beginning of a line.
_LIST_ITEM = re.compile(r"\n\s{0,4}(?:[-*•·]|\d{1,2}[.)])(?=\s)")
_SHOUT = re.compile(r"\n[^a-záéíóúñ\n]{14,}$", re.MULTILINE)
# The rare character first, what stands before it second, for the same reason.
_FACES = {mark: re.compile(rf"{mark}(?<![\w:]{mark})(?:(?P<glad>-?[)D])|['’]?-?[(/](?!/))") for mark in ":;"}
_GLAD_EMOJI = re.compile("[😀-😆😉-😎😘🙂🤗🤩🥰🥳👍👏💪🙌🎉❤💕💖🌟]")
_SAD_EMOJI = re.compile("[😐-😖😞-😣😥-😫😭😱😳🙁🙄🤬🤮🤯👎💔😒]")
# What little time there is left, in words that announce it.
_HOURS_LEFT = re.compile(
    r"\b(?:in|within|en|dentro de)(?: the)?(?: next| las próximas| los próximos)? "
    r"(?:\d{1,2}|an?|una?|two|dos|three|tres|half an|media) (?:hours?|min(?:ute)?s?|horas?|minutos?)\b"
    r"|\b(?:next|próxim[oa]s?) (?:half|media|hour|hora)\b"
)
# Around these words, which are far faster to find, the pattern above is tried.
_HOURS_LEFT_HINTS = (" hour", " min", " hora", " half", " media")
# An hour, and the words right before it that make it a limit.
_HOUR = re.compile(r"[0-9](?:[0-9])?(?:[:.]\d\d| ?[ap]\.?m| ?h\b|(?= today| hoy|[.,]))")
_MIDDAY = re.compile(r"noon|midday|mediodía")
_HOURS_OF_A_DAY = 24
_LIMIT = re.compile(
    r"\b(?:by|before|until|antes de las?|hasta las?|para las?|no later than|a más tardar a las?) \Z"
)
_LIMIT_ENDS = ("by ", "before ", "until ", "la ", "las ", "than ")
_LIMIT_REACH = 24
_PRESSURE_CHARS = 3_000
_DIGITS = re.compile(r"\d+")
_HINT_REACH = 40
_SINCE_THE_HOUR = re.compile(
    r"\b(?:since|desde las?) (?:about )?(?:[01]?\d|2[0-3])[:.]\d\d\b|\bminut(?:es ago|os (?:que|atrás))\b"
    r"|\b(?:right now|ahora mismo|este momento)\b"
)
_SINCE_HINTS = ("since", "desde la", "minut", "right now", "ahora mismo", "este momento")
_CAPITALS = bytes((*range(65, 91), *range(192, 223)))
_SMALL = bytes((*range(97, 123), *range(223, 256)))
_RISKY = (
    ".exe",
    ".js",
    ".vbs",
    ".scr",
    ".bat",
    ".cmd",
    ".jar",
    ".docm",
    ".xlsm",
    ".hta",
    ".iso",
    ".img",
    ".lnk",
    ".htm",
    ".html",
    ".shtml",
    ".one",
)
_OFFICE = (".doc", ".docx", ".xls", ".xlsx", ".csv", ".ppt", ".pptx", ".odt", ".ods")
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".heic", ".webp")
_ARCHIVES = (".zip", ".rar", ".7z", ".gz")


def read_signals(mail: Mail, text: MailText) -> list[float]:
    """One number per name of NAMES, 0 where the sign is absent."""
    found: dict[str, float] = {}
    _headers(mail, found)
    _sender(mail, found)
    _attachments(mail, found)
    _links(mail, text, found)
    lowered = text.analysed.lower()
    _layout(mail, text, lowered, found)
    said, lowered = text.analysed[:_PRESSURE_CHARS], lowered[:_PRESSURE_CHARS]
    _pressure(said, lowered, text.places.announced, found)
    opening = text.analysed[len(text.subject) + 1 : len(text.subject) + 1_001]
    found |= opening_signs(mail.sender, text.subject, opening)
    return [found.get(name, 0.0) for name in NAMES]


def _headers(mail: Mail, found: dict[str, float]) -> None:
    if mail.headers:
        headers = {name.lower(): value.lower() for name, value in mail.headers}
        found["list_unsubscribe"] = float("list-unsubscribe" in headers)
        found["list_id"] = float("list-id" in headers or "list-post" in headers)
        found["bulk"] = float(
            headers.get("precedence", "") in ("bulk", "list", "junk") or "x-campaign" in headers
        )
        found["auto_submitted"] = float(headers.get("auto-submitted", "no") not in ("no", ""))
        found["authentication_failed"] = _failed(headers)
        spam_flag = headers.get("x-spam-flag", "") + headers.get("x-spam-status", "")[:3]
        found["marked_as_spam"] = float(spam_flag.startswith("yes") or spam_flag.endswith("yes"))
    found["importance_high"] = float(mail.importance == "high")
    found["importance_low"] = float(mail.importance == "low")
    found["many_recipients"] = float(len(mail.to) + len(mail.cc) > 8)


def _failed(headers: Mapping[str, str]) -> float:
    results = headers.get("authentication-results", "") + headers.get("received-spf", "")[:8]
    failed = sum(mark in results for mark in ("spf=fail", "dkim=fail", "dmarc=fail", "compauth=fail"))
    failed += results.startswith("fail") + ("spf=softfail" in results)
    return min(float(failed), 2.0)


def _sender(mail: Mail, found: dict[str, float]) -> None:
    found |= sender_signs(mail.sender)
    domain = mail.sender.domain
    if mail.reply_to and domain:
        found["reply_to_differs"] = float(_base(mail.reply_to[0].domain) != _base(domain))


def _base(domain: str) -> str:
    return ".".join(domain.split(".")[-2:])


def _attachments(mail: Mail, found: dict[str, float]) -> None:
    for attachment in mail.attachments[:50]:
        name = attachment.name.lower()
        kind = attachment.content_type.lower()
        found["any_attachment"] = 1.0
        if name.endswith(".ics") or kind == "text/calendar":
            found["calendar_part"] = 1.0
        if name.endswith(_OFFICE):
            found["office_attachment"] = 1.0
        if name.endswith(".pdf") or kind == "application/pdf":
            found["pdf_attachment"] = 1.0
        if name.endswith(_IMAGES) or kind.startswith("image/"):
            found["image_attachment"] = 1.0
        if name.endswith(_RISKY):
            found["risky_attachment"] = 1.0
        if name.endswith(_ARCHIVES):
            found["archive_attachment"] = 1.0


def _links(mail: Mail, text: MailText, found: dict[str, float]) -> None:
    hosts = [host.lower() for host in _LINK.findall(text.analysed)[:50]] if "://" in text.analysed else []
    if text.markup:
        for address, shown in text.markup.links:
            target = _LINK.match(address)
            if target is None:
                continue
            host = target[1].lower()
            hosts.append(host)
            said = _DOMAIN_IN_TEXT.match(shown)
            if said and _base(said[1].lower()) != _base(host):
                found["link_text_differs"] = 1.0
        found["many_images"] = float(text.markup.images >= 4)
        found["hidden_text"] = float(text.markup.hidden_chars > 40)
        found["has_form"] = float(text.markup.has_form)
    if _SHORT_HOSTS.intersection(hosts):
        found["short_link"] = 1.0
    found["one_link"] = float(1 <= len(hosts) <= 2)
    found["many_links"] = float(len(hosts) >= 5)
    found["link_to_raw_ip"] = float(any(_IP.match(host) for host in hosts))
    found["link_to_odd_domain"] = float(any(ODD_DOMAIN.search(host) for host in hosts))


def _layout(mail: Mail, text: MailText, lowered: str, found: dict[str, float]) -> None:
    # With the line break before it.
    lines = text.analysed[len(text.subject) :]
    body = lines[1:]
    letters, capitals = _count_letters(body[:2_000])
    words = len(text.analysed_words.hashes)
    subject = text.subject
    found["is_reply"] = float(text.is_reply)
    found["is_forward"] = float(text.is_forward)
    found["is_html"] = float(text.markup is not None or bool(mail.html))
    found["capitals"] = float(letters > 40 and capitals > letters * 0.3)
    found["capitals_in_subject"] = float(len(subject) > 6 and subject.isupper())
    found["exclamations"] = min(body.count("!") / 3, 2.0)
    found["exclamation_in_subject"] = float("!" in subject)
    found["question"] = min(body.count("?") / 2, 2.0)
    found["recipient_in_subject"] = float("@" in subject)
    found["question_in_subject"] = float("?" in subject)
    has_money = any(hint in lowered for hint in _MONEY_HINTS) and _MONEY.search(text.analysed)
    found["money"] = float(bool(has_money))
    if not text.analysed.isascii():
        found["emoji"] = float(_EMOJI.search(body) is not None)
        found["emoji_in_subject"] = float(_EMOJI.search(subject) is not None)
    found["very_short"] = float(words < 12)
    found["short"] = float(12 <= words < 45)
    found["long"] = float(150 <= words < 400)
    found["very_long"] = float(words >= 400)
    found["blank"] = float(letters == 0)
    found["greets_by_name"] = float(_GREETING.search(body[:300]) is not None)
    found["no_subject"] = float(not subject.strip())
    found["numbered_list"] = float(len(_LIST_ITEM.findall(lines)) >= 3)
    found["shouting_line"] = float(_SHOUT.search(lines) is not None)


def _pressure(said: str, lowered: str, announced: frozenset[int], found: dict[str, float]) -> None:
    """Faces and times that tell of feeling and hurry; looked for only where a character of theirs stands."""
    faces = [
        face["glad"] for mark, pattern in _FACES.items() if mark in said for face in pattern.finditer(said)
    ]
    glad, sad = any(faces), not all(faces)
    if not said.isascii() and _EMOJI.search(said):
        glad |= _GLAD_EMOJI.search(said) is not None
        sad |= _SAD_EMOJI.search(said) is not None
    found["glad_face"], found["sad_face"] = float(glad), float(sad)
    found["hours_left"] = float(
        Mark.HOURS_LEFT in announced and _occurs_near(_HOURS_LEFT, lowered, _HOURS_LEFT_HINTS)
    )
    found["since_the_hour"] = float(
        Mark.SINCE_THE_HOUR in announced and _occurs_near(_SINCE_THE_HOUR, lowered, _SINCE_HINTS)
    )
    hours = chain(
        _HOUR.finditer(lowered),
        _MIDDAY.finditer(lowered) if Mark.MIDDAY in announced else (),
    )
    found["by_the_hour"] = float(any(map(_is_limit, hours)))


def _occurs_near(pattern: re.Pattern[str], text: str, hints: tuple[str, ...]) -> bool:
    for hint in hints:
        at = text.find(hint)
        while at >= 0:
            if pattern.search(text, max(0, at - _HINT_REACH), at + _HINT_REACH):
                return True
            at = text.find(hint, at + 1)
    return False


def _is_limit(hour: re.Match[str]) -> bool:
    # A cheap look first: most hours are no limit.
    if not hour.string.endswith(_LIMIT_ENDS, 0, hour.start()):
        return False
    digits = _DIGITS.match(hour[0])
    if digits is not None and int(digits[0]) >= _HOURS_OF_A_DAY:
        return False
    return _LIMIT.search(hour.string, max(0, hour.start() - _LIMIT_REACH), hour.start()) is not None


def _count_letters(text: str) -> tuple[int, int]:
    """How many Latin letters, and how many of them capitals."""
    raw = text.encode("latin-1", "replace")
    without_small = raw.translate(None, _SMALL)
    without_any = without_small.translate(None, _CAPITALS)
    return len(raw) - len(without_any), len(without_small) - len(without_any)
