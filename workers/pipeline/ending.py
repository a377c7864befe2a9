"""The end of a message: written once, told to whoever waits, counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import orjson

from workers import clock, logs, metrics
from workers.pipeline.context import Context
from workers.pipeline.outcome import journal_line, main_action, result_of
from workers.store import Record

_log = logs.get_logger("pipeline")
End = Literal["done", "skipped", "dead"]


async def finish(
    context: Context,
    record: Record,
    state: End,
    reason: str,
    *,
    error: str = "",
    written: Mapping[str, str | bytes] | None = None,
    whoever_holds_it: bool = False,
) -> None:
    """End a message in the ledger, then tell the jobs that wait for it. Repeating it changes nothing.

    `written` are fields of the record that are new in `record`, to be written with its end.
    """
    took_ms = max(0.0, time.time() * 1000 - record.claimed_at) if record.claimed_at else 0.0
    ended = replace(record, state=state, reason=reason, error=error)
    result = result_of(ended, took_ms)
    told = await context.store.ledger.finish(
        record,
        state,
        reason,
        journal=journal_line(record, state, reason, took_ms),
        fields={**(written or {}), "result": orjson.dumps(result), "error": error},
        whoever_holds_it=whoever_holds_it,
    )
    if told.first_time:
        _count(ended, told.since_claimed_s, told.since_notified_s)
        _log.info("email_finished", state=state, reason=reason, ms=round(took_ms))
    await tell_jobs(context, ended, tuple(dict.fromkeys((*record.jobs, *told.jobs))), result=result)


async def tell_jobs(
    context: Context, record: Record, job_ids: Sequence[str], *, result: dict[str, Any] | None = None
) -> None:
    """End the API jobs that wait for a message, as the message ended."""
    if not job_ids:
        return
    at = clock.now_text()
    jobs = context.store.jobs
    if record.state == "dead" or record.reason == "not_found":
        code = record.reason or "failed"
        text = record.error or _EXPLAINED.get(code, code)
        await jobs.fail(job_ids, code, text, message_id=record.message_id, at=at)
        return
    told = result or record.result or result_of(record, 0)
    await jobs.complete(job_ids, told, message_id=record.message_id, at=at)


_EXPLAINED = {"not_found": "Microsoft Graph has no such message in this mailbox"}


def _count(record: Record, since_claimed_s: float, since_notified_s: float | None) -> None:
    category = str((record.analysis or {}).get("category") or "none")
    action = main_action(record.steps)
    metrics.EMAILS_PROCESSED.labels(action, category, record.state, record.organization_id).inc()
    metrics.EMAIL_DURATION.labels(action, category).observe(since_claimed_s)
    if since_notified_s is not None:
        metrics.NOTIFICATION_TO_DONE.observe(since_notified_s)
