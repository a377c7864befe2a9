"""What another release left in Redis: the one before is read, what a newer one adds is left aside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dramatiq
import pytest
import redis
import redis.asyncio

from tests.econeura import PROGRAM, environment
from tests.redis_process import RedisProcess
from tests.running_worker import running
from tests.stored_data import load
from tests.waiting import eventually, wait_for
from workers.broker import Broker
from workers.settings import load_settings
from workers.store import Keys, Store
from workers.store.answers import Kept
from workers.store.schema import SCHEMA, UnreadableSchema, agree, verdict

BOX, INVOICE = "soporte@acme.example", "AAkALg/3=="
KEYS = Keys("econeura")


@pytest.fixture(params=[False, True], ids=["of the release before", "with fields of a newer one"])
def stored(request: pytest.FixtureRequest, redis_client: redis.Redis) -> None:
    load(redis_client, of_tomorrow=request.param)


@pytest.fixture
def store(stored: None, async_redis: redis.asyncio.Redis) -> Store:
    return Store.over(async_redis, load_settings())


async def test_the_ledger_is_read(store: Store) -> None:
    record = await store.ledger.read(BOX, INVOICE)
    assert record is not None
    assert (record.state, record.subject, record.from_domain) == ("done", "Factura 42", "cliente.example")
    assert [(step.type, step.status) for step in record.steps] == [
        ("categorize", "done"), ("forward", "done"), ("archive", "done"),
    ]  # fmt: skip
    assert record.analysis is not None and record.analysis["category"] == "finance"
    claimed = await store.ledger.claim("acme", BOX, INVOICE, owner="x")
    assert claimed.is_finished
    lines = [line async for _, line in store.journal.lines("acme")]
    assert [line["state"] for line in lines] == ["done", "done", "skipped"]
    assert await store.ledger.mailbox_of("acme", INVOICE) == BOX


async def test_jobs_and_answers_are_read(store: Store) -> None:
    completed = await store.jobs.get("1ae70924-c890-452b-ad2d-b66949cec1a2")
    assert completed is not None and completed.result is not None
    assert (completed.status, completed.result["messageId"]) == ("completed", INVOICE)
    bulk = await store.jobs.get("4d214d3b-e917-40ae-a6c5-d706c9d0ad54")
    assert bulk is not None and (bulk.total, bulk.done, bulk.failed) == (2, 2, 0)
    known = await store.answers.claim("", "one", "another request")
    assert isinstance(known, Kept) and known.status == 200


async def test_the_rest_of_the_store_is_read(store: Store) -> None:
    (subscription,) = await store.subscriptions.all()
    assert (subscription.organization_id, subscription.mailbox) == ("acme", BOX)
    (key,) = (await store.api_keys.all()).values()
    assert (key.scopes, key.organizations) == (("read",), ("acme",))
    assert await store.switches.paused() == {"acme/facturas"}
    folder = await store.mailboxes.read(BOX, "inbox")
    assert folder.link is not None and folder.synced_at == 1795373614364
    job = await store.schedule.get("graph_sync")
    assert (job.run_count, job.last_error) == (1, None)
    (run,) = await store.schedule.runs("graph_sync", limit=10)
    assert (run.status, run.figures) == ("completed", run.figures)
    changes, _ = await store.audit.page()
    assert [entry.change.what for entry in changes] == ["cron.disabled", "organization.paused"]


def test_a_queued_message_is_run(stored: None, redis_client: redis.Redis) -> None:
    broker, taken = Broker(), []
    broker.connect(redis_client)

    @dramatiq.actor(broker=broker)
    def process_email(organization_id: str, mailbox: str, message_id: str, force: bool) -> None:
        taken.append((organization_id, mailbox, message_id, force))

    with running(broker):
        eventually(lambda: taken == [("acme", BOX, "waiting", False)])
    assert broker.stats().dead == 0
    broker.close()


def test_a_message_that_says_more_than_we_know_is_left_to_a_newer_worker(redis_client: redis.Redis) -> None:
    older, newer, ran = Broker(), Broker(), []
    for broker in (older, newer):
        broker.connect(redis_client)

    @dramatiq.actor(broker=older, actor_name="look")
    def look_as_before(message_id: str) -> None:
        ran.append(f"before {message_id}")

    @dramatiq.actor(broker=newer, actor_name="look")
    def look(message_id: str, closely: bool = False) -> None:
        ran.append(f"now {message_id}")

    older.enqueue(look.message(message_id="new", closely=True))
    older.enqueue(look.message(message_id="plain"))
    with running(older):
        eventually(lambda: ran == ["before plain"] and older.stats().delayed == 1)
    with running(newer):
        # It comes back after ten seconds, to whoever takes it then.
        eventually(lambda: ran == ["before plain", "now new"], within_s=30)
    assert newer.stats().dead == 0
    for broker in (older, newer):
        broker.close()


def test_what_started_while_redis_was_away_ends_once_it_turns_out_unreadable(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    with server.client() as client:
        client.set(KEYS.schema(), SCHEMA + 2)
    server.stop()
    env = environment(REDIS_URL=server.url, ECONEURA_DATA_DIR=tmp_path / "data")
    with (tmp_path / "log").open("wb") as log:
        scheduler = subprocess.Popen([*PROGRAM, "scheduler"], env=env, stderr=log)
    try:
        wait_for(lambda: b"schema_not_checked" in (tmp_path / "log").read_bytes(), what="the start")
        assert scheduler.poll() is None
        server.start()
        assert scheduler.wait(30) == 0
    finally:
        scheduler.kill()
        scheduler.wait()
        server.stop()
    assert "start a newer release" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("stored", "ours", "said"),
    [
        (1, 1, "same"),
        (1, 2, "raise"),
        (2, 1, "neighbour"),
        (3, 1, "too new"),
        (1, 3, "too old"),
        (0, 2, "too old"),
    ],
)
def test_neighbours_work_side_by_side_and_no_others(stored: int, ours: int, said: str) -> None:
    assert verdict(stored, ours) == said


def test_the_newest_release_that_was_started_is_remembered(redis_client: redis.Redis) -> None:
    assert agree(redis_client, KEYS) == SCHEMA, "nothing was stored yet"
    assert agree(redis_client, KEYS, ours=SCHEMA + 1) == SCHEMA + 1
    assert agree(redis_client, KEYS) == SCHEMA + 1, "the former release goes on beside it"
    with pytest.raises(UnreadableSchema, match=r"schema 2; this release reads schema 4.*releases in between"):
        agree(redis_client, KEYS, ours=SCHEMA + 3)
    redis_client.set(KEYS.schema(), SCHEMA + 2)
    with pytest.raises(UnreadableSchema, match="start a newer release"):
        agree(redis_client, KEYS)
    redis_client.set(KEYS.schema(), "x")
    with pytest.raises(UnreadableSchema, match="no number"):
        agree(redis_client, KEYS)
