"""SIGHUP: every process of the service reads the organizations again, and none restarts."""

from __future__ import annotations

import json
from collections import Counter

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, mailbox_arguments
from tests.journeys.service import Service
from tests.waiting import wait_for

(BOX,) = addresses(1)
RULES = """
[[organizations.acme.rules]]
name = "todas"
when = {{ min_confidence = 0.0 }}
then = [ {{ categorize = "{category}" }} ]
"""
EVERYBODY = Counter(api=2, worker=2, scheduler=1)


def told(service: Service, ending: str) -> Counter[str]:
    """How often each kind of process told of an event whose name ends like this."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return Counter(line["process"] for line in lines if str(line["event"]).endswith(ending))


def test_all_processes_read_again_and_none_restarts(
    start_sandbox: StartSandbox, start_service: StartService
) -> None:
    sandbox = start_sandbox(*mailbox_arguments([BOX]))
    environment = {
        "ECONEURA_LOG_FORMAT": "json",
        "ECONEURA_API_PROCESSES": "2",
        "ECONEURA_WORKER_PROCESSES": "2",
    }
    service = start_service(sandbox, rules=RULES.format(category="Antes"), environment=environment)
    names = ("api", "worker", "scheduler")
    wait_for(
        lambda: Counter({name: len(service.processes(name)) for name in names}) == EVERYBODY, what="everybody"
    )
    before = {process.pid for name in names for process in service.processes(name)}
    # Also those hear of it that have only just begun.
    service.configure(rules=RULES.format(category="Después"), mode="draft")
    service.hang_up()
    wait_for(lambda: told(service, "s_reloaded") == EVERYBODY, what="everybody to have read again")
    # Whichever of the two answers.
    for _ in range(10):
        (organization,) = service.request("GET", "/organizations").data["organizations"]
        assert organization["mode"] == "draft"
    sandbox.deliver(BOX, subject="Hola", body="¿Qué tal?")
    service.wait_until_finished(1)
    (mail,) = sandbox.folder(BOX, "inbox")
    assert mail["categories"] == ["Después"]
    service.configure(rules="[[organizations.acme.rules]]\nname = 3")
    service.hang_up()
    wait_for(lambda: told(service, "_not_reloaded") == EVERYBODY, what="everybody to say what is wrong")
    assert service.request("GET", "/organizations").data["organizations"][0]["mode"] == "draft"
    assert {process.pid for name in names for process in service.processes(name)} == before
