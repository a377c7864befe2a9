"""A correction: what a person said of a message becomes an example, and what it teaches is put to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers import logs, metrics
from workers.analysis.learning import OWN, Adjustment, Signature, guesses, signature_of
from workers.analysis.mail import mail_from_graph
from workers.analysis.result import CATEGORIES
from workers.errors import NotFound
from workers.organizations import Organization
from workers.pipeline.content import content_with_attachments
from workers.pipeline.context import Context
from workers.store import Correction, Judged, Kept
from workers.store.corrections import Source

_log = logs.get_logger("learning")


@dataclass(frozen=True)
class Said:
    """What is said of a message, by whom and when (Unix milliseconds). `labels`: see `labels_of`."""

    values: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]
    source: Source
    by: str
    at_ms: int


def labels_of(said: Mapping[str, str], organization: Organization) -> dict[str, tuple[str, ...]]:
    """What follows for each head from what a person said: head -> classes that are right.

    One of the eight categories also says that the message is of none of the organization's own; one of these
    says nothing of the eight.
    """
    labels: dict[str, tuple[str, ...]] = {
        head: (said[head],) for head in ("urgency", "sentiment") if head in said
    }
    category = said.get("category")
    if category in CATEGORIES:
        labels["category"] = (category,)
        if organization.categories:
            labels[OWN] = ("",)
    elif category is not None:
        labels[OWN] = (category,)
    return labels


async def learn(
    context: Context, organization: Organization, mailbox: str, message_id: str, said: Said
) -> dict[str, Any]:
    """Keep what was said of a message, learn of it, and return the feedback as the API shows it.

    Safe to repeat. Raises NotFound where neither we nor Graph have the message any more.
    """
    record = await context.store.ledger.read(mailbox, message_id)
    if record is None or record.organization_id != organization.id:
        raise NotFound("the ledger does not know the message any more")
    content = await content_with_attachments(context, record)
    signature = signature_of(mail_from_graph(content))
    former = await context.store.corrections.get(organization.id, message_id)
    before = await _adjustment(context, organization)
    # What was learned of this very message is no proof of what was learned.
    judged = _judged(said, signature, before) if former is None else {}
    correction = Correction(
        message_id,
        said.at_ms,
        said.source,
        said.by,
        said.values,
        said.labels,
        signature.to_bytes(),
        record.sender,
    )
    kept = await context.store.corrections.keep(organization.id, correction, judged)
    _count(organization.id, said, kept, judged)
    now = await context.adjustments.of(context.store, context.organizations, organization, kept.version)
    _log.info("corrected", source=said.source, status=kept.status, version=kept.version)
    return {
        **shown(correction, kept),
        "before": _understood(guesses(before, signature)),
        "after": _understood(guesses(now, signature)),
    }


def shown(correction: Correction, kept: Kept) -> dict[str, Any]:
    """A correction as the API shows it."""
    return {
        "messageId": correction.message_id,
        **{head: correction.said.get(head) for head in ("category", "urgency", "sentiment")},
        "source": correction.source,
        "status": kept.status,
        "version": kept.version,
    }


async def _adjustment(context: Context, organization: Organization) -> Adjustment | None:
    version = await context.store.corrections.version(organization.id)
    return await context.adjustments.of(context.store, context.organizations, organization, version)


def _judged(said: Said, signature: Signature, learned: Adjustment | None) -> dict[str, Judged]:
    """Whether the analysis would have been right, without learning and with what was learned so far."""
    without, with_it = guesses(None, signature), guesses(learned, signature)
    return {
        head: Judged(without[head] in classes, with_it[head] in classes)
        for head, classes in said.labels.items()
        # That it is of no own category was not said, it follows.
        if classes != ("",)
    }


def _understood(guessed: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "category": guessed["category"],
        "ownCategory": guessed[OWN] or None,
        "urgency": guessed["urgency"],
        "sentiment": guessed["sentiment"],
    }


def _count(organization_id: str, said: Said, kept: Kept, judged: Mapping[str, Judged]) -> None:
    if kept.status not in ("kept", "replaced"):
        return
    metrics.CORRECTIONS.labels(said.source, organization_id).inc()
    for head, verdict in judged.items():
        metrics.CORRECTIONS_JUDGED.labels(
            head, "right" if verdict.without else "wrong", "right" if verdict.learned else "wrong"
        ).inc()
