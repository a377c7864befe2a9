"""What happened is told once: noted with what it tells of, queued after it, found again after a death."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.graph_access import ORGANIZATION
from tests.pipeline_world import RULES, World, a_world
from tests.sandbox_process import SandboxProcess
from workers.pipeline import announcing, death, processing
from workers.store import NewJob
from workers.webhooks.event import Event

INVOICE, QUESTION = "Factura 42", "Ayuda con el acceso"
AT = "2026-11-22T10:00:00.000Z"
WEBHOOKS = """
[organizations.acme.webhooks.crm]
url = "https://crm.acme.example/hooks"
secret = "env:CRM_SECRET"

[organizations.acme.webhooks.siem]
url = "https://siem.acme.example/"
secret = ["env:NEW", "env:OLD"]
events = ["email.dead", "job.failed"]
"""


@pytest.fixture
async def world(sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(sandbox, redis_url, tmp_path, RULES + WEBHOOKS) as world:
        yield world


def told(world: World, kind: str = "") -> list[Event]:
    return [event for event, _ in world.queue.told if kind in ("", event.type)]


async def left(world: World) -> int:
    return await world.context.store.webhooks.count_noted()


async def test_a_message_that_is_done_is_told_without_its_text(world: World) -> None:
    message_id = world.deliver(subject=INVOICE, body="El secreto está en la masa.")
    await world.handle()
    ((event, names),) = world.queue.told
    assert (event.type, event.organization_id, names) == ("email.done", ORGANIZATION, ("crm",))
    assert (event.data["messageId"], event.data["mailbox"]) == (message_id, world.mailbox)
    assert (event.data["outcome"], event.data["rule"], event.data["action"]) == (
        "done",
        "facturas",
        "forward",
    )
    assert event.data["actions"] == [
        {"type": kind, "status": "done"} for kind in ("categorize", "forward", "archive")
    ]
    body = event.body().decode()
    assert json.loads(body)["data"]["organizationId"] == ORGANIZATION
    for text in (INVOICE, "secreto", "Ana", "cliente.example", "elsewhere.example"):
        assert text not in body
    assert await left(world) == 0


async def test_what_is_repeated_is_not_told_again(world: World) -> None:
    message_id = world.deliver(subject=INVOICE)
    await world.handle()
    for owner in ("again-1", "again-2"):
        await processing.process(world.context, ORGANIZATION, world.mailbox, message_id, owner=owner)
        await processing.process(
            world.context, ORGANIZATION, world.mailbox, message_id, owner=owner, force=True
        )
    await world.work_off()
    assert len(told(world)) == 1


async def test_a_draft_that_waits_is_told_once(world: World) -> None:
    world.configure(RULES + WEBHOOKS, mode="draft")
    message_id = world.deliver(subject=QUESTION)
    await world.handle()
    (draft,) = told(world, "draft.waiting")
    assert (draft.data["messageId"], draft.data["action"]) == (message_id, "respond")
    assert draft.data["draftId"] in {mail["id"] for mail in world.folder("drafts")}
    assert len(told(world, "email.done")) == 1


async def die(world: World, message_id: str, job_id: str | None = None) -> None:
    await death.record_death(
        world.context,
        ORGANIZATION,
        world.mailbox,
        message_id,
        job_id=job_id,
        reason="access_denied",
        error="Graph 403 for ana@cliente.example",
    )


async def test_a_death_and_a_failed_job_are_told_once_each(world: World) -> None:
    message_id = world.deliver(subject=INVOICE)
    await world.sync()
    store = world.context.store
    await store.jobs.record(NewJob("job-1", "process_email", ORGANIZATION, AT)).write(store.redis)
    await world.context.store.ledger.join(world.mailbox, message_id, "job-1")
    for _ in range(3):
        await die(world, message_id, "job-1")
    (dead,), (failed,) = told(world, "email.dead"), told(world, "job.failed")
    assert (dead.data["outcome"], dead.data["reason"]) == ("dead", "access_denied")
    assert (failed.data["jobId"], failed.data["code"]) == ("job-1", "access_denied")
    assert "ana@" not in (dead.body() + failed.body()).decode()
    assert {names for _, names in world.queue.told} == {("crm", "siem")}


async def test_a_second_death_after_a_replay_is_a_new_event(world: World) -> None:
    message_id = world.deliver(subject=INVOICE)
    await world.sync()
    await die(world, message_id)
    await world.step("process")
    await die(world, message_id)
    first, second = told(world, "email.dead")
    assert first.id != second.id


async def test_without_a_webhook_that_wants_it_nothing_is_noted(world: World) -> None:
    world.configure(RULES)
    world.deliver(subject=INVOICE)
    await world.handle()
    world.configure(
        RULES
        + WEBHOOKS.replace('"https://crm', '"https://x').replace(
            "[organizations.acme.webhooks.crm]", "[organizations.acme.webhooks.x]\nevents = ['job.failed']"
        )
    )
    world.deliver(subject=INVOICE)
    await world.handle()
    assert world.queue.told == [] and await left(world) == 0


async def test_an_event_whose_worker_died_is_found_later(world: World) -> None:
    world.queue.is_away = True
    world.deliver(subject=INVOICE)
    await world.sync()
    while world.queue.waiting:
        await world.step(world.queue.waiting[0].name)
    assert await left(world) == 1
    world.queue.is_away = False
    # Its worker may still be about to queue it.
    assert await announcing.catch_up(world.context) == 0
    redis, key = world.context.store.redis, world.context.store.keys.webhook_events()
    for event_id, raw in (await redis.hgetall(key)).items():
        await redis.hset(key, event_id, json.dumps({**json.loads(raw), "at": AT}))
    assert await announcing.catch_up(world.context) == 1
    assert [event.data["outcome"] for event in told(world)] == ["done"]
    assert (await left(world), await announcing.catch_up(world.context)) == (0, 0)
