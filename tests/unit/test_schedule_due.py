"""Which fire is due: caught up for once, within the window, and every fire accounted for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from workers.cron import CronLine
from workers.scheduler.due import Due, find_due, jitter
from workers.scheduler.trigger import CronSimTrigger

EVERY_FIVE = CronLine("*/5 * * * *")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def due(
    minutes_later: float, *, line: CronLine = EVERY_FIVE, catch_up_s: int = 300, jitter_s: int = 0
) -> Due | None:
    now = NOON + timedelta(minutes=minutes_later)
    return find_due(line, "job", NOON, now, catch_up_s=catch_up_s, jitter_s=jitter_s)


def test_nothing_is_due_before_the_next_fire() -> None:
    assert due(4.99) is None


def test_a_fire_is_due_at_its_time() -> None:
    assert due(5) == Due(NOON + timedelta(minutes=5), 0, too_old=False)


def test_an_outage_is_made_up_for_once() -> None:
    assert due(22) == Due(NOON + timedelta(minutes=20), 3, too_old=False)


def test_past_the_window_nothing_is_made_up_for_and_all_is_counted() -> None:
    daily = CronLine("0 6 * * *")
    now = NOON + timedelta(days=3)
    found = find_due(daily, "job", NOON, now, catch_up_s=3600)
    assert found == Due(datetime(2026, 11, 25, 6, tzinfo=UTC), 3, too_old=True)


def test_an_outage_of_a_year_is_not_counted_to_the_last_second() -> None:
    found = find_due(CronLine("* * * * * *"), "job", NOON, NOON + timedelta(days=365), catch_up_s=60)
    assert found is not None and not found.too_old
    assert found.at == NOON + timedelta(days=365) and found.missed >= 10_000


@given(
    outage_s=st.integers(1, 90_000),
    catch_up_s=st.integers(0, 7200),
    expression=st.sampled_from(["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *"]),
)
def test_every_fire_is_published_or_missed(outage_s: int, catch_up_s: int, expression: str) -> None:
    line, now = CronLine(expression), NOON + timedelta(seconds=outage_s)
    fires = _until(line, now)
    found = find_due(line, "job", NOON, now, catch_up_s=catch_up_s)
    if not fires:
        assert found is None
        return
    assert found is not None and found.at == fires[-1]
    assert found.missed + (not found.too_old) == len(fires)
    assert found.too_old == (fires[-1] <= now - timedelta(seconds=catch_up_s))


def _until(line: CronLine, now: datetime) -> list[datetime]:
    fires = []
    for fire in line.after(NOON):
        if fire > now:
            break
        fires.append(fire)
    return fires


def test_jitter_is_the_same_for_everybody_and_bounded() -> None:
    fires = [NOON + timedelta(minutes=5 * n) for n in range(200)]
    late = [jitter("job", fire, 60) for fire in fires]
    assert late == [jitter("job", fire, 60) for fire in fires]
    assert min(late) >= timedelta() and max(late) <= timedelta(seconds=60)
    assert len(set(late)) > 20, "spread"


def test_a_late_fire_waits_for_its_jitter() -> None:
    fire = NOON + timedelta(minutes=5)
    late_s = jitter("job", fire, 240).total_seconds()
    assert late_s > 0
    assert due(5, jitter_s=240) is None
    assert due(5 + late_s / 60, jitter_s=240) == Due(fire, 0, too_old=False)


def test_the_trigger_wakes_at_each_fire_and_after_a_pause_only_at_the_next() -> None:
    trigger = CronSimTrigger(EVERY_FIVE, "job")
    first = trigger.get_next_fire_time(None, NOON + timedelta(seconds=1))
    assert first == NOON + timedelta(minutes=5)
    assert trigger.get_next_fire_time(first, NOON + timedelta(minutes=61)) == NOON + timedelta(minutes=65)


def test_the_trigger_wakes_when_the_jitter_is_over() -> None:
    fire = NOON + timedelta(minutes=5)
    wanted = fire + jitter("job", fire, 240)
    trigger = CronSimTrigger(EVERY_FIVE, "job", 240)
    assert trigger.get_next_fire_time(None, NOON + timedelta(minutes=4, seconds=59)) == wanted
