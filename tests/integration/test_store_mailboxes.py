"""Folders and jobs on a real Redis: leases, coalesced looks, waiting for an end."""

from __future__ import annotations

import asyncio

import pytest

from workers.settings import load_settings
from workers.store import NewJob, Store

BOX, FOLDER = "soporte@acme.example", "inbox"
AT = "2026-11-22T10:00:00.000Z"


@pytest.fixture
def store(async_redis: object, redis_url: str) -> Store:
    return Store.over(async_redis, load_settings(redis_url=redis_url))


async def test_one_sync_is_queued_however_many_ask(store: Store) -> None:
    assert await store.mailboxes.want_sync(BOX)
    assert not await store.mailboxes.want_sync(BOX)
    await store.mailboxes.sync_started(BOX)
    assert await store.mailboxes.want_sync(BOX)


async def test_syncs_of_several_mailboxes_are_asked_for_in_one_step(store: Store) -> None:
    assert await store.mailboxes.want_sync(BOX)
    several = ["a@acme.example", BOX, "b@acme.example"]
    assert await store.mailboxes.want_syncs(several, asker="x") == [True, False, True]
    await store.mailboxes.syncs_queued(["a@acme.example", "b@acme.example"], asker="x")
    assert await store.mailboxes.want_syncs(several, asker="y") == [False, False, False]


async def test_who_asked_and_queued_nothing_holds_nobody_up(store: Store) -> None:
    assert await store.mailboxes.want_syncs([BOX], asker="killed") == [True]
    assert await store.mailboxes.want_syncs([BOX], asker="next") == [True]


async def test_a_sync_that_started_before_it_was_noted_stands_for_nobody(store: Store) -> None:
    assert await store.mailboxes.want_syncs([BOX], asker="x") == [True]
    await store.mailboxes.sync_started(BOX)
    await store.mailboxes.syncs_queued([BOX], asker="x")
    assert await store.mailboxes.want_syncs([BOX], asker="y") == [True]


async def test_a_folder_has_one_holder_who_looks_again_if_asked(store: Store) -> None:
    state = await store.mailboxes.lease(BOX, FOLDER, owner="a", since_ms=1000)
    assert state is not None and state.process_since_ms == 1000 and state.link is None
    assert await store.mailboxes.lease(BOX, FOLDER, owner="b", since_ms=0) is None
    assert await store.mailboxes.save_link(BOX, FOLDER, owner="a", link="https://graph/delta?token=1%2F+=")
    assert not await store.mailboxes.save_link(BOX, FOLDER, owner="b", link="stolen")
    assert await store.mailboxes.release(BOX, FOLDER, owner="a"), "b asked meanwhile"
    assert not await store.mailboxes.release(BOX, FOLDER, owner="a")
    following = await store.mailboxes.lease(BOX, FOLDER, owner="b", since_ms=0)
    assert following is not None and following.link == "https://graph/delta?token=1%2F+="
    assert following.synced_at > 0 and following.process_since_ms == 1000


async def test_where_filings_go_on_is_forgotten_in_time_however_often_it_moves(store: Store) -> None:
    key = store.keys.filings(BOX, FOLDER)
    await store.mailboxes.save_filings_link(BOX, FOLDER, "first")
    await store.redis.expire(key, 100)
    await store.mailboxes.save_filings_link(BOX, FOLDER, "second")
    assert await store.mailboxes.filings_link(BOX, FOLDER) == "second"
    assert 0 < await store.redis.ttl(key) <= 100
    await store.mailboxes.save_filings_link(BOX, FOLDER, None)
    assert await store.mailboxes.filings_link(BOX, FOLDER) is None


async def test_a_failed_round_frees_the_folder_and_keeps_the_reason(store: Store) -> None:
    await store.mailboxes.lease(BOX, FOLDER, owner="a", since_ms=0)
    await store.mailboxes.release(BOX, FOLDER, owner="a", error="access_denied")
    assert (await store.mailboxes.read(BOX, FOLDER)).error == "access_denied"
    assert await store.mailboxes.lease(BOX, FOLDER, owner="b", since_ms=0) is not None


async def test_waiting_for_a_job_ends_with_the_job(store: Store) -> None:
    await store.jobs.record(NewJob("j1", "process_email", "acme", AT)).write(store.redis)
    waiting = asyncio.create_task(store.jobs.wait("j1", timeout_s=10))
    await store.jobs.progress("j1", "running", attempts=1, at=AT)
    await store.jobs.complete(["j1"], {"action": "archive"}, message_id="m1", at=AT)
    job = await asyncio.wait_for(waiting, 10)
    assert job is not None and job.status == "completed" and job.result == {"action": "archive"}
    assert job.attempts == 1


async def test_a_wait_gives_up_in_time_with_the_job_as_it_stands(store: Store) -> None:
    await store.jobs.record(NewJob("j1", "process_email", "acme", AT)).write(store.redis)
    job = await asyncio.wait_for(store.jobs.wait("j1", timeout_s=0.05), 5)
    assert job is not None and job.status == "queued"
    assert await store.jobs.wait("nobody", timeout_s=0.05) is None


async def test_a_bulk_job_ends_with_its_last_item_and_counts_each_once(store: Store) -> None:
    await store.jobs.record(NewJob("bulk", "process_bulk", "acme", AT, total=2)).write(store.redis)
    for _ in range(2):
        await store.jobs.complete(["bulk"], {}, message_id="m1", at=AT)
    halfway = await store.jobs.get("bulk")
    assert halfway is not None and (halfway.status, halfway.done, halfway.total) == ("running", 1, 2)
    await store.jobs.fail(["bulk"], "not_found", "gone", message_id="m2", at=AT)
    ended = await store.jobs.get("bulk")
    assert ended is not None and (ended.status, ended.done, ended.failed) == ("completed", 1, 1)


async def test_an_ended_job_stays_ended(store: Store) -> None:
    await store.jobs.record(NewJob("j1", "process_email", "acme", AT)).write(store.redis)
    await store.jobs.fail(["j1"], "not_found", "no such message", message_id="m1", at=AT)
    await store.jobs.progress("j1", "running", attempts=2, at=AT)
    job = await store.jobs.get("j1")
    assert job is not None and job.status == "failed"
    assert job.error == {"code": "not_found", "message": "no such message"}
