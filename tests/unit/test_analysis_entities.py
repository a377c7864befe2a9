"""Entities: every case of the corpus comes out as it is marked, span and value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from workers.analysis import analyse, mail_from_row
from workers.analysis.training_data import CORPUS

_CASES = [orjson.loads(line) for line in (CORPUS / "checks" / "entities.jsonl").read_bytes().splitlines()]
_TODAY = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize("case", _CASES, ids=[case["id"] for case in _CASES])
def test_entities_are_found_where_they_are_marked(case: dict[str, Any]) -> None:
    scored = set(case["scored_types"])
    said = analyse(mail_from_row({"body": case["text"]}), now=_TODAY)
    found = [(entity.type, entity.text) for entity in said.entities if entity.type in scored]
    marked = [(mark["type"], mark["text"]) for mark in case["expected"] if mark["type"] in scored]
    assert [kind for kind, _ in sorted(found)] == [kind for kind, _ in sorted(marked)]
    for (_, text), (_, mark) in zip(sorted(found), sorted(marked), strict=True):
        # A phone may be marked without its extension.
        assert text == mark or text.startswith(f"{mark} ext")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Son 19'95 €.", {"amount": "19.95", "currency": "EUR"}),
        ("Son 1.250,- €.", {"amount": "1250", "currency": "EUR"}),
        ("Rs. 1,20,000 paid.", {"amount": "120000", "currency": "INR"}),
        ("They paid 420 million finnish markka.", {"amount": "420000000", "currency": None}),
        ("Bill 20931 for EUR 2,460.00 is open.", {"amount": "2460.00", "currency": "EUR"}),
        ("Tras 20931 van euros 2.460,00 y nada más.", {"amount": "2460.00", "currency": "EUR"}),
        ("Mi CIF es B12345674.", "B12345674"),
        ("Llame al 612 34 56 78.", "+34612345678"),
        ("Vence el 30/11/2026.", "2026-11-30"),
    ],
)
def test_values_are_in_one_form(text: str, value: object) -> None:
    (entity,) = analyse(mail_from_row({"body": text}), now=_TODAY).entities
    assert entity.value == value


@pytest.mark.parametrize(
    "text", ["Llámame al 612 34 56 78, 91 555 12 34 o 93 123 45 67", "Teléfono: 954 12 34 56 y 666 777 888"]
)
def test_digits_say_nothing_about_the_language(text: str) -> None:
    assert analyse(mail_from_row({"body": text})).language == "es"
