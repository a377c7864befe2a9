"""A directory of many mailboxes, and beside it an organization whose credential is broken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, look_by_timer, mailbox_arguments, unaccounted
from tests.journeys.service import ORGANIZATION
from tests.waiting import wait_for

RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" } ]

[organizations.rota]
tenant_id = "00000000-0000-4000-8000-000000000001"
client_id = "00000000-0000-4000-8000-000000000002"
client_secret = "env:ACME_SECRET"
mailboxes = ["alguien@rota.example"]
"""


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param(30, id="short"),
        pytest.param(1000, id="1000", marks=[pytest.mark.faults, pytest.mark.timeout(900)]),
    ],
)
def test_each_mailbox_is_watched_and_a_broken_credential_stops_only_its_own(
    boxes: int, start_sandbox: StartSandbox, start_service: StartService
) -> None:
    names = addresses(boxes)
    sandbox = start_sandbox(*mailbox_arguments(names))
    service = start_service(sandbox, rules=RULES)

    def watched() -> dict[str, str]:
        found = sandbox.admin("GET", "state", summary=1)["subscriptions"]
        return {one["mailbox"]: one["id"] for one in found}

    wait_for(lambda: len(watched()) == boxes, timeout_s=300, what="a subscription for each mailbox")
    first = watched()
    for name in names:
        sandbox.deliver(name, subject="Nota", body="Hola")
    service.wait_until_finished(boxes, timeout_s=300)
    look_by_timer(service)
    assert watched() == first, "kept as they are"
    state = sandbox.admin("GET", "state", summary=1)["mailboxes"]
    assert sum(state[name]["throttled"] for name in names) == 0

    def health() -> dict[str, Any]:
        answer = service.request("GET", "/health")
        return dict(answer.data["services"]["graph"]["organizations"])

    wait_for(lambda: health()["rota"]["status"] != "healthy", what="the broken credential to show")
    assert health()[ORGANIZATION]["status"] == "healthy"
    wait_for(lambda: unaccounted(service) == 0, what="the gauge to follow")
