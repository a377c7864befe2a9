"""Replies and forwards, sent once: reserve, look for the tag, draft, compose, send, confirm by the tag.

Graph promises nothing about a send that was cut off, so nothing is ever sent blindly: whoever comes back to
an unfinished one first looks where the tagged copy is. A draft that is gone was sent, and is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workers import logs
from workers.analysis.mail import Mail, mail_from_graph
from workers.decisions import rule_named
from workers.errors import Busy, NotFound
from workers.graph import drafts
from workers.graph.client import Graph
from workers.organizations import Organization, Rule, Template
from workers.pipeline import templates
from workers.pipeline.content import content_of
from workers.pipeline.context import Context
from workers.pipeline.senders import answer_goes_to_a_person
from workers.store import PlannedStep, Record
from workers.store.keys import fingerprint

_log = logs.get_logger("pipeline")
# The Sent copy usually appears within seconds; by then a person should look rather than a machine wait.
_LOOK_AGAIN_S = 2.0
_STOP_LOOKING_S = 15 * 60.0

Create = Callable[[str], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Letter:
    """What is to be sent: to whom, by which template, and why it must stay a draft ("" if it need not)."""

    recipients: tuple[str, ...]
    template: Template | None
    stays_draft: str


@dataclass(frozen=True)
class _Work:
    """What every stage of sending needs."""

    context: Context
    graph: Graph
    organization: Organization
    record: Record
    mail: Mail


async def respond(
    context: Context, organization: Organization, record: Record, step: PlannedStep
) -> PlannedStep:
    """Answer a message with the rule's template, to its sender, at most once per correspondent and period."""
    rule = rule_named(organization, step.rule)
    template = organization.templates.get(step.template or "")
    if rule is None or template is None:
        return replace(step, status="skipped", detail="the rule or template is no longer configured")
    work = await _work(context, organization, record)
    recipient = work.mail.sender.address
    hours = rule.once_per_correspondent_h
    if hours and not await context.store.ledger.reserve_answer(
        organization.id, rule.name, recipient, record.message_id, hours=hours
    ):
        return replace(step, status="skipped", detail=f"correspondent had this answer within {hours} h")
    letter = Letter((recipient,), template, _stays_draft(organization, answer_goes_to_a_person(work.mail)))

    async def create(tag: str) -> dict[str, Any]:
        return await drafts.create_reply(
            work.graph, record.mailbox, record.message_id, tag=tag, to=letter.recipients
        )

    return await _send_once(work, step, letter, create)


async def forward(
    context: Context, organization: Organization, record: Record, step: PlannedStep
) -> PlannedStep:
    """Forward a message to the addresses that the rule names now, with its attachments."""
    recipients = _forward_targets(rule_named(organization, step.rule))
    if not recipients:
        return replace(step, status="skipped", detail="the rule is no longer configured")
    work = await _work(context, organization, record)
    sender = work.mail.sender.address.lower()
    recipients = tuple(address for address in recipients if address.lower() != sender)
    if not recipients:
        return replace(step, status="skipped", detail="it came from where it would be forwarded to")
    letter = Letter(recipients, organization.templates.get("forward"), _stays_draft(organization, ""))

    async def create(tag: str) -> dict[str, Any]:
        return await drafts.create_forward(
            work.graph, record.mailbox, record.message_id, tag=tag, to=recipients
        )

    return await _send_once(work, step, letter, create)


async def _work(context: Context, organization: Organization, record: Record) -> _Work:
    mail = mail_from_graph(await content_of(context, record))
    return _Work(context, context.graph_of(organization.id), organization, record, mail)


def _forward_targets(rule: Rule | None) -> tuple[str, ...]:
    steps = rule.then if rule is not None else ()
    return tuple(dict.fromkeys(address for step in steps for address in step.addresses))


def _stays_draft(organization: Organization, reason: str) -> str:
    return "mode is draft" if organization.mode == "draft" else reason


async def _send_once(work: _Work, step: PlannedStep, letter: Letter, create: Create) -> PlannedStep:
    if step.status == "planned":
        if not await _reserve(work, step):
            return replace(step, status="skipped", detail="a copy of this message was handled before")
        tag = drafts.tag_of(work.organization.id, work.record.message_id, step.type)
        step = await _note(work, replace(step, status="reserved", tag=tag))
    # Always: a Redis restored from a backup does not know what was already sent.
    found = await drafts.find_tagged(work.graph, work.record.mailbox, step.tag)
    if any(not copy.is_draft for copy in found):
        return replace(step, status="done", detail=_told(letter))
    draft_id = next((copy.id for copy in found if copy.is_draft), "")
    if not draft_id and step.status in ("drafted", "sending"):
        return _await_copy(step, letter)
    if not draft_id:
        draft_id = str((await create(step.tag))["id"])
    if step.status == "reserved":
        await _compose(work, step, letter, draft_id)
        step = await _note(work, replace(step, status="drafted", draft_id=draft_id))
    if letter.stays_draft:
        return replace(step, status="waiting", detail=f"draft for a person: {letter.stays_draft}")
    return await _send(work, step, letter, draft_id)


async def _compose(work: _Work, step: PlannedStep, letter: Letter, draft_id: str) -> None:
    """Put our text above the quote, unless a worker that died had done so; recipients are always set."""
    draft = await drafts.get_draft(work.graph, work.record.mailbox, draft_id)
    if drafts.is_prepared(draft, step.tag) or letter.template is None:
        return
    analysis = work.record.analysis or {}
    values = templates.values_for(work.organization, work.record.mailbox, work.mail, analysis)
    subject = letter.template.subject
    await drafts.update_draft_body(
        work.graph,
        work.record.mailbox,
        draft,
        templates.render_body(letter.template.body, values),
        tag=step.tag,
        subject=templates.render_subject(subject, values) if subject else None,
        to=letter.recipients,
    )


async def _send(work: _Work, step: PlannedStep, letter: Letter, draft_id: str) -> PlannedStep:
    if step.status != "sending":
        step = await _note(work, replace(step, status="sending", draft_id=draft_id, detail=str(time.time())))
    try:
        await drafts.send_draft(work.graph, work.record.mailbox, draft_id)
    except NotFound:
        # Sent by an earlier try, or by a person.
        _log.info("draft_gone_before_send", step=step.type)
    found = await drafts.find_tagged(work.graph, work.record.mailbox, step.tag)
    if any(not copy.is_draft for copy in found):
        return replace(step, status="done", detail=_told(letter))
    return _await_copy(step, letter)


def _await_copy(step: PlannedStep, letter: Letter) -> PlannedStep:
    """The draft left Drafts and its copy is not to be seen yet: look again, but never send again."""
    if step.status != "sending":
        return replace(step, status="done", detail="a person took the draft: nothing more is sent")
    if time.time() - float(step.detail or 0) < _STOP_LOOKING_S:
        raise Busy("sent, and not yet seen in Sent Items", retry_after_s=_LOOK_AGAIN_S)
    return replace(step, status="done", detail=f"{_told(letter)}; no copy seen in Sent Items")


async def _reserve(work: _Work, step: PlannedStep) -> bool:
    """One answer for one mail, also where a copy or a restored item brought it in under another id."""
    record = work.record
    identity = record.internet_message_id or record.message_id
    sender = work.mail.sender.address
    effect = fingerprint(record.mailbox, identity, record.sent_at, sender, step.rule, step.type)
    return await work.context.store.ledger.reserve_effect(effect, record.message_id)


async def _note(work: _Work, step: PlannedStep) -> PlannedStep:
    await work.context.store.ledger.save(work.record, {f"step:{step.index}": step.to_json()})
    return step


def _told(letter: Letter) -> str:
    domains: Sequence[str] = sorted({address.rpartition("@")[2] for address in letter.recipients})
    return f"sent to {len(letter.recipients)} at {', '.join(domains)}"
