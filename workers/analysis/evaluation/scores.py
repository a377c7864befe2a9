"""Figures from pairs of what is true and what was said. Shares are between 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Pair = tuple[str, str]
"""(true label, said label)"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a label was said rightly, said wrongly and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float:
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)

    @property
    def true(self) -> int:
        return self.right + self.missed


def per_label(pairs: Iterable[Pair]) -> dict[str, Counts]:
    """Counts of every label that is true at least once, in alphabetical order."""
    confused = Counter(pairs)
    truths = sorted({truth for truth, _ in confused})
    return {
        label: Counts(
            confused[label, label],
            sum(n for (truth, said), n in confused.items() if said == label != truth),
            sum(n for (truth, said), n in confused.items() if truth == label != said),
        )
        for label in truths
    }


def macro_f1(pairs: Iterable[Pair], at_least: int = 1) -> float:
    """Mean F1 over the labels that are true at least so many times."""
    counted = [counts.f1 for counts in per_label(pairs).values() if counts.true >= at_least]
    return sum(counted) / len(counted) if counted else 0.0


def accuracy(pairs: Sequence[Pair]) -> float:
    return _share(sum(truth == said for truth, said in pairs), len(pairs))


def calibration_error(confidences: Sequence[float], rights: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: how far stated confidence lies from the share of right answers."""
    error = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            (confidence, right)
            for confidence, right in zip(confidences, rights, strict=True)
            if low < confidence <= high or (number == 0 and confidence == 0)
        ]
        error += abs(sum(confidence for confidence, _ in inside) - sum(right for _, right in inside))
    return _share(error, len(confidences))


def coverage_at(precision: float, confidences: Sequence[float], rights: Sequence[bool]) -> float:
    """The greatest share of mails, the surest first, of which at least `precision` are right."""
    best = right_so_far = 0
    surest_first = sorted(zip(confidences, rights, strict=True), key=lambda pair: -pair[0])
    for taken, (_, right) in enumerate(surest_first, 1):
        right_so_far += right
        if right_so_far >= precision * taken:
            best = taken
    return _share(best, len(confidences))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
