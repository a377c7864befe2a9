"""A mail as numbers for the linear model: hashed words, word pairs and letter runs, concepts, and signals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workers.analysis import signals
from workers.analysis.concepts import Touched, find_concepts, load_lexicon
from workers.analysis.hashing import Hashes, Words, read_words
from workers.analysis.mail import Mail
from workers.analysis.text import MailText

BITS = 17
_SHIFT = np.uint64(64 - BITS)
_ROW = (1 << BITS) - 1
_MIXER = np.uint64(0x9FB21C651E98DF25)
# A salt per kind of feature: the word "hola" and the letter run "hola" are different signs.
_SALTS = {
    "sender": 0x68E31DA4,
    "word": 0x9E3779B1,
    "subject": 0x85EBCA77,
    "pair": 0xC2B2AE3D,
    "run": 0x27D4EB2F,
}
_KINDS = tuple(_SALTS)
_KIND_ENDS = np.arange(1, len(_KINDS) + 1, dtype=np.int32) << BITS
# How much each kind weighs before learning, found by cross-validation on the corpus.
_SCALES = np.array([0.5, 1.0, 0.7, 0.7, 0.8])
_CONCEPT_SCALE = 0.5
# Said once they are said, however long the mail: beside their strength, whether they occur at all.
_OCCURRING = ("urgent", "standstill", "deadline_today", "no_hurry", "complaint", "praise", "refund", "broken")
_OCCURRENCE_SCALE = 0.5
_SENDERS_HELD = 2_000
_RUN_LENGTH = 4


class Numbers(Protocol):
    """What scores are made of: `rows` are distinct rows of the hashed table of each kind with their `values`;
    `dense` are concepts, then signals."""

    @property
    def rows(self) -> NDArray[np.int32]: ...
    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def dense(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Features:
    """`rows` are distinct rows of the hashed table with their `values`; `dense` are concepts, then signals.

    `word_rows` gives for each word of `words` its row, so that evidence can point back into the text.
    """

    rows: NDArray[np.int32]
    values: NDArray[np.float32]
    dense: NDArray[np.float32]
    words: Words
    touched: Touched
    word_rows: NDArray[np.int32]


@cache
def dense_names() -> tuple[str, ...]:
    """Names of the dense features, in their order."""
    names = load_lexicon().names
    return (
        *(f"concept.{n}" for n in names),
        *(f"concept.{n}.subject" for n in names),
        *(f"concept.{n}.sender" for n in names),
        *(f"concept.{n}.occurs" for n in _OCCURRING),
        *(f"sign.{n}" for n in signals.NAMES),
    )


def read_features(mail: Mail, text: MailText) -> Features:
    """Features of a mail. Only the analysed text counts, with the subject's words once more for
    themselves."""
    words = text.analysed_words
    count = len(words.hashes)
    subject_count = int(words.text_starts.searchsorted(len(text.subject)))
    touched = find_concepts(words)
    in_subject = touched.concepts[touched.last_words < subject_count]
    word_keys = _keys("word", words.hashes)
    sender_keys, sender_concepts = _of_sender(_sender_words(mail))
    rows, values = _distinct(
        np.concatenate(
            (
                word_keys,
                sender_keys,
                _keys("subject", words.hashes[:subject_count]),
                _keys("pair", words.pairs()),
                _keys("run", words.letter_runs(_RUN_LENGTH)),
            )
        )
    )
    counts = np.array([_counted(touched.concepts), _counted(in_subject)])
    dense = np.concatenate(
        (
            _strengths(counts, np.array([[count], [subject_count]])).ravel(),
            sender_concepts,
            _OCCURRENCE_SCALE * (counts[0, _occurring()] > 0),
            signals.read_signals(mail, text),
        ),
        dtype=np.float32,
    )
    return Features(rows, values, dense, words, touched, word_keys & _ROW)


@lru_cache(maxsize=_SENDERS_HELD)
def _of_sender(words: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Keys and concepts of a sender. Most mail comes from those who wrote before."""
    sender = read_words(words)
    return _keys("sender", sender.hashes), _strengths(_counted(find_concepts(sender).concepts), 0)


def _sender_words(mail: Mail) -> str:
    """Name and address of the sender, without the top-level domain, which says little."""
    local, _, domain = mail.sender.address.partition("@")
    return f"{mail.sender.name} {local} {domain.rpartition('.')[0]}"[:300]


def _keys(kind: str, hashes: Hashes) -> NDArray[np.int32]:
    """The row of each hash, and above it the kind."""
    # Multiplying by an odd number carries the salt into the high bits, which are the ones kept.
    mixed = hashes ^ np.uint64(_SALTS[kind])
    mixed *= _MIXER
    mixed >>= _SHIFT
    keys = mixed.astype(np.int32)
    keys += _KINDS.index(kind) << BITS
    return keys


def _distinct(keys: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each row of each kind once, in order, and what it weighs: the less, the more there are of its kind."""
    keys.sort()
    is_first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    keys = keys[is_first]
    counts = keys.searchsorted(_KIND_ENDS)
    counts[1:] -= counts[:-1].copy()
    weights = (_SCALES / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
    return keys & _ROW, weights.repeat(counts)


@cache
def _occurring() -> NDArray[np.int64]:
    names = load_lexicon().names
    return np.array([names.index(name) for name in _OCCURRING], dtype=np.int64)


def _counted(concepts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(concepts, minlength=len(load_lexicon().names))


def _strengths(counts: NDArray[np.int64], lengths: NDArray[np.int64] | int) -> NDArray[np.float32]:
    """How strongly each concept shows in texts of so many words: logarithmic, and less in longer ones."""
    damping = 1 + np.log1p(np.asarray(lengths) / 40)
    strengths: NDArray[np.float32] = (_CONCEPT_SCALE * np.log1p(counts) * 2 / damping).astype(np.float32)
    return strengths
