"""Takes out of a text what names people, contacts, payments and cases, and puts typed marks in its place.

What the entity finder knows, what the local analysis found, the names of the correspondents, and in the end
whatever looks like an address or a number to anybody: a miss of the finder must not leave the house.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from workers.analysis.entities import find_entities, scan
from workers.analysis.entities.found import Found, Value
from workers.analysis.hashing import read_words
from workers.analysis.llm.spelling import folded, is_bounded, plain
from workers.errors import NoAnswer

_MARK = re.compile(r"(\[[A-Z_]{3,12}_\d{1,4}(?:_SOON|_PAST|_LATER)?\])")
_REPEATED_MARK = re.compile(r"(\[NAME_\d{1,4}\])(?:[ .,-]{1,3}\1)+")
_ADDRESS = re.compile(r"[^\s\[\]]{0,200}@[^\s\[\]]{0,200}")
_LINK = re.compile(
    r"[^\s\[\]]{0,30}(?:://|\bwww\.)[^\s\[\]]*"
    r"|\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.[a-z]{2,24}/[^\s\[\]]*",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\s\[\]]+")
_DIGITS_APART = re.compile(r"\d[\d \t.,:/()+\-–]*\d")
# What looks like an address, a link or a number to anybody.
_LOOKS_LIKE = (("email", _ADDRESS), ("url", _LINK), ("number", _TOKEN), ("number", _DIGITS_APART))
_FEWEST_DIGITS = 3
_MOST_PASSES = 6
_SOON_DAYS = 3


@dataclass
class Redactor:
    """Redacts the texts of one mail; `originals` tells what each mark stands for (as first spelled)."""

    language: str
    today: date
    originals: dict[str, str] = field(default_factory=dict)
    _marks: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def redact(
        self,
        text: str,
        *,
        known: Iterable[tuple[str, str, Value]] = (),
        names: Sequence[Sequence[str]] = (),
        domains: Sequence[str] = (),
    ) -> str:
        """The text with marks for its entities.

        `known` are (type, text, value) found before; `names` for each person all that they are called, the
        fullest first; `domains` the correspondents'. `text` is normalized, and its brackets are ours alone
        (see `spelling.plain`). Raises NoAnswer "redaction" where something is still to be found at the end.
        """
        # First, while addresses and the words beside a number are whole.
        text = self._marked(text, self._found(text))
        flat = folded(text)
        for kind, original, value in sorted(known, key=lambda item: -len(item[1])):
            # Few are left by now: folding the text for each that was found would take long.
            if folded(plain(original)) in flat:
                text = self._without(text, plain(original), kind, value)
        for person in names:
            self._introduce(person)
            for name in person:
                text = self._without(text, name, "name")
        for domain in domains:
            text = self._without(text, domain, "url")
        for kind, pattern in _LOOKS_LIKE:
            text = self._swept(text, kind, pattern)
        return self._until_nothing_is_found(_REPEATED_MARK.sub(r"\1", text))

    def _found(self, text: str) -> list[Found]:
        entities = find_entities(scan(text, read_words(text)), self.language, self.today)
        return [found for found in entities if "[" not in text[found.start : found.end]]

    def _until_nothing_is_found(self, text: str) -> str:
        """What is taken out may uncover more, and one look finds only so many."""
        for _ in range(_MOST_PASSES):
            found = self._found(text)
            if not found:
                return text
            text = self._marked(text, found)
        raise NoAnswer("the mail cannot be redacted", code="redaction")

    def _marked(self, text: str, found: Iterable[Found]) -> str:
        return _replaced(
            text,
            (
                (one.start, one.end, self._mark(one.type, text[one.start : one.end], one.value))
                for one in found
            ),
        )

    def _without(self, text: str, original: str, kind: str, value: Value | None = None) -> str:
        """Every occurrence as a word of its own, whatever its case and accents."""
        wanted = folded(original)
        if not wanted or wanted not in folded(text):
            return text
        mark = self._mark(kind, original, value)

        def places(part: str) -> Iterator[tuple[int, int, str]]:
            flat = folded(part)
            at = flat.find(wanted)
            while at >= 0:
                end = at + len(wanted)
                bounded = is_bounded(flat, at, end)
                if bounded:
                    yield at, end, mark
                at = flat.find(wanted, end if bounded else at + 1)

        return _outside_marks(text, lambda part: _replaced(part, places(part)))

    def _swept(self, text: str, kind: str, pattern: re.Pattern[str]) -> str:
        def mark_of(match: re.Match[str]) -> str:
            if kind == "number" and sum(map(str.isdigit, match[0])) < _FEWEST_DIGITS:
                return match[0]
            return self._mark(kind, match[0])

        return _outside_marks(text, lambda part: pattern.sub(mark_of, part))

    def _introduce(self, person: Sequence[str]) -> None:
        """One mark for all that a person is called; a namesake shares it."""
        mark = self._mark("name", person[0])
        for name in person:
            self._marks.setdefault(("name", folded(name)), mark)

    def _mark(self, kind: str, original: str, value: Value | None = None) -> str:
        key = (kind, folded(original))
        if key not in self._marks:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            when = self._when(value) if kind == "date" else ""
            mark = self._marks[key] = f"[{kind.upper()}_{number}{when}]"
            self.originals[mark] = original
        return self._marks[key]

    def _when(self, value: Value | None) -> str:
        """How far away a day is, roughly: what is urgent depends on it."""
        try:
            days = (date.fromisoformat(str(value)[:10]) - self.today).days
        except ValueError:
            return ""
        return "_PAST" if days < 0 else "_SOON" if days <= _SOON_DAYS else "_LATER"


def without_details(text: str) -> str:
    """A model's own words without addresses, numbers and the like; "" where they cannot be taken out."""
    try:
        return Redactor("en", datetime.now(UTC).date()).redact(plain(text))
    except NoAnswer:
        return ""


def _outside_marks(text: str, change: Callable[[str], str]) -> str:
    parts = _MARK.split(text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))


def _replaced(text: str, places: Iterable[tuple[int, int, str]]) -> str:
    pieces, done = [], 0
    for start, end, mark in places:
        pieces += [text[done:start], mark]
        done = end
    return "".join([*pieces, text[done:]])
