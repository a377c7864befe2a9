"""Doors for the scheduled jobs. Each says in its run what it did; each is safe to repeat at any point.

Messages come from the scheduler (workers/scheduler/publishing.py): `due`, `run` and `job` name the run;
`organization_id` is there where an organization has a time of its own for the job.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import actors
from actors import policy, resources
from actors.door import attempt_of, door
from workers.cleanup.sweep import clean_up
from workers.errors import PermanentError
from workers.export.weekly import export_weeks
from workers.health.check import check_health
from workers.organizations import Organization
from workers.pipeline import catching_up, graph_upkeep
from workers.pipeline.context import Context
from workers.pipeline.scheduled_run import Done, RunInHand, carry_out, end
from workers.reports.daily import write_daily_reports

Work = Callable[[Context, RunInHand], Awaitable[Done]]


@policy.SCHEDULED.actor
async def email_processing(
    due: str = "", run: str = "", job: str = "", organization_id: str | None = None
) -> None:
    """Queue what was left behind."""

    async def work(context: Context, _: RunInHand) -> Done:
        stats = await asyncio.to_thread(actors.broker.stats)
        organizations = _organizations(context, "email_processing", organization_id)
        longest_wait_s = max(stats.oldest_age_s.values())
        return Done(await catching_up.catch_up(context, organizations, longest_wait_s=longest_wait_s))

    await _carry_out(job or "email_processing", run, due, work)


@policy.SCHEDULED.actor
async def graph_sync(due: str = "", run: str = "", job: str = "", organization_id: str | None = None) -> None:
    """Look at every mailbox, and keep subscriptions and categories."""

    async def work(context: Context, handed: RunInHand) -> Done:
        organizations = _organizations(context, "graph_sync", organization_id)
        if handed.attempt == 1:
            await graph_upkeep.look_everywhere(context, organizations)
        done = await graph_upkeep.keep_in_touch(context, organizations)
        mailboxes = sum(len(organization.mailboxes) for organization in organizations)
        return Done({"mailboxesQueued": mailboxes, **done.figures}, done.problem)

    await _carry_out(job or "graph_sync", run, due, work)


@policy.SCHEDULED.actor
async def health_check(due: str = "", run: str = "", job: str = "") -> None:
    """Look at the whole service."""

    async def work(context: Context, _: RunInHand) -> Done:
        return Done(await check_health(context, actors.broker, asking=job or "health_check"))

    await _carry_out(job or "health_check", run, due, work)


@policy.SCHEDULED.actor
async def cleanup(due: str = "", run: str = "", job: str = "", dry_run: bool = False) -> None:
    """Remove what is past its retention."""

    async def work(context: Context, _: RunInHand) -> Done:
        return Done(await clean_up(context, actors.broker, dry_run=dry_run))

    await _carry_out(job or "cleanup", run, due, work)


@policy.SCHEDULED.actor
async def daily_reports(
    due: str = "", run: str = "", job: str = "", organization_id: str | None = None
) -> None:
    """Write, and mail, the reports of the day before."""

    async def work(context: Context, handed: RunInHand) -> Done:
        organizations = _organizations(context, "daily_reports", organization_id)
        return await write_daily_reports(context, organizations, handed.due, owner=handed.run_id)

    await _carry_out(job or "daily_reports", run, due, work)


@policy.SCHEDULED.actor
async def weekly_export(
    due: str = "", run: str = "", job: str = "", organization_id: str | None = None
) -> None:
    """Export the week that ended last."""

    async def work(context: Context, handed: RunInHand) -> Done:
        organizations = _organizations(context, "weekly_export", organization_id)
        return await export_weeks(context, organizations, handed.due)

    await _carry_out(job or "weekly_export", run, due, work)


@policy.SCHEDULED.actor
async def run_actor(
    actor: str, arguments: dict[str, Any], due: str = "", run: str = "", job: str = ""
) -> None:
    """Run any actor of ours as a job that the organizations file defines."""

    async def work(_: Context, __: RunInHand) -> Done:
        if actor not in actors.broker.get_declared_actors():
            raise PermanentError(f"job {job}: no actor is named {actor}", code="unknown_actor")
        # The coroutine itself: dramatiq's wrapper would wait for the very loop that we are in.
        await inspect.unwrap(actors.broker.get_actor(actor).fn)(**arguments)
        return Done({"actor": actor})

    await _carry_out(job, run, due, work)


@policy.BOOKKEEPING.actor
async def record_run_death(job: str, run: str, reason: str = "", error: str = "") -> None:
    """Note that a run ended in the dead letters."""
    async with door():
        await end(resources.current().store, job, run, "failed", error=f"{reason}: {error}")


async def _carry_out(job: str, run: str, due: str, work: Work) -> None:
    async with door() as queue_message:
        context = resources.current()
        moment = datetime.fromisoformat(due) if due else datetime.now(UTC)
        attempt = attempt_of(queue_message)
        handed = RunInHand(
            job_id=job,
            run_id=run or queue_message.message_id,
            due=moment,
            attempt=attempt,
            is_last_attempt=attempt >= policy.SCHEDULED.max_attempts,
        )
        await carry_out(context.store, handed, lambda: work(context, handed))


def _organizations(context: Context, job: str, organization_id: str | None) -> list[Organization]:
    """The one named, or all that have no time of their own for the job."""
    if organization_id is not None:
        return [context.organization(organization_id)]
    return [organization for organization in context.organizations if job not in organization.jobs]
