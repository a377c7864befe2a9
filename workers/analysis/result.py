"""What the analysis says about a mail: plain values that travel to decisions, traces and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from workers.analysis.entities.found import EntityType, Value

Category = Literal["finance", "calendar", "support", "sales", "newsletter", "spam", "personal", "general"]
Urgency = Literal["low", "medium", "high"]
Sentiment = Literal["positive", "neutral", "negative"]

CATEGORIES: tuple[Category, ...] = (
    "finance", "calendar", "support", "sales", "newsletter", "spam", "personal", "general",
)  # fmt: skip
URGENCIES: tuple[Urgency, ...] = ("low", "medium", "high")
SENTIMENTS: tuple[Sentiment, ...] = ("positive", "neutral", "negative")


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of subject + line break + body text, and its meaning in normal form."""

    type: EntityType
    text: str
    value: Value
    start: int
    end: int
    quoted: bool = False

    def to_dict(self) -> dict[str, Any]:
        shape: dict[str, Any] = {
            "type": self.type, "text": self.text, "value": self.value, "start": self.start, "end": self.end,
        }  # fmt: skip
        if self.quoted:
            shape["quoted"] = True
        return shape


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for the category: a feature, its weight, and the text it was seen in (if it was in the
    text)."""

    feature: str
    weight: float
    text: str | None = None
    start: int | None = None
    end: int | None = None

    def to_dict(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"feature": self.feature, "weight": self.weight}
        if self.text is not None:
            shape |= {"text": self.text, "start": self.start, "end": self.end}
        return shape


@dataclass(frozen=True, slots=True)
class Analysis:
    """The understanding of one mail.

    `category` is always the best guess; `abstained` says that its `confidence` (0-1) is under the floor.
    `automatic` names why no automatic response may be sent to this mail (None: one may):
    auto_reply, bounce, mailing_list, bulk, no_reply, suppressed, own. `ms` is the time it took.
    """

    id: str
    category: str
    confidence: float
    abstained: bool
    probabilities: dict[str, float]
    urgency: Urgency
    sentiment: Sentiment
    language: str
    is_auto_reply: bool
    automatic: str | None
    entities: tuple[Entity, ...]
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...]
    model: str
    ms: float
    own_category: str | None = None
    """Which of the organization's own categories it is of, besides, and how sure that is (0-1)."""
    own_confidence: float = 0.0
    llm: dict[str, Any] | None = None
    """What came of asking a language model, None where the organization asks none."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the keys of `econeura analyse` and those that traces keep besides."""
        shape: dict[str, Any] = {
            "id": self.id,
            "category": self.category,
            "confidence": self.confidence,
            "abstained": self.abstained,
            "urgency": self.urgency,
            "sentiment": self.sentiment,
            "language": self.language,
            "is_auto_reply": self.is_auto_reply,
            "automatic": self.automatic,
            "entities": [entity.to_dict() for entity in self.entities],
            "evidence": [item.to_dict() for item in self.evidence],
            "probabilities": self.probabilities,
            "notes": list(self.notes),
            "model": self.model,
            "ms": self.ms,
        }
        if self.own_category is not None:
            shape |= {"own_category": self.own_category, "own_confidence": self.own_confidence}
        return shape if self.llm is None else shape | {"llm": self.llm}
