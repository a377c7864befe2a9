"""Two opinions become one: modestly sure, and never by the model alone against a sure local result."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workers.analysis import CATEGORIES, Mail, analyse
from workers.analysis.llm.pooling import pooled
from workers.analysis.llm.shapes import MailReading
from workers.analysis.result import Analysis, Category

FLOOR = 0.6


def local(category: Category, confidence: float) -> Analysis:
    rest = (1 - confidence) / (len(CATEGORIES) - 1)
    probabilities: dict[str, float] = {name: confidence if name == category else rest for name in CATEGORIES}
    found = analyse(Mail(id="m", subject="x", body="y"))
    return replace(found, category=category, confidence=confidence, probabilities=probabilities)


def reading(category: Category, confidence: float) -> MailReading:
    return MailReading(
        category=category, urgency="high", sentiment="negative", confidence=confidence, reason="because"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "category", "abstained"),
    [
        (("support", 0.45), ("support", 0.9), "support", False),
        (("support", 0.45), ("sales", 0.95), "sales", False),
        (("support", 0.7), ("sales", 0.95), "sales", True),
        (("support", 0.3), ("sales", 0.3), "sales", True),
        (("spam", 0.98), ("personal", 1.0), "spam", True),
        (("spam", 0.98), ("spam", 1.0), "spam", False),
        (("spam", 0.9), ("personal", 0.9), "personal", True),
        (("general", 0.2), ("finance", 0.9), "finance", False),
    ],
)
def test_what_comes_of_two_opinions(
    ours: tuple[Category, float], theirs: tuple[Category, float], category: Category, abstained: bool
) -> None:
    result = pooled(local(*ours), reading(*theirs), floor=FLOOR)
    assert (result.category, result.abstained) == (category, abstained)
    assert result.confidence == pytest.approx(result.probabilities[category])
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("said", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_agreement_makes_it_a_little_surer_at_most(said: float) -> None:
    for sure in (0.15, 0.4, 0.8, 0.99):
        result = pooled(local("support", sure), reading("support", said), floor=FLOOR)
        assert result.confidence <= max(sure, min(said, 0.9)) + 0.08


def test_urgency_and_sentiment_are_the_models_and_the_rest_stays() -> None:
    before = local("support", 0.4)
    after = pooled(before, reading("support", 0.9), floor=FLOOR)
    assert (after.urgency, after.sentiment) == ("high", "negative")
    assert (after.language, after.entities, after.automatic) == (
        before.language, before.entities, before.automatic,
    )  # fmt: skip
