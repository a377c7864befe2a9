"""Regular expressions with many alternatives, written one alternative a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hinted:
    """A pattern that is only tried where one of its `hints` occurs: looking for a plain string is far
    cheaper."""

    pattern: re.Pattern[str]
    hints: tuple[str, ...]

    def search(self, text: str, lowered: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """The first match between `start` and `end`; `lowered` is the whole text in lower case."""
        if not any(hint in lowered for hint in self.hints):
            return None
        return self.pattern.search(text, start, len(text) if end is None else end)

    def matches(self, text: str, lowered: str, end: int) -> Iterator[re.Match[str]]:
        """All matches before `end`."""
        if any(hint in lowered for hint in self.hints):
            yield from self.pattern.finditer(text, 0, end)


def either(alternatives: str) -> str:
    """A group that matches any of the lines; blank lines do not count, blanks inside a line do."""
    lines = (line.strip() for line in alternatives.splitlines())
    return f"(?:{'|'.join(line for line in lines if line)})"


def any_of(alternatives: str) -> re.Pattern[str]:
    """A case-blind pattern, line starts and ends included in `^` and `$`, of the lines."""
    return re.compile(either(alternatives), re.IGNORECASE | re.MULTILINE)
