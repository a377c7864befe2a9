"""Which concepts a text touches: hand-written bilingual word lists, looked up by hash.

They carry knowledge that a few hundred training mails cannot teach: a word never seen in training still
counts
through the concept it belongs to, in either language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.analysis.hashing import Positions, Words, read_words
from workers.analysis.vocabulary import Vocabulary

_FILE = Path(__file__).parent / "model" / "concepts.txt"
_ENTRY = re.compile(r'"([^"]+)"|(\S+)')
# What a feeling becomes when one of the few words before it is a negation.
_DENIALS = {
    "praise": "denied_praise",
    "pleasant": "denied_praise",
    "complaint": "denied_complaint",
    "unpleasant": "denied_complaint",
    "bad_news": "denied_complaint",
}
_DENIAL_REACH = 3


# Rows of what is looked up that are phrases of so many words and one.
_PHRASES = range(3)
_STEMS = range(4, 9)
_STEM_LENGTHS = np.array(_STEMS)[:, np.newaxis]
# Keeps the stem "abono*" apart from the word "abono".
_STEM_SALTS = np.array([[length * 0x9E3779B97F4A7C15 % 2**64] for length in _STEMS], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`denied`: for each concept the one that it becomes after a negation, mostly itself."""

    names: tuple[str, ...]
    vocabulary: Vocabulary
    negation: int
    denied: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Touched:
    """Concepts found: for each find the concept, and the first and last word of it."""

    concepts: NDArray[np.int64]
    first_words: Positions
    last_words: Positions


def find_concepts(words: Words) -> Touched:
    """All words and phrases of `words` that stand in the lexicon; denied feelings count as such."""
    count = len(words.hashes)
    # A row for single words, one for pairs, one for triples, and one for each length of stem.
    looked_up = np.zeros((len(_PHRASES) + len(_STEMS), count), dtype=np.uint64)
    looked_up[0] = words.hashes
    looked_up[1, : max(count - 1, 0)] = words.pairs()
    looked_up[2, : max(count - 2, 0)] = words.triples()
    looked_up[3:] = words.stems(_STEM_LENGTHS) ^ _STEM_SALTS
    positions, concepts = load_lexicon().vocabulary.find(looked_up.ravel())
    rows, first_words = np.divmod(positions, max(count, 1))
    return Touched(
        _with_denials(concepts, first_words), first_words, first_words + rows * (rows < len(_PHRASES))
    )


def _with_denials(concepts: NDArray[np.int64], first_words: Positions) -> NDArray[np.int64]:
    """Feelings right after a negation change place: "not good" is no praise, "no problem" no complaint."""
    lexicon = load_lexicon()
    negations = first_words[concepts == lexicon.negation].tolist()
    if negations:
        reached = {at + distance for at in negations for distance in range(1, _DENIAL_REACH + 1)}
        opposites = lexicon.denied[concepts]
        for feeling in (opposites != concepts).nonzero()[0].tolist():
            if int(first_words[feeling]) in reached:
                concepts[feeling] = opposites[feeling]
    return concepts


@cache
def load_lexicon() -> Lexicon:
    """The lexicon of model/concepts.txt; read once a process."""
    names: list[str] = []
    entries: set[tuple[int, int]] = set()
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            names.append(line[1:-1])
        elif line and not line.startswith("#"):
            found = [quoted or single for quoted, single in _ENTRY.findall(line)]
            entries.update((value, len(names) - 1) for value in _hashes_of(found))
    denied = np.array([names.index(_DENIALS.get(name, name)) for name in names], dtype=np.int64)
    return Lexicon(tuple(names), Vocabulary.of(entries), names.index("negation"), denied)


def _hashes_of(entries: list[str]) -> Iterator[int]:
    """The hash of each entry: of a word, a phrase of up to three, or a stem with its star."""
    phrases = [entry.rstrip("*") for entry in entries]
    # All at once: one by one they would take ten times as long.
    words = read_words(" ".join(phrases))
    by_width = (words.hashes, words.pairs(), words.triples())
    ends = words.text_starts.searchsorted(np.cumsum([len(phrase) + 1 for phrase in phrases]))
    for entry, (first, end) in zip(entries, pairwise([0, *ends.tolist()]), strict=True):
        if not 1 <= end - first <= len(by_width):
            raise ValueError(f"{_FILE.name}: {entry!r} is no phrase of one to three words")
        value = by_width[end - first - 1][first]
        yield int(value ^ _STEM_SALTS[_STEMS.index(len(entry) - 1), 0] if entry.endswith("*") else value)
