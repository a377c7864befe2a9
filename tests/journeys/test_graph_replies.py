"""Every correspondent gets exactly one reply: workers are killed, sends cut off, Redis put back in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import (
    Backup,
    addresses,
    drafts_left,
    kill_workers,
    look_by_timer,
    mailbox_arguments,
    recipients,
    unaccounted,
)
from tests.redis_process import RedisProcess
from tests.waiting import wait_for

RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { respond = "acuse" } ]
once_per_correspondent_h = 0

[organizations.acme.templates.acuse]
subject = "Recibido: {{ subject }}"
body = "Hola {{ sender_name }}"
"""

SENT = "sent to 1 at cliente.example"
# What a worker finds that takes up a message after Redis has forgotten what became of it.
SENT_BEFORE = "the draft was sent or taken before"


@pytest.mark.parametrize(
    ("boxes", "each", "workers", "kill_every_s", "copy_age_s"),
    [
        pytest.param(6, 10, 3, 3.0, 0.0, id="short"),
        pytest.param(40, 25, 4, 3.0, 60.0, id="1000", marks=[pytest.mark.faults, pytest.mark.timeout(1200)]),
    ],
)
def test_each_correspondent_gets_one_reply(
    boxes: int,
    each: int,
    workers: int,
    kill_every_s: float,
    copy_age_s: float,
    tmp_path: Path,
    start_sandbox: StartSandbox,
    start_service: StartService,
) -> None:
    names = addresses(boxes)
    sandbox = start_sandbox(*mailbox_arguments(names))
    sandbox.behave(sent_copy_lag_s=0.5, sent_copy_changes_id=True)
    sandbox.fault("reset_after", method="POST", path="/send$", share=0.1)
    sandbox.fault("reset_after", method="POST", path="/createReply$", share=0.05)
    server = RedisProcess(tmp_path / "redis").start()
    environment = {"REDIS_URL": server.url, "ECONEURA_WORKER_PROCESSES": str(workers)}
    total = boxes * each
    try:
        service = start_service(sandbox, rules=RULES, environment=environment)
        for number, name in enumerate(names):
            correspondent = f"ana{{n}}.{number}@cliente.example"
            sandbox.deliver(name, subject="Ayuda {n}", body="Hola", count=each, **{"from": correspondent})

        def ended() -> int:
            return len({line["messageId"] for line in service.journal()})

        kill_workers(service, every_s=kill_every_s, until=lambda: ended() >= total * 0.2)
        backup = Backup(server, tmp_path)
        known = ended()
        kill_workers(
            service,
            every_s=kill_every_s,
            until=lambda: ended() >= known + total * 0.4 and backup.age_s() >= copy_age_s,
        )
        backup.restore()
        assert ended() < known + total * 0.4, "Redis has forgotten"
        wait_for(service.is_ready, what="the service to find Redis again")
        look_by_timer(service)
        kill_workers(service, every_s=kill_every_s, until=lambda: ended() >= total * 0.8)
        lines = service.wait_until_finished(total, timeout_s=max(total, 60))
        ends = {line["messageId"]: (line["state"], line["actions"][0]["detail"]) for line in lines}
        assert set(ends.values()) <= {("done", SENT), ("done", SENT_BEFORE)}
        expected = {f"ana{n}.{box}@cliente.example": 1 for n in range(1, each + 1) for box in range(boxes)}
        assert recipients(sandbox) == expected
        assert drafts_left(sandbox) == []
        wait_for(lambda: unaccounted(service) == 0, what="the gauge to follow")
    finally:
        server.stop()
