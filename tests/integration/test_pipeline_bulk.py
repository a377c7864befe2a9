"""Messages of a bulk job are fetched four to a round trip; what cannot be is left to its own turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.pipeline_world import World, a_world
from tests.sandbox_process import SandboxProcess
from workers.pipeline import bulk

RULES = """
[[organizations.acme.rules]]
name = "todas"
when = { min_confidence = 0.0 }
then = [ { categorize = "Visto" } ]
"""


@pytest.fixture
async def world(sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(sandbox, redis_url, tmp_path, RULES) as world:
        yield world
        sandbox.admin("DELETE", "faults")


def elsewhere(world: World, count: int) -> list[str]:
    """Ids of messages in a folder that is not watched."""
    mail = {"subject": "Nota {n}", "body": "Hola", "folder": "clutter", "count": count}
    return [one["id"] for one in world.sandbox.deliver(world.mailbox, **mail)]


async def queue_all(world: World, message_ids: list[str], mailbox: str = "") -> None:
    await bulk.queue_all(
        world.context, "acme", mailbox or world.mailbox, message_ids, job_id="job", priority="normal"
    )


async def test_fetching_takes_a_quarter_of_the_round_trips(world: World) -> None:
    ids = elsewhere(world, 22)
    await queue_all(world, ids)
    await world.work_off()
    assert {tuple(mail["categories"]) for mail in world.folder("clutter")} == {("Visto",)}
    calls = world.sandbox.calls(mailbox=world.mailbox)
    fetched = [call for call in calls if call["endpoint"] == "/users/{user}/messages/{message}"]
    assert [call["batched"] for call in fetched if call["method"] == "GET"] == [True] * 22
    # Four to a batch; a slow machine starts some with fewer.
    assert 6 <= len(world.sandbox.calls(endpoint="/$batch")) <= 11
    # Again: the ledger knows them, and nothing is fetched or done.
    last = max(call["number"] for call in world.sandbox.calls())
    await queue_all(world, ids)
    await world.work_off()
    assert world.calls(last) == []


async def test_those_that_are_missing_or_throttled_get_their_own_turn(world: World) -> None:
    ids = elsewhere(world, 4)
    for _ in range(2):
        world.sandbox.admin("POST", "delete", {"mailbox": world.mailbox, "id": ids[0]})
    world.sandbox.fault("status", mailbox=world.mailbox, status=503, retry_after_s=0, skip=1, count=2)
    await queue_all(world, ids)
    await world.work_off()
    assert world.fault_hits() == 2
    states = [(await world.record(message_id)).state for message_id in ids]
    assert states == ["skipped", "done", "done", "done"]


async def test_one_named_by_its_changing_id_is_accounted_for_by_that_id(world: World) -> None:
    (mail,) = world.sandbox.deliver(world.mailbox, subject="Nota", body="Hola", folder="clutter")
    await queue_all(world, [mail["defaultId"]])
    await world.work_off()
    assert (await world.record(mail["defaultId"])).state == "done"
    assert await world.context.store.ledger.read(world.mailbox, mail["id"]) is None


async def test_a_mailbox_that_is_not_configured_is_not_asked(world: World) -> None:
    other = world.sandbox.add_mailbox(f"otro-{world.mailbox}")
    (mail,) = world.sandbox.deliver(other, subject="Nota", body="Hola")
    await queue_all(world, [mail["id"]], other)
    assert world.sandbox.calls(mailbox=other) == []
