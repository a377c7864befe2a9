"""What is told of a message once it ended: the API's result and the journal's line. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.store import PlannedStep, Record

# The action that names the whole outcome: the one a correspondent or colleague would notice most.
_MOST_NOTABLE = ("respond", "forward", "archive", "categorize")
_HAPPENED = frozenset({"done", "waiting"})


def main_action(steps: tuple[PlannedStep, ...]) -> str:
    """The most notable action that happened, or "none"."""
    happened = {step.type for step in steps if step.status in _HAPPENED}
    return next((action for action in _MOST_NOTABLE if action in happened), "none")


def actions_of(steps: tuple[PlannedStep, ...]) -> list[dict[str, str]]:
    return [{"type": step.type, "status": step.status, "detail": step.detail} for step in steps]


def result_of(record: Record, took_ms: float) -> dict[str, Any]:
    """The result of a message as the API returns it (design page, HTTP API)."""
    analysis = record.analysis or {}
    return {
        "messageId": record.message_id,
        "processed": record.state == "done" or (record.state == "acting" and record.analysis is not None),
        "action": main_action(record.steps),
        "confidence": analysis.get("confidence", 0.0),
        "metadata": {
            "category": analysis.get("category"),
            **_own_category(analysis),
            "sentiment": analysis.get("sentiment"),
            "urgency": analysis.get("urgency"),
            "language": analysis.get("language"),
            "abstained": analysis.get("abstained"),
            "entities": analysis.get("entities", []),
        },
        "processingTime": round(took_ms),
        "actions": actions_of(record.steps),
    }


def journal_line(record: Record, state: str, reason: str, took_ms: float) -> dict[str, Any]:
    """One line of the journal: what reports and exports need, without addresses or text."""
    analysis = record.analysis or {}
    decision = record.decision or {}
    return {
        "messageId": record.message_id,
        "mailbox": record.mailbox,
        "subject": record.subject,
        "fromDomain": record.from_domain,
        "state": state,
        "reason": reason,
        "category": analysis.get("category"),
        **_own_category(analysis),
        "confidence": analysis.get("confidence"),
        "abstained": analysis.get("abstained"),
        "urgency": analysis.get("urgency"),
        "sentiment": analysis.get("sentiment"),
        "language": analysis.get("language"),
        "rule": decision.get("rule"),
        "action": main_action(record.steps),
        "actions": actions_of(record.steps),
        "receivedAt": record.received_at,
        "seenAt": record.seen_at,
        "ms": round(took_ms),
    }


def _own_category(analysis: Mapping[str, Any]) -> dict[str, str]:
    """Besides one of the eight, where the organization has categories of its own and it is of one."""
    own = analysis.get("own_category")
    return {"ownCategory": own} if own else {}
