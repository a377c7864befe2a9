"""What an organization's webhooks are told: which events, noted with what they tell of, queued after it.

An event is noted in the same step of Redis that makes it true: exactly what happened is told. Then it is
queued, once for each webhook that wants it; one whose worker died in between is found by `catch_up`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from workers import logs
from workers.errors import TemporaryError
from workers.organizations import EventType
from workers.pipeline.context import Context
from workers.pipeline.outcome import main_action
from workers.store import Noted, PlannedStep, Record
from workers.webhooks.event import Event, new_event

_log = logs.get_logger("webhooks")
# Whoever notes an event queues it at once; after this long it died before it could.
_LEFT_BEHIND = timedelta(seconds=60)
_MOST_AT_ONCE = 500


def of_ending(context: Context, record: Record) -> list[Noted]:
    """That a message is done or dead; what was skipped is not told."""
    if record.state not in ("done", "dead"):
        return []
    analysis = record.analysis or {}
    data = {
        **_names(record),
        "outcome": record.state,
        "reason": record.reason,
        "category": analysis.get("category"),
        "confidence": analysis.get("confidence"),
        "abstained": analysis.get("abstained"),
        "urgency": analysis.get("urgency"),
        "rule": (record.decision or {}).get("rule"),
        "action": main_action(record.steps),
        "actions": [{"type": step.type, "status": step.status} for step in record.steps],
    }
    kind: EventType = "email.done" if record.state == "done" else "email.dead"
    return _noted(context, kind, record.organization_id, data)


def of_step(context: Context, record: Record, step: PlannedStep) -> list[Noted]:
    """That a draft waits for a person; how other actions end is part of the message's end."""
    if step.status != "waiting":
        return []
    data = {**_names(record), "action": step.type, "rule": step.rule, "draftId": step.draft_id}
    return _noted(context, "draft.waiting", record.organization_id, data)


def of_failed_job(
    context: Context, organization_id: str, job_id: str, code: str, *, mailbox: str, message_id: str
) -> list[Noted]:
    """That a job of the API failed."""
    data = {"jobId": job_id, "code": code, "mailbox": mailbox, "messageId": message_id}
    return _noted(context, "job.failed", organization_id, data)


def of_subscription(context: Context, organization_id: str, place: tuple[str, str], code: str) -> list[Noted]:
    """That no subscription tells us of a folder any more, or soon none will."""
    mailbox, folder = place
    data = {"mailbox": mailbox, "folder": folder, "code": code}
    return _noted(context, "subscription.degraded", organization_id, data)


async def announce(context: Context, events: Sequence[Noted]) -> None:
    """Queue the telling of events that were noted; of one that was not after all, nothing is told."""
    if not events:
        return
    try:
        await _queue(context, await context.store.webhooks.noted([event.id for event in events]))
    except (TemporaryError, redis.RedisError) as away:
        _log.warning("events_not_queued", count=len(events), reason=type(away).__name__)


async def catch_up(context: Context) -> int:
    """Queue the events that were left behind; returns how many."""
    latest = datetime.now(UTC) - _LEFT_BEHIND
    found = await context.store.webhooks.all_noted(limit=_MOST_AT_ONCE)
    left = [raw for raw in found if datetime.fromisoformat(Event.from_json(raw).at) < latest]
    await _queue(context, left)
    return len(left)


async def _queue(context: Context, found: Sequence[bytes]) -> None:
    events = [Event.from_json(raw) for raw in found]
    for event in events:
        organization = context.organizations.get(event.organization_id)
        # By the file as it is now: a webhook that was taken out meanwhile is told nothing.
        names = () if organization is None else organization.tells_of(event.type)
        await context.queue.tell(event, names)
    if events:
        await context.store.webhooks.queued([event.id for event in events])


def _names(record: Record) -> dict[str, Any]:
    return {"mailbox": record.mailbox, "messageId": record.message_id}


def _noted(context: Context, kind: EventType, organization_id: str, data: dict[str, Any]) -> list[Noted]:
    organization = context.organizations.get(organization_id)
    if organization is None or not organization.tells_of(kind):
        return []
    event = new_event(kind, organization_id, data)
    return [Noted(event.id, event.to_json())]
