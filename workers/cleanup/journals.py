"""The journal of each organization: lines past their retention go once they were exported."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from workers.cleanup.removed import Removed
from workers.pipeline.context import Context

# Redis takes whole nodes (some hundred lines) of the stream at once: short enough to be noticed by nobody.
_LINES_A_STEP = 1000
_MOST_COUNTED = 200_000


async def trim(context: Context, now: datetime, *, dry_run: bool) -> Removed:
    """Remove exported lines past the ledger's retention."""
    removed = Removed()
    old = now - timedelta(days=context.settings.ledger_retention_days)
    for organization in context.organizations:
        exported = await context.store.exports.exported_until(organization.id)
        # What was never exported is kept, however old: it exists nowhere else.
        if exported is not None:
            await _trim(context, organization.id, min(old, exported), removed, dry_run=dry_run)
    return removed


async def _trim(
    context: Context, organization_id: str, until: datetime, removed: Removed, *, dry_run: bool
) -> None:
    redis, key = context.store.redis, context.store.keys.journal(organization_id)
    length = await redis.xlen(key)
    if not length:
        return
    bytes_a_line = await redis.memory_usage(key) / length
    until_ms = int(until.timestamp() * 1000)
    if dry_run:
        count = await _count(context, organization_id, until_ms)
        removed.add(count, round(count * bytes_a_line))
        return
    while gone := await redis.xtrim(key, minid=until_ms, approximate=True, limit=_LINES_A_STEP):
        removed.add(gone, round(gone * bytes_a_line))
        await asyncio.sleep(0)


async def _count(context: Context, organization_id: str, until_ms: int) -> int:
    count = 0
    async for _ in context.store.journal.lines(organization_id, until_ms=until_ms):
        count += 1
        if count == _MOST_COUNTED:
            break
    return count
