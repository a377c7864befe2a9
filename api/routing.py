"""How paths are matched: a path that is written out goes before one with a parameter in that place.

OpenAPI 3.1 has it so ("Path Templating Matching"). aiohttp would take `retry` for an id where the method of
`/dead-letters/retry` does not fit, and answer 404 in place of 405.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_PARAMETER = re.compile(r"\{(\w+)\}")


def pattern_of(path: str, paths: Collection[str]) -> str:
    """The path as aiohttp's router takes it, its parameters closed to the words of other paths."""
    parts = path.split("/")
    for place, part in enumerate(parts):
        found = _PARAMETER.fullmatch(part)
        words = sorted(_words_at(place, path.split("/"), paths)) if found else []
        if found and words:
            parts[place] = f"{{{found[1]}:(?!(?:{'|'.join(map(re.escape, words))})(?:/|$))[^{{}}/]+}}"
    return "/".join(parts)


def _words_at(place: int, parts: list[str], paths: Collection[str]) -> set[str]:
    """What stands, written out, in this place of paths that are otherwise the same."""
    others = (path.split("/") for path in paths)
    return {
        other[place]
        for other in others
        if len(other) == len(parts)
        and not _PARAMETER.fullmatch(other[place])
        and other[:place] == parts[:place]
        and other[place + 1 :] == parts[place + 1 :]
    }
