"""From a recorded message to its end: what people, changed configurations and deaths change on the way."""

from __future__ import annotations

import pytest

from tests.graph_access import ORGANIZATION
from tests.pipeline_world import RULES, World
from tests.sandbox_process import SandboxProcess
from workers.errors import Busy
from workers.pipeline import death, processing
from workers.store import NewMessage

INVOICE, QUESTION = "Factura 42", "Ayuda con el acceso"


async def planned(world: World, subject: str, *done: str) -> str:
    """A message whose plan is made and carried out as far as named."""
    message_id = world.deliver(subject=subject)
    await world.sync()
    for name in ("process", *done):
        assert await world.step(name) is None
    return message_id


class TestAPersonMeanwhile:
    async def test_moving_a_message_by_hand_is_respected_by_a_late_archive(self, world: World) -> None:
        message_id = await planned(world, INVOICE, "categorize", "forward")
        where = {"mailbox": world.mailbox, "id": message_id, "folder": "clutter"}
        world.sandbox.admin("POST", "move", where)
        await world.let_pass(message_id, seconds=120)
        await world.work_off()
        assert (await world.statuses(message_id))["archive"] == "skipped"
        assert [mail["id"] for mail in world.folder("clutter")] == [message_id]

    async def test_a_late_archive_of_what_was_left_alone_happens(self, world: World) -> None:
        message_id = await planned(world, INVOICE, "categorize", "forward")
        await world.let_pass(message_id, seconds=120)
        await world.work_off()
        assert [mail["id"] for mail in world.folder("archive")] == [message_id]

    async def test_deleting_a_message_for_good_leaves_nothing_to_do(self, world: World) -> None:
        message_id = await planned(world, INVOICE)
        for _ in range(2):
            world.sandbox.admin("POST", "delete", {"mailbox": world.mailbox, "id": message_id})
        await world.work_off()
        record = await world.record(message_id)
        assert record.state == "done" and {step.status for step in record.steps} == {"skipped"}
        assert world.sent() == []

    async def test_categories_set_by_hand_are_kept(self, world: World) -> None:
        message_id = await planned(world, QUESTION)
        order = {"mailbox": world.mailbox, "id": message_id, "changes": {"categories": ["Mía"]}}
        world.sandbox.admin("POST", "patch", order)
        await world.work_off()
        (kept,) = world.folder("inbox")
        assert kept["categories"] == ["Mía", "Soporte"]

    async def test_categories_set_by_hand_long_after_delta_are_kept_whatever_graph_makes_of_if_match(
        self, world: World
    ) -> None:
        message_id = await planned(world, QUESTION)
        order = {"mailbox": world.mailbox, "id": message_id, "changes": {"categories": ["Mía"]}}
        world.sandbox.admin("POST", "patch", order)
        world.sandbox.behave(ignores_if_match=True)
        await world.let_pass(message_id, seconds=600)
        await world.work_off()
        (kept,) = world.folder("inbox")
        assert kept["categories"] == ["Mía", "Soporte"]


class TestAChangedConfiguration:
    @pytest.mark.parametrize(
        ("options", "status"),
        [
            ({"paused": True}, "skipped"),
            ({"mode": "observe"}, "observed"),
            (
                {"rules": RULES.replace('"archive" ]', "]").replace('name = "ayuda"', 'name = "otra"')},
                "skipped",
            ),
            ({"rules": RULES.replace("once_per_correspondent_h = 0", "paused = true")}, "skipped"),
            ({"mailboxes": ["otro@acme.example"]}, "skipped"),
        ],
        ids=["paused", "observe", "rule renamed", "rule paused", "mailbox removed"],
    )
    async def test_stops_what_was_planned_before(
        self, world: World, options: dict[str, object], status: str
    ) -> None:
        message_id = await planned(world, QUESTION)
        world.configure(**options)  # type: ignore[arg-type]
        await world.work_off()
        assert await world.statuses(message_id) == {"categorize": status, "respond": status}
        assert world.sent() == [] and world.folder("drafts") == []
        assert world.folder("inbox")[0]["categories"] == []

    async def test_an_action_that_a_rule_no_longer_asks_for_is_left_out(self, world: World) -> None:
        message_id = await planned(world, INVOICE)
        world.configure(RULES.replace(', "archive" ]', " ]"))
        await world.work_off()
        assert await world.statuses(message_id) == {
            "categorize": "done", "forward": "done", "archive": "skipped",
        }  # fmt: skip

    async def test_a_pause_halfway_leaves_the_draft_to_a_person(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        message_id = await planned(world, QUESTION, "categorize")
        sandbox.fault("reset_before", method="POST", path="/send$", count=1)
        assert await world.step("respond") is not None
        await world.context.store.switches.pause("acme", "ayuda")
        await world.work_off()
        assert (await world.statuses(message_id))["respond"] == "waiting"
        assert world.sent() == [] and len(world.folder("drafts")) == 1

    async def test_messages_of_a_mailbox_no_longer_configured_are_skipped(self, world: World) -> None:
        message_id = world.deliver(subject=INVOICE)
        await world.sync()
        world.configure(mailboxes=["otro@acme.example"])
        await world.work_off()
        record = await world.record(message_id)
        assert (record.state, record.reason) == ("skipped", "mailbox_not_configured")


async def test_a_rule_that_applies_too_often_pauses_itself_and_says_so(world: World) -> None:
    world.configure(RULES.replace('"archive" ]', '"archive" ]\nbrake = { per_hour = 2 }'))
    for number in range(3):
        world.deliver(subject=f"{INVOICE}-{number}")
    await world.handle()
    assert await world.context.store.switches.paused() == {"acme/facturas"}
    ((entry,), _) = await world.context.store.audit.page()
    assert (entry.change.what, entry.change.by) == ("organization.paused", "brake")
    assert entry.change.details == {"rule": "facturas", "applied": 3, "of": 3}


class TestDeathAndNewLife:
    async def die(self, world: World, message_id: str) -> None:
        await death.record_death(
            world.context,
            ORGANIZATION,
            world.mailbox,
            message_id,
            job_id=None,
            reason="access_denied",
            error="403",
        )
        world.queue.waiting.clear()

    async def test_a_replayed_action_goes_on_where_it_died(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        message_id = await planned(world, QUESTION, "categorize")
        sandbox.fault("status", status=403, method="POST", path="/send$", count=1)
        assert await world.step("respond") is not None
        replayed = world.queue.waiting[0]
        await self.die(world, message_id)
        assert (await world.record(message_id)).state == "dead"
        world.queue.waiting.append(replayed)
        await world.work_off()
        assert (await world.record(message_id)).state == "done"
        assert len(world.sent()) == 1 and world.folder("drafts") == []

    async def test_processing_a_dead_message_anew_carries_its_begun_plan_on(
        self, world: World, sandbox: SandboxProcess
    ) -> None:
        message_id = await planned(world, QUESTION, "categorize")
        sandbox.fault("reset_after", method="POST", path="/send$", count=1)
        assert await world.step("respond") is not None
        sent = await world.record(message_id)
        await self.die(world, message_id)
        world.configure(RULES.replace('"Soporte"', '"Otra"'))
        await world.context.queue.process("acme", world.mailbox, [message_id])
        await world.work_off()
        record = await world.record(message_id)
        assert record.state == "done" and len(world.sent()) == 1
        assert record.decision == sent.decision and record.steps[1].tag == sent.steps[1].tag
        assert world.folder("inbox")[0]["categories"] == ["Soporte"]

    async def test_a_plan_that_was_never_begun_is_made_anew_without_leftovers(self, world: World) -> None:
        message_id = await planned(world, INVOICE)
        await self.die(world, message_id)
        world.configure(
            RULES.replace(', { forward = ["contabilidad@elsewhere.example"] }, "archive" ]', " ]")
        )
        await world.context.queue.process("acme", world.mailbox, [message_id])
        await world.work_off()
        assert await world.statuses(message_id) == {"categorize": "done"}
        assert world.folder("archive") == []


class TestSeenInPart:
    async def seen_in_part(self, world: World, message_id: str) -> None:
        """Delta may show an unknown message with changed properties only."""
        part = NewMessage(message_id, {"folder": "inbox", "received_at": "", "subject": ""})
        await world.context.store.ledger.record("acme", world.mailbox, [part])
        await world.context.queue.process("acme", world.mailbox, [message_id])
        await world.work_off()

    async def test_an_old_message_is_not_acted_on(self, world: World) -> None:
        world.configure(process_since="2026-01-01T00:00:00Z")
        await world.sync()
        message_id = world.deliver(subject=INVOICE, receivedDateTime="2025-12-31T23:59:59Z")
        await self.seen_in_part(world, message_id)
        record = await world.record(message_id)
        assert (record.state, record.reason) == ("skipped", "before_process_since")
        assert world.sent() == []

    async def test_a_new_one_is_and_its_identity_is_filled_in(self, world: World) -> None:
        await world.sync()
        message_id = world.deliver(subject=QUESTION, internetMessageId="<7@cliente.example>")
        await self.seen_in_part(world, message_id)
        record = await world.record(message_id)
        assert record.state == "done" and record.internet_message_id == "<7@cliente.example>"
        assert record.received_at and record.subject == QUESTION

    async def test_categories_that_delta_did_not_show_are_kept(self, world: World) -> None:
        message_id = world.deliver(subject=QUESTION)
        order = {"mailbox": world.mailbox, "id": message_id, "changes": {"categories": ["Mía"]}}
        world.sandbox.admin("POST", "patch", order)
        world.sandbox.behave(delta_partial_share=1.0)
        await world.handle()
        (kept,) = world.folder("inbox")
        assert kept["categories"] == ["Mía", "Soporte"]

    async def test_one_named_by_a_caller_is_processed_however_old(self, world: World) -> None:
        world.configure(process_since="2026-01-01T00:00:00Z")
        message_id = world.deliver(subject=QUESTION, receivedDateTime="2025-12-31T23:59:59Z")
        await world.context.queue.process("acme", world.mailbox, [message_id], job_id="job-1")
        await world.work_off()
        assert (await world.record(message_id)).state == "done" and len(world.sent()) == 1


async def test_a_claim_of_a_restored_ledger_is_not_taken_for_a_former_one(world: World) -> None:
    message_id = world.deliver(subject=INVOICE)
    await world.sync()
    ledger, before = world.context.store.ledger, await world.copy_of_redis()
    former = await ledger.claim("acme", world.mailbox, message_id, owner="a worker that lives on")
    await world.restore_redis(before)
    now = await ledger.claim("acme", world.mailbox, message_id, owner="another")
    assert now.fence > former.fence
    with pytest.raises(Busy):
        await processing.process(
            world.context, "acme", world.mailbox, message_id, owner="a worker that lives on"
        )


async def test_an_action_of_a_plan_that_a_restored_ledger_has_forgotten_ends_nothing(world: World) -> None:
    message_id = world.deliver(subject=QUESTION)
    await world.sync()
    before = await world.copy_of_redis()
    assert await world.step("process") is None
    # A worker that outlived the restore had this in hand; the processing is queued again, and comes later.
    action = world.queue.waiting.popleft()
    await world.restore_redis(before)
    await action.run(action.owner)
    await world.work_off()
    record = await world.record(message_id)
    assert record.state == "done" and {step.status for step in record.steps} == {"done"}
    assert len(world.sent()) == 1


class TestNamedByACaller:
    async def test_a_message_is_fetched_once_for_its_whole_plan(self, world: World) -> None:
        message_id = world.deliver(subject=QUESTION)
        await world.queue.process(ORGANIZATION, world.mailbox, [message_id])
        await world.work_off()
        assert await world.statuses(message_id) == {"categorize": "done", "respond": "done"}
        calls = world.sandbox.calls(mailbox=world.mailbox, endpoint="/users/{user}/messages/{message}")
        assert [call["method"] for call in calls].count("GET") == 1
        ledger = world.context.store.ledger
        assert await ledger.content(world.mailbox, message_id) is None, "its text is gone with its end"
