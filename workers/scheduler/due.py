"""Which fire of a job is due. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from workers.cron import CronLine

# An outage of days must not be counted second by second; from here on the count is "at least".
_MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Due:
    """The fire to publish, or only to account for where it is `too_old`; `missed` fires went before it."""

    at: datetime
    missed: int
    too_old: bool


def find_due(
    line: CronLine, job_id: str, last_due: datetime, now: datetime, *, catch_up_s: int, jitter_s: int = 0
) -> Due | None:
    """The newest fire in (last_due, now], which makes up for all before it; None where there is none."""
    window = max(last_due, now - timedelta(seconds=catch_up_s + jitter_s))
    older, newest_older = 0, last_due
    for fire in line.after(last_due):
        if fire > window:
            break
        older, newest_older = older + 1, fire
        if older == _MOST_COUNTED:
            newest_older = window
            break
    newer, newest = 0, None
    for fire in line.after(window):
        if fire + jitter(job_id, fire, jitter_s) > now:
            break
        newer, newest = newer + 1, fire
    if newest is not None:
        return Due(newest, older + newer - 1, too_old=False)
    return Due(newest_older, older, too_old=True) if older else None


def jitter(job_id: str, fire: datetime, jitter_s: int) -> timedelta:
    """How late a fire is to be, up to `jitter_s`: the same for every scheduler."""
    if not jitter_s:
        return timedelta()
    return timedelta(seconds=crc32(f"{job_id} {fire.isoformat()}".encode()) % (jitter_s + 1))
