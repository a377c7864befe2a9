"""How often the analysis agreed with what people said, without learning and with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workers.store.corrections import CorrectionChange


@dataclass
class Agreement:
    """Of so many things judged, how many were right: without any learning, and with what had been learned
    before each was said."""

    judged: int = 0
    right_without: int = 0
    right_learned: int = 0


def agreement_of(changes: Iterable[CorrectionChange]) -> dict[str, Agreement]:
    """Agreement by head of the analysis; heads that nothing was said of are left out."""
    found: dict[str, Agreement] = {}
    for change in changes:
        for head, judged in change.judged.items():
            agreement = found.setdefault(head, Agreement())
            agreement.judged += 1
            agreement.right_without += judged.without
            agreement.right_learned += judged.learned
    return dict(sorted(found.items()))
