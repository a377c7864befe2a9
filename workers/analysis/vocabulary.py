"""Words looked up by hash: which of a text's words a list holds, nearly for free where it holds few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.analysis.hashing import Hashes, Positions

_MIXER = np.uint64(0x9FB21C651E98DF25)
_CELLS_PER_HASH = 16


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Sorted hashes, and for each a row of what it stands for: `counts` numbers, filled up with -1.

    `sieve` tells nearly all other hashes apart at a glance: searching takes far longer.
    """

    hashes: Hashes
    meanings: NDArray[np.int64]
    counts: NDArray[np.int64]
    sieve: NDArray[np.bool_]
    shift: np.uint64

    @classmethod
    def of(cls, entries: Iterable[tuple[int, int]]) -> Vocabulary:
        """Of (hash, meaning) pairs; a hash may have several meanings."""
        meant: dict[int, list[int]] = {}
        for value, meaning in sorted(set(entries)):
            meant.setdefault(value, []).append(meaning)
        hashes = np.array(list(meant), dtype=np.uint64)
        meanings = np.full((len(meant), max(map(len, meant.values()))), -1)
        for row, several in zip(meanings, meant.values(), strict=True):
            row[: len(several)] = several
        bits = (len(hashes) * _CELLS_PER_HASH).bit_length()
        sieve, shift = np.zeros(1 << bits, dtype=np.bool_), np.uint64(64 - bits)
        sieve[_cells(hashes, shift)] = True
        return cls(hashes, meanings, (meanings >= 0).sum(axis=1), sieve, shift)

    def find(self, wanted: Hashes) -> tuple[Positions, NDArray[np.int64]]:
        """Positions in `wanted` of what is known, in order, and its meaning; a position may repeat."""
        likely = self.sieve[_cells(wanted, self.shift)].nonzero()[0]
        sought = wanted[likely]
        at = self.hashes.searchsorted(sought)
        known = (self.hashes.take(at, mode="clip") == sought).nonzero()[0]
        found = at[known]
        meanings = self.meanings.take(found, axis=0)
        return likely[known].repeat(self.counts[found]), meanings[meanings >= 0]


def _cells(hashes: Hashes, shift: np.uint64) -> NDArray[np.int64]:
    # So few bits are left that the sign is never among them; unsigned numbers would be converted one by one.
    return ((hashes * _MIXER) >> shift).view(np.int64)
