"""The mails that the model learns from, and on which terms.

The corpus in this repository is our own. Rows of an outside data directory are read at training time only,
never
stored, and only where their licence allows it; the reasons stand beside each source. What is not listed is
never used.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

CORPUS = Path(__file__).parent / "corpus"
CORPUS_SOURCE = "corpus"
_BARE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """A mail and what is known of it: None where nobody said. `not_spam` holds when only that is known."""

    source: str
    row: dict[str, Any]
    language: str
    category: str | None
    urgency: str | None
    sentiment: str | None
    not_spam: bool
    weight: float
    is_bare: bool = False
    """Whether it is another example over again, with parts of it left out."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """`uses`: which labels are ours to use. `weight` of a row: other kinds of text teach less about mail."""

    licence: str
    uses: frozenset[str]
    weight: float


SOURCES: dict[str, _Terms] = {
    "clinc150": _Terms("CC-BY-3.0", frozenset({"category"}), 0.1),
    # The messages are public record (FERC); the annotations carry no licence, so none of them is used:
    # that the mail of an energy company's staff is not spam needs no annotator.
    "enron-ucb-categories": _Terms("public record", frozenset({"not_spam"}), 0.2),
    "spam-ham-spanish-short": _Terms("Apache-2.0 (dataset card)", frozenset({"category", "not_spam"}), 0.15),
    # Stated as PDDL-1.0/CC0 by its publisher; senders keep the copyright of single messages. No text of
    # it is kept
    # or can be recovered from hashed weights.
    "spamassassin-2002": _Terms("PDDL-1.0/CC0 as stated", frozenset({"category", "not_spam"}), 0.3),
    "spamassassin-hardham": _Terms("PDDL-1.0/CC0 as stated", frozenset({"category", "not_spam"}), 0.3),
}


def corpus_examples(directory: Path = CORPUS) -> Iterator[Example]:
    """Our own mails: corpus/<language>-<category>.jsonl, and opinions of no category, which are not spam."""
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            if line.strip():
                row = orjson.loads(line)
                yield Example(
                    CORPUS_SOURCE,
                    row,
                    row["language"],
                    row["category"],
                    row["urgency"],
                    row["sentiment"],
                    row["category"] is None,
                    1.0,
                )


def rows_set_apart() -> Iterator[dict[str, Any]]:
    """Mails of our own writing by somebody who saw no others, for evaluation; never trained on."""
    for path in sorted((CORPUS / "checks").glob("apart-*.jsonl")):
        for line in path.read_bytes().splitlines():
            yield {"source": "set apart", **orjson.loads(line)}


def bare_examples(examples: Iterable[Example]) -> Iterator[Example]:
    """Our legitimate mails over again, without sender and headers or without the subject: notes, forms and
    exports lack these, and no category may be known by what they lack. Frauds come from somebody."""
    for number, example in enumerate(examples):
        if example.category in (None, "spam"):
            continue
        left_out = ("from", "headers") if number % 2 == 0 else ("subject",)
        row = {key: "" if key in left_out else value for key, value in example.row.items()}
        yield replace(example, row=row, urgency=None, sentiment=None, weight=_BARE_WEIGHT, is_bare=True)


def outside_rows(data: Path) -> Iterator[dict[str, Any]]:
    """All rows of DATA/mail/dev.jsonl.gz, for evaluation; those with other licences are never trained on."""
    with gzip.open(data / "mail" / "dev.jsonl.gz") as lines:
        for line in lines:
            yield orjson.loads(line)


def outside_examples(data: Path) -> Iterator[Example]:
    """The rows whose licence allows training, with the labels that are ours to use."""
    for row in outside_rows(data):
        terms = SOURCES.get(row["source"])
        if terms is None:
            continue
        category = row["label_category"] if "category" in terms.uses else None
        not_spam = "not_spam" in terms.uses and row["label_spam"] is False and category is None
        if category or not_spam:
            yield Example(row["source"], row, row["language"], category, None, None, not_spam, terms.weight)
