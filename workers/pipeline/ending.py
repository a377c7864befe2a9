"""The end of a message: written once, told to whoever waits, counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import orjson

from workers import clock, logs, metrics
from workers.pipeline import announcing
from workers.pipeline.context import Context
from workers.pipeline.outcome import journal_line, main_action, result_of
from workers.store import Noted, Record

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
    tell: Sequence[Noted] = (),
) -> None:
    """End a message in the ledger, then tell the jobs that wait for it. Repeating it changes nothing.

    `written` are fields of the record that are new in `record`, to be written with its end; `tell` are events
    of these, noted with it.
    """
    took_ms = max(0.0, time.time() * 1000 - record.claimed_at) if record.claimed_at else 0.0
    ended = replace(record, state=state, reason=reason, error=error)
    result = result_of(ended, took_ms)
    events = [*tell, *announcing.of_ending(context, ended)]
    told = await context.store.ledger.finish(
        record,
        state,
        reason,
        journal=journal_line(record, state, reason, took_ms),
        fields={**(written or {}), "result": orjson.dumps(result), "error": error},
        whoever_holds_it=whoever_holds_it,
        tell=events,
    )
    if told.first_time:
        _count(ended, told.since_claimed_s, told.since_notified_s)
        _log.info("email_finished", state=state, reason=reason, ms=round(took_ms))
    await announcing.announce(context, events)
    await tell_jobs(context, ended, tuple(dict.fromkeys((*record.jobs, *told.jobs))), result=result)


async def tell_jobs(
    context: Context, record: Record, job_ids: Sequence[str], *, result: dict[str, Any] | None = None
) -> None:
    """End the API jobs that wait for a message, as the message ended."""
    if not job_ids:
        return
    if record.state == "dead" or record.reason == "not_found":
        code = record.reason or "failed"
        text = record.error or _EXPLAINED.get(code, code)
        for job_id in job_ids:
            await fail_job(
                context, record.organization_id, job_id, code, text,
                mailbox=record.mailbox, message_id=record.message_id,
            )  # fmt: skip
        return
    told = result or record.result or result_of(record, 0)
    at = clock.now_text()
    await context.store.jobs.complete(job_ids, told, message_id=record.message_id, at=at)


async def fail_job(
    context: Context,
    organization_id: str,
    job_id: str,
    code: str,
    error: str,
    *,
    mailbox: str,
    message_id: str,
) -> None:
    """End an API job with an error that its message had, and tell of it."""
    events = announcing.of_failed_job(
        context, organization_id, job_id, code, mailbox=mailbox, message_id=message_id
    )
    at = clock.now_text()
    await context.store.jobs.fail((job_id,), code, error, message_id=message_id, at=at, tell=events)
    await announcing.announce(context, events)


_EXPLAINED = {"not_found": "Microsoft Graph has no such message in this mailbox"}


def _count(record: Record, since_claimed_s: float, since_notified_s: float | None) -> None:
    category = str((record.analysis or {}).get("category") or "none")
    action = main_action(record.steps)
    metrics.EMAILS_PROCESSED.labels(action, category, record.state, record.organization_id).inc()
    metrics.EMAIL_DURATION.labels(action, category).observe(since_claimed_s)
    if since_notified_s is not None:
        metrics.NOTIFICATION_TO_DONE.observe(since_notified_s)
