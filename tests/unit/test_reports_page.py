"""The report's page: complete, in two languages, self-contained, and harmless whatever the mail says."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from workers.reports import charts
from workers.reports.page import render
from workers.reports.words import WORDS, Language, decimal, duration

SVG = "{http://www.w3.org/2000/svg}"


def a_report(**summary: Any) -> dict[str, Any]:
    return {
        "organizationId": "acme",
        "date": "2026-11-21",
        "timezone": "Europe/Madrid",
        "writtenAt": "2026-11-22T06:00:05+00:00",
        "emailSummary": {
            "received": 3, "done": 2, "skipped": 1, "dead": 0, "open": 0, "toReview": 1,
            "byCategory": {"finance": 2}, "byUrgency": {"low": 1, "high": 1},
            "bySentiment": {}, "byLanguage": {},
            "byRule": {"facturas": 2}, "bySkipReason": {"not_found": 1}, "byHour": [0] * 9 + [3] + [0] * 14,
            "actions": [{"type": "forward", "status": "done", "count": 1}],
            "secondsToDone": {"count": 2, "p50": 1.5, "p95": 75.0},
            "processingMs": {"count": 2, "p50": 40.0, "p95": 80.0},
            "topDomains": [{"domain": "banco.example", "count": 2}],
            "comparison": {
                "days": [{"date": "2026-11-20", "received": 1500, "done": 1, "skipped": 0, "dead": 0}],
                "mean": {"received": 1500.5, "done": 1.0, "skipped": 0.0, "dead": 0.0},
            },
            **summary,
        },
        "learning": {
            "said": {"person": 8, "category": 3, "folder": 1}, "withdrawn": 2,
            "agreement": [{"head": "category", "judged": 8, "rightWithout": 2, "rightLearned": 6}],
        },
        "jobStatistics": [
            {"id": "graph_sync", "completed": 96, "failed": 1, "skipped": 0, "missed": 0, "meanMs": 1234.0}
        ],
        "systemHealth": {
            "checks": 2, "minutes": {"healthy": 1, "degraded": 1, "unhealthy": 0}, "slotMinutes": 15,
            "most": {},
            "course": {
                "waiting": [1.0, None, 3.0] + [None] * 93, "oldestAgeSeconds": [0.5] * 96,
                "memoryBytes": [1e7] * 96, "latencyMs": [None] * 96,
            },
        },
    }  # fmt: skip


def drawings(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "es",
            ["Informe diario", "sábado, 21 de noviembre de 2026", "finanzas", "1.500,5", "1,5 s", "07:00"],
        ),
        ("en", ["Daily report", "Saturday, 21 November 2026", "finance", "1,500.5", "1.5 s", "07:00"]),
    ],
)
def test_it_speaks_both_languages(language: Language, said: list[str]) -> None:
    page = render(a_report(), language)
    assert f'<html lang="{language}">' in page
    for text in said:
        assert text in page


@pytest.mark.parametrize(
    ("language", "said"), [("es", "Acierto sin aprender"), ("en", "Right without learning")]
)
def test_it_tells_how_much_was_right_before_and_after_learning(language: Language, said: str) -> None:
    page = render(a_report(), language)
    assert said in page and ": 8 ·" in page
    assert "<td>25 %</td><td>75 %</td>" in page


def test_every_word_has_both_languages() -> None:
    assert all(len(pair) == 2 and all(pair) for pair in WORDS.values())


def test_it_needs_nothing_from_elsewhere() -> None:
    page = render(a_report(), "es")
    without_namespace = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", without_namespace)


def test_charts_stay_within_their_edges() -> None:
    found = drawings(render(a_report(byRule={"x" * 64: 10**9, "<b>": 1}), "es"))
    assert len(found) >= 6
    for drawing in found:
        _, _, width, height = (float(part) for part in drawing.attrib["viewBox"].split())
        assert drawing.attrib["role"] == "img" and drawing.attrib["aria-label"]
        for rect in drawing.iter(f"{SVG}rect"):
            at = {name: float(rect.attrib[name]) for name in ("x", "y", "width", "height")}
            assert at["x"] >= 0 and at["x"] + at["width"] <= width
            assert at["y"] >= 0 and at["y"] + at["height"] <= height
        for line in drawing.iter(f"{SVG}polyline"):
            for point in line.attrib["points"].split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= width and 0 <= y <= height
        for text in drawing.iter(f"{SVG}text"):
            assert len((text.text or "").strip()) <= 18


def test_text_from_mail_is_only_text() -> None:
    evil = '<script>alert("x")</script>'
    page = render(
        a_report(byRule={evil: 1}, topDomains=[{"domain": evil, "count": 1}], bySkipReason={evil: 1}), "en"
    )
    assert "<script" not in page and "&lt;script&gt;" in page


def test_an_empty_report_says_so() -> None:
    nothing = a_report(
        received=0, done=0, skipped=0, byHour=[0] * 24, byCategory={}, byUrgency={}, byRule={},
        bySkipReason={}, actions=[], topDomains=[], comparison={"days": [], "mean": None},
    )  # fmt: skip
    nothing["jobStatistics"] = []
    nothing["learning"] = {"said": {"person": 0, "category": 0, "folder": 0}, "withdrawn": 0, "agreement": []}
    nothing["systemHealth"]["checks"] = 0
    page = render(nothing, "es")
    assert "Nada ese día." in page and "Sin comprobaciones ese día." in page
    assert drawings(page) == []


def test_gaps_in_the_course_are_gaps_in_the_line() -> None:
    nan = float("nan")
    drawing = charts.lines("t", ["0", "1", "2", "3"], [charts.Series("s", [1, nan, 2, 3])])
    assert drawing.count("<polyline") == 2


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (3, 4), (5, 6), (9.5, 10), (216, 300), (1000, 1000), (1001, 1200)]
)
def test_axes_end_at_round_figures(most: float, top: float) -> None:
    assert charts.nice_top(most) == top


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (7.25, "7.2"), (999, "999"), (12_500, "12.5k"), (3_200_000, "3.2M")]
)
def test_axis_numbers_are_short(value: float, text: str) -> None:
    assert charts.number(value) == text


def test_numbers_and_times_in_the_readers_form() -> None:
    assert decimal(1234567.5, "es") == "1.234.567,5" and decimal(1234567.5, "en") == "1,234,567.5"
    assert [duration(value, "es") for value in (0.25, 1.5, 150, 9000)] == [
        "250 ms",
        "1,5 s",
        "2,5 min",
        "2,5 h",
    ]
