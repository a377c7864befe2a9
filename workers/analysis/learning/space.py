"""The space in which mails are compared: like ones lie near each other, unlike ones at a right angle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from workers.analysis.features import Numbers
from workers.analysis.learning.example import Signature, signature_of
from workers.analysis.mail import mail_from_row
from workers.analysis.training_data import Example, corpus_examples

Vector = NDArray[np.float32]

WIDTH = 4096
_MASK = WIDTH - 1
_SIGN_BIT = 12
# How much the named features (concepts, signs) count beside the words; found on mails kept for the purpose.
_NAMED_SHARE = 0.6
_LEAST_SPREAD = 0.1
_MOST_SPREADS = 3.0
_PER_GROUP = 12
# Smaller groups are no language or category of ordinary mail: the frauds of other languages.
_FEWEST_OF_A_GROUP = 48


@dataclass(frozen=True, slots=True)
class Space:
    """Where its origin is, the mean of ordinary mail: what all mails have in common then likens none."""

    sketch_mean: Vector
    dense_mean: Vector
    dense_spread: Vector

    @property
    def width(self) -> int:
        return len(self.sketch_mean) + len(self.dense_mean)

    def vector(self, mail: Numbers) -> Vector:
        """The mail's place: a unit vector of its words, and one of its named features that counts less."""
        words = _unit(_sketch(mail) - self.sketch_mean)
        named = (mail.dense - self.dense_mean) / self.dense_spread
        named = _unit(np.clip(named, -_MOST_SPREADS, _MOST_SPREADS)) * np.float32(_NAMED_SHARE)
        return np.concatenate((words, named))


@cache
def ordinary_mail() -> tuple[Signature, ...]:
    """Mails of the corpus, some of each language and category that it has enough of, from short to long."""

    def group(example: Example) -> tuple[str, str]:
        return example.language, example.category or ""

    def length(example: Example) -> tuple[int, str]:
        return len(example.row["body"]), example.row["id"]

    chosen: list[Example] = []
    for _, members in groupby(sorted(corpus_examples(), key=group), key=group):
        by_length = sorted(members, key=length)
        if len(by_length) >= _FEWEST_OF_A_GROUP:
            chosen += [by_length[int(at)] for at in np.linspace(0, len(by_length) - 1, _PER_GROUP)]
    return tuple(signature_of(mail_from_row(example.row)) for example in chosen)


@cache
def common_space() -> Space:
    """The space around ordinary mail; the same for all organizations."""
    mails: Sequence[Signature] = ordinary_mail()
    dense = np.array([mail.dense for mail in mails])
    return Space(
        sketch_mean=np.mean([_sketch(mail) for mail in mails], axis=0, dtype=np.float32),
        dense_mean=dense.mean(axis=0),
        dense_spread=np.maximum(dense.std(axis=0), np.float32(_LEAST_SPREAD)),
    )


def _sketch(mail: Numbers) -> Vector:
    """The hashed features folded into WIDTH numbers; signs make what falls together cancel on average."""
    signed = np.where((mail.rows >> _SIGN_BIT) & 1, mail.values, -mail.values)
    return np.bincount(mail.rows & _MASK, weights=signed, minlength=WIDTH).astype(np.float32)


def _unit(vector: Vector) -> Vector:
    length = np.linalg.norm(vector)
    return np.asarray(vector / length if length else vector, dtype=np.float32)
