"""What is to be done about a message that is understood: the decision, as a plan in its record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from workers import clock, logs, metrics
from workers.analysis import Analysis
from workers.analysis.mail import Mail
from workers.decisions import Decision, Facts, brake_trips, decide, rule_named
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.store import Change, PlannedStep, Record
from workers.store.keys import sender_fingerprint

_log = logs.get_logger("pipeline")


async def planned(
    context: Context, organization: Organization, record: Record, mail: Mail, analysis: Analysis
) -> Record:
    """The record with what its message means and the steps that follow; nothing is written yet."""
    facts = Facts(mail.sender.address, mail.subject, context.organizations.is_ours(mail.sender.address))
    decision = decide(analysis, facts, organization, record.paused)
    if any(rule.brake is not None for rule in organization.rules):
        decision = await _braked(context, organization, decision)
    return replace(
        record,
        state="acting",
        subject=mail.subject[:500],
        from_domain=facts.sender_domain,
        sender=sender_fingerprint(mail.sender.address),
        analysis=analysis.to_dict(),
        decision={"rule": decision.rule, "version": decision.version, "paused": decision.paused},
        steps=_steps(decision, organization),
    )


async def _braked(context: Context, organization: Organization, decision: Decision) -> Decision:
    """The decision, paused where its rule has applied so often that it is likely to be wrong."""
    switches = context.store.switches
    hour = f"{datetime.now(UTC):%Y%m%d%H}"
    by_rule, by_all = await switches.count_applied(organization.id, decision.rule, hour=hour)
    rule = rule_named(organization, decision.rule)
    if rule is None or decision.paused or not brake_trips(rule, by_rule, by_all):
        return decision
    await switches.pause(organization.id, rule.name)
    told: dict[str, str | int] = {"rule": rule.name, "applied": by_rule, "of": by_all}
    await context.store.audit.note(Change("organization.paused", "brake", organization.id, details=told))
    metrics.ERRORS.labels("rule_paused_itself", "pipeline", "warning").inc()
    _log.warning("rule_paused_itself", rule=rule.name, applied=by_rule, of=by_all)
    return replace(decision, paused=True)


def _steps(decision: Decision, organization: Organization) -> tuple[PlannedStep, ...]:
    now = clock.now_text()
    steps = []
    for index, action in enumerate(decision.actions):
        step = PlannedStep(
            index=index,
            type=action.type,
            rule=decision.rule,
            categories=action.categories,
            changed_at=now,
        )
        if action.held_back:
            step = replace(step, status="skipped", detail=action.held_back)
        elif organization.mode == "observe":
            step = replace(step, status="observed", detail="mode is observe: not done")
        steps.append(step)
    return tuple(steps)
