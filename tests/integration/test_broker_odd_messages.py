"""Messages and errors that no reasonable program makes: none stops the line, none stays in hand for ever."""

from __future__ import annotations

import logging
from typing import Any

import dramatiq
import orjson
import pytest
import redis
from dramatiq.middleware import CurrentMessage

from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker
from workers.broker.encoding import LONGEST_DELAY_MS
from workers.errors import PermanentError, TemporaryError

PAST_MS = 1


class Speechless(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("half a character: \ud83d"), "ValueError: half a character: ?"),
        (PermanentError("the same \udce9 of ours"), "the same ? of ours"),
        (Speechless(), "Speechless: <exception str() failed>"),
        (ValueError("x" * 10_000), "ValueError: " + "x" * 488),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_an_error_that_is_hard_to_tell_is_a_dead_letter_all_the_same(
    broker: Broker, error: BaseException, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    # What dramatiq logs of these errors could not be sent to the process that reports on the tests.
    caplog.set_level(logging.CRITICAL, logger="dramatiq")

    @dramatiq.actor(broker=broker, max_attempts=2, backoff_base_s=0.01)
    def failing() -> None:
        raise error

    with running(broker):
        failing.send()
        eventually(lambda: broker.stats().by_status["dead"] == 1)
        assert broker.stats().running == 0
    [letter], _ = broker.dead_letters.page()
    assert letter.error == told


@pytest.mark.parametrize(
    "options",
    [
        {"retries": None, "waits": "many", "max_retries": "x"},
        {"retries": -5, "max_attempts": None, "min_backoff": []},
        {"retries": 2**63, "waits": 2**63},
        {"on_dead": "nobody"},
        {"on_dead": {"actor": 7, "kwargs": "none"}},
        {"on_dead": {"kwargs": None}, "priority": "soonest"},
        {"eta": "yesterday", "unknown_actor": {}},
    ],
)
def test_options_that_make_no_sense_hold_nothing_up(
    broker: Broker, redis_client: redis.Redis, options: dict[str, Any]
) -> None:
    runs: list[str] = []

    @dramatiq.actor(broker=broker, backoff_base_s=0.001, backoff_cap_s=0.001)
    def failing() -> None:
        runs.append("failing")
        raise TemporaryError("not yet") if len(runs) < 3 else PermanentError("never")

    message = failing.message()
    body = orjson.dumps({**message.asdict(), "options": options})
    header = b"200" + b"%013d" % PAST_MS + b"1 failing\n"
    redis_client.rpush(broker.keys[0]["ready:normal"], header + body)
    with running(broker):
        eventually(lambda: broker.stats().by_status["dead"] == 1)
        eventually(lambda: broker.stats().running == 0)
    assert broker.stats().delayed == 0


def test_what_an_actor_did_to_its_message_does_not_keep_it_from_being_tried_again(broker: Broker) -> None:
    broker.add_middleware(CurrentMessage())
    seen: list[dict[str, Any]] = []

    @dramatiq.actor(broker=broker, max_attempts=3, backoff_base_s=0.01)
    def failing() -> None:
        message = CurrentMessage.get_current_message()
        assert message is not None
        seen.append(dict(message.options))
        message.options["loop"] = message.options
        raise ValueError("again")

    with running(broker):
        failing.send_with_options(organization_id="org")
        eventually(lambda: broker.stats().by_status["dead"] == 1)
    assert [(options.get("retries"), options["organization_id"]) for options in seen] == [
        (None, "org"),
        (1, "org"),
        (2, "org"),
    ]


@pytest.mark.parametrize("line", ["ready:urgent", "suspects", "due"])
@pytest.mark.parametrize("entry", [b"no entry", b"\xff\x00\n", b"9" + b"0" * 20 + b" note\n{}"])
def test_what_a_stranger_put_into_any_line_becomes_a_dead_letter(
    broker: Broker, redis_client: redis.Redis, line: str, entry: bytes
) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        done.append(1)

    if line == "due":
        redis_client.zadd(broker.keys[0][line], {entry: PAST_MS})
    else:
        redis_client.rpush(broker.keys[0][line], entry)
    note.send()
    assert [message.actor for message in broker.waiting.peek()].count("") == 1
    assert broker.stats().oldest_age_s["urgent"] == 0
    with running(broker):
        eventually(lambda: done and broker.stats().by_status["dead"] == 1)
        eventually(lambda: broker.stats().running == 0)
    [letter], _ = broker.dead_letters.page()
    assert letter.reason == "undecodable"


def test_delays_beyond_all_measure_are_kept_and_those_before_now_are_none(broker: Broker) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        done.append(1)

    @dramatiq.actor(broker=broker)
    def never() -> None:
        raise TemporaryError("see you", retry_after_s=float("inf"))

    with running(broker):
        note.send_with_options(delay=10**18)
        note.send_with_options(delay=-5)
        never.send()
        eventually(lambda: done and broker.stats().by_status["delayed"] == 2)
    due = [score for _, score in broker.client.zrange(broker.keys[0]["due"], 0, -1, withscores=True)]
    assert max(due) - min(due) < 60_000
    assert all(message.ready_ms > LONGEST_DELAY_MS for message in broker.waiting.peek())


def test_two_messages_with_the_same_id_are_two_messages(broker: Broker) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        done.append(1)

    message = note.message()
    broker.enqueue_many([message, message, message.copy()])
    with running(broker):
        eventually(lambda: not broker.stats().sizes)
    assert len(done) == 3


def test_a_name_that_could_not_be_read_again_is_refused(broker: Broker) -> None:
    @dramatiq.actor(broker=broker, actor_name="two\nlines")
    def note() -> None: ...

    with pytest.raises(ValueError, match="line break"):
        note.send()


def test_a_server_that_forgets_the_scripts_learns_them_again(
    broker: Broker, redis_client: redis.Redis
) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        done.append(number)

    with running(broker):
        for number in range(1, 4):
            redis_client.script_flush()
            note.send(number)
            eventually(lambda: not broker.stats().sizes)
    assert done == [1, 2, 3]
