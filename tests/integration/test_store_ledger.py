"""The ledger on a real Redis: claims, fences, ends, and what repeats change."""

from __future__ import annotations

import pytest

from workers.errors import Busy, LostClaim, NotFound
from workers.settings import load_settings
from workers.store import NewMessage, PlannedStep, Store

ORG, BOX = "acme", "soporte@acme.example"
CONTENT = {"id": "AAMk/1+=", "subject": "Factura 42", "body": {"contentType": "text", "content": "Hola"}}


@pytest.fixture
def store(async_redis: object, redis_url: str) -> Store:
    return Store.over(async_redis, load_settings(redis_url=redis_url))


async def recorded(store: Store, message_id: str = "AAMk/1+=") -> str:
    await store.ledger.record(ORG, BOX, [NewMessage(message_id, {"subject": "Factura 42"}, content=CONTENT)])
    return message_id


async def test_a_message_is_new_once_and_needed_until_a_worker_took_it(store: Store) -> None:
    message = NewMessage("m1", {"subject": "Hola"}, content=CONTENT)
    assert await store.ledger.record(ORG, BOX, [message]) == [message]
    assert await store.ledger.record(ORG, BOX, [message]) == [message], "killed before queueing: needed again"
    await store.ledger.claim(ORG, BOX, "m1", owner="q1")
    assert await store.ledger.record(ORG, BOX, [message]) == []
    assert await store.unfinished.count(ORG) == 1


async def test_only_the_new_ones_of_a_page_are_needed_in_their_order(store: Store) -> None:
    await recorded(store, "b")
    await store.ledger.claim(ORG, BOX, "b", owner="q1")
    page = [NewMessage(name, {"subject": name}, content=CONTENT) for name in "abc"]
    assert [message.message_id for message in await store.ledger.record(ORG, BOX, page)] == ["a", "c"]


async def test_content_comes_back_as_it_was_parked(store: Store) -> None:
    message_id = await recorded(store)
    assert await store.ledger.content(BOX, message_id) == CONTENT
    assert await store.ledger.mailbox_of(ORG, message_id) == BOX


async def test_a_claim_excludes_others_but_not_its_owner(store: Store) -> None:
    message_id = await recorded(store)
    first = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    with pytest.raises(Busy) as busy:
        await store.ledger.claim(ORG, BOX, message_id, owner="q2")
    assert busy.value.retry_after_s is not None and 0 < busy.value.retry_after_s <= 2
    again = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    assert again.fence > first.fence


async def test_what_was_claimed_again_refuses_the_former_claim(store: Store) -> None:
    message_id = await recorded(store)
    paused = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    current = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    with pytest.raises(LostClaim):
        await store.ledger.save(paused, {"analysis": b"{}"})
    with pytest.raises(LostClaim):
        await store.ledger.finish(paused, "done", "", journal={})
    await store.ledger.save(current, {"analysis": b"{}"})


async def test_an_unknown_message_is_not_claimed(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.ledger.claim(ORG, BOX, "nobody", owner="q1")


async def test_the_end_is_written_once_and_names_the_jobs(store: Store) -> None:
    message_id = await recorded(store)
    record = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    assert await store.ledger.join(BOX, message_id, "job-1") == "waiting"
    assert await store.ledger.join(BOX, message_id, "job-1") == "waiting"
    ended = await store.ledger.finish(record, "done", "", journal={"messageId": message_id})
    assert ended.first_time and ended.jobs == ("job-1",)
    again = await store.ledger.finish(record, "skipped", "other", journal={"messageId": message_id})
    assert not again.first_time and again.jobs == ("job-1",)
    assert [line async for _, line in store.journal.lines(ORG)] == [{"messageId": message_id}]
    assert await store.unfinished.count(ORG) == 0
    assert await store.ledger.content(BOX, message_id) is None
    assert await store.ledger.join(BOX, message_id, "job-2") == "finished"


async def test_a_finished_message_comes_back_as_it_is(store: Store) -> None:
    message_id = await recorded(store)
    record = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    await store.ledger.finish(record, "done", "", journal={})
    seen = await store.ledger.claim(ORG, BOX, message_id, owner="q2")
    assert seen.state == "done" and seen.fence == record.fence
    forced = await store.ledger.claim(ORG, BOX, message_id, owner="q2", reopen="all")
    assert forced.state == "done" and forced.fence > record.fence


@pytest.mark.parametrize(("state", "reopen"), [("dead", "none"), ("skipped", "skipped")])
async def test_dead_and_skipped_messages_start_anew_when_asked_for(
    store: Store, state: str, reopen: str
) -> None:
    message_id = await recorded(store)
    record = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    await store.ledger.finish(record, state, "some_reason", journal={})  # type: ignore[arg-type]
    revived = await store.ledger.claim(ORG, BOX, message_id, owner="q2", reopen=reopen)  # type: ignore[arg-type]
    assert revived.state == "claimed"
    assert await store.unfinished.count(ORG) == 1
    assert (await store.ledger.finish(revived, "done", "", journal={})).first_time


async def test_steps_and_history_survive_the_trip(store: Store) -> None:
    message_id = await recorded(store)
    record = await store.ledger.claim(ORG, BOX, message_id, owner="q1")
    step = PlannedStep(index=0, type="categorize", rule="facturas", categories=("Finanzas", "urgent"))
    await store.ledger.save(record, {"step:0": step.to_json()}, state="acting")
    read = await store.ledger.read(BOX, message_id)
    assert read is not None
    assert read.steps == (step,)
    assert [state for state, _ in read.history] == ["recorded", "claimed", "acting"]
    assert read.subject == "Factura 42"


async def test_the_oldest_unfinished_come_first_and_only_idle_ones(store: Store) -> None:
    for name in "abc":
        await recorded(store, name)
    assert await store.unfinished.oldest(ORG, idle_for_s=0, limit=2) != []
    assert await store.unfinished.oldest(ORG, idle_for_s=60, limit=10) == []


async def test_an_effect_belongs_to_the_first_message_that_reserved_it(store: Store) -> None:
    assert await store.effects.reserve("reply-1", "m1")
    assert await store.effects.reserve("reply-1", "m1"), "the same message may come back to it"
    assert not await store.effects.reserve("reply-1", "m2")


async def test_a_correspondent_gets_one_answer_of_a_rule(store: Store) -> None:
    assert await store.effects.reserve_answer(ORG, "acuse", "Ana@cliente.example", "m1", hours=24)
    assert not await store.effects.reserve_answer(ORG, "acuse", "ana@cliente.example", "m2", hours=24)
    assert await store.effects.reserve_answer(ORG, "otra", "ana@cliente.example", "m2", hours=24)
