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
_STEM_LENGTHS = range(4, 9)


@dataclass(frozen=True, slots=True)
class _Table:
    """Sorted hashes with the concept of each; one hash may stand several times, for several concepts."""

    hashes: Hashes
    concepts: NDArray[np.int64]

    def find(self, wanted: Hashes) -> tuple[Positions, NDArray[np.int64]]:
        """Positions in `wanted` that are in the table, and the concept of each; a position may repeat."""
        first = np.searchsorted(self.hashes, wanted, "left")
        hit = np.flatnonzero(self.hashes[np.minimum(first, len(self.hashes) - 1)] == wanted)
        if len(hit) == 0:
            return hit, hit
        last = np.searchsorted(self.hashes, wanted[hit], "right")
        counts = last - first[hit]
        positions = np.repeat(hit, counts)
        steps = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
        return positions, self.concepts[np.repeat(first[hit], counts) + steps]


@dataclass(frozen=True, slots=True)
class Lexicon:
    names: tuple[str, ...]
    words: _Table
    pairs: _Table
    triples: _Table
    stems: dict[int, _Table]


@dataclass(frozen=True, slots=True)
class Touched:
    """Concepts found: for each find the concept, and the first and last word of it."""

    concepts: NDArray[np.int64]
    first_words: Positions
    last_words: Positions


def find_concepts(words: Words) -> Touched:
    """All words and phrases of `words` that stand in the lexicon."""
    lexicon = load_lexicon()
    found = []
    for table, hashes, width in (
        (lexicon.words, words.hashes, 1),
        (lexicon.pairs, words.pairs(), 2),
        (lexicon.triples, words.triples(), 3),
    ):
        positions, concepts = table.find(hashes)
        found.append((concepts, positions, positions + width - 1))
    for length, table in lexicon.stems.items():
        hashes, which = words.stems(length)
        positions, concepts = table.find(hashes)
        found.append((concepts, which[positions], which[positions]))
    return Touched(*(np.concatenate(column) for column in zip(*found, strict=True)))


@cache
def load_lexicon() -> Lexicon:
    """The lexicon of model/concepts.txt; read once a process."""
    names: list[str] = []
    by_kind: dict[str, list[tuple[int, int]]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            names.append(line[1:-1])
        elif line and not line.startswith("#"):
            for quoted, single in _ENTRY.findall(line):
                kind, value = _hash_of(quoted or single)
                by_kind.setdefault(kind, []).append((value, len(names) - 1))
    stems = {n: _table(by_kind[f"stem{n}"]) for n in _STEM_LENGTHS if f"stem{n}" in by_kind}
    words, pairs, triples = (_table(by_kind[f"words{count}"]) for count in (1, 2, 3))
    return Lexicon(tuple(names), words, pairs, triples, stems)


def _hash_of(entry: str) -> tuple[str, int]:
    words = read_words(entry.rstrip("*"))
    count = len(words.hashes)
    if entry.endswith("*"):
        return f"stem{len(entry) - 1}", int(words.hashes[0])
    hashes = words.hashes if count == 1 else words.pairs() if count == 2 else words.triples()
    if len(hashes) != 1:
        raise ValueError(f"{_FILE.name}: {entry!r} has more than three words")
    return f"words{count}", int(hashes[0])


def _table(entries: list[tuple[int, int]]) -> _Table:
    unique = sorted(set(entries))
    hashes = np.array([value for value, _ in unique], dtype=np.uint64)
    return _Table(hashes, np.array([concept for _, concept in unique], dtype=np.int64))
