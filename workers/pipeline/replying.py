"""Replies and forwards: to whom, by which template, and whether a person looks before they go out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workers.analysis.mail import mail_from_graph
from workers.decisions import rule_named
from workers.errors import PermanentError
from workers.graph import drafts
from workers.organizations import Organization, Rule
from workers.pipeline.composing import needs_a_person
from workers.pipeline.content import content_of
from workers.pipeline.context import Context
from workers.pipeline.senders import answer_goes_to_a_person
from workers.pipeline.sending import Letter, Work, send_once
from workers.store import PlannedStep, Record


async def respond(
    context: Context, organization: Organization, record: Record, step: PlannedStep
) -> PlannedStep:
    """Answer a message with the rule's template, to its sender, at most once per correspondent and period."""
    rule = _rule(organization, step)
    # By the rule as it is now: the settings refuse one whose template is missing.
    template = next(organization.templates[one.template] for one in rule.then if one.template is not None)
    work = await _work(context, organization, record)
    recipient = work.mail.sender.address
    hours = rule.once_per_correspondent_h
    if hours and not await context.store.effects.reserve_answer(
        organization.id, rule.name, recipient, record.message_id, hours=hours
    ):
        return replace(step, status="skipped", detail=f"correspondent had this answer within {hours} h")
    reason = answer_goes_to_a_person(work.mail) or needs_a_person(rule, template)
    letter = Letter((recipient,), template, _stays_draft(organization, reason))

    async def create(tag: str) -> dict[str, Any]:
        return await drafts.create_reply(
            work.graph, record.mailbox, record.message_id, tag=tag, to=letter.recipients
        )

    return await send_once(work, step, letter, create)


async def forward(
    context: Context, organization: Organization, record: Record, step: PlannedStep
) -> PlannedStep:
    """Forward a message to the addresses that the rule names now, with its attachments."""
    recipients = _forward_targets(_rule(organization, step))
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

    return await send_once(work, step, letter, create)


async def _work(context: Context, organization: Organization, record: Record) -> Work:
    mail = mail_from_graph(await content_of(context, record))
    return Work(context, context.graph_of(organization.id), organization, record, mail)


def _rule(organization: Organization, step: PlannedStep) -> Rule:
    """The step's rule as it is configured now; raises PermanentError where it is gone."""
    rule = rule_named(organization, step.rule)
    if rule is None:
        raise PermanentError(f"rule {step.rule} is no longer configured", code="unknown_rule")
    return rule


def _forward_targets(rule: Rule) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for step in rule.then for address in step.addresses))


def _stays_draft(organization: Organization, reason: str) -> str:
    return "mode is draft" if organization.mode == "draft" else reason
