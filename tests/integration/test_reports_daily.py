"""The reports of a day from a real journal: their figures, their files, and what is repeated or left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.generated_day import lines_of_day, write_day, write_service_day
from tests.lent_context import ACME, lent
from workers.pipeline.context import Context
from workers.reports import files
from workers.reports.daily import write_daily_reports
from workers.settings import load_settings
from workers.store import Correction, Judged, NewMessage

SIX = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
YESTERDAY = date(2026, 11, 21)


@pytest.fixture
async def context(redis_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path)) as context:
        yield context


def read(context: Context, day: date = YESTERDAY) -> dict[str, Any]:
    report = files.read(context.settings.data_dir, "acme", day)
    assert report is not None
    return report


async def test_the_figures_add_up(context: Context) -> None:
    await write_day(context.store, ACME, YESTERDAY, 2000)
    await write_service_day(context.store, ACME, YESTERDAY)
    done = await write_daily_reports(context, [ACME], SIX, owner="q1")
    assert done.figures == {"written": 1, "mailed": 0} and not done.problem
    report = read(context)
    summary: dict[str, Any] = report["emailSummary"]
    lines = [line for _, line in lines_of_day(ACME, YESTERDAY, 2000)]
    assert summary["received"] == sum(summary["byHour"]) == 2000
    assert summary["done"] + summary["skipped"] + summary["dead"] == 2000
    assert summary["dead"] == sum(line["state"] == "dead" for line in lines)
    assert summary["byCategory"]["finance"] == sum(line["category"] == "finance" for line in lines)
    assert sum(summary["byUrgency"].values()) == 2000
    assert summary["toReview"] == sum(line["abstained"] for line in lines)
    health: dict[str, Any] = report["systemHealth"]
    assert health["minutes"] == {"healthy": 1425, "degraded": 15, "unhealthy": 0}
    assert len(health["course"]["waiting"]) == 96 and health["most"]["deadLetters"] == 2
    jobs: list[dict[str, Any]] = report["jobStatistics"]
    assert {job["id"]: job["completed"] for job in jobs}["health_check"] == 1440
    page = files.path_of(context.settings.data_dir, "acme", YESTERDAY, "html").read_text(encoding="utf-8")
    assert "Informe diario" in page and "2.000" in page


async def test_a_day_without_mail_is_a_valid_report(context: Context) -> None:
    done = await write_daily_reports(context, [ACME], SIX, owner="q1")
    assert done.figures["written"] == 1
    summary: dict[str, Any] = read(context)["emailSummary"]
    assert summary["received"] == 0 and summary["comparison"] == {"days": [], "mean": None}


async def test_writing_it_again_changes_nothing_but_the_hour(context: Context) -> None:
    await write_day(context.store, ACME, YESTERDAY, 300)
    await write_daily_reports(context, [ACME], SIX, owner="q1")
    first = read(context)
    await write_daily_reports(context, [ACME], SIX, owner="q2")
    assert {**read(context), "writtenAt": ""} == {**first, "writtenAt": ""}
    folder = files.path_of(context.settings.data_dir, "acme", YESTERDAY, "json").parent
    assert sorted(path.name for path in folder.iterdir()) == ["daily_report.html", "daily_report.json"]


async def test_days_that_an_outage_left_out_are_written_afterwards(context: Context) -> None:
    for back in (4, 3, 2, 1):
        await write_day(context.store, ACME, YESTERDAY - timedelta(days=back - 1), 50 * back)
    done = await write_daily_reports(context, [ACME], SIX, owner="q1")
    assert done.figures["written"] == 4
    summary: dict[str, Any] = read(context)["emailSummary"]
    assert [day["received"] for day in summary["comparison"]["days"]] == [200, 150, 100]
    assert summary["comparison"]["mean"]["received"] == 150.0
    assert (await write_daily_reports(context, [ACME], SIX, owner="q2")).figures["written"] == 1


async def test_the_day_is_the_organizations_own(context: Context) -> None:
    tokyo = ACME.model_copy(update={"timezone": "Asia/Tokyo"})
    await write_daily_reports(context, [tokyo], datetime(2026, 11, 22, 16, 0, tzinfo=UTC), owner="q1")
    assert files.read(context.settings.data_dir, "acme", date(2026, 11, 22)) is not None, (
        "already the 23rd there"
    )


async def test_open_messages_are_received_and_open(context: Context) -> None:
    await context.store.ledger.record("acme", ACME.mailboxes[0], [NewMessage("m1", {})])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await write_daily_reports(context, [ACME], tomorrow, owner="q1")
    day = tomorrow.astimezone(ACME.zone).date() - timedelta(days=1)
    summary: dict[str, Any] = read(context, day)["emailSummary"]
    assert (summary["received"], summary["open"], summary["done"]) == (1, 1, 0)


async def test_one_organizations_trouble_stays_with_it(context: Context) -> None:
    blocked = ACME.model_copy(update={"id": "blocked"})
    (context.settings.data_dir / "reports").mkdir()
    (context.settings.data_dir / "reports" / "blocked").write_text("a file where a folder must be")
    done = await write_daily_reports(context, [blocked, ACME], SIX, owner="q1")
    assert done.problem == "blocked: NotADirectoryError" and read(context)


async def test_other_organizations_jobs_are_none_of_its_business(context: Context) -> None:
    async with context.store.redis.pipeline() as step:
        key = context.store.keys.schedule_hour("2026-11-21T12")
        for job in ("cleanup", "daily_reports@acme", "daily_reports@other"):
            step.hset(key, f"{job}|completed", 1)
        await step.execute()
    await write_daily_reports(context, [ACME], SIX, owner="q1")
    jobs: list[dict[str, Any]] = read(context)["jobStatistics"]
    assert [job["id"] for job in jobs] == ["cleanup", "daily_reports@acme"]


async def test_it_tells_what_people_said_that_day_and_how_much_had_been_right(context: Context) -> None:
    corrections = context.store.corrections
    for number in range(4):
        said = Correction(f"m{number}", 1000, "person", "key:1", {"category": "sales"}, {}, b"")
        await corrections.keep("acme", said, {"category": Judged(without=number == 0, learned=number != 1)})
    await corrections.keep("acme", Correction("m9", 1000, "folder", "", {}, {}, b""), {})
    await corrections.withdraw("acme", "m0", by="key:1", source="person")
    today = datetime.now(ACME.zone)
    await write_daily_reports(context, [ACME], today + timedelta(days=1), owner="q1")
    assert read(context, today.date())["learning"] == {
        "said": {"person": 4, "category": 0, "folder": 1},
        "withdrawn": 1,
        "agreement": [{"head": "category", "judged": 4, "rightWithout": 1, "rightLearned": 3}],
    }
    await write_daily_reports(context, [ACME], SIX, owner="q2")
    assert read(context)["learning"]["agreement"] == []
