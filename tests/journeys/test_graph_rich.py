"""Notifications that come encrypted and signed: mail is done by them alone, forged ones change nothing."""

from __future__ import annotations

from typing import Any

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, mailbox_arguments
from tests.journeys.test_graph_notifications import dropped
from tests.waiting import wait_for

RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" } ]
"""


def test_mail_is_done_by_rich_notifications_and_forged_ones_are_dropped(
    start_sandbox: StartSandbox, start_service: StartService
) -> None:
    names = addresses(3)
    sandbox = start_sandbox(*mailbox_arguments(names))
    service = start_service(sandbox, rules=RULES, environment={"ECONEURA_NOTIFICATIONS": "rich"})

    def made() -> list[dict[str, Any]]:
        return list(sandbox.admin("GET", "state", summary=1)["subscriptions"])

    wait_for(lambda: len(made()) == 3, what="the subscriptions")
    assert all(one["includeResourceData"] for one in made())
    # The looks that follow a subscription are over: from here on only notifications bring mail in.
    for name in names:
        sandbox.deliver(name, subject="Hola", body="Hola")
    service.wait_until_finished(3)
    sandbox.behave(notification_forged_share=0.3, notification_doubled_share=0.2)
    for round_ in range(5):
        for name in names:
            sandbox.deliver(name, subject=f"Nota {round_} {{n}}", body="Hola", count=5)
    service.wait_until_finished(78)
    state = sandbox.admin("GET", "state", summary=1)
    assert state["notifications"]["forged"] > 0, "the faults were played"
    for name in names:
        assert {tuple(mail["categories"]) for mail in sandbox.folder(name, "inbox")} == {("Visto",)}
    # By its clientState, or by a subscription that nobody has.
    wait_for(
        lambda: dropped(service.request("GET", "/metrics").body) == state["notifications"]["forged"],
        what="all forged ones to be counted",
    )
