"""An organization's own webhooks, told by the whole service: signed, retried, replayed, and never twice."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from tests.journeys.graph_scenes import mailbox_arguments
from tests.journeys.service import Service
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for
from tests.webhook_receiver import Heard, Receiver, receiving

BOX = "soporte@acme.example"
SECRET_BYTES = bytes(range(7, 39))
SECRET = "whsec_" + base64.b64encode(SECRET_BYTES).decode()
RULES = """
[[organizations.acme.rules]]
name = "rota"
when = {{ subject_contains = ["rota"], min_confidence = 0.0 }}
then = [ {{ forward = ["nadie@elsewhere.example"] }} ]

[[organizations.acme.rules]]
name = "todas"
when = {{ min_confidence = 0.0 }}
then = [ {{ categorize = "Visto" }} ]

[organizations.acme.webhooks.crm]
url = "{url}/crm"
secret = "env:CRM_SECRET"

[organizations.acme.webhooks.inside]
url = "https://localhost:1/never"
secret = "env:CRM_SECRET"
events = ["email.dead"]
"""


def is_genuine(heard: Heard) -> bool:
    """The check that a receiver makes, written from the specification of Standard Webhooks alone."""
    sent_at = heard.headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > 300:
        return False
    for given in heard.headers["webhook-signature"].split():
        version, _, signature = given.partition(",")
        code = HMAC(SECRET_BYTES, hashes.SHA256())
        code.update(f"{heard.id}.{sent_at}.".encode() + heard.body)
        try:
            code.verify(base64.b64decode(signature))
        except InvalidSignature:
            continue
        return version == "v1"
    return False


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    running = SandboxProcess(tmp_path_factory.mktemp("sandbox"), *mailbox_arguments([BOX])).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    sandbox: SandboxProcess, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    environment = {
        "CRM_SECRET": SECRET,
        "ECONEURA_WEBHOOK_NETWORKS": "127.0.0.1/32",
        "ECONEURA_LOG_FORMAT": "json",
    }
    directory: Path = tmp_path_factory.mktemp("service")
    rules = RULES.format(url=receiver.url)
    service = Service(directory, sandbox, rules=rules, environment=environment).start()
    yield service
    service.kill()


def test_done_messages_are_told_once_and_signed(
    service: Service, sandbox: SandboxProcess, receiver: Receiver
) -> None:
    # The first try of each is refused: what is tried again has the same id and the same body.
    tries: dict[str, list[Heard]] = {}

    def refuse_first(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        tries.setdefault(heard.id, []).append(heard)
        return (503 if len(tries[heard.id]) == 1 else 204), {}, b""

    receiver.answer = refuse_first
    ids = [
        str(sandbox.deliver(BOX, subject=f"Hola {n}", body="¿Qué tal va todo?")[0]["id"]) for n in range(20)
    ]
    wait_for(lambda: sum(len(some) == 2 for some in tries.values()) >= 20, timeout_s=60, what="all told")
    receiver.answer = lambda _: (204, {}, b"")
    told = [some for some in tries.values() if some[0].data.get("messageId") in ids]
    assert sorted(some[0].data["messageId"] for some in told) == sorted(ids)
    for first, second in told:
        assert first.body == second.body and first.type == "email.done"
        assert is_genuine(first) and is_genuine(second)
        assert "Hola" not in first.body.decode() and "tal va" not in first.body.decode()


def test_a_forged_request_is_found_out() -> None:
    heard = Heard(
        "/",
        {"webhook-id": "e", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,"},
        b"{}",
    )
    assert not is_genuine(heard)


def test_a_message_and_a_job_that_fail_are_told(
    service: Service, sandbox: SandboxProcess, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (204, {}, b"")
    sandbox.fault("status", status=403, method="POST", path="createForward", count=1000)
    message_id = str(sandbox.deliver(BOX, subject="Está rota", body="No funciona.")[0]["id"])
    (dead,) = receiver.wait_for("email.dead", 1)
    assert is_genuine(dead) and dead.data["messageId"] == message_id
    body = {"messageId": "AAMkNotThere", "organizationId": "acme", "mailbox": BOX}
    job_id = service.request("POST", "/emails/process", body).data["jobId"]
    (failed,) = receiver.wait_for("job.failed", 1)
    assert (failed.data["jobId"], failed.data["code"]) == (job_id, "not_found")
    sandbox.admin("DELETE", "faults")
    letter = service.request("GET", "/dead-letters?actor=forward_email").data["deadLetters"][0]["id"]
    assert service.request("POST", f"/dead-letters/{letter}/retry").status == 202
    wait_for(lambda: message_id in {heard.data.get("messageId") for heard in receiver.of_type("email.done")})
    assert len(receiver.of_type("email.dead")) == 1
