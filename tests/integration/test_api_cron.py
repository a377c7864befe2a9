"""The schedule through the API."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.api_service import Api
from workers.jobs import SCHEDULED_JOBS


async def test_every_job_is_listed_with_its_next_fires(api: Api) -> None:
    jobs = {job["id"]: job for job in (await api.get("/cron/jobs")).data["jobs"]}
    assert jobs.keys() == SCHEDULED_JOBS.keys()
    sync = jobs["graph_sync"]
    assert (sync["schedule"], sync["timezone"], sync["enabled"]) == ("*/15 * * * *", "UTC", True)
    fires = [datetime.fromisoformat(fire) for fire in sync["upcoming"]]
    assert len(fires) == 5 and fires == sorted(fires)
    assert all(fire.minute % 15 == 0 and fire.tzinfo is not None for fire in fires)
    assert datetime.fromisoformat(sync["nextRun"]) == fires[0]


async def test_a_job_is_switched_off_and_on(api: Api) -> None:
    off = await api.post("/cron/jobs/cleanup/disable")
    assert (off.status, off.data["job"]["enabled"], off.data["job"]["nextRun"]) == (200, False, None)
    assert (await api.get("/cron/stats")).data["stats"]["disabled"] == 1
    on = await api.post("/cron/jobs/cleanup/enable")
    assert (on.status, on.data["job"]["enabled"]) == (200, True)
    assert (await api.get("/cron/jobs/cleanup")).data["job"]["nextRun"] is not None


async def test_a_job_moves_to_another_time(api: Api) -> None:
    moved = await api.request(
        "PUT", "/cron/jobs/cleanup/schedule", json={"schedule": "0 7 * * 0", "timezone": "Europe/Madrid"}
    )
    job = moved.data["job"]
    assert (job["schedule"], job["timezone"]) == ("0 7 * * 0", "Europe/Madrid")
    assert datetime.fromisoformat(job["nextRun"]).weekday() == 6
    kept = await api.request("PUT", "/cron/jobs/cleanup/schedule", json={"schedule": "5 7 * * *"})
    assert kept.data["job"]["timezone"] == "Europe/Madrid"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"schedule": "every day"}, "schedule"),
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"schedule": "* * * * *", "timezone": "Mars/Olympus"}, "timezone"),
        ({"schedule": "* * * * *", "timezone": "../../etc/passwd"}, "timezone"),
        ({"schedule": "9" * 200}, "schedule"),
        ({}, "schedule"),
    ],
    ids=str,
)
async def test_a_time_that_cannot_be_read_changes_nothing(api: Api, body: dict[str, str], field: str) -> None:
    reply = await api.request("PUT", "/cron/jobs/cleanup/schedule", json=body)
    assert (reply.status, reply.fields) == (422, [field])
    job = (await api.get("/cron/jobs/cleanup")).data["job"]
    assert (job["schedule"], job["timezone"]) == ("0 * * * *", "UTC")


async def test_a_run_by_hand_is_asked_for(api: Api) -> None:
    before = await api.store.schedule.version()
    reply = await api.post("/cron/jobs/health_check/run")
    assert (reply.status, reply.data["job"]["id"]) == (202, "health_check")
    assert await api.store.schedule.version() > before
    assert (await api.store.schedule.standings())["health_check"].requested


async def test_runs_are_told_newest_first(api: Api) -> None:
    assert (await api.get("/cron/jobs/cleanup/runs?limit=5")).data == {"runs": [], "count": 0}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cron/jobs/nothing"),
        ("GET", "/cron/jobs/nothing/runs"),
        ("POST", "/cron/jobs/nothing/enable"),
        ("POST", "/cron/jobs/nothing/disable"),
        ("POST", "/cron/jobs/nothing/run"),
    ],
)
async def test_an_unknown_job_is_not_found(api: Api, method: str, path: str) -> None:
    assert (await api.request(method, path)).status == 404


async def test_the_totals_add_up(api: Api) -> None:
    stats = (await api.get("/cron/stats")).data["stats"]
    assert stats["total"] == stats["enabled"] + stats["disabled"] == len(SCHEDULED_JOBS)
    assert (stats["totalRuns"], stats["totalErrors"]) == (0, 0)
