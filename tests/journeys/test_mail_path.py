"""What happens to the mail: from arrival in the sandbox to the effect in the mailbox, with real processes."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Any

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.service import ORGANIZATION, Service
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

BOX = "soporte@acme.example"
# Rules that do not depend on how well a text is understood: what is tested here is what follows.
RULES = """
[[organizations.acme.rules]]
name = "facturas"
when = { subject_contains = ["factura"], min_confidence = 0.0 }
then = [ { categorize = "Finanzas" }, { forward = ["contabilidad@acme.example"] }, "archive" ]

[[organizations.acme.rules]]
name = "ayuda"
when = { subject_contains = ["ayuda"], min_confidence = 0.0 }
then = [ { categorize = "Soporte" }, { respond = "acuse" } ]
once_per_correspondent_h = 0

[organizations.acme.templates.acuse]
subject = "Hemos recibido su mensaje: {{ subject }}"
body = "Hola {{ sender_name }},\\nlo miramos hoy mismo."
"""


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> SandboxProcess:
    return start_sandbox("--no-samples", "--mailbox", BOX, "--sends-per-minute", "0")


def deliver(sandbox: SandboxProcess, **fields: Any) -> None:
    sandbox.deliver(BOX, **{"from": "Ana Ruiz <ana@cliente.example>", "body": "Texto del mensaje.", **fields})


def test_an_invoice_is_categorized_forwarded_and_archived(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Factura 42", body="Adjuntamos la factura 42 por 121,00 €.")
    (line,) = service.wait_until_finished(1)
    assert line["state"] == "done"
    (archived,) = sandbox.folder(BOX, "archive")
    assert archived["categories"] == ["Finanzas"]
    (forwarded,) = sandbox.sent(BOX)
    assert forwarded["to"] == ["contabilidad@acme.example"]
    assert "factura 42 por 121,00" in forwarded["body"]["content"], "the original text travels along"
    colours = sandbox.admin("GET", "state")["mailboxes"][BOX]["categories"]
    assert "Finanzas" in {category["displayName"] for category in colours}


def test_a_question_is_answered_to_its_sender_above_the_quote(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Ayuda con el acceso", body="No puedo entrar desde ayer.")
    service.wait_until_finished(1)
    (answer,) = sandbox.sent(BOX)
    assert answer["to"] == ["ana@cliente.example"]
    assert answer["subject"].startswith("Hemos recibido su mensaje")
    text = answer["body"]["content"]
    assert text.index("lo miramos hoy mismo") < text.index("No puedo entrar desde ayer")
    assert sandbox.folder(BOX, "drafts") == []
    (kept,) = sandbox.folder(BOX, "inbox")
    assert kept["categories"] == ["Soporte"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List-Id": "<anuncios.lista.example>"},
        {"X-Auto-Response-Suppress": "All"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_automatic_mail_is_never_answered(
    sandbox: SandboxProcess, start_service: StartService, headers: dict[str, str]
) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Ayuda: fuera de la oficina", headers=headers)
    (line,) = service.wait_until_finished(1)
    assert sandbox.sent(BOX) == [] and sandbox.folder(BOX, "drafts") == []
    assert {action["type"]: action["status"] for action in line["actions"]} == {
        "categorize": "done",
        "respond": "skipped",
    }


def test_observe_changes_nothing_and_says_what_it_would_do(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES, mode="observe")
    deliver(sandbox, subject="Factura 42")
    (line,) = service.wait_until_finished(1)
    assert [action["status"] for action in line["actions"]] == ["observed"] * 3
    (untouched,) = sandbox.folder(BOX, "inbox")
    assert untouched["categories"] == [] and sandbox.sent(BOX) == []
    writes = [call for call in sandbox.calls(mailbox=BOX) if call["method"] != "GET"]
    assert writes == []


def test_draft_mode_leaves_the_answer_to_a_person(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES, mode="draft")
    deliver(sandbox, subject="Ayuda con el acceso")
    (line,) = service.wait_until_finished(1)
    assert sandbox.sent(BOX) == []
    (draft,) = sandbox.folder(BOX, "drafts", bodies=True)
    assert draft["to"] == ["ana@cliente.example"] and "lo miramos hoy mismo" in draft["body"]["content"]
    assert {"type": "respond", "status": "waiting"}.items() <= line["actions"][1].items()


def test_a_killed_worker_costs_no_message_and_repeats_no_effect(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Ayuda {n}", count=120, **{"from": "Ana <ana{n}@cliente.example>"})
    deliver(sandbox, subject="Factura {n}", count=80)
    wait_for(lambda: 40 <= len(service.journal()) < 200, timeout_s=60, what="some of the work to be done")
    (worker,) = service.processes("worker")
    worker.kill()
    lines = service.wait_until_finished(200, timeout_s=120)
    assert Counter(line["state"] for line in lines) == {"done": 200}
    recipients = Counter(mail["to"][0] for mail in sandbox.sent(BOX))
    assert recipients.pop("contabilidad@acme.example") == 80
    assert recipients == {f"ana{number}@cliente.example": 1 for number in range(1, 121)}
    assert len(sandbox.folder(BOX, "archive")) == 80
    assert sandbox.folder(BOX, "drafts") == []
    assert service.stop() == 0


def test_sigterm_ends_cleanly_and_the_next_start_finishes_the_rest(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Factura {n}", count=150)
    wait_for(lambda: len(service.journal()) >= 5, timeout_s=60, what="work to be under way")
    assert service.stop() == 0
    assert not re.search("Traceback", service.log.read_text())
    service.start()
    lines = service.wait_until_finished(150)
    assert Counter(line["state"] for line in lines) == {"done": 150}
    assert len(sandbox.folder(BOX, "archive")) == 150 and len(sandbox.sent(BOX)) == 150
    assert service.stop() == 0


def test_metrics_of_all_processes_add_up(sandbox: SandboxProcess, start_service: StartService) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Factura {n}", count=10)
    service.wait_until_finished(10)

    def processed() -> float:
        text = service.request("GET", "/metrics").body
        found = re.findall(r"^econeura_emails_processed_total\{([^}]*)\} ([0-9.e+]+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in found if f'organization_id="{ORGANIZATION}"' in labels)

    wait_for(lambda: processed() == 10, what="ten messages in the metrics")
    text = service.request("GET", "/metrics").body
    unaccounted = re.search(r"^econeura_unaccounted_messages\{.*\} ([0-9.]+)$", text, re.MULTILINE)
    assert unaccounted is not None and float(unaccounted.group(1)) == 0


def test_a_supervisor_killed_hard_leaves_nothing_that_blocks_the_next_start(
    sandbox: SandboxProcess, start_service: StartService
) -> None:
    service = start_service(sandbox, rules=RULES)
    deliver(sandbox, subject="Factura {n}", count=30)
    service.wait_until_finished(30)
    children = _killed_supervisor(service)
    wait_for(lambda: not any(child.is_running() for child in children), what="the children to end")
    service.start()
    deliver(sandbox, subject="Factura tardía")
    assert len(service.wait_until_finished(31)) == 31
    assert service.stop() == 0


def _killed_supervisor(service: Service) -> list[Any]:
    children = [process for name in ("api", "worker", "scheduler") for process in service.processes(name)]
    assert children
    os.kill(children[0].ppid(), signal.SIGKILL)
    return children
