"""A worker is stopped while Graph keeps an action waiting for longer than its grace: nothing failed."""

from __future__ import annotations

from tests.journeys.conftest import StartSandbox, StartService
from tests.waiting import wait_for

BOX = "soporte@acme.example"
_MAILS = 4


def test_what_outlasts_the_grace_of_a_stop_is_given_back_untried(
    start_sandbox: StartSandbox, start_service: StartService
) -> None:
    sandbox = start_sandbox("--no-samples", "--mailbox", BOX)
    service = start_service(sandbox, environment={"ECONEURA_SHUTDOWN_GRACE_S": "1"})
    # Only what changes a message takes long: the service sees the mail, and begins to act.
    sandbox.fault("slow", method="PATCH", delay_ms=6_000)
    sandbox.deliver(BOX, subject="Pedido {n}", body="¿Cuándo llega?", count=_MAILS)
    wait_for(lambda: sandbox.admin("GET", "faults")["faults"][0]["hits"], what="an action under way")
    assert service.stop() == 0
    log = service.log.read_text()
    assert "CancelledError" in log, "it outlasted the grace"
    # Nothing fell over what was closed before it ended: that would count as an attempt.
    assert "message runs again" not in log
    sandbox.admin("DELETE", "faults")
    service.start()
    lines = service.wait_until_finished(_MAILS)
    assert [line["state"] for line in lines] == ["done"] * _MAILS
