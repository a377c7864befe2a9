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
Codes = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]

MAX_CHARS = 110_000
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_BASE_64 = np.uint64(_BASE)
_PAIR_1 = np.uint64(0xC2B2AE3D27D4EB4F)
_PAIR_2 = np.uint64(0x165667B19E3779F9)
_PAIR_3 = np.uint64(0x27D4EB2F165667C5)
_SPACE = 32
_ZERO = 48
# All accented Latin letters lie below, those that hide words from filters among them ("ḟeel sặd").
_FOLDED_BELOW = 0x2000
_PLANE = 0x10000


# Zero-width characters, soft hyphens, combining accents and variation selectors.
_INVISIBLE = (
    (0x00AD, 0x00AD),
    (0x0300, 0x036F),
    (0x200B, 0x200F),
    (0x2060, 0x2064),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
)


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


def _fold_table() -> NDArray[np.uint16]:
    """For each character below 0x10000 its folded form: 32 for what is no letter or digit, 48 for digits,
    0 for what is no part of the text as a reader sees it."""
    table = np.arange(_PLANE, dtype=np.uint16)
    for code in range(_FOLDED_BELOW):
        char = chr(code)
        if not char.isalnum():
            table[code] = _SPACE
        elif char.isdigit():
            table[code] = _ZERO
        else:
            table[code] = ord(unicodedata.normalize("NFD", char.lower())[0])
    # Punctuation and symbols are no letters; other scripts are.
    table[0x2000:0x2C00] = table[0x3000] = _SPACE
    # Fullwidth letters are Latin ones in disguise.
    table[0xFF21:0xFF5B] = table[0x41:0x7B]
    for strange, plain in _LOOK_ALIKES.items():
        for char, latin in zip(strange, plain, strict=True):
            table[ord(char)] = ord(latin)
    for first, last in _INVISIBLE:
        table[first : last + 1] = 0
    return table


_POWERS = _powers(_BASE)
_INVERSES = _powers(_INVERSE)
_FOLD = _fold_table()
# Most texts hold no character beyond Latin-1: bytes are folded far faster.
_FOLD_LATIN_1 = bytes(_FOLD[:256].tolist())


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
    codes: Codes
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

    def stems(self, lengths: Positions) -> Hashes:
        """For each length of a column a row: hashes of so many letters from the beginning of each word.

        Those of shorter words reach beyond them, and are like no word's.
        """
        stems: Hashes = self.prefix.take(self.starts + lengths, mode="clip") - self.prefix[self.starts]
        stems *= _INVERSES[self.starts]
        return stems

    def letter_runs(self, length: int, *, digits: bool = True, chars: int | None = None) -> Hashes:
        """Hashes of all runs of `length` characters; what lies between words is one space.

        Without `digits` these are as if they were not there. `chars`: of so many characters at the beginning.
        """
        codes = self.codes[:chars]
        if not digits:
            codes = np.where(codes == _ZERO, codes.dtype.type(_SPACE), codes)
        is_seen = codes != _SPACE
        is_seen[1:] |= is_seen[:-1].copy()
        seen = codes[is_seen]
        spaced = np.full(len(seen) + 2, _SPACE, dtype=np.uint64)
        spaced[1:-1] = seen
        count = max(len(spaced) - length + 1, 0)
        runs = spaced[length - 1 :].copy()
        for at in range(length - 2, -1, -1):
            runs *= _BASE_64
            runs += spaced[at : at + count]
        return runs


def read_words(text: str) -> Words:
    """Split a text into words: runs of letters and digits. Only the first MAX_CHARS characters count."""
    # Between spaces, every word has an edge on either side.
    folded = _folded(f" {text[:MAX_CHARS]} ")
    kept: Positions | None = None
    if not folded.all():
        kept = np.flatnonzero(folded[1:-1])
        folded = folded[folded != 0]
    is_word = folded != _SPACE
    edges = np.flatnonzero(is_word[1:] != is_word[:-1])
    starts, ends = edges[::2], edges[1::2]
    codes = folded[1:-1]
    prefix = _prefix_sums(codes)
    hashes = (prefix[ends] - prefix[starts]) * _INVERSES[starts]
    if kept is None:
        return Words(hashes, starts, ends, prefix, codes, starts, ends, None)
    return Words(hashes, starts, ends, prefix, codes, kept[starts], kept[ends - 1] + 1, kept)


def _folded(text: str) -> Codes:
    try:
        return np.frombuffer(text.encode("latin-1").translate(_FOLD_LATIN_1), dtype=np.uint8)
    except UnicodeEncodeError:
        codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    return _FOLD[codes] if codes.max() < _PLANE else _folded_astral(codes)


def _folded_astral(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The folded form of any characters, those beyond 0xFFFF included."""
    folded = np.where(codes < _PLANE, _FOLD[np.minimum(codes, _PLANE - 1)], codes)
    # Emoji are no letters.
    folded[codes >= 0x1F000] = _SPACE
    # Mathematical letters are Latin ones in disguise (in alphabets of 52).
    styled = (codes >= 0x1D400) & (codes < 0x1D6A4)
    folded[styled] = ord("a") + (codes[styled] - 0x1D400) % 52 % 26
    folded[(codes >= 0xE0100) & (codes <= 0xE01EF)] = 0
    return folded


def _prefix_sums(codes: Codes) -> Hashes:
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=sums[1:])
    return sums
