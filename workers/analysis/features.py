"""A mail as numbers for the linear model: hashed words, word pairs and letter runs, concepts, and signals."""

from __future__ import annotations

import threading
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
# A salt per kind of feature: the word "hola" and the letter run "hola" are different signs.
_SALTS = {
    "word": 0x9E3779B1,
    "subject": 0x85EBCA77,
    "pair": 0xC2B2AE3D,
    "run": 0x27D4EB2F,
    "sender": 0x68E31DA4,
}
# How much each kind weighs before learning, found by cross-validation on the corpus.
_SCALES = {"word": 1.0, "subject": 0.7, "pair": 0.7, "run": 0.8, "sender": 0.5}
_CONCEPT_SCALE = 0.5
# Said once they are said, however long the mail: beside their strength, whether they occur at all.
_OCCURRING = ("urgent", "standstill", "deadline_today", "no_hurry", "complaint", "praise", "refund", "broken")
_OCCURRENCE_SCALE = 0.5
_SIGNAL_SCALE = 1.0
_SENDERS_HELD = 2_000


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
    touched = find_concepts(words)
    subject_words = int(np.searchsorted(words.text_starts, len(text.subject)))
    word_rows = _rows(words.hashes, "word")
    sender_rows, sender_concepts = _of_sender(_sender_words(mail))
    (runs,) = words.letter_runs(4)
    groups = [
        (sender_rows, "sender"),
        (word_rows, "word"),
        (_rows(words.hashes[:subject_words], "subject"), "subject"),
        (_rows(words.pairs(), "pair"), "pair"),
        (_rows(runs, "run"), "run"),
    ]
    rows, values = [], []
    for group, kind in groups:
        distinct = _distinct(group)
        rows.append(distinct)
        values.append(
            np.full(len(distinct), _SCALES[kind] / np.sqrt(max(len(distinct), 1)), dtype=np.float32)
        )
    dense = np.concatenate(
        (
            _concepts(touched, 0, len(words.hashes), len(words.hashes)),
            _concepts(touched, 0, subject_words, subject_words),
            sender_concepts,
            _occurrences(touched),
            np.array(signals.read_signals(mail, text), dtype=np.float32) * _SIGNAL_SCALE,
        )
    )
    return Features(np.concatenate(rows), np.concatenate(values), dense, words, touched, word_rows)


@lru_cache(maxsize=_SENDERS_HELD)
def _of_sender(words: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Rows and concepts of a sender. Most mail comes from those who wrote before."""
    sender = read_words(words)
    return _rows(sender.hashes, "sender"), _concepts(find_concepts(sender), 0, len(sender.hashes), 0)


def _sender_words(mail: Mail) -> str:
    """Name and address of the sender, without the top-level domain, which says little."""
    local, _, domain = mail.sender.address.partition("@")
    return f"{mail.sender.name} {local} {domain.rpartition('.')[0]}"[:300]


def _rows(hashes: Hashes, kind: str) -> NDArray[np.int32]:
    # Multiplying by an odd number carries the salt into the high bits, which are the ones kept.
    mixed = (hashes ^ np.uint64(_SALTS[kind])) * np.uint64(0x9FB21C651E98DF25)
    return (mixed >> _SHIFT).astype(np.int32)


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.last = np.zeros(1 << BITS, dtype=np.int32)


_scratch = _Scratch()


def _distinct(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Each row once, without sorting: the last writer of a cell is the one that stays."""
    order = np.arange(len(rows), dtype=np.int32)
    _scratch.last[rows] = order
    distinct: NDArray[np.int32] = rows[_scratch.last[rows] == order]
    return distinct


@cache
def _occurring() -> NDArray[np.int64]:
    names = load_lexicon().names
    return np.array([names.index(name) for name in _OCCURRING], dtype=np.int64)


def _occurrences(touched: Touched) -> NDArray[np.float32]:
    counts = np.bincount(touched.concepts, minlength=len(load_lexicon().names))[_occurring()]
    occurrences: NDArray[np.float32] = (_OCCURRENCE_SCALE * (counts > 0)).astype(np.float32)
    return occurrences


def _concepts(touched: Touched, first: int, end: int, length: int) -> NDArray[np.float32]:
    """How strongly each concept shows among the words first..end: logarithmic, and less in longer texts."""
    inside = (touched.first_words >= first) & (touched.last_words < end)
    counts = np.bincount(touched.concepts[inside], minlength=len(load_lexicon().names))
    damping = 1 + np.log1p(length / 40)
    strengths: NDArray[np.float32] = (_CONCEPT_SCALE * np.log1p(counts) * 2 / damping).astype(np.float32)
    return strengths
