"""The trace of a message, from its ledger record."""

from __future__ import annotations

from api.envelope import moment
from api.schemas.emails import GivenFeedback, Result, Trace, TracedAction, Transition
from workers.store import Correction, PlannedStep, Record


def trace_of(record: Record, correction: Correction | None = None) -> Trace:
    """Everything known of a message but its text."""
    decision = record.decision or {}
    return Trace(
        message_id=record.message_id,
        organization_id=record.organization_id,
        mailbox=record.mailbox,
        folder=record.folder,
        internet_message_id=record.internet_message_id,
        subject=record.subject,
        from_domain=record.from_domain,
        state=record.state,
        reason=record.reason,
        error=record.error,
        received_at=record.received_at or None,
        seen_at=moment(record.seen_at),
        notified_at=moment(record.notified_at),
        claimed_at=moment(record.claimed_at),
        finished_at=moment(record.finished_at),
        erased_at=moment(record.erased_at),
        analysis=record.analysis,
        decision=record.decision,
        rule=decision.get("rule"),
        actions=[_action(step) for step in record.steps],
        feedback=None if correction is None else _feedback(correction),
        result=None if record.result is None else Result.model_validate(record.result),
        history=[Transition(state=state, at=moment(at) or "") for state, at in record.history],
    )


def _feedback(correction: Correction) -> GivenFeedback:
    return GivenFeedback(
        category=correction.said.get("category"),
        urgency=correction.said.get("urgency"),
        sentiment=correction.said.get("sentiment"),
        source=correction.source,
        at=moment(correction.at_ms) or "",
    )


def _action(step: PlannedStep) -> TracedAction:
    return TracedAction(
        type=step.type,
        rule=step.rule,
        status=step.status,
        detail=step.detail,
        attempts=step.attempts,
        categories=list(step.categories),
        request_ids=list(step.request_ids),
        changed_at=step.changed_at or None,
        text_by=step.text_by,
    )
