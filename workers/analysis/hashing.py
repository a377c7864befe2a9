"""Words, word pairs and letter runs of a text as numbers, all at once with numpy.

A rolling polynomial modulo 2**64 gives the hash of every span from two prefix sums, so the cost does not
depend
on how many words a text has. Case, accents and the values of digits are folded away.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]

MAX_CHARS = 8_192
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_PAIR_1 = np.uint64(0xC2B2AE3D27D4EB4F)
_PAIR_2 = np.uint64(0x165667B19E3779F9)
_PAIR_3 = np.uint64(0x27D4EB2F165667C5)
_SPACE = 32


def _powers(base: int) -> Hashes:
    values = np.empty(2 * MAX_CHARS + 4, dtype=np.uint64)
    power = 1
    for at in range(len(values)):
        values[at] = power
        power = power * base % 2**64
    return values


def _fold_table() -> NDArray[np.uint32]:
    """For each character below 0x250 its folded form; 32 for what is no letter or digit, 48 for digits."""
    table = np.arange(0x250, dtype=np.uint32)
    for code in range(0x250):
        char = chr(code)
        if not char.isalnum():
            table[code] = _SPACE
        elif char.isdigit():
            table[code] = ord("0")
        else:
            table[code] = ord(unicodedata.normalize("NFD", char.lower())[0])
    return table


_POWERS = _powers(_BASE)
_INVERSES = _powers(_INVERSE)
_FOLD = _fold_table()


@dataclass(frozen=True, slots=True)
class Words:
    """Hashes of the words of a text in order, and where each starts and ends in it."""

    hashes: Hashes
    starts: Positions
    ends: Positions
    prefix: Hashes
    codes: NDArray[np.uint32]

    def pairs(self) -> Hashes:
        """Hashes of neighbouring words."""
        pairs: Hashes = self.hashes[:-1] * _PAIR_1 + self.hashes[1:] * _PAIR_2
        return pairs

    def triples(self) -> Hashes:
        """Hashes of three words in a row."""
        triples: Hashes = self.hashes[:-2] * _PAIR_1 + self.hashes[1:-1] * _PAIR_2 + self.hashes[2:] * _PAIR_3
        return triples

    def stems(self, length: int) -> tuple[Hashes, Positions]:
        """Hashes of the first `length` letters of the words that have as many, and which words those are."""
        which = np.flatnonzero(self.ends - self.starts >= length)
        starts = self.starts[which]
        return (self.prefix[starts + length] - self.prefix[starts]) * _INVERSES[starts], which

    def letter_runs(self, length: int) -> Hashes:
        """Hashes of all runs of `length` characters, where anything between words counts as one space."""
        is_space = self.codes == _SPACE
        keep = ~is_space
        keep[1:] |= ~is_space[:-1]
        codes = np.concatenate(([_SPACE], self.codes[keep], [_SPACE])).astype(np.uint64)
        if len(codes) < length:
            return np.empty(0, dtype=np.uint64)
        prefix = _prefix_sums(codes)
        runs: Hashes = (prefix[length:] - prefix[:-length]) * _INVERSES[: len(codes) - length + 1]
        return runs


def read_words(text: str) -> Words:
    """Split a text into words: runs of letters and digits. Only the first MAX_CHARS characters count."""
    codes = np.frombuffer(text[:MAX_CHARS].encode("utf-32-le", "replace"), dtype=np.uint32)
    folded = np.where(codes < len(_FOLD), _FOLD[np.minimum(codes, len(_FOLD) - 1)], codes)
    # General punctuation and private-use characters are no letters; other scripts are.
    folded = np.where(((codes >= 0x2000) & (codes < 0x2C00)) | (codes == 0x3000), _SPACE, folded)
    is_word = folded != _SPACE
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_word, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    prefix = _prefix_sums(folded.astype(np.uint64))
    hashes = (prefix[ends] - prefix[starts]) * _INVERSES[starts]
    return Words(hashes, starts, ends, prefix, folded)


def _prefix_sums(codes: Hashes) -> Hashes:
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    return sums
