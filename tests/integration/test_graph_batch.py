"""Many calls in one round trip, each with an outcome of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from tests.graph_access import graph_of
from tests.sandbox_process import SandboxProcess
from workers.errors import AccessDenied, NotFound, TemporaryError, Throttled
from workers.graph import batch, paths, request_ids
from workers.graph.batch import Part
from workers.graph.client import Graph


@pytest.fixture
def mailboxes(sandbox: SandboxProcess) -> list[str]:
    return [sandbox.add_mailbox(f"m{uuid4().hex[:12]}@acme.example") for _ in range(7)]


def get(mailbox: str, message_id: str) -> Part:
    return Part("GET", paths.message(mailbox, message_id), mailbox, params={"$select": "id,subject"})


def round_trips(sandbox: SandboxProcess, after: int) -> int:
    return len(sandbox.calls(endpoint="/$batch", after=after))


def last_call(sandbox: SandboxProcess) -> int:
    return max((call["number"] for call in sandbox.calls()), default=0)


async def test_outcomes_come_in_the_order_asked_for_in_few_round_trips(
    sandbox: SandboxProcess, mailboxes: list[str], graph: Graph
) -> None:
    before = last_call(sandbox)
    parts, expected = [], []
    for mailbox in mailboxes:
        for delivered in sandbox.deliver(mailbox, subject=f"{mailbox} {{n}}", count=6):
            parts.append(get(mailbox, delivered["id"]))
            expected.append(delivered["subject"])
    with request_ids.collected() as collected:
        outcomes = await batch.run(graph, parts)
    assert [outcome["subject"] for outcome in outcomes if isinstance(outcome, dict)] == expected
    assert set(collected) >= {call["request_id"] for call in sandbox.calls(after=before) if call["batched"]}
    # 7 mailboxes with 6 each: 20 to a batch, and no more than 4 of one mailbox.
    assert round_trips(sandbox, before) == 3
    state = sandbox.admin("GET", "state", summary=1)["mailboxes"]
    assert max(state[mailbox]["peakConcurrency"] for mailbox in mailboxes) <= 4
    assert sum(state[mailbox]["throttled"] for mailbox in mailboxes) == 0


async def test_each_part_has_its_own_outcome(
    sandbox: SandboxProcess, mailboxes: list[str], graph: Graph
) -> None:
    mailbox = mailboxes[0]
    (kept, gone) = sandbox.deliver(mailbox, subject="{n}", count=2)
    # The first puts it into Deleted Items.
    for _ in range(2):
        sandbox.admin("POST", "delete", {"mailbox": mailbox, "id": gone["id"]})
    change = Part("PATCH", paths.message(mailbox, kept["id"]), mailbox, json={"categories": ["Finanzas"]})
    move = Part(
        "POST", f"{paths.message(mailbox, gone['id'])}/move", mailbox, json={"destinationId": "archive"}
    )
    changed, missing = await batch.run(graph, [change, move])
    assert isinstance(changed, dict)
    assert changed["categories"] == ["Finanzas"]
    assert isinstance(missing, NotFound)


async def test_a_throttled_part_says_when_and_pauses_its_mailbox_alone(
    sandbox: SandboxProcess, mailboxes: list[str], graph: Graph
) -> None:
    slow, other = mailboxes[:2]
    parts = [get(mailbox, sandbox.deliver(mailbox, subject="a")[0]["id"]) for mailbox in (slow, other)]
    sandbox.fault("status", mailbox=slow, status=429, retry_after_s=30)
    refused, read = await batch.run(graph, parts)
    assert isinstance(refused, Throttled)
    assert refused.retry_after_s == 30
    assert isinstance(read, dict)
    before = last_call(sandbox)
    paused, read = await batch.run(graph, parts)
    assert isinstance(paused, Throttled)
    assert isinstance(read, dict)
    assert [call["mailbox"] for call in sandbox.calls(after=before) if call["batched"]] == [other]


async def test_a_batch_that_fails_as_a_whole_is_the_outcome_of_each_part(
    sandbox: SandboxProcess, mailboxes: list[str], graph: Graph
) -> None:
    parts = [get(mailboxes[0], "AAMkAGone="), get(mailboxes[1], "AAMkAGone=")]
    for how, error in (({"status": 403}, AccessDenied), ({"kind": "truncate"}, TemporaryError)):
        number = sandbox.fault(**{"kind": "status", "endpoint": "/$batch", **how})  # type: ignore[arg-type]
        assert [type(outcome) for outcome in await batch.run(graph, parts)] == [error, error]
        sandbox.admin("DELETE", "faults", number=number)


async def test_a_throttled_batch_pauses_all_its_mailboxes(
    sandbox: SandboxProcess, mailboxes: list[str], graph: Graph
) -> None:
    parts = [get(mailbox, "AAMkAGone=") for mailbox in mailboxes[:2]]
    number = sandbox.fault("status", endpoint="/$batch", status=429, retry_after_s=30)
    assert [type(outcome) for outcome in await batch.run(graph, parts)] == [Throttled, Throttled]
    sandbox.admin("DELETE", "faults", number=number)
    before = last_call(sandbox)
    for refused in await batch.run(graph, parts):
        assert isinstance(refused, Throttled) and 20 < (refused.retry_after_s or 0) < 40
    assert sandbox.calls(after=before) == []


async def test_batches_of_the_same_mailboxes_do_not_block_each_other(
    sandbox: SandboxProcess, mailboxes: list[str], graph: Graph, redis_url: str, tmp_path: Path
) -> None:
    first, second = mailboxes[:2]
    parts = [
        get(mailbox, one["id"])
        for mailbox in (first, second)
        for one in sandbox.deliver(mailbox, subject="{n}", count=4)
    ]
    async with graph_of(sandbox, redis_url, tmp_path) as other:
        found = await asyncio.gather(
            *(batch.run(one, part) for one in (graph, other) for part in (parts, parts[::-1]))
        )
    assert all(isinstance(outcome, dict) for outcomes in found for outcome in outcomes)
