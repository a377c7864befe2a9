"""What the watch finds: jobs late, runs without end, schedulers gone, a queue that does not move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workers.broker.stats import QueueStats
from workers.health.part import Part, worst
from workers.health.queue_part import look_at_queue
from workers.health.schedule_part import look_at_schedule, look_at_schedulers
from workers.jobs import SCHEDULED_JOBS
from workers.store.job_state import Standing, ms_of, standing_of

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def standing(job_id: str = "email_processing", **fields: object) -> Standing:
    state = {"last_due": ms_of(NOW - MINUTE), **fields}
    return standing_of(
        SCHEDULED_JOBS[job_id], {name.encode(): str(value).encode() for name, value in state.items()}
    )


def look(one: Standing) -> Part:
    return look_at_schedule([one], NOW, asking="health_check")


def test_a_schedule_on_time_is_healthy() -> None:
    assert look(standing()).status == "healthy"


def test_a_job_that_should_have_run_is_late() -> None:
    part = look(standing(last_due=ms_of(NOW - 12 * MINUTE)))
    assert part.status == "degraded" and part.figures["late"] == ["email_processing"]
    assert "should have run and did not" in part.reasons[0]


def test_a_disabled_job_is_not_late() -> None:
    assert look(standing(last_due=ms_of(NOW - 60 * MINUTE), enabled=0)).status == "healthy"


@pytest.mark.parametrize(("minutes", "overdue"), [(5, []), (6, ["email_processing"])])
def test_a_run_past_its_time_limit_is_overdue(minutes: int, overdue: list[str]) -> None:
    began = ms_of(NOW - minutes * MINUTE)
    part = look(standing(running="7", running_since=began, running_until=began + 10**7))
    assert part.figures["overdue"] == overdue


def test_the_job_that_asks_is_at_work_of_course() -> None:
    part = look(standing("health_check", running="7", running_since=ms_of(NOW - 60 * MINUTE)))
    assert part.figures["overdue"] == []


def test_a_job_that_failed_is_named() -> None:
    assert look(standing(last_error="no luck")).reasons == ["job email_processing failed the last time"]


@pytest.mark.parametrize(
    ("silent_s", "status"),
    [
        ({"a": 0.5, "b": 1.0}, "healthy"),
        ({"a": 0.5, "b": 60.0}, "degraded"),
        ({"a": 60.0}, "unhealthy"),
        ({}, "unhealthy"),
    ],
)
def test_schedulers_that_are_gone_are_missed(silent_s: dict[str, float], status: str) -> None:
    assert look_at_schedulers(silent_s).status == status


@pytest.mark.parametrize(("age_s", "status"), [(0.0, "healthy"), (299.0, "healthy"), (301.0, "degraded")])
def test_a_queue_that_does_not_move_is_degraded(age_s: float, status: str) -> None:
    stats = QueueStats(sizes={("waiting", "normal", "process_email"): 3}, workers=2)
    stats.oldest_age_s["normal"] = age_s
    part = look_at_queue(stats)
    assert part.status == status and part.figures["waiting"] == 3 and part.figures["workers"] == 2


def test_the_worst_counts() -> None:
    assert worst(["healthy", "unhealthy", "degraded"]) == "unhealthy"
    assert worst([]) == "healthy"
