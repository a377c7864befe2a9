"""The scheduled jobs: what runs when. The one table that the scheduler, the API and the actors read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Overlap = Literal["skip", "queue", "allow"]


@dataclass(frozen=True)
class ScheduledJob:
    """A job of the schedule. `schedule` is a cron line (workers/cron.py) in `timezone`."""

    id: str
    schedule: str
    name: str
    description: str
    time_limit_s: int
    catch_up_s: int
    """A fire missed by less than this (an outage) is made up for once; an older one is counted as missed."""
    priority: str = "normal"
    timezone: str = "UTC"
    overlap: Overlap = "skip"
    """A fire during the former run is skipped and counted, waits for its end, or runs beside it."""
    jitter_s: int = 0
    """Each fire is up to so much late, by a figure that all schedulers agree on."""
    per_organization: bool = False
    """Its work is done for one organization after the other, so that one may have a time of its own."""
    ping_url: str | None = None
    """Told of start, success and failure, as https://healthchecks.io takes them."""
    actor: str = ""
    """What does the work; the job's own id where empty."""
    arguments: Mapping[str, Any] = field(default_factory=dict)


_MINUTE, _HOUR, _DAY = 60, 3600, 86400

SCHEDULED_JOBS: dict[str, ScheduledJob] = {
    job.id: job
    for job in (
        ScheduledJob(
            "email_processing",
            "*/5 * * * *",
            "Finish what was left",
            "Finds messages recorded but not finished and folders not synced lately, and queues them.",
            time_limit_s=4 * _MINUTE,
            catch_up_s=5 * _MINUTE,
            per_organization=True,
        ),
        ScheduledJob(
            "graph_sync",
            "*/15 * * * *",
            "Synchronise with Microsoft Graph",
            "Delta sync of each watched folder, subscription renewal and re-creation, master categories.",
            time_limit_s=10 * _MINUTE,
            catch_up_s=15 * _MINUTE,
            per_organization=True,
        ),
        ScheduledJob(
            "cleanup",
            "0 * * * *",
            "Clean up",
            "Removes what is past its retention: records, parked content, dead letters, reports, exports.",
            time_limit_s=30 * _MINUTE,
            catch_up_s=_HOUR,
            priority="low",
        ),
        ScheduledJob(
            "health_check",
            "* * * * *",
            "Check health",
            "Looks at Redis, queue, workers, schedulers, subscriptions and secrets; sets gauges and warns.",
            time_limit_s=50,
            catch_up_s=_MINUTE,
            priority="high",
        ),
        ScheduledJob(
            "daily_reports",
            "0 6 * * *",
            "Daily reports",
            "Writes the reports of the day before for each organization, and mails them where configured.",
            time_limit_s=30 * _MINUTE,
            catch_up_s=_DAY,
            priority="low",
            per_organization=True,
        ),
        ScheduledJob(
            "weekly_export",
            "0 2 * * 0",
            "Weekly export",
            "Exports the week's ledger as JSON lines and CSV with a manifest and checksums.",
            time_limit_s=2 * _HOUR,
            catch_up_s=3 * _DAY,
            priority="low",
            per_organization=True,
        ),
    )
}
