"""Precision and recall of entities, by type, on texts whose entities people have marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from workers.analysis.evaluation.scores import Counts
from workers.analysis.evaluation.section import Section
from workers.analysis.mail import mail_from_row
from workers.analysis.result import Entity
from workers.analysis.training_data import CORPUS
from workers.analysis.understand import analyse

# Relative dates of our own cases count from this day.
_TODAY = datetime(2026, 11, 20, 9, tzinfo=UTC)


@dataclass(slots=True)
class _Tally:
    """`values` counts the matched entities whose value is stated, `values_right` those read right."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    values_right: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)


def entities_section(data: Path | None) -> Section:
    """Our own cases, and those of DATA/entities/dev.jsonl; only the types that a case asserts are scored."""
    section = Section("Entities")
    _add(section, "corpus", "own cases", _cases(CORPUS / "checks" / "entities.jsonl"))
    if data:
        _add(section, "data", "outside cases", _cases(data / "entities" / "dev.jsonl"))
    return section


def _cases(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def _add(section: Section, name: str, caption: str, cases: Iterable[dict[str, Any]]) -> None:
    tally = _Tally()
    for case in cases:
        _score(case, tally)
    rows = []
    for kind in sorted(tally.right | tally.missed):
        counts = Counts(tally.right[kind], tally.wrong[kind], tally.missed[kind])
        values = tally.values_right[kind] / tally.values[kind] if tally.values[kind] else "-"
        rows.append((kind, counts.true, counts.precision, counts.recall, counts.f1, values))
        section.figures[f"{name}.entities.{kind}.f1"] = counts.f1
    head = ("type", "marked", "precision", "recall", "F1", "value right")
    section.table(f"Entities, {caption} (a find counts where it overlaps the mark)", head, rows)
    section.lines += tally.mistakes[:20]


def _score(case: dict[str, Any], tally: _Tally) -> None:
    scored = set(case["scored_types"])
    text = case["text"]
    found = list(analyse(mail_from_row({"body": text}), now=_TODAY).entities)
    found = [entity for entity in found if entity.type in scored]
    taken: Counter[str] = Counter()
    for mark in case["expected"]:
        kind = mark["type"]
        if kind not in scored:
            continue
        start = _place(text, mark["text"], taken)
        match = next((e for e in found if e.type == kind and _overlap(e, start, len(mark["text"]))), None)
        if match is None:
            tally.missed[kind] += 1
            tally.mistakes.append(f"  {case['id']}: {kind} missed: {mark['text']}")
            continue
        found.remove(match)
        tally.right[kind] += 1
        if "value" in mark:
            tally.values[kind] += 1
            tally.values_right[kind] += _same(match.value, mark["value"])
    for entity in found:
        tally.wrong[entity.type] += 1
        tally.mistakes.append(f"  {case['id']}: no {entity.type}: {entity.text}")


def _place(text: str, mark: str, taken: Counter[str]) -> int:
    """Where a mark stands in subject, line break and text; the second of two alike is the second place."""
    at = -1
    for _ in range(taken[mark] + 1):
        at = max(text.find(mark, at + 1), 0)
    taken[mark] += 1
    return at + 1


def _overlap(entity: Entity, start: int, length: int) -> bool:
    return entity.start < start + length and start < entity.end


def _same(said: object, true: object) -> bool:
    """Equal values; a marked date without a year is "XXXX-05-12", and a number may be written anyhow."""
    if isinstance(said, dict) and isinstance(true, dict):
        same_currency = true.get("currency") in (None, said.get("currency"))
        return same_currency and _number(said["amount"]) == _number(true["amount"])
    if isinstance(true, str) and true.startswith("XXXX-"):
        return str(said)[5:] == true[5:]
    if re.fullmatch(r"\+?[\d]{7,}", str(true)):
        return str(said)[-7:] == str(true)[-7:]
    return str(said) == str(true)


def _number(value: str) -> Decimal | None:
    try:
        return Decimal(value.replace(",", "."))
    except InvalidOperation:
        return None
