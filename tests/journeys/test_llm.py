"""A language model in the running service: real processes, a server of our own that speaks its protocol."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.service import ORGANIZATION, Service
from tests.llm_server import READING, Facts, LlmServer, hangs, llm_server
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

BOX = "soporte@acme.example"
SECRETS = {
    "name": "Ana Ruiz",
    "address": "ana@cliente.example",
    "phone": "915 550 123",
    "iban": "ES91 2100 0418 4502 0005 1332",
    "order": "PED-20931",
    "amount": "1.250,00 €",
    "link": "https://tienda.example/p/20931",
    "nif": "12345678Z",
}
BODY = (
    "Soy {name} ({address}, tel. {phone}). El pedido {order} de {amount} no llega; lo pagué desde {iban}, "
    "NIF: {nif}. Está en {link}. ¿Pueden mirarlo?"
)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SandboxProcess:
    return start_sandbox("--no-samples", "--mailbox", BOX, "--sends-per-minute", "0")


def rules(server: LlmServer, **llm: Any) -> str:
    given = {"use": "always", "endpoint": server.url, "model": "test-model", "timeout_s": 20, **llm}
    lines = "\n".join(f"{name} = {value!r}".replace("True", "true") for name, value in given.items())
    return f"""
[[organizations.acme.rules]]
name = "ventas"
when = {{ category = ["sales"], min_confidence = 0.0 }}
then = [ {{ categorize = "Ventas" }} ]

[[organizations.acme.rules]]
name = "ayuda"
when = {{ category = ["support"], min_confidence = 0.0 }}
then = [ {{ categorize = "Soporte" }}, {{ respond = "acuse" }} ]
once_per_correspondent_h = 0

[organizations.acme.templates.acuse]
subject = "Recibido"
body = "Hola {{{{ sender_name }}}}:\\n{{{{ llm_reply }}}}\\nAcme"

[organizations.acme.llm]
{lines}
"""


def deliver(sandbox: SandboxProcess, subject: str, body: str) -> None:
    sandbox.deliver(BOX, **{"from": "Ana Ruiz <ana@cliente.example>", "subject": subject, "body": body})


def trace(service: Service, message_id: str) -> dict[str, Any]:
    found: dict[str, Any] = service.request(
        "GET", f"/emails/{quote(message_id, safe='')}?organizationId={ORGANIZATION}"
    ).data["email"]
    return found


def counted(service: Service, name: str) -> dict[str, float]:
    """Label values of a counter -> its value, of all processes."""
    page = str(service.request("GET", "/metrics").body)
    return {labels: float(value) for labels, value in re.findall(rf"^{name}{{([^}}]*)}} (\S+)$", page, re.M)}


def test_mail_is_judged_and_a_reply_drafted_without_naming_anybody(
    server: LlmServer, sandbox: SandboxProcess, start_service: StartService
) -> None:
    server.writes = "Miramos lo de [REFERENCE_1] y le decimos."
    service = start_service(sandbox, rules=rules(server))
    deliver(sandbox, "Pedido PED-20931 de Ana Ruiz", BODY.format(**SECRETS))
    (line,) = service.wait_until_finished(1)
    told = trace(service, line["messageId"])
    assert told["analysis"]["llm"]["source"] == "llm", told["analysis"]["llm"]
    assert (line["state"], line["rule"], line["category"]) == ("done", "ayuda", "support")

    respond = next(action for action in told["actions"] if action["type"] == "respond")
    assert respond["status"] == "waiting" and respond["textBy"].startswith("llm: test-model")
    (draft,) = sandbox.folder(BOX, "drafts", bodies=True)
    assert "Miramos lo de PED-20931 y le decimos." in draft["body"]["content"]
    assert sandbox.sent(BOX) == []

    assert len(server.received) == 2
    sent = " ".join(received.raw for received in server.received)
    secrets = (*SECRETS.values(), "Ruiz", "20931", "cliente.example")
    assert not [secret for secret in secrets if secret in sent]
    assert counted(service, "econeura_llm_questions_total")
    (tokens,) = counted(service, "econeura_llm_tokens_total").values()
    assert tokens == sum(len(received.raw) // 4 for received in server.received)
    assert "Ruiz" not in service.log.read_text() and "pedido" not in service.log.read_text().lower()


def test_a_model_that_hangs_holds_up_its_own_mail_alone_and_not_for_long(
    server: LlmServer, sandbox: SandboxProcess, start_service: StartService
) -> None:
    """Of forty messages at once a few wait for the time limit; the others go on with the local result."""
    server.then(*[hangs] * 100)
    service = start_service(sandbox, rules=rules(server, timeout_s=2, at_once=2))
    started = time.monotonic()
    for number in range(40):
        word = "".join("abcdefghij"[int(digit)] for digit in f"{number:02}")
        deliver(sandbox, f"Consulta {word}", f"Necesito ayuda con {word}, no me funciona nada de esto.")
    wait_for(lambda: server.received, what="a question")
    lines = service.wait_until_finished(40, timeout_s=60)
    assert time.monotonic() - started < 20
    assert {line["state"] for line in lines} == {"done"}
    reasons = {trace(service, line["messageId"])["analysis"]["llm"]["reason"] for line in lines}
    assert reasons <= {"timeout", "busy", "resting"}
    # Twice at most: for the analysis, and for the reply.
    assert max(float(line["ms"]) for line in lines) < 2 * 2_000 + 5_000


def test_the_model_settles_what_was_unsure(
    server: LlmServer, sandbox: SandboxProcess, start_service: StartService
) -> None:
    def judge(facts: Facts) -> dict[str, Any]:
        return {**READING, "category": "sales" if "aquello" in facts["text"] else "personal"}

    server.judge = judge
    service = start_service(sandbox, rules="confidence_floor = 0.995\n" + rules(server, use="unsure"))
    deliver(sandbox, "Hola", "Lo de aquello, que me lo mandéis cuando podáis.")
    (line,) = service.wait_until_finished(1)
    told = trace(service, line["messageId"])["analysis"]["llm"]
    assert told["source"] == "llm", told
    assert (line["rule"], line["category"]) == ("ventas", "sales")
