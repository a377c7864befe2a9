"""Rows of the export: complete, in order, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.export.rows import COLUMNS, cells_of, harmless, record_of
from workers.export.week import Week

MADRID = ZoneInfo("Europe/Madrid")
LINE = {
    "messageId": "AAMk", "mailbox": "soporte@acme.example", "subject": "=1+1", "fromDomain": "banco.example",
    "state": "done", "reason": "", "category": "finance", "confidence": 0.91, "abstained": False,
    "urgency": "low", "sentiment": "neutral", "language": "es", "rule": "facturas", "action": "forward",
    "actions": [{"type": "forward", "status": "done", "detail": "sent to 1 at acme.example"}],
    "receivedAt": "2026-11-16T08:00:00Z", "seenAt": 1_763_280_001_000, "ms": 120,
}  # fmt: skip


def test_a_record_has_every_column_in_its_place() -> None:
    record = record_of("1763280003500-0", LINE)
    assert set(record) == set(COLUMNS)
    row = dict(zip(COLUMNS, cells_of(record), strict=True))
    assert row["endedAt"] == "2025-11-16T08:00:03.500+00:00" and row["secondsToEnd"] == "2.5"
    assert row["subject"] == "'=1+1" and record["subject"] == "=1+1", "JSON keeps the text as it is"
    assert row["actions"] == "forward:done" and row["abstained"] == "false"


def test_what_is_missing_is_empty() -> None:
    record = record_of("1763280003500-0", {"messageId": "AAMk", "state": "skipped", "reason": "not_found"})
    row = dict(zip(COLUMNS, cells_of(record), strict=True))
    assert row["category"] == "" and row["secondsToEnd"] == "" and record["category"] is None


@pytest.mark.parametrize(
    "cell",
    ['=HYPERLINK("http://evil")', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "－1"],
)
def test_a_formula_is_made_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Factura 42", "a=b", "año – 2026", "1-2"])
def test_other_text_stays(cell: str) -> None:
    assert harmless(cell) == cell


@given(st.text())
def test_no_text_breaks_the_table_or_starts_a_formula(subject: str) -> None:
    record = record_of("1763280003500-0", {**LINE, "subject": subject})
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells_of(record))
    (row,) = csv.reader(io.StringIO(text.getvalue(), newline=""))
    assert len(row) == len(COLUMNS)
    shown = row[COLUMNS.index("subject")]
    assert shown.removeprefix("'") == subject.removeprefix("'")
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))


def test_a_week_is_the_organizations_own() -> None:
    since, until = Week(2026, 13).bounds(MADRID)
    assert (since, until) == (
        datetime(2026, 3, 22, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC),
    )  # fmt: skip
    assert Week.of(since, MADRID) == Week(2026, 13) == Week.of(until.replace(hour=21), MADRID)


def test_the_week_of_the_run_is_not_complete() -> None:
    sunday = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    assert Week.last_complete(sunday, MADRID).name == "2026-W46"
    assert Week.last_complete(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), MADRID).name == "2026-W47"


def test_years_have_52_or_53_weeks() -> None:
    names = [week.name for week in Week(2026, 52).until(Week(2027, 1))]
    assert names == ["2026-W52", "2026-W53", "2027-W01"]
