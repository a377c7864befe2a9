"""How much a worker takes ahead of its threads."""

from __future__ import annotations

import pytest

from workers.broker.prefetch import Prefetch


def running(prefetch: Prefetch, rate: float, *, seconds: float = 2.0, was_full: bool = True) -> Prefetch:
    """After some seconds in which messages ended at this rate."""
    step_s, now = 0.01, 1000.0
    for _ in range(int(seconds / step_s)):
        now += step_s
        prefetch.note(int(rate * step_s), was_full=was_full, now=now)
    return prefetch


def test_nothing_waits_in_hand_before_it_is_known_how_fast_messages_end() -> None:
    assert Prefetch(8).limit == 8
    assert Prefetch(8).refill_at == 7


@pytest.mark.parametrize("rate", [4000, 20000])
def test_short_messages_wait_in_hand_for_at_most_ten_milliseconds(rate: int) -> None:
    prefetch = running(Prefetch(8), rate)
    waiting = prefetch.limit - 8
    assert 0.005 < waiting / rate <= 0.010
    assert 8 < prefetch.refill_at < prefetch.limit


def test_messages_of_twenty_milliseconds_leave_room_for_an_urgent_one() -> None:
    prefetch = running(Prefetch(8), 8 / 0.02)
    assert prefetch.limit == 8


def test_many_threads_are_refilled_some_at_a_time() -> None:
    prefetch = running(Prefetch(256), 256 / 0.1)
    assert prefetch.limit == 256 + 16
    assert prefetch.limit - prefetch.refill_at == 16


def test_a_trickle_does_not_make_a_worker_look_slow() -> None:
    prefetch = running(Prefetch(8), 20000)
    limit = prefetch.limit
    assert running(prefetch, 10, was_full=False).limit == limit


def test_nothing_is_held_after_messages_waited_behind_slow_ones() -> None:
    prefetch = running(Prefetch(64), 20000)
    prefetch.hold_back(until=2000.0)
    prefetch.note(1, was_full=True, now=1500.0)
    assert prefetch.limit == 64
    prefetch.note(1000, was_full=True, now=2001.0)
    assert prefetch.limit > 64
