"""The README's API examples against the whole service: what callers of the API see of real work."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.service import ORGANIZATION, Service
from tests.journeys.test_mail_path import BOX, RULES
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SandboxProcess:
    return start_sandbox("--no-samples", "--mailbox", BOX, "--sends-per-minute", "0")


@pytest.fixture
def service(sandbox: SandboxProcess, start_service: StartService) -> Service:
    return start_service(sandbox, rules=RULES)


def process(service: Service, message_id: str, *, wait: bool = True, **fields: Any) -> Any:
    headers = {"Prefer": "wait=30"} if wait else {}
    body = {"messageId": message_id, "organizationId": ORGANIZATION, **fields}
    return service.request("POST", "/emails/process", body, headers)


def trace(service: Service, message_id: str) -> dict[str, Any]:
    path = f"/emails/{quote(message_id, safe='')}?organizationId={ORGANIZATION}"
    answer = service.request("GET", path)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.data["email"]
    return found


def end_of(service: Service, location: str) -> dict[str, Any]:
    """The job once it has ended."""

    def ended() -> dict[str, Any]:
        job: dict[str, Any] = service.request("GET", location).data["job"]
        return job if job["status"] in ("completed", "failed") else {}

    return wait_for(ended, timeout_s=90, what="the job to end")


def test_a_message_asked_for_again_has_the_same_result_and_no_second_effect(
    sandbox: SandboxProcess, service: Service
) -> None:
    (delivered,) = sandbox.deliver(
        BOX, subject="Ayuda con el acceso", **{"from": "Ana <ana@cliente.example>"}
    )
    first = process(service, delivered["id"])
    assert first.status == 200 and first.data["status"] == "completed"
    result = first.data["result"]
    assert result["messageId"] == delivered["id"] and result["action"] == "respond" and result["processed"]
    assert {"category", "sentiment", "urgency", "language", "entities"} <= set(result["metadata"])
    assert [(action["type"], action["status"]) for action in result["actions"]] == [
        ("categorize", "done"),
        ("respond", "done"),
    ]
    again = process(service, delivered["id"])
    assert again.data["status"] == "completed" and again.data["result"] == result
    forced = process(service, delivered["id"], force=True)
    assert forced.data["status"] == "completed" and forced.data["result"]["actions"] == result["actions"]
    assert len(sandbox.sent(BOX)) == 1


def test_without_waiting_the_job_is_followed_by_its_address(
    sandbox: SandboxProcess, service: Service
) -> None:
    (delivered,) = sandbox.deliver(BOX, subject="Factura 7")
    accepted = process(service, delivered["id"], wait=False)
    assert accepted.status == 202 and accepted.data["status"] == "queued"
    location = accepted.headers["Location"]
    assert location == f"/jobs/{accepted.data['jobId']}"
    job = end_of(service, location)
    assert job["status"] == "completed" and job["result"]["action"] == "forward"
    seen = trace(service, delivered["id"])
    assert seen["state"] == "done" and seen["rule"] == "facturas"
    assert "body" not in seen and all(action["attempts"] >= 1 for action in seen["actions"])


def test_a_message_that_graph_does_not_have_fails_its_job(service: Service) -> None:
    answer = process(service, "AAMkADoesNotExist/+=")
    assert answer.status == 200 and answer.data["status"] == "failed"
    assert answer.data["error"]["code"] == "not_found" and answer.data["result"] is None


def test_a_bulk_of_100_tells_its_progress_to_the_end(sandbox: SandboxProcess, service: Service) -> None:
    delivered = sandbox.deliver(BOX, subject="Factura {n}", count=99)
    ids = [message["id"] for message in delivered] + ["AAMkNobody="]
    answer = service.request(
        "POST", "/emails/process/bulk", {"messageIds": ids, "organizationId": ORGANIZATION}
    )
    assert answer.status == 202 and answer.data["accepted"] == 100
    job = end_of(service, f"/jobs/{answer.data['jobId']}")
    assert job["progress"] == {"total": 100, "done": 99, "failed": 1}
    assert len(sandbox.folder(BOX, "archive")) == 99 and len(sandbox.sent(BOX)) == 99


def test_a_paused_organization_records_and_does_not_act(sandbox: SandboxProcess, service: Service) -> None:
    assert service.request("POST", f"/organizations/{ORGANIZATION}/pause").status == 200
    (delivered,) = sandbox.deliver(BOX, subject="Factura 8")
    (line,) = service.wait_until_finished(1)
    assert (line["state"], line["reason"]) == ("skipped", "paused")
    assert sandbox.sent(BOX) == [] and len(sandbox.folder(BOX, "inbox")) == 1
    assert service.request("POST", f"/organizations/{ORGANIZATION}/resume").status == 200
    assert process(service, delivered["id"]).data["result"]["action"] == "forward", "asked for by name"
