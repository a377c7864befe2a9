"""The cleanup on a real Redis and real files: what is old goes, what is unfinished or not exported stays."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import redis
from dramatiq import Message

from tests.lent_context import ACME, lent
from workers.broker import Broker
from workers.cleanup import files, orphans
from workers.cleanup.sweep import clean_up
from workers.organizations import Webhook
from workers.pipeline.context import Context
from workers.settings import load_settings
from workers.store import Change, Correction, Delivery, NewMessage

ORG, BOX = "acme", "soporte@acme.example"


async def journal(context: Context, *, days_ago: float, lines: int = 250) -> None:
    key = context.store.keys.journal(ORG)
    at_ms = int((datetime.now(UTC) - timedelta(days=days_ago)).timestamp() * 1000)
    async with context.store.redis.pipeline() as step:
        for number in range(lines):
            step.xadd(
                key, {"line": orjson.dumps({"messageId": f"{days_ago}-{number}"})}, id=f"{at_ms}-{number + 1}"
            )
        await step.execute()


async def test_exported_lines_past_the_retention_go(context: Context, broker: Broker) -> None:
    await journal(context, days_ago=200)
    await journal(context, days_ago=10)
    await context.store.exports.note_exported(ORG, datetime.now(UTC) - timedelta(days=7))
    figures = await clean_up(context, broker)
    left = await context.store.redis.xlen(context.store.keys.journal(ORG))
    # Redis removes whole nodes of 100 lines.
    assert 250 <= left < 350 and figures["journal"]["count"] == 500 - left
    assert figures["journal"]["bytes"] > 0
    assert (await clean_up(context, broker))["journal"]["count"] == 0, "nothing more the second time"


async def test_what_webhooks_were_told_long_ago_goes(redis_url: str, broker: Broker, tmp_path: Path) -> None:
    webhook = Webhook(url="https://crm.acme.example/", secret=("env:CRM",))
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, namespace="test")
    async with lent(settings, ACME.model_copy(update={"webhooks": {"crm": webhook}})) as context:
        webhooks, order = context.store.webhooks, context.store.keys.webhook_order(ORG, "crm")
        for number in range(3):
            await webhooks.log(
                ORG, "crm", Delivery(f"evt_{number}", "email.done", "", "delivered", 1, 204, "", 1, "")
            )
        await context.store.redis.zincrby(order, -31 * 86_400_000, "evt_1")
        assert (await clean_up(context, broker, dry_run=True))["deliveries"]["count"] == 1
        assert (await clean_up(context, broker))["deliveries"]["count"] == 1
        left = await webhooks.deliveries(ORG, "crm", limit=10)
        assert {delivery.id for delivery in left} == {"evt_0", "evt_2"}
        assert await webhooks.delivery(ORG, "crm", "evt_1") is None


async def test_lines_that_were_not_exported_stay(context: Context, broker: Broker) -> None:
    await journal(context, days_ago=200)
    assert (await clean_up(context, broker))["journal"]["count"] == 0
    await context.store.exports.note_exported(ORG, datetime.now(UTC) - timedelta(days=300))
    assert (await clean_up(context, broker))["journal"]["count"] == 0
    assert await context.store.redis.xlen(context.store.keys.journal(ORG)) == 250


async def test_a_dry_run_says_what_would_go_and_leaves_it(context: Context, broker: Broker) -> None:
    await journal(context, days_ago=200)
    await context.store.exports.note_exported(ORG, datetime.now(UTC))
    await context.store.redis.set(context.store.keys.content(BOX, "gone"), b"x" * 1000)
    old = context.settings.data_dir / "reports" / ORG / "2020-01-01"
    old.mkdir(parents=True)
    (old / "daily_report.json").write_text("{}")
    broker.enqueue(Message("default", "nobody", (), {}, {}))
    figures = await clean_up(context, broker, dry_run=True)
    assert figures["dryRun"] and figures["journal"]["count"] == 250
    assert figures["orphans"]["count"] == 1 and figures["orphans"]["bytes"] > 1000
    assert figures["reports"] == {"count": 1, "bytes": 2}
    assert await context.store.redis.xlen(context.store.keys.journal(ORG)) == 250
    assert await context.store.redis.exists(context.store.keys.content(BOX, "gone"))
    assert old.exists()


async def test_orphaned_keys_go_and_those_in_use_stay(context: Context, broker: Broker) -> None:
    store, keys = context.store, context.store.keys
    await store.ledger.record(ORG, BOX, [NewMessage("open", {}, content={"id": "open"})])
    await store.redis.set(keys.content(BOX, "gone"), b"x")
    await store.redis.hset(keys.job_items("gone"), "m", "done")
    await store.redis.hset(keys.folder("left@acme.example", "inbox"), "synced_at", 1)
    await store.redis.hset(keys.folder(BOX, "inbox"), "synced_at", 1)
    await store.redis.hset(keys.schedule_job("dropped"), "last_due", 1)
    await store.redis.hset(keys.schedule_job("cleanup"), "last_due", 1)
    await store.redis.set("{econeura-other}:content:a@b.example:m", b"another namespace")
    figures = await clean_up(context, broker)
    assert figures["orphans"]["count"] == 4
    left = {key.decode() for key in await store.redis.keys("*")}
    assert {
        keys.content(BOX, "open"), keys.email(BOX, "open"), keys.folder(BOX, "inbox"),
        keys.schedule_job("cleanup"), "{econeura-other}:content:a@b.example:m",
    } <= left  # fmt: skip
    assert not {keys.content(BOX, "gone"), keys.job_items("gone"), keys.schedule_job("dropped")} & left


async def test_what_a_removed_organization_taught_goes_after_a_while(
    context: Context, broker: Broker
) -> None:
    corrections, keys = context.store.corrections, context.store.keys
    for organization_id in (ORG, "removed"):
        await corrections.keep(organization_id, Correction("m", 1, "person", "k", {}, {}, b""), {})
        await corrections.save_adjustment(organization_id, b"learned")
    await clean_up(context, broker)
    assert await corrections.adjustment("removed") is not None, "perhaps it comes back"
    for organization_id in (ORG, "removed"):
        await context.store.redis.set(keys.corrections_version(organization_id), 1)
    await clean_up(context, broker)
    left = {key.decode() for key in await context.store.redis.keys("*")}
    assert not [key for key in left if key.endswith(":removed")]
    assert await corrections.get(ORG, "m") is not None and keys.adjustment(ORG) in left


async def test_the_search_for_orphans_goes_on_where_it_stopped(context: Context) -> None:
    async with context.store.redis.pipeline() as step:
        for number in range(3000):
            step.set(context.store.keys.content(BOX, f"gone-{number}"), b"x")
        await step.execute()
    found, calls = 0, 0
    while found < 3000:
        found += (await orphans.sweep(context, datetime.now(UTC), dry_run=False, budget_s=0)).count
        calls += 1
        assert calls < 50
    assert calls > 2, "one step at a time"


async def test_old_dead_letters_go(context: Context, broker: Broker, redis_client: redis.Redis) -> None:
    keys = broker.keys[0]
    now_ms = int(time.time() * 1000)
    for died_ms in (now_ms - 40 * 86_400_000, now_ms - 86_400_000):
        meta = orjson.dumps(
            {"reason": "x", "error": "x", "traceback": "", "attempts": 1, "organization_id": None}
        )
        body = orjson.dumps(Message("default", "nobody", (), {}, {}).asdict())
        entry = b"200" + b"%013d" % died_ms + b"1 nobody\n" + meta + b"\n" + body
        redis_client.zadd(keys["dead"], {str(died_ms): died_ms})
        redis_client.hset(keys["letters"], str(died_ms), entry)
    figures = await clean_up(context, broker)
    assert figures["deadLetters"]["count"] == 1
    assert redis_client.zcard(keys["dead"]) == 1


async def test_changes_past_their_retention_are_forgotten(context: Context, broker: Broker) -> None:
    audit, key = context.store.audit, context.store.keys.audit()
    old_ms = int((datetime.now(UTC) - timedelta(days=401)).timestamp() * 1000)
    change = orjson.dumps({"what": "key.revoked", "by": "cli:root/host"})
    await context.store.redis.xadd(key, {"change": change}, id=f"{old_ms}-0")
    await audit.note(Change("key.created", "cli:root/host"))
    assert (await clean_up(context, broker, dry_run=True))["audit"]["count"] == 1
    assert (await clean_up(context, broker))["audit"]["count"] == 1
    (kept,), _ = await audit.page()
    assert kept.change.what == "key.created"


def test_old_folders_go_and_others_are_left_alone(tmp_path: Path) -> None:
    kept = ["reports/acme/2026-11-20", "reports/acme/notes", "exports/acme/2026-W40", "exports/acme/README"]
    gone = ["reports/acme/2024-01-01", "exports/acme/2023-W52"]
    for name in (*kept, *gone):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(b"1234")
    day = datetime(2026, 1, 1, tzinfo=UTC).date()
    assert files.remove_old_reports(tmp_path, day, dry_run=False).count == 1
    assert files.remove_old_exports(tmp_path, day, dry_run=False).bytes == 4
    assert [name for name in (*kept, *gone) if (tmp_path / name).exists()] == kept


async def test_it_goes_in_steps_that_hold_up_nobody(context: Context, broker: Broker) -> None:
    await journal(context, days_ago=200, lines=20_000)
    async with context.store.redis.pipeline(transaction=False) as step:
        for number in range(20_000):
            step.set(context.store.keys.content(BOX, f"gone-{number}"), b"x" * 200)
        await step.execute()
    await context.store.exports.note_exported(ORG, datetime.now(UTC))
    await context.store.redis.config_resetstat()
    figures = await clean_up(context, broker)
    assert figures["orphans"]["count"] == 20_000 and figures["journal"]["count"] == 20_000
    calls = await context.store.redis.info("commandstats")
    assert calls["cmdstat_xtrim"]["calls"] >= 20, "a thousand lines at a time"
    assert calls["cmdstat_unlink"]["calls"] >= 30, "some hundred keys at a time"
