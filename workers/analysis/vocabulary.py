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
    """Sorted hashes, and what each stands for: `counts` numbers of `meanings` from `firsts` on.

    `sieve`, as small as will do, tells nearly all other hashes apart at a glance: searching takes far longer.
    """

    hashes: Hashes
    firsts: Positions
    counts: Positions
    meanings: NDArray[np.int64]
    sieve: NDArray[np.bool_]
    shift: np.uint64

    @classmethod
    def of(cls, entries: Iterable[tuple[int, int]]) -> Vocabulary:
        """Of (hash, meaning) pairs; a hash may have several meanings."""
        ordered = sorted(set(entries))
        every = np.array([value for value, _ in ordered], dtype=np.uint64)
        hashes, firsts, counts = np.unique(every, return_index=True, return_counts=True)
        bits = (len(hashes) * _CELLS_PER_HASH).bit_length()
        sieve, shift = np.zeros(1 << bits, dtype=np.bool_), np.uint64(64 - bits)
        sieve[_cells(hashes, shift)] = True
        return cls(hashes, firsts, counts, np.array([meaning for _, meaning in ordered]), sieve, shift)

    def find(self, wanted: Hashes) -> tuple[Positions, NDArray[np.int64]]:
        """Positions in `wanted` of what is known, in order, and its meaning; a position may repeat."""
        likely = self.sieve[_cells(wanted, self.shift)].nonzero()[0]
        sought = wanted[likely]
        at = self.hashes.searchsorted(sought)
        known = self.hashes.take(at, mode="clip") == sought
        at = at[known]
        counts = self.counts[at]
        ends = counts.cumsum()
        steps = np.arange(ends[-1] if len(ends) else 0)
        meanings = self.meanings[steps + np.repeat(self.firsts[at] + counts - ends, counts)]
        return np.repeat(likely[known], counts), meanings


def _cells(hashes: Hashes, shift: np.uint64) -> NDArray[np.int64]:
    # So few bits are left that the sign is never among them; unsigned numbers would be converted one by one.
    return ((hashes * _MIXER) >> shift).view(np.int64)
