"""What was left behind is queued again: the oldest first, within bounds, and ever more rarely."""

from __future__ import annotations

import time

import pytest

from tests.lent_context import ACME
from workers.broker import Broker
from workers.pipeline import catching_up
from workers.pipeline.catching_up import catch_up
from workers.pipeline.context import Context
from workers.store import NewMessage

BOX = ACME.mailboxes[0]
HOUR_MS = 3_600_000


async def left_behind(context: Context, *names: str, hours: float = 1) -> None:
    """Messages that were recorded and have not moved for so long."""
    await context.store.ledger.record("acme", BOX, [NewMessage(name, {}) for name in names])
    score = int(time.time() * 1000 - hours * HOUR_MS)
    members = {f"{BOX}\n{name}": score + place for place, name in enumerate(names)}
    await context.store.redis.zadd(context.store.keys.unfinished("acme"), members)


def queued(broker: Broker) -> dict[str, int]:
    return {actor: sizes["waiting"] for actor, sizes in broker.stats().by_actor.items()}


async def synced(context: Context, *, seconds_ago: float) -> None:
    key = context.store.keys.folder(BOX, "inbox")
    await context.store.redis.hset(key, "synced_at", int((time.time() - seconds_ago) * 1000))


async def test_nothing_left_is_nothing_queued(context: Context, broker: Broker) -> None:
    await synced(context, seconds_ago=60)
    figures = await catch_up(context, [ACME], longest_wait_s=0)
    assert set(figures.values()) == {0} and queued(broker) == {}


async def test_idle_messages_are_queued_and_rest_before_the_next_time(
    context: Context, broker: Broker
) -> None:
    await synced(context, seconds_ago=60)
    await left_behind(context, "a", "b", "c")
    first = await catch_up(context, [ACME], longest_wait_s=0)
    assert (first["found"], first["queued"], first["left"]) == (3, 3, 0)
    assert queued(broker) == {"process_email": 3}
    again = await catch_up(context, [ACME], longest_wait_s=0)
    assert again["queued"] == 0 and queued(broker) == {"process_email": 3}
    assert await context.store.unfinished.count("acme") == 3


async def test_each_rest_is_longer_than_the_one_before(context: Context) -> None:
    await left_behind(context, "a")
    key, member = context.store.keys.unfinished("acme"), f"{BOX}\na"
    rests = []
    for _ in range(4):
        await context.store.unfinished.let_rest("acme", BOX, ["a"], idle_s=300)
        due_ms = await context.store.redis.zscore(key, member) + 300_000
        rests.append(round((due_ms / 1000 - time.time()) / 300))
    assert rests == [2, 4, 8, 16]


async def test_what_waits_its_turn_in_a_long_queue_is_not_lost(context: Context, broker: Broker) -> None:
    await synced(context, seconds_ago=60)
    await left_behind(context, "a", hours=0.5)
    figures = await catch_up(context, [ACME], longest_wait_s=1800)
    assert figures["queued"] == 0
    assert (await catch_up(context, [ACME], longest_wait_s=10))["queued"] == 1


async def test_messages_just_recorded_are_left_to_their_worker(context: Context) -> None:
    await synced(context, seconds_ago=60)
    await context.store.ledger.record("acme", BOX, [NewMessage("new", {})])
    assert (await catch_up(context, [ACME], longest_wait_s=0))["found"] == 0


async def test_a_flood_is_queued_in_bounded_portions_oldest_first(context: Context, broker: Broker) -> None:
    await synced(context, seconds_ago=60)
    many = [f"m{number:04}" for number in range(catching_up.MOST_MESSAGES + 20)]
    await left_behind(context, *many)
    figures = await catch_up(context, [ACME], longest_wait_s=0)
    assert (figures["queued"], figures["left"]) == (catching_up.MOST_MESSAGES, 20)
    left = await context.store.unfinished.oldest("acme", idle_for_s=300, limit=100)
    assert [message_id for _, message_id in left] == many[-20:]


async def test_messages_without_a_record_are_forgotten(context: Context) -> None:
    await synced(context, seconds_ago=60)
    await left_behind(context, "a", "b")
    await context.store.redis.delete(context.store.keys.email(BOX, "a"))
    assert (await catch_up(context, [ACME], longest_wait_s=0))["gone"] == 1
    assert await context.store.unfinished.count("acme") == 1


async def test_what_is_queued_again_does_not_expire(context: Context) -> None:
    await left_behind(context, "a")
    key = context.store.keys.email(BOX, "a")
    await context.store.redis.expire(key, 60)
    await catch_up(context, [ACME], longest_wait_s=0)
    assert await context.store.redis.ttl(key) > 80 * 86400


@pytest.mark.parametrize(("seconds_ago", "is_queued"), [(1000, False), (1100, True)])
async def test_a_folder_is_looked_at_once_it_is_late(
    context: Context, broker: Broker, seconds_ago: float, is_queued: bool
) -> None:
    await synced(context, seconds_ago=seconds_ago)
    figures = await catch_up(context, [ACME], longest_wait_s=0)
    assert figures["mailboxesQueued"] == is_queued
    await catch_up(context, [ACME], longest_wait_s=0)
    assert queued(broker).get("sync_mailbox", 0) == is_queued, "once while it waits in the queue"
