"""Cron lines: the times that one names, in its timezone. Standard cron, as Debian's crontab(5) has it.

Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday). Where both days are given
(neither begins with `*`), either one suffices. Six fields begin with the second: ours, for short periods.

When clocks change: a line with a given minute and hour runs once on each day that it names. A time that
spring skips runs at the first minute after the gap; one that autumn repeats runs the first time only. A line
whose minute or hour begins with `*` follows the clock: it has no run in the gap, and runs in both hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from workers.errors import BadSchedule

_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")


@dataclass(frozen=True)
class CronLine:
    """A cron expression in a timezone; raises BadSchedule naming the field that is wrong."""

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        fields = self.expression.split()
        if len(fields) not in (5, 6):
            raise BadSchedule(
                f"{self.expression!r} has {len(fields)} fields: "
                "minute hour day-of-month month day-of-week are wanted",
                field="schedule",
            )
        zone = _zone(self.timezone)
        try:
            CronSim(self.expression, datetime.now(zone))
        except CronSimError as wrong:
            raise BadSchedule(_explain(self.expression, str(wrong)), field="schedule") from None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Times after `moment` (aware) in UTC, ever later; ends where the line names none for 50 years."""
        last = moment
        for local in CronSim(self.expression, moment.astimezone(_zone(self.timezone))):
            fire = local.astimezone(UTC)
            # Two lines of a day may move to the same minute in spring, and autumn's second pass looks back.
            if fire > last:
                last = fire
                yield fire

    def next_after(self, moment: datetime) -> datetime | None:
        return next(self.after(moment), None)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSchedule(f"unknown timezone {name!r}; write it as Europe/Madrid", field="timezone") from None


def _explain(expression: str, problem: str) -> str:
    """cronsim says "Bad minute"; add what stands there."""
    name = problem.removeprefix("Bad ")
    names = ("second", *_FIELDS) if len(expression.split()) == 6 else _FIELDS
    if name not in names:
        return f"{expression!r}: {problem}"
    return f"{expression!r}: {name} cannot be {expression.split()[names.index(name)]!r}"
