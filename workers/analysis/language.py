"""The language of a text, from its frequent words and letter runs. "und" where there is too little to
tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.analysis.hashing import Hashes, read_words

_FILE = Path(__file__).parent / "model" / "languages.txt"
_MAX_CHARS = 1_500


@dataclass(frozen=True, slots=True)
class _WordLists:
    languages: tuple[str, ...]
    hashes: Hashes
    weights: NDArray[np.float32]


def detect_language(text: str) -> str:
    """ISO 639-1 code, or "und" for fewer than three words or none that any known language uses."""
    lists = _load()
    words = read_words(text[:_MAX_CHARS])
    if len(words.hashes) < 2:
        return "und"
    at = np.minimum(np.searchsorted(lists.hashes, words.hashes), len(lists.hashes) - 1)
    scores = lists.weights[at[lists.hashes[at] == words.hashes]].sum(axis=0)
    best = int(scores.argmax())
    return lists.languages[best] if scores[best] > 0.5 else "und"


@cache
def _load() -> _WordLists:
    languages: list[str] = []
    counted: dict[int, set[int]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            languages.append(line[1:-1])
        elif not line.startswith("#"):
            for value in read_words(line).hashes.tolist():
                counted.setdefault(value, set()).add(len(languages) - 1)
    hashes = np.array(sorted(counted), dtype=np.uint64)
    weights = np.zeros((len(hashes), len(languages)), dtype=np.float32)
    for row, value in enumerate(sorted(counted)):
        for language in counted[value]:
            weights[row, language] = 1 / len(counted[value]) ** 1.5
    return _WordLists(tuple(languages), hashes, weights)
