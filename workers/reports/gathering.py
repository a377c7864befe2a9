"""What a day's report is made of, read from Redis (and, for the days before, from their own reports)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.reports import files
from workers.reports.email_day import EmailDay
from workers.store.agreement import agreement_of

_DAYS_BEFORE = 7
# A message that came at midnight has ended by then, and a report of last month needs no journal of the year.
_LATE_ENDS = timedelta(days=1)
_MOST_OPEN = 5000
_SLOT_MINUTES = 15
_COMPARED = ("received", "done", "skipped", "dead")
_DRAWN = ("waiting", "oldestAgeSeconds", "memoryBytes", "latencyMs")


async def gather(context: Context, organization: Organization, day: date) -> dict[str, Any]:
    """The report of an organization's own day, as its JSON has it. A day without mail is a valid report."""
    mail = await _email_day(context, organization, day)
    summary = mail.summary()
    before = [await _day_before(context, organization, day - timedelta(days=n)) for n in _countdown()]
    return {
        "organizationId": organization.id,
        "date": day.isoformat(),
        "timezone": organization.timezone,
        "language": organization.language,
        "writtenAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "emailSummary": {**summary, "comparison": _comparison(before)},
        "learning": await _learning(context, organization, mail.start, mail.end),
        "jobStatistics": await _job_statistics(context, organization, mail.start, mail.end),
        "systemHealth": await _system_health(context, mail.start, mail.end),
    }


async def _email_day(context: Context, organization: Organization, day: date) -> EmailDay:
    mail = EmailDay(datetime(day.year, day.month, day.day, tzinfo=organization.zone), organization.zone)
    since_ms, until_ms = int(mail.start.timestamp() * 1000), int((mail.end + _LATE_ENDS).timestamp() * 1000)
    lines = context.store.journal.lines(organization.id, since_ms=since_ms, until_ms=until_ms)
    async for entry_id, line in lines:
        mail.add(int(entry_id.partition("-")[0]), line)
    still_open = await context.store.unfinished.oldest(organization.id, idle_for_s=0, limit=_MOST_OPEN)
    for mailbox, message_id in still_open:
        record = await context.store.ledger.read(mailbox, message_id)
        if record is not None:
            mail.add_open(record.seen_at)
    return mail


def _countdown() -> range:
    return range(_DAYS_BEFORE, 0, -1)


async def _day_before(context: Context, organization: Organization, day: date) -> dict[str, Any]:
    """Date and counts of an earlier day: from its report, else from the journal."""
    report = files.read(context.settings.data_dir, organization.id, day)
    if report is not None:
        summary: Mapping[str, Any] = report["emailSummary"]
    else:
        summary = (await _email_day(context, organization, day)).summary()
    return {"date": day.isoformat(), **{name: summary[name] for name in _COMPARED}}


def _comparison(before: list[dict[str, Any]]) -> dict[str, Any]:
    # Days before the organization's first mail say nothing.
    while before and not before[0]["received"]:
        before = before[1:]
    means = {name: round(sum(day[name] for day in before) / max(len(before), 1), 1) for name in _COMPARED}
    return {"days": before, "mean": means if before else None}


async def _learning(
    context: Context, organization: Organization, since: datetime, until: datetime
) -> dict[str, Any]:
    """What people said that day, and how much of it the analysis had right before and after learning."""
    changes = [
        change
        async for change in context.store.corrections.changes(
            organization.id,
            since_ms=int(since.timestamp() * 1000),
            until_ms=int(until.timestamp() * 1000),
        )
    ]
    said = Counter(change.source for change in changes if change.status != "withdrawn")
    return {
        "said": {source: said[source] for source in ("person", "category", "folder")},
        "withdrawn": sum(change.status == "withdrawn" for change in changes),
        "agreement": [
            {
                "head": head,
                "judged": agreement.judged,
                "rightWithout": agreement.right_without,
                "rightLearned": agreement.right_learned,
            }
            for head, agreement in agreement_of(changes).items()
        ],
    }


async def _job_statistics(
    context: Context, organization: Organization, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Runs that ended that day by job; other organizations' own times are none of this one's business."""
    hours = await context.store.schedule.hours(since, until)
    jobs = []
    for job_id, counts in sorted(hours.items()):
        if "@" in job_id and not job_id.endswith(f"@{organization.id}"):
            continue
        ended = counts.get("completed", 0) + counts.get("failed", 0)
        jobs.append(
            {
                "id": job_id,
                **{name: counts.get(name, 0) for name in ("completed", "failed", "skipped", "missed")},
                "meanMs": round(counts.get("ms", 0) / ended, 1) if ended else None,
            }
        )
    return jobs


async def _system_health(context: Context, since: datetime, until: datetime) -> dict[str, Any]:
    """Minutes by status, extremes, and a course of the day in quarters of an hour."""
    statuses = {"healthy": 0, "degraded": 0, "unhealthy": 0}
    slots = int((until - since) / timedelta(minutes=_SLOT_MINUTES))
    course: dict[str, list[float | None]] = {name: [None] * slots for name in _DRAWN}
    dead = 0
    async for sample in context.store.health.samples(since, until):
        statuses[sample["status"]] += 1
        dead = max(dead, sample["dead"])
        at = datetime.fromisoformat(sample["at"])
        slot = min(slots - 1, max(0, int((at - since) / timedelta(minutes=_SLOT_MINUTES))))
        for name, values in course.items():
            if sample[name] is not None:
                values[slot] = max(values[slot] or 0.0, sample[name])
    most = {
        name: max((value for value in values if value is not None), default=None)
        for name, values in course.items()
    }
    return {
        "checks": sum(statuses.values()),
        "minutes": statuses,
        "most": {**most, "deadLetters": dead},
        "slotMinutes": _SLOT_MINUTES,
        "course": course,
    }
