"""`econeura erase` on what a real pipeline kept: nothing of the person is left, nothing of others is gone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import dramatiq
import pytest
import redis

from tests.econeura import econeura, environment
from tests.pipeline_world import World
from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker
from workers.errors import PermanentError
from workers.pipeline import processing
from workers.pipeline.learning import Said, labels_of, learn
from workers.store import NewJob
from workers.store.answers import Kept

pytestmark = pytest.mark.sandbox(described=False)

ANA, BEA = "ana@cliente.example", "bea@cliente.example"
QUESTION = "Ayuda con el acceso"


@pytest.fixture
def env(world: World, redis_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(
        REDIS_URL=redis_url,
        ECONEURA_DATA_DIR=tmp_path / "data",
        ECONEURA_ORGANIZATIONS=tmp_path / "organizations.toml",
    )


def erase(env: dict[str, str], *words: str) -> tuple[int, dict[str, int], str]:
    """Exit code, counts by what they count, and all that was said."""
    ran = econeura("erase", "--address", "Ana@Cliente.Example", *words, env=env)
    told = [line.strip().partition("  ") for line in ran.stdout.splitlines()]
    counts = {what.partition(",")[0]: int(count) for count, _, what in told if count.isdigit()}
    return ran.returncode, counts, ran.stdout + ran.stderr


def from_ana(world: World, **mail: str) -> str:
    return world.deliver(**{"from": f"Ana <{ANA}>", "subject": QUESTION, **mail})


async def everything(world: World) -> bytes:
    """All that Redis holds, as one text (what is compressed stays so)."""
    held, parts = world.context.store.redis, []
    for key in sorted(await held.keys()):
        kind = await held.type(key)
        if kind == b"hash":
            parts += [part for pair in (await held.hgetall(key)).items() for part in pair]
        elif kind == b"stream":
            parts += [value for _, fields in await held.xrange(key) for value in fields.values()]
        elif kind == b"string":
            parts.append(await held.get(key))
    return b"\n".join(parts)


async def test_what_is_of_the_person_goes_and_what_is_of_others_stays(
    world: World, env: dict[str, str], tmp_path: Path
) -> None:
    theirs = from_ana(world, subject=f"{QUESTION} de Ana")
    named = world.deliver(
        **{"from": f"Bea <{BEA}>", "subject": QUESTION, "body": f"Pregunte a {ANA}, gracias."}
    )
    others = world.deliver(**{"from": f"Bea <{BEA}>", "subject": f"{QUESTION} de Bea"})
    await world.handle()
    store = world.context.store
    at = "2026-11-22T10:00:00.000Z"
    await store.jobs.record(NewJob("job-1", "process_email", "acme", at)).write(store.redis)
    result = {"messageId": theirs, "metadata": {"entities": []}}
    await store.jobs.complete(["job-1"], result, message_id=theirs, at=at)
    body = json.dumps({"success": True, "data": {"result": result}})
    await store.answers.keep("key", "once", Kept("f", 200, {}, body))
    await store.answers.keep("key", "other", Kept("f", 200, {}, json.dumps({"messageId": others})))
    await store.effects.reserve_answer("acme", "ayuda", ANA, theirs, hours=24)
    await store.effects.reserve_answer("acme", "ayuda", BEA, others, hours=24)
    await store.redis.set("{econeura}:llm:answer:x", f"Dear {ANA}")
    # Any command agrees on the schema, once.
    econeura("audit", env=env)
    before = await everything(world)
    assert b"de Ana" in before and ANA.encode() in before

    code, would_be, said = erase(env, "--dry-run")
    assert (code, "dry run" in said) == (0, True)
    assert await everything(world) == before
    code, counts, said = erase(env)
    assert (code, counts) == (0, would_be), said
    assert {what: count for what, count in counts.items() if count} == {
        "ledger records emptied": 2,
        "journal lines": 2,
        "results of API jobs": 1,
        "kept answers of named requests": 1,
        "limits on replies": 1,
        "answers of the language model": 1,
    }
    left = await everything(world)
    assert ANA.encode() not in left and b"de Ana" not in left
    for message_id in (theirs, named):
        emptied = await world.record(message_id)
        assert (emptied.state, emptied.subject, emptied.analysis, emptied.steps) == ("done", "", None, ())
        assert emptied.erased_at and emptied.seen_at and not emptied.from_domain
    kept = await world.record(others)
    assert kept.subject == f"{QUESTION} de Bea" and kept.analysis is not None and not kept.erased_at
    assert await store.answers.claim("key", "other", "f") != "claimed"
    job = await store.jobs.get("job-1")
    assert job is not None and (job.status, job.result) == ("completed", None)
    again, none, _ = erase(env)
    assert (again, set(none.values())) == (0, {0})


async def test_an_erased_message_is_not_taken_for_a_new_one(world: World, env: dict[str, str]) -> None:
    message_id = from_ana(world)
    await world.handle()
    sent = len(world.sent())
    assert erase(env)[0] == 0
    await world.context.store.redis.delete(world.context.store.keys.folder(world.mailbox, "inbox"))
    await world.handle()
    assert len(world.sent()) == sent == 1
    assert (await world.record(message_id)).erased_at


async def test_what_is_in_hand_is_left_counted_and_goes_with_the_next_run(
    world: World, env: dict[str, str]
) -> None:
    message_id = from_ana(world)
    await world.sync()
    assert await world.step("process") is None
    code, counts, said = erase(env)
    assert (code, counts["messages in hand"], counts["ledger records emptied"]) == (1, 1, 0), said
    await world.work_off()
    assert (await world.record(message_id)).state == "done" and len(world.sent()) == 1
    code, counts, _ = erase(env)
    assert (code, counts["ledger records emptied"]) == (0, 1)
    assert ANA.encode() not in await everything(world)


async def test_a_dead_message_loses_its_content_and_its_letter(
    world: World, env: dict[str, str], redis_url: str
) -> None:
    message_id, other = from_ana(world), world.deliver(**{"from": f"Bea <{BEA}>", "subject": QUESTION})
    await world.sync()
    store, broker = world.context.store, Broker()
    broker.connect(redis.Redis.from_url(redis_url))

    @dramatiq.actor(broker=broker, actor_name="process_email")
    def process_email(message_id: str) -> None:
        raise PermanentError("no", code="refused")

    @dramatiq.actor(broker=broker, actor_name="process_bulk")
    def process_bulk(message_ids: list[str]) -> None:
        raise PermanentError(f"about {ANA}" if len(message_ids) == 1 else "no", code="refused")

    for given in (message_id, other):
        broker.enqueue(process_email.message_with_options(kwargs={"message_id": given}))
    broker.enqueue(process_bulk.message(message_ids=[message_id, other]))
    broker.enqueue(process_bulk.message(message_ids=["x"]))
    with running(broker):
        eventually(lambda: broker.stats().dead == 4)
    for given in (message_id, other):
        claimed = await store.ledger.claim("acme", world.mailbox, given, owner="x")
        await store.ledger.finish(claimed, "dead", "refused", journal={"messageId": given})
    code, counts, said = erase(env)
    assert code == 0, said
    assert (counts["dead letters"], counts["parked contents"], counts["journal lines"]) == (2, 1, 1)
    left, _ = broker.dead_letters.page()
    assert sorted(str(letter.kwargs) for letter in left) == sorted(
        [str({"message_id": other}), str({"message_ids": [message_id, other]})]
    )
    assert await store.ledger.content(world.mailbox, message_id) is None
    assert await store.ledger.content(world.mailbox, other) is not None
    broker.close()


async def test_exports_that_hold_it_are_named_and_not_changed(
    world: World, env: dict[str, str], tmp_path: Path
) -> None:
    theirs, others = from_ana(world), world.deliver(**{"from": f"Bea <{BEA}>", "subject": QUESTION})
    await world.handle()
    exports = tmp_path / "data" / "exports" / "acme"

    def export(week: str, *message_ids: str) -> bytes:
        (exports / week).mkdir(parents=True)
        rows = [
            {"messageId": name, "mailbox": world.mailbox, "fromDomain": "cliente.example"}
            for name in message_ids
        ]
        packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
        (exports / week / "ledger.jsonl.gz").write_bytes(packed)
        return packed

    packed = export("2026-W40", theirs, others)
    export("2026-W41", others)
    export("2026-W42", "forgotten-by-the-ledger")
    code, _, said = erase(env)
    assert code == 0
    named = [line.split() for line in said.splitlines() if "ledger.jsonl.gz" in line]
    assert named == [
        ["1", "0", str(exports / "2026-W40" / "ledger.jsonl.gz")],
        ["0", "1", str(exports / "2026-W42" / "ledger.jsonl.gz")],
    ]
    assert (exports / "2026-W40" / "ledger.jsonl.gz").read_bytes() == packed


async def test_what_nobody_thought_of_is_found_and_said(world: World, env: dict[str, str]) -> None:
    await world.context.store.redis.hset("{econeura}:of-tomorrow:x", "about", f"<{ANA}>")
    code, _, said = erase(env)
    assert (code, "keys of the kind 'of-tomorrow' still name the address" in said) == (1, True)


async def test_another_organization_is_left_alone(world: World, env: dict[str, str]) -> None:
    message_id = from_ana(world)
    await world.handle()
    assert erase(env, "--organization", "solo")[1]["ledger records emptied"] == 0
    assert (await world.record(message_id)).subject
    assert erase(env, "--organization", "acme")[1]["ledger records emptied"] == 1


async def test_what_was_learned_of_the_person_is_forgotten(world: World, env: dict[str, str]) -> None:
    corrections, organization = world.context.store.corrections, world.context.organization("acme")
    theirs = from_ana(world)
    others = world.deliver(**{"from": f"Bea <{BEA}>", "subject": QUESTION})
    await world.handle()
    said = {"category": "sales"}
    for about in (theirs, others):
        told = Said(said, labels_of(said, organization), "person", "key:1", 1)
        await learn(world.context, organization, world.mailbox, about, told)
    # The ledger keeps its records for a time only; what was learned stays.
    await world.context.store.redis.delete(world.context.store.keys.email(world.mailbox, theirs))
    assert erase(env, "--dry-run")[1]["corrections learned from"] == 1
    code, counts, _ = erase(env)
    assert (code, counts["corrections learned from"]) == (0, 1)
    _, left = await corrections.all("acme")
    assert [one.message_id for one in left] == [others]
    assert theirs not in [change.message_id async for change in corrections.changes("acme")]
    assert await corrections.adjustment("acme") is None


async def test_it_is_audited_without_the_address(world: World, env: dict[str, str]) -> None:
    from_ana(world)
    await world.handle()
    erase(env, "--dry-run")
    erase(env)
    done, begun = (await world.context.store.audit.page())[0]
    assert (begun.change.what, done.change.what) == ("erasure.begun", "erasure.done")
    assert done.change.target == "a***@cliente.example"
    assert done.change.details == {"removed": 2, "in_hand": 0, "files": 0}
    assert done.change.by.startswith("cli:")


async def test_a_mailbox_of_ours_is_no_correspondent(world: World, env: dict[str, str]) -> None:
    refused = econeura("erase", "--address", world.mailbox, env=env)
    assert (refused.returncode, "is a configured mailbox" in refused.stderr) == (2, True)


async def test_a_forced_look_at_an_erased_message_is_new_knowledge(world: World, env: dict[str, str]) -> None:
    message_id = from_ana(world)
    await world.handle()
    erase(env)
    await processing.process(
        world.context, "acme", world.mailbox, message_id, owner="x", job_id="j", force=True
    )
    assert (await world.record(message_id)).analysis is not None
    assert len(world.sent()) == 1
