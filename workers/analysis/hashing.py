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

MAX_CHARS = 110_000
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_PAIR_1 = np.uint64(0xC2B2AE3D27D4EB4F)
_PAIR_2 = np.uint64(0x165667B19E3779F9)
_PAIR_3 = np.uint64(0x27D4EB2F165667C5)
_SPACE = 32
_ZERO = 48
# All accented Latin letters lie below, those that hide words from filters among them ("ḟeel sặd").
_FOLDED_BELOW = 0x2000


def _powers(base: int) -> Hashes:
    values = np.full(MAX_CHARS + 4, base, dtype=np.uint64)
    values[0] = 1
    return np.multiply.accumulate(values)


# Letters of other alphabets that pass for Latin ones, as those who hide words from filters use them.
_LOOK_ALIKES = {
    "аеорсухіјѕһԁԛԝ": "aeopcyxijshdqw",
    "АВЕКМНОРСТУХІЅ": "abekmhopctyxis",
    "αονρτυικ": "aovptuik",
    "ΑΒΕΗΙΚΜΝΟΡΤΥΧΖ": "abehikmnoptyxz",
    "ɑɡɩɪ": "agii",
}


def _fold_table() -> NDArray[np.uint32]:
    """For each character below 0x2000 its folded form; 32 for what is no letter or digit, 48 for digits."""
    table = np.arange(_FOLDED_BELOW, dtype=np.uint32)
    for code in range(_FOLDED_BELOW):
        char = chr(code)
        if not char.isalnum():
            table[code] = _SPACE
        elif char.isdigit():
            table[code] = _ZERO
        else:
            table[code] = ord(unicodedata.normalize("NFD", char.lower())[0])
    for strange, plain in _LOOK_ALIKES.items():
        for char, latin in zip(strange, plain, strict=True):
            table[ord(char)] = ord(latin)
    return table


_POWERS = _powers(_BASE)
_INVERSES = _powers(_INVERSE)
_FOLD = _fold_table()


@dataclass(frozen=True, slots=True)
class Words:
    """Hashes of the words of a text in order.

    `starts` and `ends` are positions in the folded `codes`, `text_starts` and `text_ends` those in the text;
    `kept` gives the position in the text of each code where invisible characters were left out (else None).
    """

    hashes: Hashes
    starts: Positions
    ends: Positions
    prefix: Hashes
    codes: NDArray[np.uint32]
    text_starts: Positions
    text_ends: Positions
    kept: Positions | None

    def opening(self, chars: int) -> Words | None:
        """Words of the first `chars` characters of the text; None where these cannot be told so cheaply:
        where invisible characters were left out, or a word goes on behind them."""
        if self.kept is not None or (chars < len(self.codes) and self.codes[chars] != _SPACE):
            return None
        count = int(np.searchsorted(self.starts, chars))
        starts, ends = self.starts[:count], self.ends[:count]
        prefix, codes = self.prefix[: chars + 1], self.codes[:chars]
        return Words(self.hashes[:count], starts, ends, prefix, codes, starts, ends, None)

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

    def letter_runs(self, *lengths: int, digits: bool = True, chars: int | None = None) -> list[Hashes]:
        """For each length, hashes of all runs of as many characters; what lies between words is one space.

        Without `digits` these are as if they were not there. `chars`: of so many characters at the beginning.
        """
        codes = self.codes[:chars]
        is_space = codes == _SPACE
        if not digits:
            is_space |= codes == _ZERO
        keep = ~is_space
        keep[1:] |= ~is_space[:-1]
        seen = np.where(is_space, _SPACE, codes)[keep]
        folded = np.concatenate(([_SPACE], seen, [_SPACE])).astype(np.uint64)
        prefix = _prefix_sums(folded)
        return [
            (prefix[length:] - prefix[:-length]) * _INVERSES[: len(folded) - length + 1]
            if len(folded) >= length
            else np.empty(0, dtype=np.uint64)
            for length in lengths
        ]


def read_words(text: str) -> Words:
    """Split a text into words: runs of letters and digits. Only the first MAX_CHARS characters count."""
    codes = np.frombuffer(text[:MAX_CHARS].encode("utf-32-le", "replace"), dtype=np.uint32)
    kept: Positions | None = None
    if not text.isascii():
        invisible = _invisible(codes)
        if invisible is not None:
            kept = np.flatnonzero(~invisible)
            codes = codes[kept]
    folded = _fold(codes)
    is_word = folded != _SPACE
    bounded = np.concatenate(([False], is_word, [False]))
    edges = np.flatnonzero(bounded[1:] != bounded[:-1])
    starts, ends = edges[::2], edges[1::2]
    prefix = _prefix_sums(folded.astype(np.uint64))
    hashes = (prefix[ends] - prefix[starts]) * _INVERSES[starts]
    if kept is None:
        return Words(hashes, starts, ends, prefix, folded, starts, ends, None)
    return Words(hashes, starts, ends, prefix, folded, kept[starts], kept[ends - 1] + 1, kept)


def _fold(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    # Most texts have no character beyond the table, which then is all there is to do.
    if len(codes) == 0 or codes.max() < len(_FOLD):
        return _FOLD[codes]
    folded = np.where(codes < len(_FOLD), _FOLD[np.minimum(codes, len(_FOLD) - 1)], codes)
    if len(codes) and codes.max() >= 0x2000:
        # Punctuation, symbols and emoji are no letters; other scripts are.
        is_mark = ((codes >= 0x2000) & (codes < 0x2C00)) | (codes == 0x3000) | (codes >= 0x1F000)
        # Fullwidth and mathematical letters are Latin ones in disguise (the latter in alphabets of 52).
        wide = (codes >= 0xFF21) & (codes <= 0xFF5A)
        styled = (codes >= 0x1D400) & (codes < 0x1D6A4)
        folded = np.where(is_mark, _SPACE, folded)
        folded = np.where(wide, _FOLD[np.where(wide, codes - 0xFEE0, _SPACE)], folded)
        folded = np.where(styled, ord("a") + (codes - 0x1D400) % 52 % 26, folded)
    return folded


def _invisible(codes: NDArray[np.uint32]) -> NDArray[np.bool_] | None:
    """Where zero-width characters, soft hyphens, combining accents and variation selectors are, no part of
    any word; None where there are none."""
    soft_hyphens = codes == 0x00AD
    if codes.max() < 0x0300 and not soft_hyphens.any():
        return None
    invisible: NDArray[np.bool_] = (
        ((codes >= 0x200B) & (codes <= 0x200F))
        | ((codes >= 0x2060) & (codes <= 0x2064))
        | ((codes >= 0x0300) & (codes <= 0x036F))
        | ((codes >= 0xFE00) & (codes <= 0xFE0F))
        | ((codes >= 0xE0100) & (codes <= 0xE01EF))
        | (codes == 0xFEFF)
        | soft_hyphens
    )
    return invisible if invisible.any() else None


def _prefix_sums(codes: Hashes) -> Hashes:
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    return sums
