"""Notifications only make it fast: lost, doubled, late, reordered and forged ones change nothing else."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import (
    addresses,
    all_sent,
    look_by_timer,
    mailbox_arguments,
    unaccounted,
)
from tests.waiting import wait_for

RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" }, { forward = ["registro@elsewhere.example"] }, "archive" ]
"""
FAULTS = {
    "notification_lost_share": 0.1,
    "notification_doubled_share": 0.05,
    "notification_forged_share": 0.03,
    "notification_late_share": 1.0,
    "notification_reordered": True,
    "delta_empty_page_share": 0.1,
    "delta_replay_share": 0.1,
}


@pytest.mark.parametrize(
    ("boxes", "each", "late_s"),
    [
        pytest.param(6, 20, 2.0, id="short"),
        pytest.param(20, 100, 10.0, id="2000", marks=[pytest.mark.faults, pytest.mark.timeout(900)]),
    ],
)
def test_every_message_is_accounted_for_and_each_action_happens_once(
    boxes: int, each: int, late_s: float, start_sandbox: StartSandbox, start_service: StartService
) -> None:
    names, total = addresses(boxes), boxes * each
    sandbox = start_sandbox(*mailbox_arguments(names))
    service = start_service(sandbox, rules=RULES)
    wait_for(lambda: len(sandbox.admin("GET", "state", summary=1)["subscriptions"]) == boxes)
    sandbox.behave(**FAULTS, notification_late_max_s=late_s)
    for round_ in range(4):
        for name in names:
            sandbox.deliver(name, subject=f"Nota {round_}-{{n}}", body="Hola", count=each // 4)

    def is_quiet() -> bool:
        counts = sandbox.admin("GET", "state", summary=1)["notifications"]
        expected = total - counts.get("lost", 0)
        return counts.get("delivered", 0) >= expected and service.unfinished() == 0

    wait_for(is_quiet, timeout_s=total, what="what was not lost to be taken in")
    counts = sandbox.admin("GET", "state", summary=1)["notifications"]
    assert counts["lost"] > 0 and counts["forged"] > 0, "the faults were played"
    look_by_timer(service)
    lines = service.wait_until_finished(total, timeout_s=total)
    assert Counter(line["state"] for line in lines) == {"done": total}
    expected = {f"FW: Nota {round_}-{n}": boxes for round_ in range(4) for n in range(1, each // 4 + 1)}
    assert Counter(mail["subject"] for mail in all_sent(sandbox)) == expected
    state = sandbox.admin("GET", "state")["mailboxes"]
    for name in names:
        folders = state[name]["folders"]
        assert folders["inbox"]["total"] == 0 and folders["drafts"]["total"] == 0
        assert folders["archive"]["total"] == each
        assert {tuple(mail["categories"]) for mail in folders["archive"]["messages"]} == {("Visto",)}
        assert state[name]["throttled"] == 0 and state[name]["peakConcurrency"] <= 4
    wait_for(lambda: unaccounted(service) == 0, what="the gauge to follow")
    assert dropped(service.request("GET", "/metrics").body) == counts["forged"]


def dropped(metrics: str) -> float:
    """How many notifications were found not to be genuine."""
    found = re.findall(r'^econeura_errors_total\{.*type="notification_dropped"\} ([0-9.]+)$', metrics, re.M)
    return sum(map(float, found))
