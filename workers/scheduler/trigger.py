"""A trigger for APScheduler that reads cron lines by the standard (its own does not)."""

from __future__ import annotations

from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from workers.cron import CronLine
from workers.scheduler.due import jitter


class CronSimTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at the times of a cron line, each late by its jitter; after a pause only at the next one."""

    def __init__(self, line: CronLine, job_id: str, jitter_s: int = 0) -> None:
        self.line = line
        self._job_id = job_id
        self._jitter_s = jitter_s

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        for fire in self.line.after(now - timedelta(seconds=self._jitter_s)):
            at = fire + jitter(self._job_id, fire, self._jitter_s)
            if at > now:
                return at
        return None
