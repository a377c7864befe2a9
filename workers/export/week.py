"""An ISO week (Monday to Sunday, ISO 8601) in an organization's timezone. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, order=True)
class Week:
    """A week by its ISO year and number; its bounds are midnights on the wall."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime, zone: ZoneInfo) -> Week:
        year, number, _ = moment.astimezone(zone).isocalendar()
        return cls(year, number)

    @classmethod
    def last_complete(cls, moment: datetime, zone: ZoneInfo) -> Week:
        """The week that ended last; the week of `moment` itself is never complete."""
        return cls.of(moment - timedelta(days=7), zone)

    @property
    def name(self) -> str:
        return f"{self.year}-W{self.number:02d}"

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Its first moment and that of the next week, in UTC."""
        first = date.fromisocalendar(self.year, self.number, 1)
        starts = (datetime.combine(day, time(), zone) for day in (first, first + timedelta(days=7)))
        start, end = (moment.astimezone(UTC) for moment in starts)
        return start, end

    def until(self, last: Week) -> Iterator[Week]:
        """This week and those that follow, up to and with `last`."""
        day = date.fromisocalendar(self.year, self.number, 1)
        while (week := Week(*day.isocalendar()[:2])) <= last:
            yield week
            day += timedelta(days=7)
