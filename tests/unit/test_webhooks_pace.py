"""A webhook that takes its time holds up itself, not the others and not the mail."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from workers.errors import Busy
from workers.webhooks.pace import Pace

SLOW, OTHER, THIRD = ("acme", "slow"), ("acme", "other"), ("solo", "slow")


def wait_asked_of(pace: Pace, webhook: tuple[str, str]) -> float:
    with pytest.raises(Busy) as busy, pace.place(webhook):
        pytest.fail("there was a place")
    assert busy.value.retry_after_s is not None
    return busy.value.retry_after_s


def test_each_webhook_has_its_places_and_all_together_no_more_than_the_total() -> None:
    pace = Pace(5, 2)
    with ExitStack() as held:
        for webhook in (SLOW, SLOW, OTHER, OTHER, THIRD):
            held.enter_context(pace.place(webhook))
        for webhook in (SLOW, OTHER, THIRD):
            wait_asked_of(pace, webhook)
    with pace.place(SLOW), pace.place(THIRD):
        pass


def test_who_is_turned_away_comes_back_at_the_pace_of_what_is_served() -> None:
    pace = Pace(1, 1)
    with pace.place(SLOW):
        waits = [wait_asked_of(pace, SLOW) for _ in range(20_000)]
    assert 0.5 <= waits[0] < 1.0
    assert waits[0] < waits[50] < waits[99] < waits[500] < waits[5000]
    # The first delivery is taken to last a tenth of a second: one turn each, and at most ten minutes away.
    assert waits[99] - waits[0] == pytest.approx(9.9, abs=1.0)
    assert waits[-1] == pytest.approx(600, abs=1.0)
    assert wait_asked_of(Pace(0, 1), SLOW) < 1.0


def test_a_place_is_given_back_whatever_happens() -> None:
    pace = Pace(1, 1)
    with pytest.raises(KeyError), pace.place(SLOW):
        raise KeyError
    with pace.place(SLOW):
        pass
