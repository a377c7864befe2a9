"""The text of a mail, and which of it is analysed: the new words, not the history below them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import chain, islice

from workers.analysis.entities.scan import MAX_PLACES, Scan, scan
from workers.analysis.hashing import Words, read_words
from workers.analysis.html import HtmlText, visible_text
from workers.analysis.mail import Mail
from workers.analysis.quoting import Part, split_parts

MAX_TEXT_CHARS = 100_000
MAX_SUBJECT_CHARS = 2_000
MAX_ANALYSED_CHARS = 8_000
# Below this many letters of new text, a reply or forward says nothing by itself.
_ENOUGH_LETTERS = 25
_PREFIX = re.compile(
    r"^(?:\s{0,5}(?:re|rv|fw|fwd|aw|wg|tr|enc|res|i|r|sv|vs|antw|reenv|reenviado|respuesta)\s?(?:\[\d{1,3}\])?\s?:|\s{0,5}\[[^\]\n]{1,40}\])",
    re.IGNORECASE,
)
_REPLY_PREFIX = re.compile(
    r"^\s{0,5}(?:re|aw|res|sv|vs|antw|r|respuesta)\s?(?:\[\d{1,3}\])?\s?:", re.IGNORECASE
)
_FORWARD_PREFIX = re.compile(r"^\s{0,5}(?:rv|fw|fwd|wg|tr|enc|i|reenv|reenviado)\s?:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MailText:
    """`full` is what spans count in: subject, a line break, the body's text. `analysed` is what decides.

    `places`: where in `full` a closer look is worth it. `pieces`: (offset in `analysed`, offset in `full`) of
    each run copied from one to the other.
    """

    full: str
    places: Scan
    body_start: int
    parts: tuple[Part, ...]
    analysed: str
    analysed_words: Words
    pieces: tuple[tuple[int, int], ...]
    subject: str
    is_reply: bool
    is_forward: bool
    markup: HtmlText | None = None
    notes: tuple[str, ...] = field(default=())

    def is_quoted(self, offset: int) -> bool:
        """Whether an offset in `full` lies in history or a forwarded mail."""
        at = bisect_right(self.parts, (offset, len(self.full) + 1)) - 1
        return at >= 0 and offset < self.parts[at].end and self.parts[at].kind in ("quoted", "forwarded")

    def position(self, offset: int) -> int:
        """Where a character of `analysed` stands in `full`."""
        at = bisect_right(self.pieces, (offset, len(self.full))) - 1
        ours, theirs = self.pieces[max(at, 0)]
        return theirs + offset - ours


def read_text(mail: Mail) -> MailText:
    """Lay out the text of a mail. Longer texts than the limits above are cut, and a note says so."""
    notes: list[str] = []
    markup = visible_text(mail.body) if mail.body_type == "html" else None
    body = markup.text if markup else mail.body
    if len(body) > MAX_TEXT_CHARS:
        body = body[:MAX_TEXT_CHARS]
        notes.append(f"text cut to {MAX_TEXT_CHARS} characters")
    subject = mail.subject[:MAX_SUBJECT_CHARS]
    if len(mail.subject) > MAX_SUBJECT_CHARS:
        notes.append(f"subject cut to {MAX_SUBJECT_CHARS} characters")
    start = len(subject) + 1
    full = f"{subject}\n{body}"
    words = read_words(full)
    places = scan(full, words)
    if len(places.digits) == MAX_PLACES:
        notes.append(f"only the first {MAX_PLACES} numbers looked at")
    quoted = [(start + a, start + b) for a, b in markup.quoted] if markup else []
    parts = tuple(split_parts(places, start, quoted))
    bare, is_reply, is_forward = _bare_subject(subject)
    analysed, pieces = _analysed(full, len(subject) - len(bare), len(subject), parts)
    if markup:
        notes += markup.notes
    return MailText(
        full,
        places,
        start,
        parts,
        analysed,
        _words_of(analysed, full, words),
        pieces,
        bare,
        is_reply,
        is_forward,
        markup,
        (*mail.notes, *notes),
    )


def _words_of(analysed: str, full: str, words: Words) -> Words:
    """Words of `analysed`; often it is `full`, or the beginning of it, whose words are known."""
    if analysed == full:
        return words
    known = words.opening(len(analysed)) if full.startswith(analysed) else None
    return known or read_words(analysed)


def _bare_subject(subject: str) -> tuple[str, bool, bool]:
    """The subject without RE:, RV:, FW: and list tags, and whether it marked a reply or a forward."""
    is_reply = is_forward = False
    for _ in range(6):
        prefix = _PREFIX.match(subject)
        if prefix is None or prefix.end() == len(subject):
            break
        is_reply |= _REPLY_PREFIX.match(subject) is not None
        is_forward |= _FORWARD_PREFIX.match(subject) is not None
        subject = subject[prefix.end() :]
    return subject.lstrip(), is_reply, is_forward


def _analysed(
    full: str, subject_start: int, subject_end: int, parts: tuple[Part, ...]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Subject and new text; forwarded or quoted text joins in only where nothing else was said."""
    chosen = [part for part in parts if part.kind == "new"]
    letters = filter(str.isalpha, chain.from_iterable(full[part.start : part.end][:500] for part in chosen))
    if len(list(islice(letters, _ENOUGH_LETTERS))) < _ENOUGH_LETTERS:
        context = [part for part in parts if part.kind in ("forwarded", "quoted")]
        chosen = sorted({*chosen, *context} or set(parts))
    runs = [full[subject_start:subject_end]]
    pieces = [(0, subject_start)]
    length = subject_end - subject_start
    for part in chosen:
        room = MAX_ANALYSED_CHARS - length
        if room <= 0:
            break
        run = full[part.start : min(part.end, part.start + room)]
        pieces.append((length + 1, part.start))
        runs.append(run)
        length += len(run) + 1
    return "\n".join(runs), tuple(pieces)
