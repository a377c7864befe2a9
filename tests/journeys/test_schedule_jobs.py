"""The scheduled jobs in the whole service: each does its work, says so in its run, and may be run again."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.service import ORGANIZATION, Service
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

BOX = "soporte@acme.example"
SAY_NOTHING = 'report_to = ["jefa@acme.example"]\ntimezone = "Europe/Madrid"'


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SandboxProcess:
    return start_sandbox("--no-samples", "--mailbox", BOX, "--sends-per-minute", "0")


def runs_of(service: Service, job: str, *, trigger: str = "") -> list[dict[str, Any]]:
    """Ended runs of a job, the newest first."""
    runs = service.request("GET", f"/cron/jobs/{job}/runs").data["runs"]
    return [
        run for run in runs if run["status"] in ("completed", "failed") and trigger in ("", run["trigger"])
    ]


def run_now(service: Service, job: str) -> dict[str, Any]:
    """Ask for a run and wait for its end; returns the run."""
    before = len(runs_of(service, job, trigger="request"))
    answer = service.request("POST", f"/cron/jobs/{job}/run")
    assert answer.status == 202, answer.body
    wait_for(
        lambda: len(runs_of(service, job, trigger="request")) > before,
        timeout_s=60,
        what=f"the run of {job} that was asked for",
    )
    return runs_of(service, job, trigger="request")[0]


def test_the_service_opens_with_one_look_at_everything(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    sandbox.deliver(BOX, **{"from": "Ana <ana@cliente.example>", "subject": "Hola", "body": "Texto"})
    service = start_service(sandbox)
    service.wait_until_finished(1, timeout_s=30)
    wait_for(lambda: runs_of(service, "graph_sync", trigger="start"), timeout_s=30, what="the opening run")
    (opening,) = runs_of(service, "graph_sync", trigger="start")
    assert opening["status"] == "completed", opening
    assert opening["figures"]["mailboxesQueued"] == 1 and opening["figures"]["created"] == 1
    again = run_now(service, "graph_sync")["figures"]
    assert (again["created"], again["removed"], again["categories"]) == (0, 0, 0), "nothing twice"
    categories = sandbox.admin("GET", "state")["mailboxes"][BOX]["categories"]
    names = [category["displayName"] for category in categories]
    assert len(names) == len(set(names)) and {"finance", "support", "urgent", "review"} <= set(names)


def test_what_was_left_behind_is_found_and_finished(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox)
    sandbox.deliver(
        BOX, count=30, **{"from": "Ana <ana{n}@cliente.example>", "subject": "Hola {n}", "body": "x"}
    )
    service.wait_until_finished(30)
    lose_messages(service, [line["messageId"] for line in service.journal()])
    assert service.unfinished() == 30
    run = run_now(service, "email_processing")
    assert run["figures"].items() >= {"found": 30, "queued": 30, "left": 0}.items()
    wait_for(lambda: service.unfinished() == 0, timeout_s=60, what="the lost messages to be finished")
    assert run_now(service, "email_processing")["figures"]["queued"] == 0
    assert len(sandbox.sent(BOX)) == 0


def lose_messages(service: Service, message_ids: list[str]) -> None:
    """As if workers had died an hour ago, after the claim, and the queue had lost the messages."""
    hour_ago = int((time.time() - 3600) * 1000)
    with service.redis() as client:
        for message_id in message_ids:
            key = f"{{econeura}}:email:{BOX}:{message_id}"
            client.hset(key, mapping={"state": "claimed", "claim_owner": "dead", "claim_until": hour_ago})
            client.zadd(f"{{econeura}}:unfinished:{ORGANIZATION}", {f"{BOX}\n{message_id}": hour_ago})


def test_a_worker_killed_while_jobs_run_costs_no_run(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox)
    sandbox.deliver(
        BOX, count=120, **{"from": "Ana <ana{n}@cliente.example>", "subject": "Hola {n}", "body": "x"}
    )
    service.wait_until_finished(120)
    lose_messages(service, [line["messageId"] for line in service.journal()])
    jobs = ("email_processing", "graph_sync", "cleanup", "health_check", "daily_reports", "weekly_export")
    for job in jobs:
        assert service.request("POST", f"/cron/jobs/{job}/run").status == 202
    wait_for(
        lambda: service.request("GET", "/cron/jobs/email_processing/runs").data["count"] > 0, timeout_s=10
    )
    for worker in service.processes("worker"):
        worker.kill()
    for job in jobs:
        wait_for(
            lambda name=job: runs_of(service, name, trigger="request"),  # type: ignore[misc]
            timeout_s=90,
            what=f"{job} to end after its worker was killed",
        )
        (run,) = runs_of(service, job, trigger="request")
        assert run["status"] == "completed", run
    wait_for(lambda: service.unfinished() == 0, timeout_s=60, what="the lost messages to be finished")


def test_the_health_of_everything_is_kept(sandbox: SandboxProcess, start_service: StartService) -> None:
    service = start_service(sandbox)
    wait_for(lambda: runs_of(service, "graph_sync"), timeout_s=30, what="the opening run")
    run = run_now(service, "health_check")
    assert run["status"] == "completed"
    with service.redis() as client:
        health = json.loads(client.get("{econeura}:health"))
    assert datetime.fromisoformat(health["checkedAt"]) > datetime.now(UTC) - timedelta(minutes=2)
    services = health["services"]
    assert services["redis"]["status"] == "healthy" and services["redis"]["appendOnlyFile"] is True
    assert services["queue"]["workers"] == 1 and services["schedulers"]["alive"] == 1
    organization = services["graph"]["organizations"][ORGANIZATION]
    assert organization["status"] == "healthy", organization
    assert organization["subscriptions"] == 1 and organization["subscriptionSecondsLeft"] > 86400
    metrics = service.request("GET", "/metrics").body
    assert f'econeura_subscription_seconds_left{{organization_id="{ORGANIZATION}"}}' in metrics
    assert 'econeura_cron_jobs_executed_total{job_id="health_check",status="completed"}' in metrics


def test_the_report_of_yesterday_is_written_and_mailed_once(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=SAY_NOTHING)
    yesterday = time.time() - 86400
    line = {
        "messageId": "m1", "mailbox": BOX, "state": "done", "category": "finance",
        "seenAt": int(yesterday * 1000) - 900, "ms": 40,
    }  # fmt: skip
    with service.redis() as client:
        client.xadd(
            f"{{econeura}}:journal:{ORGANIZATION}",
            {"line": json.dumps(line)},
            id=f"{int(yesterday * 1000)}-0",
        )
    run = run_now(service, "daily_reports")
    assert run["figures"] == {"written": 1, "mailed": 1}, run
    (mail,) = sandbox.sent(BOX)
    assert mail["to"] == ["jefa@acme.example"] and mail["subject"].startswith("Informe diario · acme")
    assert run_now(service, "daily_reports")["figures"] == {"written": 1, "mailed": 0}
    assert len(sandbox.sent(BOX)) == 1 and sandbox.folder(BOX, "drafts") == []
    day = datetime.fromtimestamp(yesterday, ZoneInfo("Europe/Madrid")).date().isoformat()
    (report,) = service.request("GET", f"/reports/{day}").data["reports"]
    assert sorted(report["formats"]) == ["html", "json"]


def test_last_week_is_exported_and_cleaned_up_after_its_retention(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox)
    old = time.time() - 200 * 86400
    with service.redis() as client:
        for number in range(400):
            line = json.dumps({"messageId": f"m{number}", "state": "done"})
            client.xadd(
                f"{{econeura}}:journal:{ORGANIZATION}", {"line": line}, id=f"{int(old * 1000) + number}-0"
            )
    first = run_now(service, "cleanup")["figures"]
    assert first["journal"]["count"] == 0, "not exported yet"
    exported = run_now(service, "weekly_export")["figures"]
    assert exported["records"] == 400 and exported["weeks"] >= 28
    cleaned = run_now(service, "cleanup")["figures"]
    assert cleaned["journal"]["count"] >= 300 and cleaned["journal"]["bytes"] > 0
    exports = service.request("GET", "/exports").data["exports"]
    assert len(exports) == exported["weeks"] and sum(export["records"] for export in exports) == 400


def test_the_organizations_file_adds_jobs_and_moves_ours(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    tables = f"""
    timezone = "Europe/Madrid"
    [organizations.{ORGANIZATION}.jobs.daily_reports]
    schedule = "0 8 * * *"
    timezone = "Europe/Madrid"
    [jobs.look]
    schedule = "* * * * * *"
    actor = "sync_mailbox"
    arguments = {{ organization_id = "{ORGANIZATION}", mailbox = "{BOX}" }}
    [jobs.lost]
    schedule = "0 0 1 1 *"
    actor = "no_such_actor"
    """
    service = start_service(sandbox, rules=tables, public=False)
    wait_for(lambda: runs_of(service, "look"), timeout_s=30, what="a run of the file's own job")
    assert runs_of(service, "look")[0]["status"] == "completed"
    failed = run_now(service, "lost")
    assert failed["status"] == "failed" and "no_such_actor" in failed["error"]
    assert run_now(service, "daily_reports")["figures"]["written"] == 0, "its organization has its own time"
    assert run_now(service, f"daily_reports@{ORGANIZATION}")["figures"]["written"] == 1
    job = service.request("GET", f"/cron/jobs/daily_reports@{ORGANIZATION}").data["job"]
    assert (job["schedule"], job["timezone"]) == ("0 8 * * *", "Europe/Madrid")


def test_switches_of_the_api_act_at_once_and_outlive_a_restart(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox)
    disabled = service.request("POST", "/cron/jobs/health_check/disable").data["job"]
    assert disabled["enabled"] is False and disabled["nextRun"] is None
    moved = service.request("PUT", "/cron/jobs/cleanup/schedule", {"schedule": "15 3 * * *"}).data["job"]
    assert moved["schedule"] == "15 3 * * *"
    bad = service.request("PUT", "/cron/jobs/cleanup/schedule", {"schedule": "15 25 * * *"})
    assert bad.status == 422 and "hour" in json.dumps(bad.body)
    assert service.request("POST", "/cron/jobs/nobody/run").status == 404
    assert service.stop() == 0
    service.start()
    jobs = {job["id"]: job for job in service.request("GET", "/cron/jobs").data["jobs"]}
    assert jobs["health_check"]["enabled"] is False and jobs["cleanup"]["schedule"] == "15 3 * * *"
    assert run_now(service, "health_check")["status"] == "completed", "by hand it still runs"
