"""The story of one message: claim, content, analyse, decide, plan. The actions follow, one by one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from workers import logs
from workers.analysis import Analysis, analyse
from workers.analysis.mail import Mail, mail_from_graph
from workers.errors import NotFound
from workers.organizations import Organization
from workers.pipeline import ending, planning
from workers.pipeline.content import content_with_attachments
from workers.pipeline.context import Context
from workers.pipeline.outcome import result_of
from workers.store import NewMessage, PlannedStep, Record
from workers.store.ledger import Reopen

_log = logs.get_logger("pipeline")
# Below this the analysis takes about a millisecond; a larger text must not hold up the event loop.
_LARGE_BODY = 50_000


async def process(
    context: Context,
    organization_id: str,
    mailbox: str,
    message_id: str,
    *,
    owner: str,
    job_id: str | None = None,
    force: bool = False,
) -> None:
    """Take a message from claim to plan and queue its first action, or end it where there is none.

    Safe to repeat at any point: what was reached is in the ledger. Raises Busy, TemporaryError (Graph or
    Redis away) and PermanentError (no such organization, no access).
    """
    organization = context.organization(organization_id)
    record = await _claim(
        context, organization_id, mailbox, message_id, owner=owner, job_id=job_id, force=force
    )
    if job_id is not None and record.is_finished and not force:
        await ending.tell_jobs(context, record, (job_id,))
        return
    if record.is_finished and not force:
        return
    if mailbox not in organization.mailboxes:
        await ending.finish(context, record, "skipped", "mailbox_not_configured")
        return
    if record.is_under_way and not record.is_finished:
        await resume(context, record)
        return
    try:
        content = await content_with_attachments(context, record)
    except NotFound:
        await ending.finish(context, record, "skipped", "not_found")
        return
    if reason := await _unwanted(context, record, content):
        await ending.finish(context, record, "skipped", reason)
        return
    record = _completed(record, content)
    mail = mail_from_graph(content)
    analysis = await _analyse(context, mail, organization, record.taught)
    analysis = await context.language_model.second_opinion(organization, mail, analysis)
    if record.is_finished:
        await _reconsider(context, record, analysis, job_id)
        return
    plan = await planning.planned(context, organization, record, mail, analysis)
    await _hand_over(context, record, plan)


async def resume(context: Context, record: Record) -> None:
    """Give a claimed message back and queue the next open action of its plan, or end it."""
    following = next_step(record)
    if following is None:
        await ending.finish(context, record, "done", "")
        return
    await context.store.ledger.save(record, {}, release=True)
    await queue_action(context, record, following)


async def queue_action(context: Context, record: Record, step: PlannedStep) -> None:
    """Queue an action for when its mailbox will have a place: sooner it would only be sent back."""
    turn_s = await context.graph_of(record.organization_id).turn_s(record.mailbox)
    await context.queue.act(record, step, delay_s=turn_s)


def next_step(record: Record) -> PlannedStep | None:
    """The first action of a plan that is not over, or None."""
    return next((step for step in record.steps if not step.is_over), None)


async def _claim(
    context: Context,
    organization_id: str,
    mailbox: str,
    message_id: str,
    *,
    owner: str,
    job_id: str | None,
    force: bool,
) -> Record:
    ledger = context.store.ledger
    # Asked for by name: what was skipped gets another chance.
    reopen: Reopen = "all" if force else "skipped" if job_id is not None else "none"

    async def claim() -> Record:
        return await ledger.claim(
            organization_id, mailbox, message_id, owner=owner, reopen=reopen, with_content=True
        )

    try:
        record = await claim()
    except NotFound:
        # Named through the API before delta showed it.
        await ledger.record(organization_id, mailbox, [NewMessage(message_id, {"source": "api"})])
        record = await claim()
    if job_id is not None:
        await ledger.join(mailbox, message_id, job_id)
    return record


async def _unwanted(context: Context, record: Record, content: dict[str, Any]) -> str:
    """Why a message that delta showed only in part is not to be processed, "" where it is.

    What makes others be left out at the synchronisation was not to be seen then.
    """
    if record.received_at or not record.folder:
        return ""
    if content.get("isDraft"):
        return "draft"
    folder = await context.store.mailboxes.read(record.mailbox, record.folder)
    received = datetime.fromisoformat(content["receivedDateTime"]).timestamp() * 1000
    return "before_process_since" if received < folder.process_since_ms else ""


def _completed(record: Record, content: dict[str, Any]) -> Record:
    """The record with what tells a mail from others, also for one first seen in part or named by a caller."""
    if record.received_at:
        return record
    return replace(
        record,
        internet_message_id=str(content.get("internetMessageId") or ""),
        received_at=str(content.get("receivedDateTime") or ""),
        sent_at=str(content.get("sentDateTime") or ""),
        folder_id=str(content.get("parentFolderId") or ""),
        categories=tuple(content.get("categories") or ()),
        etag=str(content.get("@odata.etag") or "") if "categories" in content else "",
    )


async def _analyse(context: Context, mail: Mail, organization: Organization, taught: int) -> Analysis:
    """The local analysis, by all that the organization's people have taught up to this version."""
    floor = organization.confidence_floor
    adjustment = await context.adjustments.of(context.store, context.organizations, organization, taught)
    if len(mail.body) > _LARGE_BODY:
        return await asyncio.to_thread(analyse, mail, floor=floor, adjustment=adjustment)
    async with context.analysing:
        analysis = analyse(mail, floor=floor, adjustment=adjustment)
        # A batch of them in one turn would leave calls that ended unseen, and their places at Graph unused.
        await asyncio.sleep(0)
    return analysis


async def _hand_over(context: Context, record: Record, planned: Record) -> None:
    """Write the plan and queue its first action, or end the message with it where there is none."""
    former = [f"step:{step.index}" for step in record.steps[len(planned.steps) :]]
    if former:
        # Of a plan that was never begun and is made anew, nothing may stay.
        await context.store.ledger.save(record, {}, drop=former)
    written: dict[str, str | bytes] = {
        "subject": planned.subject,
        "internet_message_id": planned.internet_message_id,
        "received_at": planned.received_at,
        "sent_at": planned.sent_at,
        "folder_id": planned.folder_id,
        "categories": orjson.dumps(planned.categories),
        "etag": planned.etag,
        "from_domain": planned.from_domain,
        "sender": planned.sender,
        "analysis": orjson.dumps(planned.analysis),
        "decision": orjson.dumps(planned.decision),
        **{f"step:{step.index}": step.to_json() for step in planned.steps},
    }
    is_paused = bool(planned.decision and planned.decision["paused"])
    if is_paused:
        await ending.finish(context, planned, "skipped", "paused", written=written)
        return
    following = next_step(planned)
    if following is None:
        await ending.finish(context, planned, "done", "", written=written)
        return
    # The plan and the end of our claim in one write: the action's worker can begin at once.
    await context.store.ledger.save(record, written, state="acting", release=True)
    await queue_action(context, planned, following)


async def _reconsider(context: Context, record: Record, analysis: Analysis, job_id: str | None) -> None:
    """A forced look at a finished message: a new analysis, no effect repeated."""
    await context.store.ledger.save(record, {"analysis": orjson.dumps(analysis.to_dict())}, release=True)
    looked_at = await context.store.ledger.read(record.mailbox, record.message_id)
    if looked_at is None:
        raise NotFound("the record expired while it was worked on")
    result = result_of(looked_at, looked_at.finished_at - looked_at.claimed_at)
    await context.store.ledger.save(record, {"result": orjson.dumps(result)}, release=True)
    if job_id is not None:
        await ending.tell_jobs(context, looked_at, (job_id,), result=result)
