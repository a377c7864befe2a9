"""People correct the analysis: like mails come out right from then on, in their organization alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.service import ORGANIZATION, Answer, Service
from tests.like_mails import corrections, rows, signatures
from tests.sandbox_process import SandboxProcess

OURS, THEIRS = "reservas@acme.example", "info@solo.example"
KIND, RIGHT = "es-claims", "finance"


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SandboxProcess:
    return start_sandbox("--no-samples", "--mailbox", OURS)


@pytest.fixture
def service(sandbox: SandboxProcess, start_service: StartService) -> Service:
    sandbox.add_mailbox(THEIRS)
    run = sandbox.run
    return start_service(
        sandbox,
        mode="observe",
        rules=f"""
        [organizations.solo]
        tenant_id = "{run["tenant_id"]}"
        client_id = "{run["client_id"]}"
        client_secret = "env:ACME_SECRET"
        mailboxes = {json.dumps([THEIRS])}
        process_since = "2020-01-01T00:00:00Z"
        mode = "observe"
        """,
    )


def deliver(sandbox: SandboxProcess, mailbox: str, mails: Iterable[Mapping[str, Any]]) -> list[str]:
    """Deliver mails as given; returns their ids."""
    ids = []
    for mail in mails:
        fields = {name: mail[name] for name in ("subject", "from", "body")}
        ids.append(str(sandbox.deliver(mailbox, **fields)[0]["id"]))
    return ids


def analyses(service: Service, organization: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    """How messages were understood, without what differs between two of the same text."""
    found = []
    for message_id in ids:
        body = {"messageId": message_id, "organizationId": organization}
        ended = service.request("POST", "/emails/process", body, {"Prefer": "wait=30"})
        assert ended.data["status"] == "completed", ended.body
        email = service.request("GET", f"/emails/{quote(message_id, safe='')}?organizationId={organization}")
        analysis = email.data["email"]["analysis"]
        found.append({name: value for name, value in analysis.items() if name not in ("id", "ms")})
    return found


def say(service: Service, message_id: str, **said: str) -> Answer:
    path = f"/emails/{quote(message_id, safe='')}/feedback"
    return service.request("POST", path, {"organizationId": ORGANIZATION, **said})


def test_twenty_corrections_halve_the_error_on_like_mails_and_leave_others_alone(
    sandbox: SandboxProcess, service: Service
) -> None:
    taught, _ = corrections(KIND, RIGHT)
    by_mail = dict(zip(map(id, signatures(KIND)), rows(KIND), strict=True))
    wrong = [by_mail[id(example.signature)] for example in taught]
    unseen = [row for row in rows(KIND) if row not in wrong]
    assert len(wrong) == 20

    before = analyses(service, ORGANIZATION, deliver(sandbox, OURS, unseen))
    theirs_before = analyses(service, "solo", deliver(sandbox, THEIRS, unseen))
    corrected = deliver(sandbox, OURS, wrong)
    analyses(service, ORGANIZATION, corrected)
    for message_id in corrected:
        answer = say(service, message_id, category=RIGHT)
        assert answer.status == 200 and answer.data["feedback"]["status"] == "kept", answer.body
        assert answer.data["feedback"]["after"]["category"] == RIGHT
    after = analyses(service, ORGANIZATION, deliver(sandbox, OURS, unseen))
    theirs_after = analyses(service, "solo", deliver(sandbox, THEIRS, unseen))

    def errors(found: list[dict[str, Any]]) -> int:
        return sum(analysis["category"] != RIGHT for analysis in found)

    assert errors(before) >= 5, "else there is nothing to learn"
    assert errors(after) <= errors(before) / 2
    assert theirs_after == theirs_before, "what one organization taught is not another's"
    learning = service.request("GET", f"/organizations/{ORGANIZATION}/learning").data["learning"]
    assert learning["corrections"] == {"person": 20, "category": 0, "folder": 0}
    agreement = learning["agreement"]["category"]
    assert agreement["judged"] == 20 and agreement["rightLearned"] > agreement["rightWithout"]

    for message_id in corrected:
        path = f"/emails/{quote(message_id, safe='')}/feedback?organizationId={ORGANIZATION}"
        assert service.request("DELETE", path).status == 200
    again = analyses(service, ORGANIZATION, deliver(sandbox, OURS, unseen))
    assert [unmarked(analysis) for analysis in again] == before, "taken back, it was never said"


def unmarked(analysis: dict[str, Any]) -> dict[str, Any]:
    """Without the number of the lessons, which says that there were some once."""
    return analysis | {"model": analysis["model"].partition("+")[0]}
