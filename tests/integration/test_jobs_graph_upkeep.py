"""The timer's looks at mailboxes: spread over the interval, so that a thousand are no burst."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import redis

from tests.lent_context import ACME, lent
from workers.broker import Broker
from workers.pipeline.graph_upkeep import keep_in_touch, look_everywhere
from workers.settings import load_settings


async def test_a_thousand_mailboxes_share_the_interval(
    broker: Broker, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    many = ACME.model_copy(update={"mailboxes": tuple(f"m{n}@acme.example" for n in range(1000))})
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path, namespace="test"), many) as context:
        before_ms = time.time() * 1000
        await look_everywhere(context, [many])
    stats = broker.stats()
    assert (stats.waiting, stats.delayed) == (1, 999)
    due: Any = redis_client.zrange(broker.keys[0]["due"], 0, -1, withscores=True)
    due_s = [(score - before_ms) / 1000 for _, score in due]
    assert 400 < due_s[-1] < 900, "within the interval of 900 s"
    busiest = max(sum(at <= due < at + 10 for due in due_s) for at in range(0, 900, 10))
    assert busiest <= 30, "looks in any ten seconds"


async def test_a_large_organization_keeps_no_small_one_waiting(
    broker: Broker, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    large = ACME.model_copy(update={"mailboxes": tuple(f"m{n}@acme.example" for n in range(500))})
    small = ACME.model_copy(update={"id": "small", "mailboxes": ("a@small.example",)})
    async with lent(
        load_settings(redis_url=redis_url, data_dir=tmp_path, namespace="test"), large, small
    ) as context:
        await look_everywhere(context, [large, small])
    assert broker.stats().waiting == 1
    (first_due,) = redis_client.zrange(broker.keys[0]["due"], 0, 0)
    assert b"a@small.example" in first_due


async def test_few_mailboxes_hardly_wait(broker: Broker, redis_url: str, tmp_path: Path) -> None:
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path, namespace="test")) as context:
        await look_everywhere(context, [ACME])
    assert (broker.stats().waiting, broker.stats().delayed) == (1, 0)


async def test_trouble_is_named_and_holds_up_no_other_organization(redis_url: str, tmp_path: Path) -> None:
    other = ACME.model_copy(update={"id": "other", "mailboxes": ("a@other.example",)})
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, public_url="https://hook.example")
    async with lent(settings, ACME, other) as context:
        done = await keep_in_touch(context, [ACME, other])
        folder = await context.store.mailboxes.read("a@other.example", "inbox")
    assert folder.subscription_error == "access_denied", "health shows it before the first look is due"
    assert done.problem == "acme: access_denied; other: access_denied", "both were tried"
