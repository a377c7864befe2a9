"""The schedule on a real Redis: switches, definitions, runs and counters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workers.errors import BadSchedule, NotFound
from workers.jobs import SCHEDULED_JOBS
from workers.settings import load_settings
from workers.store import Store
from workers.store.schedule import RUNS_KEPT

JOB = "email_processing"


@pytest.fixture
def store(async_redis: object, redis_url: str) -> Store:
    return Store.over(async_redis, load_settings(redis_url=redis_url))


async def ran(store: Store, run_id: str, status: str = "completed", **end: object) -> float | None:
    await store.scheduled_runs.start(JOB, run_id, due=datetime.now(UTC), attempt=1, at_work_s=60)
    return await store.scheduled_runs.finish(JOB, run_id, status, **end)  # type: ignore[arg-type]


async def test_the_six_jobs_are_there_before_any_scheduler(store: Store) -> None:
    jobs = await store.schedule.jobs()
    assert [job.id for job in jobs] == list(SCHEDULED_JOBS)
    for job in jobs:
        assert job.enabled and len(job.upcoming) == 5 and job.next_run == job.upcoming[0]
        assert job.last_run is None and job.run_count == 0


async def test_disabling_keeps_history_and_enabling_brings_no_old_fires(store: Store) -> None:
    await store.schedule.define(SCHEDULED_JOBS.values())
    await ran(store, "1")
    disabled = await store.schedule.disable(JOB)
    assert not disabled.enabled and disabled.next_run is None and disabled.upcoming == ()
    assert disabled.run_count == 1 and len(await store.schedule.runs(JOB)) == 1
    before = (await store.schedule.standing(JOB)).last_due
    enabled = await store.schedule.enable(JOB)
    after = (await store.schedule.standing(JOB)).last_due
    assert enabled.enabled and before is not None and after is not None and after > before


async def test_enabling_what_is_enabled_forgets_no_due_fire(store: Store) -> None:
    await store.schedule.define(SCHEDULED_JOBS.values())
    await store.schedule.disable(JOB)
    await store.schedule.enable(JOB)
    first = await store.schedule.standing(JOB)
    await store.schedule.enable(JOB)
    assert await store.schedule.standing(JOB) == first


async def test_a_moved_job_shows_its_new_times(store: Store) -> None:
    moved = await store.schedule.reschedule(JOB, "0 7 * * 1", "Europe/Madrid")
    assert (moved.schedule, moved.timezone) == ("0 7 * * 1", "Europe/Madrid")
    assert moved.next_run is not None
    assert datetime.fromisoformat(moved.next_run).weekday() == 0
    kept = await store.schedule.reschedule(JOB, "0 8 * * 1")
    assert kept.timezone == "Europe/Madrid", "the timezone stays unless another is named"


@pytest.mark.parametrize(
    ("cron", "timezone", "field"), [("* * * * 9", None, "schedule"), ("* * * * *", "Mars", "timezone")]
)
async def test_a_wrong_line_changes_nothing(
    store: Store, cron: str, timezone: str | None, field: str
) -> None:
    with pytest.raises(BadSchedule) as refused:
        await store.schedule.reschedule(JOB, cron, timezone)
    assert refused.value.field == field
    assert (await store.schedule.get(JOB)).schedule == SCHEDULED_JOBS[JOB].schedule


async def test_an_unknown_job_is_not_found(store: Store) -> None:
    schedule = store.schedule
    for call in (schedule.get, schedule.enable, schedule.disable, schedule.run_now, schedule.runs):
        with pytest.raises(NotFound):
            await call("nobody")
    with pytest.raises(NotFound):
        await schedule.reschedule("nobody", "* * * * *")


async def test_changes_outlive_a_new_definition_and_definitions_may_go(store: Store) -> None:
    own = replace(SCHEDULED_JOBS[JOB], id="mine", actor="sync_mailbox")
    await store.schedule.define([*SCHEDULED_JOBS.values(), own])
    await store.schedule.reschedule("mine", "0 1 * * *")
    version = await store.schedule.version()
    await store.schedule.define([*SCHEDULED_JOBS.values(), own])
    assert await store.schedule.version() == version, "nothing new, nothing to look at"
    await store.schedule.define([*SCHEDULED_JOBS.values(), replace(own, description="Other")])
    mine = await store.schedule.get("mine")
    assert (mine.schedule, mine.description) == ("0 1 * * *", "Other")
    await store.schedule.define(SCHEDULED_JOBS.values())
    with pytest.raises(NotFound):
        await store.schedule.get("mine")


async def test_another_time_in_the_table_makes_up_for_nothing(store: Store) -> None:
    await store.schedule.define(SCHEDULED_JOBS.values())
    before = (await store.schedule.standing(JOB)).last_due
    await store.schedule.define([replace(SCHEDULED_JOBS[JOB], schedule="0 * * * *")])
    after = (await store.schedule.standing(JOB)).last_due
    assert before is not None and after is not None and after > before


async def test_a_run_tells_what_it_did(store: Store) -> None:
    due = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert await store.scheduled_runs.start(JOB, "7", due=due, attempt=1, at_work_s=60)
    running = await store.schedule.get(JOB)
    assert running.is_running and running.run_count == 0
    took_s = await store.scheduled_runs.finish(JOB, "7", "completed", figures={"queued": 3, "names": []})
    assert took_s is not None and took_s >= 0
    (run,) = await store.schedule.runs(JOB)
    assert (run.status, run.figures, run.error) == ("completed", {"queued": 3, "names": []}, None)
    assert datetime.fromisoformat(run.due) == due and run.duration_ms is not None
    job = await store.schedule.get(JOB)
    assert not job.is_running and job.run_count == 1 and job.last_error is None and job.last_run is not None


async def test_a_run_ends_once(store: Store) -> None:
    await ran(store, "7", "failed", error="no luck")
    assert await store.scheduled_runs.finish(JOB, "7", "completed") is None
    assert not await store.scheduled_runs.start(JOB, "7", due=datetime.now(UTC), attempt=2, at_work_s=60)
    job = await store.schedule.get(JOB)
    assert (job.run_count, job.error_count, job.last_error) == (1, 1, "no luck")


async def test_a_good_run_clears_the_error_of_the_last(store: Store) -> None:
    await ran(store, "7", "failed", error="no luck")
    await ran(store, "8")
    job = await store.schedule.get(JOB)
    assert (job.run_count, job.error_count, job.last_error) == (2, 1, None)


async def test_the_last_runs_are_kept_the_newest_first(store: Store) -> None:
    for number in range(RUNS_KEPT + 5):
        await ran(store, str(number))
    runs = await store.schedule.runs(JOB)
    assert [run.id for run in runs[:2]] == [str(RUNS_KEPT + 4), str(RUNS_KEPT + 3)]
    assert len(runs) == RUNS_KEPT
    assert await store.redis.hlen(store.keys.schedule_runs(JOB)) == RUNS_KEPT
    assert [run.id for run in await store.schedule.runs(JOB, limit=3)] == ["204", "203", "202"]


async def test_totals_and_hours_add_up(store: Store) -> None:
    await ran(store, "1")
    await ran(store, "2", "failed", error="no luck")
    await store.schedule.disable("cleanup")
    assert await store.schedule.stats() == {
        "total": 6, "enabled": 5, "disabled": 1,
        "total_runs": 2, "total_errors": 1, "total_skipped": 0, "total_missed": 0,
    }  # fmt: skip
    now = datetime.now(UTC)
    hours = await store.schedule.hours(now - timedelta(hours=2), now + timedelta(hours=1))
    assert hours[JOB].items() >= {"completed": 1, "failed": 1}.items()


async def test_the_first_scheduler_of_a_fleet_asks_for_the_opening_job(store: Store) -> None:
    assert await store.schedulers.join("a", opening_jobs=["graph_sync"])
    assert (await store.schedule.standing("graph_sync")).requested == "start"
    assert not await store.schedulers.join("b", opening_jobs=["graph_sync"])
    assert set(await store.schedulers.silent_s()) == {"a", "b"}
    await store.schedulers.leave("a")
    await store.schedulers.leave("b")
    assert await store.schedulers.join("c", opening_jobs=["graph_sync"]), "a new fleet"


async def test_a_disabled_opening_job_is_not_asked_for(store: Store) -> None:
    await store.schedule.disable("graph_sync")
    assert await store.schedulers.join("a", opening_jobs=["graph_sync"])
    assert not (await store.schedule.standing("graph_sync")).requested
