"""dramatiq's own middleware on our broker: results, pipelines, groups, callbacks, limits and interrupts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Message
from dramatiq import broker as global_state
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    GroupCallbacks,
    Pipelines,
    ShutdownNotifications,
    TimeLimit,
)
from dramatiq.middleware.shutdown import Shutdown
from dramatiq.rate_limits.backends import RedisBackend as LimiterBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as ResultBackend
from dramatiq.results.errors import ResultFailure

from tests.running_worker import join, running
from tests.waiting import eventually
from workers.broker import Broker

# dramatiq has no types for its compositions.
group: Any = dramatiq.group
pipeline: Any = dramatiq.pipeline


@pytest.fixture(autouse=True)
def global_broker(broker: Broker) -> Iterator[None]:
    """Pipelines and groups ask for it."""
    former, global_state.global_broker = global_state.global_broker, broker
    yield
    global_state.global_broker = former


def message(actor: dramatiq.Actor[..., Any], *args: Any) -> Message[Any]:
    """A message that lacks an argument, which its pipeline hands on."""
    return actor.message(*args)


# Compositions


@pytest.fixture
def results(broker: Broker, redis_url: str) -> ResultBackend:
    backend = ResultBackend(client=redis.Redis.from_url(redis_url))
    broker.add_middleware(Results(backend=backend, store_results=True))  # type: ignore[no-untyped-call]
    return backend


def test_results_are_stored_once_it_is_certain_how_it_ended(broker: Broker, results: ResultBackend) -> None:
    runs: list[int] = []

    @dramatiq.actor(broker=broker)
    def double(number: int) -> int:
        return 2 * number

    @dramatiq.actor(broker=broker)
    async def double_async(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=1)
    def flaky() -> str:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("not yet")
        return "there"

    @dramatiq.actor(broker=broker, max_retries=1, min_backoff=1)
    def failing() -> None:
        raise ValueError("always")

    with running(broker):
        sent = [double.send(4), double_async.send(5), flaky.send(), failing.send()]
        assert [message.get_result(block=True, timeout=5000) for message in sent[:3]] == [8, 10, "there"]
        with pytest.raises(ResultFailure, match="ValueError: always"):
            sent[3].get_result(block=True, timeout=5000)


def test_pipelines_and_groups(broker: Broker, results: ResultBackend) -> None:
    @dramatiq.actor(broker=broker)
    def add(first: int, second: int) -> int:
        return first + second

    with running(broker):
        chain = pipeline([add.message(1, 2), message(add, 3), message(add, 4)])
        assert chain.run().get_result(block=True, timeout=5000) == 10
        assert list(chain.get_results(block=True, timeout=5000)) == [3, 6, 10]
        many = group([add.message(number, number) for number in range(5)]).run()
        assert sorted(many.get_results(block=True, timeout=5000)) == [0, 2, 4, 6, 8]
        late = pipeline([add.message(1, 1), add.message_with_options(args=(1,), delay=200)])
        began = time.monotonic()
        assert late.run().get_result(block=True, timeout=5000) == 3
        assert time.monotonic() - began >= 0.2


def test_the_stock_pipelines_middleware_sends_nothing_twice(broker: Broker) -> None:
    broker.add_middleware(Pipelines())
    got: list[int] = []

    @dramatiq.actor(broker=broker)
    def first() -> int:
        return 1

    @dramatiq.actor(broker=broker, pipe_ignore=True)
    def second(*args: int) -> None:
        got.append(len(args))

    with running(broker) as worker:
        pipeline([first.message(), second.message()]).run()
        join(broker, worker)
    assert got == [1]


def test_the_next_of_a_pipeline_is_sent_in_the_step_that_settles_the_former(
    broker: Broker, redis_client: redis.Redis
) -> None:
    before: list[int] = []

    @dramatiq.actor(broker=broker, max_retries=1, min_backoff=1)
    def first() -> int:
        before.append(1)
        if len(before) == 1:
            raise ValueError("nothing to hand on yet")
        return 7

    @dramatiq.actor(broker=broker, priority=3)
    def second(number: int) -> None:
        before.append(number)

    enqueues = enqueue_calls(redis_client)
    with running(broker) as worker:
        pipeline([first.message(), message(second)]).run()
        join(broker, worker)
    assert before == [1, 1, 7]
    assert enqueue_calls(redis_client) == enqueues + 1


def enqueue_calls(client: redis.Redis) -> int:
    """Each enqueue sets the memory of its producer."""
    return int(client.info("commandstats").get("cmdstat_set", {"calls": 0})["calls"])


def test_a_group_calls_back_once_all_of_it_is_done(
    broker: Broker, results: ResultBackend, redis_url: str
) -> None:
    broker.add_middleware(GroupCallbacks(LimiterBackend(client=redis.Redis.from_url(redis_url))))
    called: list[str] = []

    @dramatiq.actor(broker=broker)
    def part(number: int) -> int:
        return number

    @dramatiq.actor(broker=broker)
    def all_done() -> None:
        called.append("done")

    members = group([part.message(number) for number in range(5)])
    members.add_completion_callback(all_done.message())
    with running(broker) as worker:
        members.run()
        eventually(lambda: called)
        join(broker, worker)
    assert called == ["done"]


def test_callbacks(broker: Broker) -> None:
    broker.add_middleware(Callbacks())
    heard: list[tuple[str, Any]] = []

    @dramatiq.actor(broker=broker)
    def on_success(message: dict[str, Any], result: int) -> None:
        heard.append((message["actor_name"], result))

    @dramatiq.actor(broker=broker)
    def on_failure(message: dict[str, Any], error: dict[str, str]) -> None:
        heard.append((message["actor_name"], error["type"]))

    @dramatiq.actor(broker=broker, max_retries=0)
    def work(fails: bool) -> int:
        if fails:
            raise ValueError("always")
        return 1

    with running(broker) as worker:
        for fails in (False, True):
            work.send_with_options(args=(fails,), on_success=on_success, on_failure=on_failure)
        join(broker, worker)
    assert sorted(heard, key=str) == [("work", "ValueError"), ("work", 1)]


# Interrupts and the rest of the stock middleware


def test_the_current_message_is_known(broker: Broker) -> None:
    broker.add_middleware(CurrentMessage())
    seen: list[Any] = []

    @dramatiq.actor(broker=broker)
    def plain() -> None:
        seen.append(CurrentMessage.get_current_message())

    @dramatiq.actor(broker=broker)
    async def coroutine() -> None:
        seen.append(CurrentMessage.get_current_message())

    with running(broker) as worker:
        sent = [plain.send(), coroutine.send()]
        join(broker, worker)
    assert {message.message_id for message in seen} == {message.message_id for message in sent}


def test_a_message_too_old_is_skipped_and_kept_as_a_dead_letter(broker: Broker) -> None:
    broker.add_middleware(AgeLimit())
    runs: list[int] = []

    @dramatiq.actor(broker=broker, max_age=1)
    def note() -> None:
        runs.append(1)

    old: Message[Any] = Message("default", "note", (), {}, {}, message_timestamp=1)
    broker.enqueue(old)
    with running(broker) as worker:
        join(broker, worker)
    assert not runs
    [letter], _ = broker.dead_letters.page()
    assert (letter.reason, letter.error) == ("failed", "SkipMessage: Message age limit exceeded")


def test_time_limits_interrupt_both_kinds_of_actors(broker: Broker) -> None:
    broker.add_middleware(TimeLimit(interval=20))
    broker.emit_after("process_boot")
    ended: list[str] = []

    @dramatiq.actor(broker=broker, time_limit=100, max_retries=0)
    def endless() -> None:
        while True:
            threading.Event().wait(0.01)

    @dramatiq.actor(broker=broker, time_limit=100, max_retries=0)
    async def endless_too() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with running(broker) as worker:
        endless.send()
        endless_too.send()
        join(broker, worker)
    letters, _ = broker.dead_letters.page()
    assert {letter.actor: letter.error.split(":")[0] for letter in letters} == {
        "endless": "TimeLimitExceeded",
        "endless_too": "TimeLimitExceeded",
    }
    assert ended == ["cancelled"]


def test_a_shutdown_notice_gives_the_message_back_untried(broker: Broker) -> None:
    broker.add_middleware(ShutdownNotifications(notify_shutdown=True))
    noticed: list[str] = []
    started: list[str] = []

    @dramatiq.actor(broker=broker)
    def endless() -> None:
        started.append("plain")
        try:
            while True:
                threading.Event().wait(0.01)
        except Shutdown:
            noticed.append("plain")
            raise

    @dramatiq.actor(broker=broker)
    async def endless_too() -> None:
        started.append("coroutine")
        try:
            await asyncio.Event().wait()
        finally:
            noticed.append("coroutine")

    endless.send()
    endless_too.send()
    with running(broker):
        eventually(lambda: len(started) == 2)
    assert sorted(noticed) == ["coroutine", "plain"]
    assert broker.stats().by_status == {"waiting": 2, "delayed": 0, "running": 0, "dead": 0}
    raw = broker.client.lrange(broker.keys[0]["ready:normal"], 0, -1)
    assert not any(b'"retries"' in entry for entry in raw)
