"""A letter sent once: reserve, look for the tag, draft, compose, mark, send, confirm by the tag.

Graph promises nothing about a send that was cut off, so nothing is ever sent blindly: whoever comes back to
an unfinished one first looks where the tagged copy is. A draft that is gone was sent, and is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workers import logs
from workers.analysis.mail import Mail
from workers.errors import BadRequest, Busy, LostClaim, NotFound
from workers.graph import drafts
from workers.graph.client import Graph
from workers.organizations import Organization, Template
from workers.pipeline.composing import NO_TEXT, composed
from workers.pipeline.context import Context
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
class _Traces:
    """What the mailbox itself shows of an action."""

    drafts: tuple[str, ...]
    was_sent: bool
    is_ready: bool
    """A draft of it was made ready: where none is left, it was sent (the copy may be late) or taken."""


@dataclass(frozen=True)
class Work:
    """What every stage of sending needs."""

    context: Context
    graph: Graph
    organization: Organization
    record: Record
    mail: Mail


async def send_once(work: Work, step: PlannedStep, letter: Letter, create: Create) -> PlannedStep:
    """Carry the letter from its reservation to what can be confirmed; `create` makes its draft, by a tag.

    Safe to repeat at any point. Raises Busy while a copy is awaited, LostClaim, and as Graph's calls do.
    """
    if step.status == "planned":
        if not await _reserve(work, step):
            return replace(step, status="skipped", detail="a copy of this message was handled before")
        tag = drafts.tag_of(work.organization.id, work.record.message_id, step.type)
        step = await _note(work, replace(step, status="reserved", tag=tag))
    # Always: a Redis restored from a backup does not know what was already sent.
    traces = await _traces(work, step)
    if traces.was_sent:
        return await _confirmed(work, step, letter, traces)
    if step.status == "sending" and step.draft_id not in traces.drafts:
        return _await_copy(step, letter)
    if not traces.drafts and traces.is_ready:
        return replace(step, status="done", detail="the draft was sent or taken before")
    return await _finish_draft(work, step, letter, create, traces)


async def _finish_draft(
    work: Work, step: PlannedStep, letter: Letter, create: Create, traces: _Traces
) -> PlannedStep:
    """Find or make the draft, see to it that it is ready, and send it unless it is for a person."""
    graph, mailbox = work.graph, work.record.mailbox
    if traces.drafts:
        draft_id = step.draft_id if step.draft_id in traces.drafts else traces.drafts[0]
        if letter.stays_draft and traces.is_ready:
            # From here on it is the person's: nothing in it is ours to change.
            return _for_a_person(step, letter, draft_id)
        draft = await drafts.get_draft(graph, mailbox, draft_id)
        if drafts.is_held(draft, step.tag):
            letter = _held(letter)
    else:
        draft = await create(step.tag)
    try:
        if not traces.is_ready:
            step, letter = await _compose(work, step, letter, draft)
            await _mark_answered(work, step)
        elif not letter.stays_draft:
            # The configuration may name others by now.
            await drafts.set_recipients(graph, mailbox, draft, letter.recipients)
        step = await _note(work, replace(step, draft_id=str(draft["id"])))
    except LostClaim:
        await _withdraw(work, step, str(draft["id"]))
        raise
    if letter.stays_draft:
        # Now that it is noted which one stays: another worker's that came meanwhile is a stray.
        traces = await _traces(work, step)
        if step.draft_id in traces.drafts:
            await _delete_strays(work, traces, kept=step.draft_id)
        return _for_a_person(step, letter, step.draft_id)
    return await _send(work, step, letter)


async def _traces(work: Work, step: PlannedStep) -> _Traces:
    message_id, folder = work.record.message_id, work.record.folder
    found = await drafts.find_tagged(work.graph, work.record.mailbox, step.tag, answered_in=folder)
    return _Traces(
        drafts=tuple(copy.id for copy in found if copy.is_draft),
        was_sent=any(not copy.is_draft and copy.id != message_id for copy in found),
        is_ready=any(copy.id == message_id for copy in found),
    )


async def _compose(
    work: Work, step: PlannedStep, letter: Letter, draft: dict[str, Any]
) -> tuple[PlannedStep, Letter]:
    """Put our text above the quote, unless a worker that died had done so; recipients are always set.

    A letter for which a language model wrote nothing is held back for a person, and its draft says so.
    """
    if letter.template is None or drafts.is_prepared(draft, step.tag):
        await drafts.set_recipients(work.graph, work.record.mailbox, draft, letter.recipients)
        return step, letter
    text = await composed(work.context, work.organization, work.record, work.mail, letter.template)
    if text.text_by:
        # Also renews our claim: a model may have taken its time.
        step = await _note(work, replace(step, text_by=text.text_by))
    await drafts.update_draft_body(
        work.graph,
        work.record.mailbox,
        draft,
        text.html,
        tag=step.tag,
        held=not text.is_whole,
        subject=text.subject,
        to=letter.recipients,
    )
    return step, letter if text.is_whole else _held(letter)


def _held(letter: Letter) -> Letter:
    return replace(letter, stays_draft=NO_TEXT)


async def _mark_answered(work: Work, step: PlannedStep) -> None:
    """Let the mailbox itself remember that the draft is ready: once it is gone, it was sent or taken.

    The ledger may forget that (a Redis restored from a backup), and the Sent copy may not be there yet.
    """
    try:
        await drafts.mark_answered(work.graph, work.record.mailbox, work.record.message_id, tag=step.tag)
    except (NotFound, BadRequest) as refused:
        # It is the second line of defence: without it the draft is sent all the same.
        _log.info("answered_message_not_marked", step=step.type, code=refused.code)


async def _withdraw(work: Work, step: PlannedStep, draft_id: str) -> None:
    """Another worker took this message while we made a draft: ours goes if theirs is out, or noted.

    Not before: it may be the only one, or the one that they are about to send.
    """
    traces = await _traces(work, step)
    record = await work.context.store.ledger.read(work.record.mailbox, work.record.message_id)
    noted = next((one.draft_id for one in record.steps if one.index == step.index), "") if record else ""
    if traces.was_sent or (noted != draft_id and noted in traces.drafts):
        await drafts.delete_draft(work.graph, work.record.mailbox, draft_id)


async def _send(work: Work, step: PlannedStep, letter: Letter) -> PlannedStep:
    if step.status != "sending":
        step = await _note(work, replace(step, status="sending", detail=str(time.time())))
    refused: BadRequest | None = None
    try:
        await drafts.send_draft(work.graph, work.record.mailbox, step.draft_id)
    except NotFound:
        # Sent by an earlier try, or by a person.
        _log.info("draft_gone_before_send", step=step.type)
    except BadRequest as error:
        # What was sent already and kept its id is refused, too.
        refused = error
    traces = await _traces(work, step)
    if traces.was_sent:
        return await _confirmed(work, step, letter, traces)
    if refused is not None:
        raise refused
    return _await_copy(step, letter)


async def _confirmed(work: Work, step: PlannedStep, letter: Letter, traces: _Traces) -> PlannedStep:
    """The copy is there: what is left in Drafts with this tag is a stray."""
    await _delete_strays(work, traces)
    return replace(step, status="done", detail=_told(letter))


async def _delete_strays(work: Work, traces: _Traces, *, kept: str = "") -> None:
    """Delete all drafts but one, such as a slow createReply leaves when another worker went on."""
    for draft_id in traces.drafts:
        if draft_id != kept:
            await drafts.delete_draft(work.graph, work.record.mailbox, draft_id)


def _for_a_person(step: PlannedStep, letter: Letter, draft_id: str) -> PlannedStep:
    detail = f"draft for a person: {letter.stays_draft}"
    return replace(step, status="waiting", draft_id=draft_id, detail=detail)


def _await_copy(step: PlannedStep, letter: Letter) -> PlannedStep:
    """The draft left Drafts and its copy is not to be seen yet: look again, but never send again."""
    if time.time() - float(step.detail or 0) < _STOP_LOOKING_S:
        raise Busy("sent, and not yet seen in Sent Items", retry_after_s=_LOOK_AGAIN_S)
    return replace(step, status="done", detail=f"{_told(letter)}; no copy seen in Sent Items")


async def _reserve(work: Work, step: PlannedStep) -> bool:
    """One answer for one mail, also where a copy or a restored item brought it in under another id."""
    record = work.record
    identity = record.internet_message_id or record.message_id
    sender = work.mail.sender.address
    # Not the rule: one that was renamed or edited since does not send again.
    effect = fingerprint(record.mailbox, identity, record.sent_at, sender, step.type)
    return await work.context.store.effects.reserve(effect, record.message_id)


async def _note(work: Work, step: PlannedStep) -> PlannedStep:
    await work.context.store.ledger.save(work.record, {f"step:{step.index}": step.to_json()})
    return step


def _told(letter: Letter) -> str:
    domains: Sequence[str] = sorted({address.rpartition("@")[2] for address in letter.recipients})
    return f"sent to {len(letter.recipients)} at {', '.join(domains)}"
