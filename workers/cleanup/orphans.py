"""Keys that nobody will ask for again, found by going through all keys a stretch at a time.

| key | is an orphan when |
| --- | --- |
| content:… | its message is not in the ledger, or is done or skipped |
| job-items:… | its job is gone |
| corrections…, adjustment:… | no organization has the name, and nothing was said for long |
| folder:…, categories:… | no organization has the mailbox; a folder also was not synced for long |
| schedule:job, runs, order | the job is defined no longer and was not due for a month |
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis.asyncio import RedisCluster

from workers.cleanup.removed import Removed
from workers.pipeline.context import Context
from workers.store import Keys

_BUDGET_S = 60.0
_KEYS_A_STEP = 500
_RUNS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class _Search:
    context: Context
    now: datetime
    defined_jobs: frozenset[str]
    configured: frozenset[str]


Judge = Callable[[_Search, Sequence[str]], Awaitable[list[str]]]


async def sweep(context: Context, now: datetime, *, dry_run: bool, budget_s: float = _BUDGET_S) -> Removed:
    """Remove orphans until the budget is used up; the next call goes on from there."""
    removed = Removed()
    redis, keys = context.store.redis, context.store.keys
    if isinstance(redis, RedisCluster):
        # A cursor belongs to one node; on a cluster the keys' own expiry has to do.
        return removed
    jobs = frozenset(await context.store.schedule.standings())
    search = _Search(context, now, jobs, frozenset(one.id for one in context.organizations))
    cursor = int(await redis.get(keys.cleanup_cursor()) or 0)
    end = time.monotonic() + budget_s
    while True:
        cursor, found = await redis.scan(cursor, match=f"{{{keys.namespace}*", count=_KEYS_A_STEP)
        await _remove(search, _ours(keys, found), removed, dry_run=dry_run)
        if cursor == 0 or time.monotonic() > end:
            break
    if not dry_run:
        await redis.set(keys.cleanup_cursor(), cursor)
    return removed


def _ours(keys: Keys, found: Sequence[bytes]) -> list[str]:
    """Keys of this namespace alone: another's may begin with the same letters."""
    tags = (f"{{{keys.namespace}}}:", f"{{{keys.namespace}:0}}:")
    return [key for key in map(bytes.decode, found) if key.startswith(tags)]


async def _remove(search: _Search, found: Sequence[str], removed: Removed, *, dry_run: bool) -> None:
    by_kind: dict[str, list[str]] = {}
    for key in found:
        kind = key.partition("}:")[2].partition(":")[0]
        if kind in _JUDGES:
            by_kind.setdefault(kind, []).append(key)
    orphans = [key for kind, some in by_kind.items() for key in await _JUDGES[kind](search, some)]
    if not orphans:
        return
    redis = search.context.store.redis
    async with redis.pipeline(transaction=False) as step:
        for key in orphans:
            step.memory_usage(key)
        sizes = await step.execute()
    if not dry_run:
        await redis.unlink(*orphans)
    removed.add(len(orphans), sum(size or 0 for size in sizes))


async def _content(search: _Search, found: Sequence[str]) -> list[str]:
    async with search.context.store.redis.pipeline(transaction=False) as reads:
        for key in found:
            mailbox, _, message_id = _rest(key).partition(":")
            reads.hget(search.context.store.keys.email(mailbox, message_id), "state")
        states = await reads.execute()
    return [
        key
        for key, state in zip(found, states, strict=True)
        if state is None or state in (b"done", b"skipped")
    ]


async def _job_items(search: _Search, found: Sequence[str]) -> list[str]:
    async with search.context.store.redis.pipeline(transaction=False) as reads:
        for key in found:
            reads.exists(search.context.store.keys.job(_rest(key)))
        known = await reads.execute()
    return [key for key, exists in zip(found, known, strict=True) if not exists]


async def _mailbox(search: _Search, found: Sequence[str]) -> list[str]:
    strangers = [
        key for key in found if not search.context.organizations.is_ours(_rest(key).partition(":")[0])
    ]
    retention = timedelta(days=search.context.settings.ledger_retention_days)
    oldest_ms = int((search.now - retention).timestamp() * 1000)
    orphans = []
    for key in strangers:
        if key.partition("}:")[2].startswith("categories:"):
            # Only what we know to exist there: a mailbox that comes back is asked again.
            orphans.append(key)
        elif int(await search.context.store.redis.hget(key, "synced_at") or 0) < oldest_ms:
            orphans.append(key)
    return orphans


async def _learned(search: _Search, found: Sequence[str]) -> list[str]:
    strangers = [key for key in found if _rest(key) not in search.configured]
    retention = timedelta(days=search.context.settings.ledger_retention_days)
    store = search.context.store
    return [
        key
        for key in strangers
        # The version is the time of the last change.
        if _moment(await store.redis.get(store.keys.corrections_version(_rest(key))) or b"0")
        < search.now - retention
    ]


async def _schedule(search: _Search, found: Sequence[str]) -> list[str]:
    orphans = []
    for key in found:
        what, _, job_id = _rest(key).partition(":")
        if what in ("job", "runs", "order") and job_id not in search.defined_jobs:
            last_due = await search.context.store.redis.hget(
                search.context.store.keys.schedule_job(job_id), "last_due"
            )
            if last_due is None or _moment(last_due) < search.now - _RUNS_KEPT:
                orphans.append(key)
    return orphans


def _rest(key: str) -> str:
    """What follows the tag and the kind."""
    return key.partition("}:")[2].partition(":")[2]


def _moment(ms: bytes) -> datetime:
    return datetime.fromtimestamp(float(ms) / 1000, UTC)


_JUDGES: dict[str, Judge] = {
    "content": _content,
    "job-items": _job_items,
    "folder": _mailbox,
    "categories": _mailbox,
    "schedule": _schedule,
    "corrections": _learned,
    "correction-ranks": _learned,
    "correction-changes": _learned,
    "corrections-version": _learned,
    "adjustment": _learned,
}
