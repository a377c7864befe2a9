"""The reports of a day: gathered, written as JSON and HTML, mailed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import orjson

from workers import logs, metrics
from workers.errors import EconeuraError
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.pipeline.scheduled_run import Done
from workers.reports import files
from workers.reports.gathering import gather
from workers.reports.mailing import mail_report
from workers.reports.page import render

_log = logs.get_logger("reports")
# Days whose report an outage prevented are written afterwards; older ones have lost their course of the day.
_MADE_UP_FOR_DAYS = 7


async def write_daily_reports(
    context: Context, organizations: Sequence[Organization], due: datetime, *, owner: str
) -> Done:
    """Write each organization's report of its own day before `due`, and those of earlier days that lack.

    Writing one again puts the same figures in the same files. Trouble of one organization stays with it.
    """
    figures = {"written": 0, "mailed": 0}
    problems = []
    for organization in organizations:
        yesterday = due.astimezone(organization.zone).date() - timedelta(days=1)
        try:
            for day in await _missing_days(context, organization, yesterday):
                await _write(context, organization, day)
                figures["written"] += 1
            figures["written"] += 1
            figures["mailed"] += await _write_and_mail(context, organization, yesterday, owner)
        except (EconeuraError, OSError) as failed:
            code = failed.code if isinstance(failed, EconeuraError) else type(failed).__name__
            metrics.ERRORS.labels(code, "reports", "error").inc()
            _log.error("report_failed", organizationId=organization.id, error=str(failed))
            problems.append(f"{organization.id}: {code}")
    return Done(figures, "; ".join(problems))


async def _missing_days(context: Context, organization: Organization, yesterday: date) -> list[date]:
    first_line = await context.store.exports.first_line_at(organization.id)
    if first_line is None:
        return []
    first = first_line.astimezone(organization.zone).date()
    days = [yesterday - timedelta(days=n) for n in range(_MADE_UP_FOR_DAYS, 0, -1)]
    data_dir = context.settings.data_dir
    return [
        day
        for day in days
        if day >= first and not files.path_of(data_dir, organization.id, day, "html").exists()
    ]


async def _write_and_mail(context: Context, organization: Organization, day: date, owner: str) -> bool:
    report, page = await _write(context, organization, day)
    return await mail_report(context, organization, report, page, owner=owner)


async def _write(context: Context, organization: Organization, day: date) -> tuple[dict[str, object], str]:
    report = await gather(context, organization, day)
    page = await asyncio.to_thread(render, report, organization.language)
    data_dir = context.settings.data_dir
    await asyncio.to_thread(
        files.write, data_dir, organization.id, day, "json", orjson.dumps(report, option=orjson.OPT_INDENT_2)
    )
    # Last: a day is written once its page is there.
    await asyncio.to_thread(files.write, data_dir, organization.id, day, "html", page.encode())
    _log.info("report_written", organizationId=organization.id, day=day.isoformat())
    return report, page
