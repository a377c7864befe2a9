"""What the evaluation counts as right, on a few mails and cases of its own."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

from workers.analysis.evaluation.automatic import automatic_section
from workers.analysis.evaluation.entity_scores import entities_section
from workers.analysis.evaluation.heads import heads_section
from workers.analysis.evaluation.judged import Judged, Known, judge
from workers.analysis.training_data import outside_rows


def _judged(true: str | None, said: str, confidence: float = 0.9, *, source: str = "shop") -> Judged:
    known = Known("1", source, "email", "es", "asunto", 9, true, None, None, true == "spam")
    return Judged(known, said, confidence, confidence < 0.6, "medium", "neutral", "es")


def test_sure_and_false_alarms_are_told_apart() -> None:
    mails = [_judged("finance", "finance")] * 6 + [_judged("spam", "spam")] * 6
    mails += [_judged("finance", "spam", 0.5), _judged("finance", "spam", 0.7)]
    figures = heads_section("x", "title", mails).figures
    assert figures["x.sure.es.precision"] == 12 / 13
    assert figures["x.sure.es.coverage"] == 13 / 14
    assert figures["x.legitimate.called_spam"] == 2 / 8
    # The unsure one is not acted on.
    assert figures["x.personal_and_finance.archived"] == 1 / 8
    assert figures["x.spam.recall"] == 1.0
    assert figures["x.language.accuracy"] == 1.0


def test_worst_mistakes_come_first_and_without_text() -> None:
    section = heads_section("x", "title", [_judged("sales", "spam", 0.7), _judged("sales", "general", 0.99)])
    worst = section.lines[section.lines.index("Worst mistakes: wrong and the surest of it") + 2 :]
    assert [line.split()[3] for line in worst] == ["general", "spam"]
    assert not any("asunto" in line for line in section.lines)


def test_rows_of_an_outside_directory_are_judged(tmp_path: Path) -> None:
    row = {
        "id": "r1", "source": "shop", "language": "es", "subject": "Factura 42", "from": "a@b.example",
        "body": "Adjunto la factura 42 por importe de 1.234,56 EUR, vence el viernes.", "form": "email",
        "label_category": "finance", "label_spam": False, "label_urgency": None, "label_sentiment": None,
    }  # fmt: skip
    (tmp_path / "mail").mkdir()
    with gzip.open(tmp_path / "mail" / "dev.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.write(json.dumps(row) + "\n")
    (judged,) = judge(outside_rows(tmp_path))
    assert judged.is_right
    assert (judged.known.is_spam, judged.known.urgency, judged.language) == (False, None, "es")


def test_an_entity_counts_where_it_overlaps_the_mark(tmp_path: Path) -> None:
    (tmp_path / "entities").mkdir()
    cases = [
        {
            "id": "1", "text": "Pague 45,00 EUR y otros 45,00 EUR a ana@cliente.example",
            "scored_types": ["amount"],
            "expected": [
                {"type": "amount", "text": "45,00 EUR", "value": {"amount": "45.00", "currency": "EUR"}},
                {"type": "amount", "text": "otros 45,00", "value": {"amount": "46.00", "currency": "EUR"}},
            ],
        },
        {"id": "2", "text": "El 12 de mayo", "scored_types": ["date"],
         "expected": [{"type": "date", "text": "12 de mayo", "value": "XXXX-05-12"}]},
        {"id": "3", "text": "Nada", "scored_types": ["date"], "expected": [{"type": "date", "text": "Nada"}]},
    ]  # fmt: skip
    (tmp_path / "entities" / "dev.jsonl").write_text("\n".join(map(json.dumps, cases)), encoding="utf-8")
    section = entities_section(tmp_path)
    assert section.figures["data.entities.amount.f1"] == 1.0
    assert section.figures["data.entities.date.f1"] == 2 / 3
    amounts = section.lines[-3] if "missed" in section.lines[-1] else section.lines[-2]
    assert amounts.split() == ["amount", "2", "1.000", "1.000", "1.000", "0.500"]


def test_raw_messages_are_judged_by_their_index(tmp_path: Path) -> None:
    directory = tmp_path / "eml"
    directory.mkdir()
    (directory / "away.eml").write_bytes(
        b"Subject: Re: Hola\r\nAuto-Submitted: auto-replied\r\n\r\nVuelvo el 14.\r\n"
    )
    (directory / "person.eml").write_bytes(b"Subject: Hola\r\n\r\nNos vemos el 14.\r\n")
    with (directory / "index.csv").open("w", encoding="utf-8", newline="") as index:
        rows = csv.writer(index)
        rows.writerows(
            [("file", "is_auto_reply"), ("away.eml", "yes"), ("person.eml", "no"), ("x.eml", "unknown")]
        )
    assert automatic_section(tmp_path).figures["data.automatic.f1"] == 1.0
