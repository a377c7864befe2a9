"""A mail with what is known of it beside what the analysis said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workers.analysis.evaluation.scores import Pair
from workers.analysis.mail import mail_from_row
from workers.analysis.result import CATEGORIES, SENTIMENTS, URGENCIES, Analysis
from workers.analysis.understand import analyse

HEADS = ("category", "urgency", "sentiment")
LABELS = {"category": CATEGORIES, "urgency": URGENCIES, "sentiment": SENTIMENTS}
MAIL_FORMS = ("email", "ticket")


@dataclass(frozen=True, slots=True)
class Known:
    """What people said of a mail: None where nobody said. `words` counts those of subject and body."""

    id: str
    source: str
    form: str
    language: str
    subject: str
    words: int
    category: str | None
    urgency: str | None
    sentiment: str | None
    is_spam: bool | None


@dataclass(frozen=True, slots=True)
class Judged:
    """`confidence` is that of the category; `language` is None where only the heads were asked."""

    known: Known
    category: str
    confidence: float
    abstained: bool
    urgency: str
    sentiment: str
    language: str | None = None

    @property
    def is_right(self) -> bool:
        return self.known.category == self.category


def known_of(row: dict[str, Any], source: str = "") -> Known:
    """Labels of a row: those of the corpus, or `label_…` as rows of an outside data directory have them."""
    category = row.get("label_category", row.get("category"))
    return Known(
        id=str(row.get("id")),
        source=source or row["source"],
        form=row.get("form", "email"),
        language=row["language"],
        subject=row["subject"] or row["body"][:60],
        words=len(row["subject"].split()) + len(row["body"].split()),
        category=category,
        urgency=row.get("label_urgency", row.get("urgency")),
        sentiment=row.get("label_sentiment", row.get("sentiment")),
        is_spam=row.get("label_spam", category == "spam"),
    )


def judge(rows: Iterable[dict[str, Any]]) -> Iterator[Judged]:
    """Analyse rows with the weights that ship, as `econeura analyse` does."""
    for row in rows:
        said: Analysis = analyse(mail_from_row(row))
        yield Judged(
            known_of(row),
            said.category,
            said.confidence,
            said.abstained,
            said.urgency,
            said.sentiment,
            said.language,
        )


def pairs_of(judged: Iterable[Judged], head: str) -> list[Pair]:
    """(true, said) of one head, over the mails where the truth is known."""
    return [
        (getattr(item.known, head), getattr(item, head))
        for item in judged
        if getattr(item.known, head) is not None
    ]


def with_category(judged: Iterable[Judged]) -> list[Judged]:
    return [item for item in judged if item.known.category is not None]


def grouped(judged: Iterable[Judged], *keys: str) -> dict[tuple[str, ...], Sequence[Judged]]:
    """Mails by properties of what is known of them, in alphabetical order."""
    groups: dict[tuple[str, ...], list[Judged]] = {}
    for item in judged:
        groups.setdefault(tuple(getattr(item.known, key) for key in keys), []).append(item)
    return dict(sorted(groups.items()))
