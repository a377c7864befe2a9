"""Figures of a day's mail: what counts for which day, and how it is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workers.reports.email_day import EmailDay

MADRID = ZoneInfo("Europe/Madrid")


def a_day(year: int = 2026, month: int = 11, day: int = 22) -> EmailDay:
    return EmailDay(datetime(year, month, day, tzinfo=MADRID), MADRID)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def a_line(seen: str, **fields: Any) -> dict[str, Any]:
    return {"state": "done", "seenAt": ms(seen), "ms": 40, "actions": [], **fields}


def test_an_empty_day_is_a_valid_day() -> None:
    summary = a_day().summary()
    assert summary["received"] == summary["done"] == 0
    assert summary["byHour"] == [0] * 24 and summary["byCategory"] == {}
    assert summary["secondsToDone"] == {"count": 0, "p50": 0.0, "p95": 0.0}


def test_a_message_counts_as_received_where_it_came_and_as_done_where_it_ended() -> None:
    came, ended = a_day(day=22), a_day(day=23)
    line = a_line("2026-11-22T23:59:50+01:00")
    for day in (came, ended):
        day.add(ms("2026-11-23T00:00:10+01:00"), line)
    assert (came.summary()["received"], came.summary()["done"]) == (1, 0)
    assert (ended.summary()["received"], ended.summary()["done"]) == (0, 1)
    assert ended.summary()["secondsToDone"]["p50"] == 20.0


def test_hours_are_the_organizations_own() -> None:
    day = a_day()
    day.add(ms("2026-11-22T08:31:00Z"), a_line("2026-11-22T08:30:00Z"))
    assert day.summary()["byHour"][9] == 1


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (11, 22, 24)])
def test_a_day_is_as_long_as_it_was(month: int, day: int, hours: int) -> None:
    figures = a_day(month=month, day=day)
    assert figures.end - figures.start == timedelta(hours=hours)
    assert figures.start.tzinfo is UTC


def test_everything_is_counted_by_what_it_is() -> None:
    day = a_day()
    at = "2026-11-22T12:00:00Z"
    day.add(ms(at) + 1000, a_line(at, category="finance", urgency="high", fromDomain="banco.example",
            rule="facturas", actions=[{"type": "forward", "status": "done"}]))  # fmt: skip
    day.add(ms(at) + 3000, a_line(at, category="finance", abstained=True, language="es"))
    day.add(ms(at), a_line(at, state="skipped", reason="paused"))
    day.add(ms(at), a_line(at, state="dead"))
    day.add_open(ms(at))
    day.add_open(ms("2026-11-20T12:00:00Z"))
    summary = day.summary()
    counts = {name: summary[name] for name in ("received", "done", "skipped", "dead", "open", "toReview")}
    assert counts == {"received": 5, "done": 2, "skipped": 1, "dead": 1, "open": 1, "toReview": 1}
    assert summary["byCategory"] == {"finance": 2} and summary["byUrgency"] == {"high": 1}
    assert summary["bySkipReason"] == {"paused": 1} and summary["byRule"] == {"facturas": 1}
    assert summary["actions"] == [{"type": "forward", "status": "done", "count": 1}]
    assert summary["topDomains"] == [{"domain": "banco.example", "count": 1}]
    assert summary["secondsToDone"] == {"count": 2, "p50": 3.0, "p95": 3.0}
