"""What happens to a message between `send` and its end, with a real worker and a real Redis."""

from __future__ import annotations

import asyncio
import threading
import time
from statistics import median
from typing import Any

import dramatiq
import pytest
import redis
import redis.asyncio

from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker, Producer
from workers.broker.dead_letters import Filter
from workers.broker.encoding import MAX_BYTES
from workers.errors import MessageTooLarge, PermanentError, QueueUnavailable, TemporaryError, Throttled


def test_sync_and_async_actors_run(broker: Broker) -> None:
    done: list[str] = []

    @dramatiq.actor(broker=broker)
    def plain(word: str) -> None:
        done.append(word)

    @dramatiq.actor(broker=broker)
    async def waiting(word: str) -> None:
        await asyncio.to_thread(done.append, word)

    with running(broker):
        plain.send("one")
        waiting.send("two")
        eventually(lambda: sorted(done) == ["one", "two"])
    assert broker.stats().sizes == {}


def test_nothing_is_left_in_redis_but_the_state(broker: Broker, redis_client: redis.Redis) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        done.append(number)

    with running(broker):
        broker.enqueue_many([note.message(number) for number in range(2000)])
        eventually(lambda: len(done) == 2000)
    left = {str(key).split(":q:")[1].split(":")[0].strip("'") for key in redis_client.scan_iter()}
    assert left <= {"state", "from", "bell"}
    assert sorted(done) == list(range(2000))


def test_a_delayed_message_waits_in_redis_and_comes_in_time(broker: Broker) -> None:
    done: list[float] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        done.append(time.monotonic())

    with running(broker):
        sent = time.monotonic()
        note.send_with_options(delay=300)
        assert broker.stats().delayed == 1
        eventually(lambda: done)
    assert 0.3 <= done[0] - sent < 0.6


def test_an_earlier_delay_is_noticed_by_a_worker_that_waits_for_a_later_one(broker: Broker) -> None:
    done: list[str] = []

    @dramatiq.actor(broker=broker)
    def note(word: str) -> None:
        done.append(word)

    with running(broker):
        note.send_with_options(args=("late",), delay=60_000)
        note.send_with_options(args=("early",), delay=100)
        eventually(lambda: done == ["early"], within_s=2)


def test_a_temporary_error_comes_back_when_it_was_told_to(broker: Broker) -> None:
    runs: list[float] = []

    @dramatiq.actor(broker=broker)
    def flaky() -> None:
        runs.append(time.monotonic())
        if len(runs) < 3:
            raise TemporaryError("not now", retry_after_s=0.2)

    with running(broker):
        flaky.send()
        eventually(lambda: len(runs) == 3)
        eventually(lambda: not broker.stats().sizes)
    assert 0.2 <= runs[1] - runs[0] < 0.6
    assert 0.2 <= runs[2] - runs[1] < 0.6


def test_attempts_run_out_but_being_throttled_burns_none(broker: Broker) -> None:
    runs: list[str] = []

    @dramatiq.actor(broker=broker, max_attempts=3, backoff_base_s=0.01)
    def failing() -> None:
        runs.append("failing")
        raise ValueError("always")

    @dramatiq.actor(broker=broker, max_attempts=2, backoff_base_s=0.01)
    def throttled() -> None:
        runs.append("throttled")
        if runs.count("throttled") < 6:
            raise Throttled("slow down", retry_after_s=0.01)

    with running(broker):
        failing.send()
        throttled.send()
        eventually(lambda: broker.stats().dead == 1 and runs.count("throttled") == 6)
        eventually(lambda: broker.stats().running == 0)
    assert runs.count("failing") == 3
    [letter], _ = broker.dead_letters.page()
    assert (letter.actor, letter.reason, letter.attempts) == ("failing", "attempts_exhausted", 3)
    assert letter.error == "ValueError: always"
    assert 'raise ValueError("always")' in letter.traceback


def test_a_permanent_error_is_a_dead_letter_at_once_and_tells_on_dead(broker: Broker) -> None:
    told: list[dict[str, Any]] = []

    @dramatiq.actor(broker=broker)
    def hopeless() -> None:
        raise PermanentError("no such message", code="not_found")

    @dramatiq.actor(broker=broker)
    def job_failed(**kwargs: Any) -> None:
        told.append(kwargs)

    with running(broker):
        hopeless.send_with_options(on_dead={"actor": "job_failed", "kwargs": {"job": "7"}}, priority="high")
        eventually(lambda: told)
    assert told == [{"job": "7", "reason": "not_found", "error": "no such message"}]
    assert broker.stats().by_priority["high"]["dead"] == 1


def test_dead_letters_are_retried_with_their_attempts_forgotten(broker: Broker) -> None:
    runs: list[int] = []
    mended = threading.Event()

    @dramatiq.actor(broker=broker, max_attempts=2, backoff_base_s=0.01)
    def failing(number: int) -> None:
        runs.append(number)
        if not mended.is_set():
            raise ValueError("always")

    with running(broker):
        broker.enqueue_many([failing.message(number) for number in range(3)])
        eventually(lambda: broker.stats().dead == 3)
        mended.set()
        runs.clear()
        assert broker.dead_letters.retry_many(Filter(actor="other"), limit=10) == 0
        assert broker.dead_letters.retry_many(Filter(actor="failing"), limit=2, dry_run=True) == 2
        assert runs == []
        assert broker.dead_letters.retry_many(Filter(actor="failing"), limit=2) == 2
        eventually(lambda: len(runs) == 2)
        [last], _ = broker.dead_letters.page()
        assert broker.dead_letters.retry(last.id)
        assert not broker.dead_letters.retry(last.id)
        eventually(lambda: sorted(runs) == [0, 1, 2])
        eventually(lambda: not broker.stats().sizes)


def test_undecodable_data_and_unknown_actors_do_not_stop_the_line(
    broker: Broker, redis_client: redis.Redis
) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        done.append(1)

    redis_client.rpush(broker.keys[0]["ready:normal"], b"\xff\x00 no message")
    stranger = note.message()
    broker.enqueue(dramatiq.Message("default", "not_here", (), {}, {}))
    broker.enqueue(stranger)
    with running(broker):
        eventually(lambda: done)
        eventually(lambda: broker.stats().dead == 1 and broker.stats().delayed == 1)
    [letter], _ = broker.dead_letters.page()
    assert letter.reason == "undecodable"


def test_better_priorities_are_taken_first_and_none_starves(broker: Broker) -> None:
    done: list[str] = []

    @dramatiq.actor(broker=broker)
    def note(word: str) -> None:
        done.append(word)

    sizes = {"low": 40, "normal": 40, "high": 40, "urgent": 300}
    for priority, size in sizes.items():
        broker.enqueue_many(
            [note.message_with_options(args=(priority,), priority=priority) for _ in range(size)]
        )
    with running(broker, threads=1):
        eventually(lambda: len(done) == 420)
    # Of 32 messages one comes from below, in turn; a worker may have some more in hand.
    for priority in ("low", "normal", "high"):
        assert 2 <= done[:300].count(priority) <= 6
    middle = {priority: median(at for at, word in enumerate(done) if word == priority) for priority in sizes}
    assert sorted(middle, key=middle.__getitem__) == ["urgent", "high", "normal", "low"]


def test_a_message_over_the_limit_is_refused_with_a_clear_error(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note(text: str) -> None: ...

    with pytest.raises(MessageTooLarge, match=r"note has \d+ bytes, over the limit of 262144"):
        note.send("x" * MAX_BYTES)
    with pytest.raises(ValueError, match="priority 'soon' is not one of urgent, high, normal, low"):
        note.send_with_options(args=("x",), priority="soon")


def test_a_full_redis_takes_no_more_but_lets_the_queue_drain(
    broker: Broker, redis_client: redis.Redis
) -> None:
    done: list[int] = []
    gate = threading.Event()

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        gate.wait(20)
        done.append(number)

    broker.enqueue_many([note.message(number) for number in range(500)])
    with running(broker):
        eventually(lambda: broker.stats().running)
        redis_client.config_set("maxmemory", "1")
        try:
            with pytest.raises(QueueUnavailable, match="used memory > 'maxmemory'"):
                note.send(-1)
            gate.set()
            eventually(lambda: not broker.stats().sizes)
        finally:
            redis_client.config_set("maxmemory", "0")
    assert sorted(done) == list(range(500))


def test_a_broker_without_redis_says_so() -> None:
    broker = Broker("test")

    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    with pytest.raises(QueueUnavailable, match="not connected"):
        note.send()


async def test_the_producer_puts_one_turns_messages_in_few_calls(
    broker: Broker, async_redis: redis.asyncio.Redis, redis_client: redis.Redis
) -> None:
    @dramatiq.actor(broker=broker)
    def note(number: int) -> None: ...

    producer = Producer(async_redis, "test")
    await producer.send(note.message(-1))
    before = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
    await asyncio.gather(*(producer.send(note.message(number)) for number in range(20)))
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 1
    # Of many, Redis works on a half while the other is on its way.
    await asyncio.gather(*(producer.send(note.message(number)) for number in range(100)))
    assert redis_client.info("commandstats")["cmdstat_evalsha"]["calls"] == before + 3
    assert broker.stats().waiting == 121


async def test_the_producer_fails_each_caller_when_redis_is_gone(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    nowhere = redis.asyncio.Redis(host="127.0.0.1", port=1, socket_timeout=1)
    producer = Producer(nowhere, "test")
    results = await asyncio.gather(*(producer.send(note.message()) for _ in range(3)), return_exceptions=True)
    await nowhere.aclose()
    assert [type(result) for result in results] == [QueueUnavailable] * 3


def test_an_idle_worker_with_many_threads_stops_at_once(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    with running(broker, threads=64):
        eventually(lambda: broker.stats().workers == 1)
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert broker.stats().workers == 0


def test_what_no_thread_started_is_given_back_at_a_stop(broker: Broker) -> None:
    started: list[int] = []
    gate = threading.Event()

    @dramatiq.actor(broker=broker)
    def slow(number: int) -> None:
        started.append(number)
        gate.wait(20)

    broker.enqueue_many([slow.message(number) for number in range(10)])
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=30_000)
    worker.start()
    eventually(lambda: len(started) == 2)
    stopping = threading.Thread(target=worker.stop, kwargs={"timeout": 5_000})
    stopping.start()
    eventually(lambda: broker.stats().by_status == {"waiting": 8, "delayed": 0, "running": 2, "dead": 0})
    gate.set()
    stopping.join(10)
    assert broker.stats().by_status == {"waiting": 8, "delayed": 0, "running": 0, "dead": 0}
