"""What the journeys against a failing Graph share: many mailboxes, a look by the timer, what came of it."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.journeys.service import Service
from tests.redis_process import RedisProcess
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for


def addresses(count: int) -> list[str]:
    return [f"buzon{number}@acme.example" for number in range(1, count + 1)]


def mailbox_arguments(boxes: list[str]) -> list[str]:
    return [
        "--no-samples",
        "--sends-per-minute",
        "0",
        *(word for box in boxes for word in ("--mailbox", box)),
    ]


def look_by_timer(service: Service) -> None:
    """Run graph_sync now, as the timer does every quarter of an hour, and wait until it has ended."""
    before = _runs(service)
    begin_look_by_timer(service)
    wait_for(lambda: _runs(service) > before, timeout_s=60, what="graph_sync to end")


def begin_look_by_timer(service: Service) -> None:
    """Have graph_sync run now; one that is still at it (it tries again what failed) runs first."""

    def is_taken() -> bool:
        return service.request("POST", "/cron/jobs/graph_sync/run").status == 202

    wait_for(is_taken, timeout_s=30, what="graph_sync to be free")


def _runs(service: Service) -> int:
    job = service.request("GET", "/cron/jobs/graph_sync").data["job"]
    return int(job["runCount"]) + int(job["errorCount"])


def unaccounted(service: Service) -> float:
    """The gauge, as /metrics shows it."""
    text = service.request("GET", "/metrics").body
    found = re.findall(r"^econeura_unaccounted_messages\{.*\} ([0-9.]+)$", text, re.MULTILINE)
    assert found, "the gauge is missing"
    return sum(map(float, found))


def all_sent(sandbox: SandboxProcess) -> list[dict[str, Any]]:
    return list(sandbox.admin("GET", "state")["sent"])


def recipients(sandbox: SandboxProcess) -> Counter[str]:
    """How many mails each address was sent."""
    return Counter(address for mail in all_sent(sandbox) for address in mail["to"])


def drafts_left(sandbox: SandboxProcess) -> list[str]:
    mailboxes = sandbox.admin("GET", "state", folder="drafts")["mailboxes"]
    return [
        message["subject"] for box in mailboxes.values() for message in box["folders"]["drafts"]["messages"]
    ]


def kill_workers(service: Service, *, every_s: float, until: Callable[[], object], seed: int = 1) -> int:
    """Kill -9 a random worker again and again until something is true; returns how many were killed."""
    chance, killed = random.Random(seed), 0
    while not until():
        if workers := service.processes("worker"):
            chance.choice(workers).kill()
            killed += 1
        with suppress(TimeoutError):
            wait_for(until, timeout_s=every_s)
    return killed


class Backup:
    """A copy of a Redis server's files, taken while it runs, and what it is for."""

    def __init__(self, server: RedisProcess, directory: Path) -> None:
        self._server = server
        self._copy = directory / "backup"
        self._taken_at = time.monotonic()
        shutil.copytree(server.directory, self._copy)

    def age_s(self) -> float:
        return time.monotonic() - self._taken_at

    def restore(self) -> None:
        """Kill the server and start it with the copy: what happened since is forgotten."""
        self._server.kill()
        shutil.rmtree(self._server.directory)
        shutil.copytree(self._copy, self._server.directory)
        self._server.start()
