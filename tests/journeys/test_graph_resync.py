"""A delta link that is lost, by Graph or by Redis, in the middle of a large folder."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.graph_scenes import addresses, all_sent, look_by_timer, mailbox_arguments, unaccounted
from tests.waiting import wait_for

RULES = """
[[organizations.acme.rules]]
name = "facturas"
when = { subject_contains = ["factura"], min_confidence = 0.0 }
then = [ { forward = ["contabilidad@elsewhere.example"] } ]

[[organizations.acme.rules]]
name = "otras"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" } ]
"""


@pytest.mark.parametrize(
    ("messages", "invoices_every"),
    [
        pytest.param(300, 10, id="short"),
        pytest.param(5200, 50, id="5200", marks=[pytest.mark.faults, pytest.mark.timeout(900)]),
    ],
)
def test_nothing_is_missed_and_nothing_done_twice(
    messages: int, invoices_every: int, start_sandbox: StartSandbox, start_service: StartService
) -> None:
    (box,) = addresses(1)
    sandbox = start_sandbox(*mailbox_arguments([box]))
    invoices = messages // invoices_every
    for number in range(invoices):
        sandbox.deliver(box, subject=f"Factura {number}", body="Hola")
        sandbox.deliver(box, subject="Nota", body="Hola", count=invoices_every - 1)
    # In the middle of the first listing, and again in that of the resync.
    sandbox.fault("status", status=410, path="skiptoken", skip=messages // 100, count=1)
    sandbox.fault("status", status=410, path="skiptoken", skip=messages // 60, count=1)
    service = start_service(sandbox, rules=RULES)
    service.wait_until_finished(messages, timeout_s=messages)

    # Graph forgets the link while new mail comes in.
    sandbox.admin("POST", "expire-delta", {})
    sandbox.deliver(box, subject="Factura A", body="Hola")
    service.wait_until_finished(messages + 1)

    # Redis loses the link, then all that is known of the folder.
    with service.redis() as client:
        (folder,) = client.keys("*:folder:*")
        client.hdel(folder, "link")
        sandbox.deliver(box, subject="Factura B", body="Hola")
        service.wait_until_finished(messages + 2)
        client.delete(folder)
    sandbox.deliver(box, subject="Factura C", body="Hola")
    look_by_timer(service)
    lines = service.wait_until_finished(messages + 3)

    assert Counter(line["state"] for line in lines) == {"done": messages + 3}
    expected = {f"FW: Factura {name}": 1 for name in (*range(invoices), "A", "B", "C")}
    assert Counter(mail["subject"] for mail in all_sent(sandbox)) == expected
    assert {tuple(mail["categories"]) for mail in sandbox.folder(box, "inbox")} == {(), ("Visto",)}
    wait_for(lambda: unaccounted(service) == 0, what="the gauge to follow")
