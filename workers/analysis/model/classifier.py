"""The linear classifier: category, urgency and sentiment from the features of a mail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from workers.analysis.features import BITS, Features, Numbers, dense_names
from workers.analysis.result import CATEGORIES, SENTIMENTS, URGENCIES, Evidence

DIRECTORY = Path(__file__).parent
COLUMNS = (*CATEGORIES, *URGENCIES, *SENTIMENTS)
HEADS = {
    "category": slice(0, len(CATEGORIES)),
    "urgency": slice(len(CATEGORIES), len(CATEGORIES) + len(URGENCIES)),
    "sentiment": slice(len(CATEGORIES) + len(URGENCIES), len(COLUMNS)),
}
_MOST_EVIDENCE = 6

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Scores of the three heads, before probabilities: adjustments and stated rules add to them."""

    category: Scores
    urgency: Scores
    sentiment: Scores


@dataclass(frozen=True, slots=True)
class Classifier:
    """Weights: `hashed` (2**BITS rows, one byte a weight, times `scales`), `dense` (named features,
    then a bias)."""

    version: str
    hashed: NDArray[np.int8]
    scales: NDArray[np.float32]
    dense: NDArray[np.float32]
    contrast: NDArray[np.float32]
    """For each category and dense feature, its weight against the mean over the categories."""
    word_contrast: NDArray[np.float32]
    """For each category, what makes the weights of a row of `hashed` such a difference."""
    temperature: dict[str, float]

    def predict(self, features: Numbers) -> Prediction:
        """Score a mail for each class of each head."""
        seen = features.values @ self.hashed.take(features.rows, axis=0).astype(np.float32)
        scores = (seen * self.scales + features.dense @ self.dense[:-1] + self.dense[-1]).astype(np.float64)
        return Prediction(
            *(scores[head] / self.temperature[name] for name, head in HEADS.items()),
        )

    def evidence(self, features: Features, text: str, chosen: int) -> list[Evidence]:
        """What spoke most for a category against the mean of the others: words of `text`, concepts
        and signs."""
        names = dense_names()
        dense = features.dense * self.contrast[chosen]
        weights = self.hashed.take(features.word_rows, axis=0)[:, : len(CATEGORIES)]
        by_word = weights.astype(np.float32) @ self.word_contrast[chosen] / max(len(weights), 1) ** 0.5
        found = [
            _span("word", weight, text, features, at, at)
            for at, weight in _greatest(by_word, _MOST_EVIDENCE // 2)
        ]
        found += [
            _dense_evidence(names[at], weight, at, text, features)
            for at, weight in _greatest(dense, _MOST_EVIDENCE // 2)
        ]
        return sorted(found, key=lambda item: -item.weight)


def _greatest(numbers: NDArray[np.floating[Any]], count: int) -> Iterator[tuple[int, float]]:
    """Where the greatest numbers above zero stand, and these; what repeats counts once."""
    left = numbers.copy()
    for _ in range(min(count, len(left))):
        at = int(left.argmax())
        greatest = float(left[at])
        if greatest <= 0:
            return
        yield at, greatest
        left[left == greatest] = 0


def softmax(scores: Scores) -> Scores:
    """Probabilities of scores; sums to one."""
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def _dense_evidence(name: str, weight: float, at: int, text: str, features: Features) -> Evidence:
    first = np.flatnonzero(features.touched.concepts == at)
    if name.startswith("concept.") and len(first):
        begin, end = features.touched.first_words[first[0]], features.touched.last_words[first[0]]
        return _span(name, weight, text, features, int(begin), int(end))
    return Evidence(name, round(weight, 3))


def _span(feature: str, weight: float, text: str, features: Features, first: int, last: int) -> Evidence:
    start, end = int(features.words.text_starts[first]), int(features.words.text_ends[last])
    return Evidence(feature, round(weight, 3), text[start:end], start, end)


@cache
def load_classifier() -> Classifier:
    """The weights that ship with the package, mapped into memory; read once a process.

    Raises ValueError if they were trained for other features than this version computes.
    """
    facts: dict[str, Any] = orjson.loads((DIRECTORY / "model.json").read_bytes())
    if (
        facts["bits"] != BITS
        or facts["columns"] != list(COLUMNS)
        or facts["dense_names"] != list(dense_names())
    ):
        raise ValueError(f"model {facts['version']} was trained for other features: run `econeura train`")
    dense = np.load(DIRECTORY / "dense.npy", allow_pickle=False)
    categories = dense[:-1, HEADS["category"]]
    scales = np.array(facts["scales"], dtype=np.float32)
    against_others = np.eye(len(CATEGORIES), dtype=np.float32) - np.float32(1 / len(CATEGORIES))
    return Classifier(
        version=facts["version"],
        # A plain view: numpy's own class for mapped files costs more than what is read.
        hashed=np.load(DIRECTORY / "hashed.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray),
        scales=scales,
        dense=dense,
        contrast=np.ascontiguousarray((categories - categories.mean(axis=1, keepdims=True)).T),
        word_contrast=against_others * scales[HEADS["category"]],
        temperature=facts["temperature"],
    )
