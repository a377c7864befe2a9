"""The service under test, with something of everything in it, and the callers that try it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.journeys.service import Service
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

BOXES = ("tejados@acme.example", "sotanos@acme.example")
SUBJECT = "Zarzamora"
SCOPES = "read,submit,operate,admin"
RULES = """
[organizations.acme.webhooks.crm]
url = "https://127.0.0.1:1/never"
secret = "env:CRM_SECRET"

[organizations.solo]
tenant_id = "00000000-0000-0000-0000-000000000001"
client_id = "00000000-0000-0000-0000-000000000002"
client_secret = "env:ACME_SECRET"
mailboxes = ["info@solo.example"]
"""
_CONFIG = Path(__file__).parent / "schemathesis.toml"


@dataclass(frozen=True)
class Caller:
    """Who sends the requests, and what may come back: no forbidden text; if given, these statuses alone."""

    name: str
    key: str = ""
    forbidden: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()


@dataclass
class Scene:
    """A running service that has handled mail, has a dead letter, jobs and subscriptions."""

    service: Service
    directory: Path
    document: Path
    known: dict[str, list[str]] = field(default_factory=dict)

    def fuzz(self, caller: Caller, *, seconds: int) -> subprocess.CompletedProcess[str]:
        """Run all phases and checks for so long; the return code is 0 where nothing was found."""
        return self._run(caller, "--max-time", str(seconds), timeout_s=seconds + 240)

    def try_the_same(self, caller: Caller, *, examples: int) -> subprocess.CompletedProcess[str]:
        """All phases and checks with so many requests of each operation beside, the same each time."""
        words = ("--max-examples", str(examples), "--generation-deterministic")
        return self._run(caller, *words, timeout_s=150)

    def _run(self, caller: Caller, *words: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        told = self.directory / f"{caller.name}.json"
        given = {"known": self.known, "forbidden": caller.forbidden, "statuses": caller.statuses}
        told.write_text(json.dumps(given))
        authorization = ["--header", f"Authorization: Bearer {caller.key}"] if caller.key else []
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG), "run"),
            *(str(self.document), "--url", f"http://127.0.0.1:{self.service.port}"),
            *("--checks", "all", "--workers", "1", "--no-color"),
            *authorization,
            *words,
        ]
        return subprocess.run(
            command,
            env={**os.environ, "ECONEURA_FUZZING": str(told)},
            cwd=Path(__file__).parent.parent.parent,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def key(self, *words: str) -> str:
        """An API key, made as an operator makes it; the api knows it, and asks for one from then on."""
        command = [sys.executable, "-m", "workers", "keys", "create", "--name", "t", "--scope", SCOPES]
        made = subprocess.run(
            [*command, *words], env=self.service.environment, capture_output=True, text=True, check=True
        )
        key = made.stdout.strip()
        wait_for(lambda: self._gets({}) == 401, what="a key to be asked for")
        wait_for(lambda: self._gets({"Authorization": f"Bearer {key}"}) == 200, what="the key to be known")
        return key

    def _gets(self, headers: Mapping[str, str]) -> int:
        return self.service.request("GET", "/organizations", headers=headers).status

    def crashes(self) -> list[str]:
        """Lines of the log in which a request ended as a bug."""
        return [line for line in self.service.log.read_text().splitlines() if "request_crashed" in line]


@contextmanager
def a_scene(directory: Path) -> Iterator[Scene]:
    """A scene for the length of a block, on free ports; no key exists yet."""
    arguments = [word for box in BOXES for word in ("--mailbox", box)]
    sandbox = SandboxProcess(
        directory / "sandbox", "--no-samples", "--sends-per-minute", "0", *arguments
    ).start()
    secret = {"CRM_SECRET": "whsec_" + "A" * 44, "ECONEURA_LOG_FORMAT": "json"}
    service = Service(directory / "service", sandbox, rules=RULES, environment=secret)
    try:
        service.start()
        # Before there are keys: then it is for those who have one.
        document = directory / "openapi.json"
        document.write_text(json.dumps(service.request("GET", "/openapi.json").body))
        yield _furnished(Scene(service, directory, document), sandbox)
    finally:
        service.kill()
        sandbox.stop()


def _furnished(scene: Scene, sandbox: SandboxProcess) -> Scene:
    service = scene.service
    mails = [
        str(sandbox.deliver(BOXES[0], subject=f"{SUBJECT} {number}", body="Adjunta va.")[0]["id"])
        for number in range(3)
    ]
    service.wait_until_finished(len(mails))
    body = {"messageId": "AAMkNotThere", "organizationId": "acme", "mailbox": BOXES[0]}
    job_id = _data(service.request("POST", "/emails/process", body))["jobId"]
    with service.redis() as client:
        # Not a message at all: a dead letter at once.
        client.rpush("{econeura}:q:ready:low", b"what is this")
    letters = wait_for(
        lambda: _data(service.request("GET", "/dead-letters"))["deadLetters"], what="a dead letter"
    )
    wait_for(lambda: _data(service.request("GET", "/subscriptions"))["count"], what="subscriptions")
    subscriptions = _data(service.request("GET", "/subscriptions"))["subscriptions"]
    for job in ("daily_reports", "weekly_export"):
        assert service.request("POST", f"/cron/jobs/{job}/run").status == 202
    reports = wait_for(lambda: _data(service.request("GET", "/reports"))["reports"], what="a report")
    exports = wait_for(lambda: _data(service.request("GET", "/exports"))["exports"], what="an export")
    deliveries = "/organizations/acme/webhooks/crm/deliveries"
    events = wait_for(lambda: _data(service.request("GET", deliveries))["deliveries"], what="a delivery")
    scene.known = {
        "organizationId": ["acme", "solo"],
        "id": ["acme", letters[0]["id"], subscriptions[0]["id"]],
        "name": ["crm"],
        "eventId": [event["id"] for event in events],
        "messageId": mails,
        "jobId": [job_id, "cleanup", "health_check"],
        "mailbox": list(BOXES),
        "file": ["swagger-ui.css", *(one["name"] for one in exports[0]["files"])],
        "date": [reports[0]["date"]],
        "week": [exports[0]["week"]],
    }
    return scene


def _data(reply: Any) -> Mapping[str, Any]:
    assert reply.status < 300, reply
    found: Mapping[str, Any] = reply.data
    return found
