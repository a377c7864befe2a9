"""One result of two opinions, the local one and the model's: neither is believed more than it deserves.

What models say of their own confidence is known to be too high, so it counts as 0.9 at most, and the rest is
spread over the other categories. The two distributions are then pooled by a weighted geometric mean (local
0.5, model 0.65, normalized). Where both agree the result is sure; a sure model settles what the local one
left open; where they disagree the confidence drops, often below the floor, and a person looks. A model that
a mail talked into something does not outvote a sure local result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workers.analysis.llm.shapes import MailReading
from workers.analysis.result import CATEGORIES, Analysis

_LOCAL_WEIGHT = 0.5
_MODEL_WEIGHT = 0.65
_MOST_BELIEVED = 0.9
# Said with less than an even chance among all, a guess is no evidence against itself.
_LEAST_BELIEVED = 1 / len(CATEGORIES)
_LEAST_POSSIBLE = 0.002


def pooled(local: Analysis, reading: MailReading, *, floor: float) -> Analysis:
    """The local analysis with category, confidence, urgency and sentiment as both together have them.

    Language, entities, evidence and whether a machine wrote it stay the local ones.
    """
    probabilities = _pooled(local.probabilities, reading)
    category = max(probabilities, key=probabilities.__getitem__)
    confidence = probabilities[category]
    return replace(
        local,
        category=category,
        confidence=round(confidence, 4),
        abstained=confidence < floor,
        probabilities={name: round(p, 4) for name, p in probabilities.items()},
        urgency=reading.urgency,
        sentiment=reading.sentiment,
    )


def _pooled(local: Mapping[str, float], reading: MailReading) -> dict[str, float]:
    believed = min(max(reading.confidence, _LEAST_BELIEVED), _MOST_BELIEVED)
    others = (1 - believed) / (len(CATEGORIES) - 1)
    means = {
        name: max(p, _LEAST_POSSIBLE) ** _LOCAL_WEIGHT
        * (believed if name == reading.category else others) ** _MODEL_WEIGHT
        for name, p in local.items()
    }
    total = sum(means.values())
    return {name: mean / total for name, mean in means.items()}
