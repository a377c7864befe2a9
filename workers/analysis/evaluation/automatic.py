"""How well auto-replies and bounces are told from what people and other machines write."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import orjson

from workers.analysis.evaluation.scores import per_label
from workers.analysis.evaluation.section import Section
from workers.analysis.mail import mail_from_eml, mail_from_row
from workers.analysis.training_data import CORPUS
from workers.analysis.understand import analyse

_YES, _NO = "automatic", "not"
Case = tuple[str, str, str]
"""(id, truth, said)"""


def automatic_section(data: Path | None) -> Section:
    """Our own cases, and the raw messages of DATA/eml whose index says what they are."""
    section = Section("Auto-replies and bounces")
    _add(section, "corpus", "own cases", _own_cases())
    if data:
        _add(section, "data", "raw messages", _raw_messages(data / "eml"))
    return section


def _add(section: Section, name: str, caption: str, cases: Sequence[Case]) -> None:
    counts = per_label((truth, said) for _, truth, said in cases)[_YES]
    section.table(
        f"Auto-replies and bounces, {caption}",
        ("messages", "automatic", "precision", "recall", "F1"),
        [(len(cases), counts.true, counts.precision, counts.recall, counts.f1)],
    )
    section.lines += [f"  {case}: {truth}, said {said}" for case, truth, said in cases if truth != said]
    section.figures[f"{name}.automatic.f1"] = counts.f1


def _own_cases() -> list[Case]:
    cases = []
    for line in (CORPUS / "checks" / "automatic.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        said = analyse(mail_from_row(row)).is_auto_reply
        cases.append((row["id"], _YES if row["is_auto_reply"] else _NO, _YES if said else _NO))
    return cases


def _raw_messages(directory: Path) -> list[Case]:
    cases = []
    with (directory / "index.csv").open(encoding="utf-8", newline="") as index:
        for entry in csv.DictReader(index):
            if entry["is_auto_reply"] not in ("yes", "no"):
                continue
            mail = mail_from_eml((directory / entry["file"]).read_bytes(), mail_id=entry["file"])
            said = analyse(mail).is_auto_reply
            cases.append(
                (entry["file"], _YES if entry["is_auto_reply"] == "yes" else _NO, _YES if said else _NO)
            )
    return cases
