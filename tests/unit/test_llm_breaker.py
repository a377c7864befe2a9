"""The breaker: an endpoint that fails is left alone, longer each time, and tried with one question."""

from __future__ import annotations

import pytest

from workers.analysis.llm.breaker import Breaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int, code: str = "server_error") -> None:
    for _ in range(times):
        breaker.failed(code, None)


def test_a_row_of_failures_opens_it_and_a_success_in_between_does_not() -> None:
    breaker = Breaker(Clock())
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.lets_through()
    fail(breaker, 1)
    assert not breaker.lets_through()


def test_after_a_rest_one_question_goes_through_and_decides() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fail(breaker, 3)
    clock.now += 15.1
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    fail(breaker, 1)
    clock.now += 15.1
    assert not breaker.lets_through()
    clock.now += 15.1
    assert breaker.lets_through()
    breaker.succeeded()
    assert [breaker.lets_through() for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize(
    ("code", "open_at_once"), [("refused", True), ("bad_request", False), ("malformed", False)]
)
def test_a_wrong_key_needs_no_row(code: str, open_at_once: bool) -> None:
    breaker = Breaker(Clock())
    fail(breaker, 1, code)
    assert breaker.lets_through() is not open_at_once


def test_no_answer_to_what_is_asked_ever_opens_it() -> None:
    breaker = Breaker(Clock())
    for code in ("malformed", "content_filter", "bad_request"):
        fail(breaker, 50, code)
    assert breaker.lets_through()


def test_it_pauses_for_as_long_as_the_server_asks() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.failed("rate_limited", 12.0)
    assert breaker.paused_s() == pytest.approx(12.0)
    clock.now += 12.5
    assert breaker.paused_s() == 0
    breaker.failed("rate_limited", None)
    assert 0 < breaker.paused_s() <= 60
