"""Rich notifications: keys, what is made of their content, and what happens where something is amiss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline_world import World, a_world
from tests.sandbox_process import SandboxProcess
from tests.sandbox_webhook import Webhook
from workers.graph.vouchers import Vouchers
from workers.pipeline import rich_content, subscribing
from workers.store import ContentKeyPair, Subscription


@pytest.fixture
async def world(
    sandbox: SandboxProcess, webhook: Webhook, redis_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    public_url = webhook.url.removesuffix("/listen")
    async with a_world(sandbox, redis_url, tmp_path, public_url=public_url, notifications="rich") as world:
        await reconcile(world)
        await world.work_off()
        yield world


async def reconcile(world: World) -> None:
    counts = await subscribing.reconcile(world.context, next(iter(world.context.organizations)))
    assert counts["failed"] == 0


async def ours(world: World) -> Subscription:
    (only,) = await world.context.store.subscriptions.all()
    return only


def at_graph(world: World) -> dict[str, Any]:
    found = world.sandbox.admin("GET", "state", summary=1)["subscriptions"]
    (only,) = (one for one in found if one["mailbox"] == world.mailbox)
    return dict(only)


async def told(webhook: Webhook, count: int = 1) -> tuple[list[dict[str, Any]], list[str]]:
    """Contents and tokens of so many notifications."""
    await webhook.wait_for(lambda seen: len(seen.items) >= count)
    tokens = [token for post in webhook.posts for token in post["validationTokens"]]
    return [item["encryptedContent"] for item in webhook.items], tokens


async def take_in(world: World, contents: Sequence[dict[str, Any]], tokens: Sequence[str]) -> int:
    """How many looks follow."""
    await rich_content.take_in(
        world.context, "acme", world.mailbox, contents, tokens, owner="me", notified_at_ms=1
    )
    return sum(work.name == "sync" for work in world.queue.waiting)


async def test_content_makes_us_look_unless_all_that_it_tells_of_is_known(
    world: World, webhook: Webhook
) -> None:
    assert at_graph(world)["includeResourceData"] and (await ours(world)).has_content
    first = world.deliver(subject="Ayuda")
    contents, tokens = await told(webhook)
    assert await take_in(world, contents, tokens) == 1
    await world.work_off()
    assert (await world.record(first)).state == "done"
    assert await take_in(world, contents, tokens) == 0, "it came a second time"
    world.deliver(subject="Ayuda otra vez")
    contents, tokens = await told(webhook, 2)
    assert await take_in(world, contents, tokens) == 1


async def test_content_that_nobody_vouches_for_is_dropped(world: World, webhook: Webhook) -> None:
    world.deliver(subject="Ayuda")
    contents, tokens = await told(webhook)
    header, payload, signature = tokens[0].split(".")
    for forged in ([], [f"{header}.{payload}.{signature[::-1]}"], [f"{header}.e30.{signature}"]):
        assert await take_in(world, contents, forged) == 0


@pytest.mark.parametrize("amiss", ["content", "key", "login"])
async def test_where_content_cannot_be_read_it_says_look_now(
    world: World, webhook: Webhook, amiss: str
) -> None:
    world.deliver(subject="Ayuda")
    contents, tokens = await told(webhook)
    store = world.context.store
    if amiss == "content":
        contents[0]["data"] = contents[0]["data"][::-1]
    elif amiss == "key":
        await store.redis.delete(store.keys.content_keys())
    else:
        away = world.context.settings.model_copy(update={"login_url": "https://127.0.0.1:1"})
        world.context.graph.vouchers = Vouchers(away)
    assert await take_in(world, contents, tokens) == 1


async def test_a_new_key_replaces_subscriptions_and_the_old_one_still_reads(
    world: World, webhook: Webhook
) -> None:
    world.deliver(subject="Ayuda")
    contents, tokens = await told(webhook)
    former, store = await ours(world), world.context.store
    # A period later: what was made is now a former period's.
    ((period, pair),) = (await store.redis.hgetall(store.keys.content_keys())).items()
    await store.redis.hdel(store.keys.content_keys(), period)
    await store.redis.hset(store.keys.content_keys(), str(int(period) - 1), pair)
    await reconcile(world)
    now = await ours(world)
    assert now.content_key_id != former.content_key_id and at_graph(world)["id"] == now.id
    assert at_graph(world)["encryptionCertificateId"] == now.content_key_id
    world.queue.waiting.clear()
    assert await take_in(world, contents, tokens) == 1
    assert set(await store.content_keys.private_pems()) == {former.content_key_id, now.content_key_id}
    await reconcile(world)
    assert (await ours(world)).id == now.id, "once is enough"


async def test_keys_of_long_ago_are_forgotten(world: World) -> None:
    keys = world.context.store.content_keys
    await keys.add(1, ContentKeyPair("old", "", ""))
    store = world.context.store
    (newest,) = (int(name) for name in await store.redis.hkeys(store.keys.content_keys()) if name != b"1")
    await store.redis.hdel(store.keys.content_keys(), str(newest))
    await rich_content.key_for_subscriptions(world.context)
    assert "old" not in await keys.private_pems()


async def test_the_first_of_two_processes_that_make_a_key_is_heeded(world: World) -> None:
    keys = world.context.store.content_keys
    first, second = (ContentKeyPair(name, name, name) for name in ("first", "second"))
    assert await keys.add(7, first) == first
    assert await keys.add(7, second) == first


async def test_where_graph_refuses_content_the_subscription_is_a_basic_one(
    world: World, sandbox: SandboxProcess
) -> None:
    await subscribing.remove(world.context, "acme", (await ours(world)).id)
    sandbox.fault("status", method="POST", endpoint="/subscriptions", status=400, count=1)
    await reconcile(world)
    made = await ours(world)
    assert not made.has_content and not at_graph(world)["includeResourceData"]
    await reconcile(world)
    assert (await ours(world)).id == made.id, "it is not asked for again before the key changes"


async def test_switched_off_they_are_basic_again(world: World) -> None:
    world.context.settings = world.context.settings.model_copy(update={"notifications": "basic"})
    await reconcile(world)
    made = await ours(world)
    assert (made.has_content, made.content_key_id) == (False, "")
    assert not at_graph(world)["includeResourceData"]
