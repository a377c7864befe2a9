"""Cron lines: standard reading, clock changes against croniter, and errors that name the field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from workers.cron import CronLine
from workers.errors import BadSchedule

# Rows of (line, timezone, after, fires by croniter 7.0.0, those that we do not have). They were recorded over
# the clock changes of 2026. croniter differs from crontab(5) in two ways, and in no other:
# a time that autumn repeats fires twice, and a starred line that spring skips fires once after the gap.
CLOCK_CHANGES = json.loads((Path(__file__).parent / "cron_clock_changes.json").read_text(encoding="utf-8"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fires(line: CronLine, after: str, count: int) -> list[str]:
    return [fire.strftime("%Y-%m-%dT%H:%MZ") for fire in islice(line.after(at(after)), count)]


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "by_croniter", "not_ours"),
    CLOCK_CHANGES,
    ids=[f"{row[0]} {row[1]} {row[2][:7]}" for row in CLOCK_CHANGES],
)
def test_over_clock_changes_as_croniter_but_for_two_things(
    expression: str, timezone: str, after: str, by_croniter: list[str], not_ours: list[str]
) -> None:
    line = CronLine(expression, timezone)
    expected = [fire for fire in by_croniter if fire not in not_ours]
    ours = fires(line, after, len(by_croniter))
    assert list(takewhile(lambda fire: fire <= by_croniter[-1], ours)) == expected
    minute, hour = expression.split()[:2]
    is_starred = minute.startswith("*") or hour.startswith("*")
    for fire in not_ours:
        local = at(fire).astimezone(ZoneInfo(timezone))
        if is_starred:
            assert local.minute == 0 and _gap_ends_at(local), "spring: the minute after the gap"
        else:
            assert local.fold == 1, "autumn: the second time round"


def _gap_ends_at(local: datetime) -> bool:
    one_minute_ago = datetime.fromtimestamp(local.timestamp() - 60, local.tzinfo)
    return one_minute_ago.utcoffset() != local.utcoffset()


def test_a_given_time_runs_once_on_every_day() -> None:
    line = CronLine("30 2 * * *", "Europe/Madrid")
    assert fires(line, "2026-03-28T12:00Z", 2) == ["2026-03-29T01:00Z", "2026-03-30T00:30Z"], "after the gap"
    assert fires(line, "2026-10-24T12:00Z", 2) == ["2026-10-25T00:30Z", "2026-10-26T01:30Z"], (
        "first pass only"
    )


def test_two_times_of_the_gap_become_one() -> None:
    line = CronLine("0,30 2,3 * * *", "Europe/Madrid")
    assert fires(line, "2026-03-28T12:00Z", 3) == [
        "2026-03-29T01:00Z", "2026-03-29T01:30Z", "2026-03-30T00:00Z",
    ]  # fmt: skip


@pytest.mark.parametrize("second_pass", ["2026-10-25T01:00Z", "2026-10-25T01:29Z"])
def test_within_the_repeated_hour_the_next_fire_is_tomorrow(second_pass: str) -> None:
    assert fires(CronLine("30 2 * * *", "Europe/Madrid"), second_pass, 1) == ["2026-10-26T01:30Z"]


@pytest.mark.parametrize("sunday", ["0", "7", "SUN"])
def test_sunday_has_three_names(sunday: str) -> None:
    assert fires(CronLine(f"0 2 * * {sunday}"), "2026-11-22T03:00Z", 1) == ["2026-11-29T02:00Z"]


def test_either_day_suffices_where_both_are_given() -> None:
    assert fires(CronLine("0 0 1 * 1"), "2026-11-22T00:00Z", 3) == [
        "2026-11-23T00:00Z", "2026-11-30T00:00Z", "2026-12-01T00:00Z",
    ]  # fmt: skip


def test_seconds_are_an_extension() -> None:
    fire = CronLine("*/10 * * * * *").next_after(datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC))
    assert fire == datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)


def test_fractions_of_a_second_do_not_repeat_a_fire() -> None:
    line = CronLine("* * * * *")
    fire = line.next_after(datetime(2026, 11, 22, 12, 0, 59, 999_999, tzinfo=UTC))
    assert fire == datetime(2026, 11, 22, 12, 1, tzinfo=UTC)
    assert line.next_after(fire) == datetime(2026, 11, 22, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "timezone", "field", "says"),
    [
        ("60 * * * *", "UTC", "schedule", "minute cannot be '60'"),
        ("* 24 * * *", "UTC", "schedule", "hour cannot be '24'"),
        ("* * 32 * *", "UTC", "schedule", "day-of-month cannot be '32'"),
        ("* * 30 2 *", "UTC", "schedule", "day-of-month cannot be '30'"),
        ("* * * 13 *", "UTC", "schedule", "month cannot be '13'"),
        ("* * * * 8", "UTC", "schedule", "day-of-week cannot be '8'"),
        ("5-1 * * * *", "UTC", "schedule", "minute cannot be '5-1'"),
        ("*/0 * * * *", "UTC", "schedule", "minute cannot be '*/0'"),
        ("* * * *", "UTC", "schedule", "4 fields"),
        ("every day", "UTC", "schedule", "2 fields"),
        ("", "UTC", "schedule", "0 fields"),
        ("* * * * *", "Europe/Atlantis", "timezone", "unknown timezone 'Europe/Atlantis'"),
        ("* * * * *", "../../etc/passwd", "timezone", "unknown timezone"),
    ],
)
def test_an_unreadable_line_says_which_field(expression: str, timezone: str, field: str, says: str) -> None:
    with pytest.raises(BadSchedule, match=says.replace("*", r"\*")) as refused:
        CronLine(expression, timezone)
    assert refused.value.field == field
