"""One spelling for what can be written in many ways, so that nothing hides behind other forms of letters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_KEPT_CONTROLS = "\n\t"
_BRACKETS = str.maketrans("[]", "()")
_LONG_SPACE = re.compile(r"[^\S\n]{2,}")
_LONG_GAP = re.compile(r"\n\s*\n\s*")


def plain(text: str) -> str:
    """Compatibility forms and invisible characters resolved, spaces short, no square brackets."""
    normal = unicodedata.normalize("NFKC", text)
    visible = "".join(char for char in normal if char in _KEPT_CONTROLS or not _is_invisible(char))
    return _LONG_GAP.sub("\n\n", _LONG_SPACE.sub(" ", visible.translate(_BRACKETS))).strip()


def folded(text: str) -> str:
    """Lower case without accents, character by character: positions stay."""
    return text.lower() if text.isascii() else "".join(map(_folded_char, text))


def is_bounded(text: str, start: int, end: int) -> bool:
    """Whether a span is no part of a longer word."""
    begins_inside = start > 0 and text[start].isalnum() and text[start - 1].isalnum()
    ends_inside = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not begins_inside and not ends_inside


@lru_cache(maxsize=4096)
def _folded_char(char: str) -> str:
    return unicodedata.normalize("NFD", char)[0].lower()[:1] or char


@lru_cache(maxsize=4096)
def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn")
