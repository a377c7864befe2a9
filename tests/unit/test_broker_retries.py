"""What becomes of a failed message."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from dramatiq import Message
from dramatiq.errors import RateLimitExceeded, Retry

from workers.broker.delivery import Again, Dead, Delivery, Outcome
from workers.broker.encoding import Entry, encode
from workers.broker.hand import Hand
from workers.broker.keys import Keys
from workers.broker.policy import DEFAULT, Policy
from workers.broker.retries import outcome_of, unknown_actor
from workers.errors import Busy, NotFound, TemporaryError, Throttled


def delivery(**options: Any) -> Delivery:
    message: Message[Any] = Message("default", "work", (), {"items": ["a"]}, options)
    entry = Entry(options.get("priority", "normal"), 0, 0, 0, 1, "work", encode(message))
    return Delivery(message, entry, b"1-0", Hand(Keys("unit"), None, "worker"))


def options_of(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Again)
    options: dict[str, Any] = orjson.loads(outcome.body)["options"]
    return options


def test_a_time_to_come_back_is_kept_to() -> None:
    outcome = outcome_of(delivery(), TemporaryError("later", retry_after_s=42.5), DEFAULT)
    assert isinstance(outcome, Again)
    assert outcome.delay_ms == 42_500
    assert options_of(outcome) == {"retries": 1, "error": "later"}
    again = outcome_of(delivery(), Retry(delay=1500), DEFAULT)
    assert isinstance(again, Again)
    assert again.delay_ms == 1500


def test_waits_double_up_to_the_cap_with_up_to_half_off() -> None:
    policy = Policy(backoff_base_s=1, backoff_cap_s=60)
    for attempts, full_s in ((1, 1), (2, 2), (5, 16), (7, 60), (1000, 60)):
        waits = [policy.backoff_s(attempts) for _ in range(200)]
        assert full_s / 2 <= min(waits) < full_s * 0.6
        assert full_s * 0.9 < max(waits) <= full_s


@pytest.mark.parametrize("error", [Throttled("429"), Busy("in use"), RateLimitExceeded("limited")])  # type: ignore[no-untyped-call]
def test_being_told_to_slow_down_burns_no_attempt_however_often(error: Exception) -> None:
    outcome = outcome_of(delivery(retries=11, waits=500), error, DEFAULT)
    assert options_of(outcome)["retries"] == 11
    assert options_of(outcome)["waits"] == 501


def test_the_last_attempt_and_a_permanent_error_make_a_dead_letter() -> None:
    last = outcome_of(delivery(retries=11), ValueError("no"), DEFAULT)
    assert isinstance(last, Dead)
    assert orjson.loads(last.meta) | {"traceback": ""} == {
        "reason": "attempts_exhausted",
        "error": "ValueError: no",
        "traceback": "",
        "attempts": 12,
        "organization_id": None,
    }
    gone = outcome_of(delivery(organization_id="org"), NotFound("gone"), DEFAULT)
    assert isinstance(gone, Dead)
    assert orjson.loads(gone.meta)["reason"] == "not_found"
    assert orjson.loads(gone.meta)["organization_id"] == "org"


def test_a_retry_has_the_arguments_that_were_sent_whatever_the_actor_did_to_them() -> None:
    failed = delivery()
    failed.kwargs["items"].append(object())
    outcome = outcome_of(failed, ValueError("no"), DEFAULT)
    assert isinstance(outcome, Again)
    assert orjson.loads(outcome.body)["kwargs"] == {"items": ["a"]}


def test_the_follow_up_inherits_whose_work_it_is() -> None:
    asked = {"actor": "record_death", "kwargs": {"job": "7"}}
    outcome = outcome_of(
        delivery(on_dead=asked, priority="high", organization_id="org", correlation_id="c"),
        NotFound("gone"),
        DEFAULT,
    )
    assert isinstance(outcome, Dead)
    follow_up = outcome.follow_up
    assert follow_up is not None
    assert follow_up.actor_name == "record_death"
    assert follow_up.kwargs == {"job": "7", "reason": "not_found", "error": "gone"}
    assert follow_up.options == {"priority": "high", "organization_id": "org", "correlation_id": "c"}


def test_a_follow_up_that_is_told_nothing_else_gets_the_arguments_that_were_sent() -> None:
    failed = delivery(on_dead={"actor": "record_death"})
    failed.kwargs["items"].append("b")
    outcome = outcome_of(failed, NotFound("gone"), DEFAULT)
    assert isinstance(outcome, Dead)
    assert outcome.follow_up is not None
    assert outcome.follow_up.kwargs == {"items": ["a"], "reason": "not_found", "error": "gone"}


def test_an_actor_nobody_knows_is_waited_for_and_then_given_up() -> None:
    waiting = unknown_actor(delivery())
    assert isinstance(waiting, Again)
    assert (waiting.delay_ms, options_of(waiting)) == (10_000, {"unknown_actor": 1})
    given_up = unknown_actor(delivery(unknown_actor=60))
    assert isinstance(given_up, Dead)
    assert orjson.loads(given_up.meta)["reason"] == "unknown_actor"
