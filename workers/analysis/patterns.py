"""Regular expressions with many alternatives, written one alternative a line."""

from __future__ import annotations

import re


def either(alternatives: str) -> str:
    """A group that matches any of the lines; blank lines do not count, blanks inside a line do."""
    lines = (line.strip() for line in alternatives.splitlines())
    return f"(?:{'|'.join(line for line in lines if line)})"


def any_of(alternatives: str) -> re.Pattern[str]:
    """A case-blind pattern, line starts and ends included in `^` and `$`, of the lines."""
    return re.compile(either(alternatives), re.IGNORECASE | re.MULTILINE)
