"""Replies and forwards happen once: whatever is cut off, killed, restored or done by a person in between."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.pipeline_world import RULES, Work, World, a_world
from tests.sandbox_process import SandboxProcess
from workers.errors import LostClaim
from workers.graph import drafts

pytestmark = pytest.mark.sandbox("--sends-per-minute", "0")

SUBJECTS = {"respond": "Ayuda con el acceso", "forward": "Factura 42"}
# More than any message here needs; a fault on a call that is never made does nothing.
MOST_CALLS = 14


@asynccontextmanager
async def asleep(world: World, work: Work, fault: int | None = None) -> AsyncIterator[None]:
    """A worker that is slow with this piece of work (once a fault hit it): another gets it meanwhile."""
    slow = asyncio.ensure_future(work.run(work.owner))
    await world.until(lambda: world.fault_hits(fault) > 0)
    await world.end_claims()
    world.queue.waiting[0] = replace(work, owner="another")
    yield
    with pytest.raises(LostClaim):
        await slow


async def sent_once(world: World, message_id: str) -> None:
    record = await world.record(message_id)
    assert record.state == "done", record.reason
    assert {step.status for step in record.steps} == {"done"}, record.steps
    assert len(world.sent()) == 1
    assert world.folder("drafts") == []


@pytest.mark.parametrize("lag_s", [0.0, 0.15], ids=["prompt", "late-copy"])
@pytest.mark.parametrize("restored", [False, True], ids=["kept", "restored"])
@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@pytest.mark.parametrize("action", ["respond", "forward"])
async def test_cut_off_at_any_call_it_is_sent_once(
    world: World, sandbox: SandboxProcess, action: str, kind: str, restored: bool, lag_s: float
) -> None:
    sandbox.behave(sent_copy_lag_s=lag_s, sent_copy_changes_id=True)
    before = await world.copy_of_redis()
    for call in range(MOST_CALLS):
        message_id = world.deliver(subject=SUBJECTS[action], **{"from": f"ana{call}@cliente.example"})
        fault = sandbox.fault(kind, mailbox=world.mailbox, skip=call, count=1)
        await world.queue.sync("acme", world.mailbox)
        was_hit = await world.work_until_failure()
        if restored and was_hit:
            await world.restore_redis(before)
            world.queue.waiting.clear()
            await world.queue.sync("acme", world.mailbox)
        await world.work_off()
        before = await world.copy_of_redis()
        record = await world.record(message_id)
        assert record.state == "done", f"cut off at call {call}: {record.reason}"
        assert {step.status for step in record.steps} == {"done"}, f"call {call}: {record.steps}"
        assert len(world.sent()) == call + 1, f"cut off at call {call}"
        assert world.folder("drafts") == [], f"cut off at call {call}"
        if not was_hit:
            sandbox.admin("DELETE", "faults", number=fault)
            return
    pytest.fail("the last call was never reached")


async def test_a_worker_that_slept_while_creating_leaves_no_second_draft(
    world: World, sandbox: SandboxProcess
) -> None:
    message_id = world.deliver(subject=SUBJECTS["respond"])
    await world.sync()
    assert await world.step("process") is None
    assert await world.step("categorize") is None
    sleeper = world.queue.waiting[0]
    sandbox.fault("slow", method="POST", path="createReply", delay_ms=600, count=1)
    async with asleep(world, sleeper):
        await world.work_off()
        await sent_once(world, message_id)
    await sent_once(world, message_id)


async def test_two_workers_that_both_lose_the_message_leave_the_third_a_draft_to_send(
    world: World, sandbox: SandboxProcess
) -> None:
    """As after a restore of Redis, which gives every queue message away once more."""
    message_id = world.deliver(subject=SUBJECTS["respond"])
    await world.sync()
    for name in ("process", "categorize"):
        assert await world.step(name) is None
    work = world.queue.waiting.popleft()
    both_wait = [
        sandbox.fault("slow", method="POST", path="createReply", delay_ms=500, count=1),
        sandbox.fault("slow", method="POST", path="createReply", delay_ms=300, count=1),
    ]
    # Both drafts are there before either worker learns that it lost.
    sandbox.fault("slow", method="PATCH", path=re.escape(quote(message_id, safe="")), delay_ms=400)
    sandbox.fault("slow", method="DELETE", delay_ms=400)
    losers = []
    for number, waiting in enumerate(both_wait):
        await world.end_claims()
        losers.append(asyncio.ensure_future(work.run(f"loser {number}")))
        await world.until(lambda: world.fault_hits(waiting) > 0)  # noqa: B023
    await world.end_claims()
    await world.context.store.ledger.claim("acme", world.mailbox, message_id, owner="winner")
    ends = await asyncio.gather(*losers, return_exceptions=True)
    assert [type(end) for end in ends] == [LostClaim, LostClaim]
    world.queue.waiting.append(replace(work, owner="winner"))
    await world.work_off()
    await sent_once(world, message_id)


async def test_a_stray_draft_is_never_sent_beside_the_reply(world: World, sandbox: SandboxProcess) -> None:
    sandbox.behave(sent_copy_lag_s=0.5)
    message_id = world.deliver(subject=SUBJECTS["respond"])
    await world.sync()
    for name in ("process", "categorize"):
        assert await world.step(name) is None
    sandbox.fault("reset_after", method="POST", path="/send$", count=1)
    assert await world.step("respond") is not None
    # As a createReply that timed out leaves it, when Graph carries it out all the same.
    graph = world.context.graph_of("acme")
    tag = drafts.tag_of("acme", message_id, "respond")
    await drafts.create_reply(graph, world.mailbox, message_id, tag=tag, to=["ana@cliente.example"])
    await world.work_off()
    await sent_once(world, message_id)


async def test_a_draft_that_was_sent_meanwhile_is_no_failure(world: World, sandbox: SandboxProcess) -> None:
    message_id = world.deliver(subject=SUBJECTS["respond"])
    await world.sync()
    for name in ("process", "categorize"):
        assert await world.step(name) is None
    sandbox.fault("reset_before", method="POST", path="/send$", count=1)
    assert await world.step("respond") is not None
    (draft,) = world.folder("drafts")
    sandbox.fault("slow", method="POST", path="/send$", delay_ms=300, count=1)
    sending = asyncio.create_task(world.work_off())
    await world.until(lambda: world.fault_hits() > 0)
    sandbox.admin("POST", "send", {"mailbox": world.mailbox, "id": draft["id"]})
    await sending
    await sent_once(world, message_id)


class TestDraftsForAPerson:
    @pytest.fixture
    async def world(self, sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
        async with a_world(sandbox, redis_url, tmp_path, mode="draft") as world:
            yield world

    async def waiting(self, world: World) -> tuple[str, dict[bytes, bytes], dict[str, Any]]:
        """A draft that waits for a person: the message, Redis as it was before, the draft."""
        before = await world.copy_of_redis()
        message_id = world.deliver(subject=SUBJECTS["respond"])
        await world.handle()
        assert (await world.statuses(message_id))["respond"] == "waiting"
        (draft,) = world.folder("drafts")
        return message_id, before, draft

    async def test_it_is_edited_by_the_person_alone(self, world: World) -> None:
        message_id, before, draft = await self.waiting(world)
        body = {"contentType": "html", "content": "<p>Otra cosa</p>"}
        changes = {"body": body, "toRecipients": [{"emailAddress": {"address": "jefa@cliente.example"}}]}
        world.sandbox.admin(
            "POST", "patch", {"mailbox": world.mailbox, "id": draft["id"], "changes": changes}
        )
        await world.restore_redis(before)
        await world.handle()
        (kept,) = world.folder("drafts")
        assert kept["body"]["content"] == "<p>Otra cosa</p>" and kept["to"] == ["jefa@cliente.example"]
        assert (await world.statuses(message_id))["respond"] == "waiting"

    # The winner's create comes back before and after that of the worker that lost the message meanwhile.
    @pytest.mark.parametrize("winner_ms", [0, 500], ids=["winner-first", "loser-first"])
    async def test_a_worker_that_slept_while_creating_leaves_no_second_draft(
        self, world: World, sandbox: SandboxProcess, winner_ms: int
    ) -> None:
        message_id = world.deliver(subject=SUBJECTS["respond"])
        await world.sync()
        for name in ("process", "categorize"):
            assert await world.step(name) is None
        sleeper = world.queue.waiting[0]
        slow = sandbox.fault("slow", method="POST", path="createReply", delay_ms=300, count=1)
        sandbox.fault("slow", method="POST", path="createReply", delay_ms=winner_ms, count=1)
        async with asleep(world, sleeper, slow):
            await world.work_off()
        (draft,) = world.folder("drafts")
        record = await world.record(message_id)
        assert record.state == "done" and record.steps[-1].status == "waiting"
        assert record.steps[-1].draft_id == draft["id"] and world.sent() == []
        assert "lo miramos" in draft["body"]["content"]

    @pytest.mark.parametrize("what", ["delete", "send"])
    async def test_one_that_a_person_took_is_not_made_again(self, world: World, what: str) -> None:
        message_id, before, draft = await self.waiting(world)
        world.sandbox.admin("POST", what, {"mailbox": world.mailbox, "id": draft["id"]})
        await world.restore_redis(before)
        await world.handle()
        assert world.folder("drafts") == []
        assert (await world.statuses(message_id))["respond"] == "done"
        assert len(world.sent()) == (what == "send")


async def test_a_draft_that_a_person_deleted_on_its_way_is_not_sent(
    world: World, sandbox: SandboxProcess
) -> None:
    before = await world.copy_of_redis()
    message_id = world.deliver(subject=SUBJECTS["respond"])
    await world.sync()
    for name in ("process", "categorize"):
        assert await world.step(name) is None
    sandbox.fault("reset_before", method="POST", path="/send$", count=1)
    assert await world.step("respond") is not None
    (draft,) = world.folder("drafts")
    sandbox.admin("POST", "delete", {"mailbox": world.mailbox, "id": draft["id"]})
    await world.restore_redis(before)
    world.queue.waiting.clear()
    await world.handle()
    assert world.sent() == [] and world.folder("drafts") == []
    assert (await world.statuses(message_id))["respond"] == "done"


async def test_the_same_mail_under_a_second_id_is_not_answered_again(world: World) -> None:
    # A copy keeps the date it was sent at, as a restored item does.
    raw = (
        f"From: Ana Ruiz <ana@cliente.example>\r\nSubject: {SUBJECTS['respond']}\r\n"
        "Message-ID: <42@cliente.example>\r\nDate: Sun, 22 Nov 2026 09:00:00 +0000\r\n\r\nTexto.\r\n"
    )
    mail = base64.b64encode(raw.encode()).decode()
    first = world.deliver(eml=mail)
    await world.handle()
    world.configure(RULES.replace('name = "ayuda"', 'name = "soporte"'))
    second = world.deliver(eml=mail)
    await world.handle()
    assert (await world.statuses(first))["respond"] == "done"
    assert (await world.statuses(second))["respond"] == "skipped"
    assert len(world.sent()) == 1


async def test_two_mails_that_share_an_id_by_mistake_are_both_answered(world: World) -> None:
    shared = {"subject": SUBJECTS["respond"], "internetMessageId": "<42@cliente.example>"}
    for name in ("ana", "eva"):
        world.deliver(**shared, **{"from": f"{name}@cliente.example"})
    await world.handle()
    assert sorted(mail["to"][0] for mail in world.sent()) == ["ana@cliente.example", "eva@cliente.example"]


async def test_recipients_are_those_configured_when_it_is_sent(world: World, sandbox: SandboxProcess) -> None:
    message_id = world.deliver(subject=SUBJECTS["forward"])
    await world.sync()
    for name in ("process", "categorize"):
        assert await world.step(name) is None
    sandbox.fault("reset_before", method="POST", path="/send$", count=1)
    assert await world.step("forward") is not None, "the draft to the former recipients is there"
    world.configure(RULES.replace("contabilidad@elsewhere.example", "facturas@elsewhere.example"))
    await world.work_off()
    (forwarded,) = world.sent()
    assert forwarded["to"] == ["facturas@elsewhere.example"]
    await sent_once(world, message_id)
