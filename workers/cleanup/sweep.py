"""The cleanup as a whole: one step after the other, each with its own bounds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from workers.broker import Broker
from workers.broker.dead_letters import Filter
from workers.cleanup import files, journals, orphans, told
from workers.cleanup.removed import Removed
from workers.pipeline.context import Context

_DAY_S = 86400.0
_MOST_DEAD_LETTERS = 10_000


async def clean_up(context: Context, broker: Broker, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove what is past its retention; returns counts and bytes by kind.

    With `dry_run` nothing is removed, and the figures say what would be.
    """
    now = datetime.now(UTC)
    settings = context.settings
    steps = {
        "journal": await journals.trim(context, now, dry_run=dry_run),
        "deadLetters": await asyncio.to_thread(
            _purge_dead_letters, broker, settings.dead_letter_retention_days * _DAY_S, dry_run
        ),
        "audit": await _forget_changes(context, now, dry_run=dry_run),
        "deliveries": await told.trim(
            context, now - timedelta(days=settings.dead_letter_retention_days), dry_run=dry_run
        ),
        "orphans": await orphans.sweep(context, now, dry_run=dry_run),
        "reports": await asyncio.to_thread(
            files.remove_old_reports,
            settings.data_dir,
            (now - timedelta(days=settings.report_retention_days)).date(),
            dry_run=dry_run,
        ),
        "exports": await asyncio.to_thread(
            files.remove_old_exports,
            settings.data_dir,
            (now - timedelta(days=settings.export_retention_days)).date(),
            dry_run=dry_run,
        ),
    }
    figures = {name: {"count": step.count, "bytes": step.bytes} for name, step in steps.items()}
    return {
        "dryRun": dry_run,
        "removed": sum(step.count for step in steps.values()),
        "bytes": sum(step.bytes for step in steps.values()),
        **figures,
    }


async def _forget_changes(context: Context, now: datetime, *, dry_run: bool) -> Removed:
    audit = context.store.audit
    old_ms = int((now - timedelta(days=context.settings.audit_retention_days)).timestamp() * 1000)
    count = await (audit.count_before(old_ms) if dry_run else audit.forget_before(old_ms))
    return Removed(count)


def _purge_dead_letters(broker: Broker, older_than_s: float, dry_run: bool) -> Removed:
    removed = Removed()
    wanted = Filter(older_than_s=older_than_s)
    cursor = None
    while removed.count < _MOST_DEAD_LETTERS:
        letters, cursor = broker.dead_letters.page(wanted, limit=200, cursor=cursor)
        for letter in letters:
            if dry_run or broker.dead_letters.purge(letter.id):
                removed.add(1, len(orjson.dumps(letter.kwargs)) + len(letter.traceback))
        if cursor is None:
            break
    return removed
