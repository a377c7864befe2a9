"""Which concepts a text touches: hand-written bilingual word lists, looked up by hash.

They carry knowledge that a few hundred training mails cannot teach: a word never seen in training still
counts
through the concept it belongs to, in either language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.analysis.hashing import Hashes, Positions, Words, read_words

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


# Keeps the stem "abono*" apart from the word "abono".
_STEM_SALTS = {length: np.uint64(length * 0x9E3779B97F4A7C15 % 2**64) for length in range(4, 9)}
_MIXER = np.uint64(0x9FB21C651E98DF25)
_SIEVE_SHIFT = np.uint64(64 - 17)


@dataclass(frozen=True, slots=True)
class _Table:
    """Sorted hashes with the concept of each; one hash may stand several times, for several concepts.

    `sieve` tells nearly all other hashes apart at a glance: searching takes far longer.
    """

    hashes: Hashes
    concepts: NDArray[np.int64]
    sieve: NDArray[np.bool_]

    @classmethod
    def of(cls, entries: set[tuple[int, int]]) -> _Table:
        ordered = sorted(entries)
        hashes = np.array([value for value, _ in ordered], dtype=np.uint64)
        sieve = np.zeros(1 << 17, dtype=np.bool_)
        sieve[(hashes * _MIXER) >> _SIEVE_SHIFT] = True
        return cls(hashes, np.array([concept for _, concept in ordered], dtype=np.int64), sieve)

    def find(self, wanted: Hashes) -> tuple[Positions, NDArray[np.int64]]:
        """Positions in `wanted` that are in the table, and the concept of each; a position may repeat."""
        likely = np.flatnonzero(self.sieve[(wanted * _MIXER) >> _SIEVE_SHIFT])
        first = np.searchsorted(self.hashes, wanted[likely], "left")
        last = np.searchsorted(self.hashes, wanted[likely], "right")
        counts = last - first
        positions = np.repeat(likely, counts)
        steps = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
        return positions, self.concepts[np.repeat(first, counts) + steps]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`denied`: for each concept the one that it becomes after a negation, mostly itself."""

    names: tuple[str, ...]
    table: _Table
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
    every = np.arange(len(words.hashes))
    looked_up = [
        (words.hashes, every, 1),
        (words.pairs(), every[:-1], 2),
        (words.triples(), every[:-2], 3),
    ]
    for length, salt in _STEM_SALTS.items():
        hashes, which = words.stems(length)
        looked_up.append((hashes ^ salt, which, 1))
    positions, concepts = load_lexicon().table.find(np.concatenate([hashes for hashes, _, _ in looked_up]))
    first_words = np.concatenate([first for _, first, _ in looked_up])[positions]
    ends = np.cumsum([len(hashes) for hashes, _, _ in looked_up])
    widths = np.array([width for _, _, width in looked_up])[np.searchsorted(ends, positions, "right")]
    return Touched(_with_denials(concepts, first_words), first_words, first_words + widths - 1)


def _with_denials(concepts: NDArray[np.int64], first_words: Positions) -> NDArray[np.int64]:
    """Feelings right after a negation change place: "not good" is no praise, "no problem" no complaint."""
    lexicon = load_lexicon()
    negations = np.sort(first_words[concepts == lexicon.negation])
    if len(negations) == 0:
        return concepts
    feelings = np.flatnonzero(lexicon.denied[concepts] != concepts)
    before = np.searchsorted(negations, first_words[feelings], "left") - 1
    distance = first_words[feelings] - negations[np.maximum(before, 0)]
    denied = feelings[(before >= 0) & (distance <= _DENIAL_REACH)]
    concepts = concepts.copy()
    concepts[denied] = lexicon.denied[concepts[denied]]
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
            for quoted, single in _ENTRY.findall(line):
                entries.add((_hash_of(quoted or single), len(names) - 1))
    denied = np.array([names.index(_DENIALS.get(name, name)) for name in names], dtype=np.int64)
    return Lexicon(tuple(names), _Table.of(entries), names.index("negation"), denied)


def _hash_of(entry: str) -> int:
    words = read_words(entry.rstrip("*"))
    if entry.endswith("*"):
        return int(words.hashes[0] ^ _STEM_SALTS[len(entry) - 1])
    hashes = (words.hashes, words.pairs(), words.triples())[min(len(words.hashes), 3) - 1]
    if len(hashes) != 1:
        raise ValueError(f"{_FILE.name}: {entry!r} has more than three words")
    return int(hashes[0])
