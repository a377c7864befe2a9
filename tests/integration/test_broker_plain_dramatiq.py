"""The broker as users of dramatiq know brokers: what works with the stock ones works here or says why not."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Message
from dramatiq.errors import QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import AsyncIO, Retries
from dramatiq.middleware.middleware import MiddlewareError

from tests.running_worker import join, running
from tests.waiting import eventually
from workers.broker import Broker
from workers.errors import QueueUnavailable

NOTHING = {"waiting": 0, "delayed": 0, "running": 0, "dead": 0}


# Queues


def test_joining_waits_for_everything_delayed_and_retried_too(broker: Broker) -> None:
    done: list[str] = []

    @dramatiq.actor(broker=broker, min_backoff=10, max_retries=3)
    def note(word: str) -> None:
        done.append(word)
        if word == "flaky" and done.count("flaky") < 3:
            raise ValueError("once more")

    note.send("now")
    note.send_with_options(args=("later",), delay=timedelta(seconds=0.2))
    note.send("flaky")
    with running(broker) as worker:
        join(broker, worker)
    assert sorted(done) == ["flaky", "flaky", "flaky", "later", "now"]
    assert broker.stats().by_status == NOTHING


def test_joining_gives_up_in_time(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    note.send()
    with pytest.raises(QueueJoinTimeout):
        broker.join("default", timeout=50)


def test_flushing_leaves_what_runs_to_its_worker(broker: Broker, redis_client: redis.Redis) -> None:
    gate, started = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker)
    def slow() -> None:
        started.set()
        gate.wait(20)

    with running(broker, threads=1) as worker:
        slow.send()
        assert started.wait(10)
        broker.enqueue_many([slow.message() for _ in range(10)])
        slow.send_with_options(delay=60_000)
        broker.flush("default")
        assert broker.stats().by_status["delayed"] == 0
        gate.set()
        join(broker, worker)
        slow.send()
        join(broker, worker)
    assert broker.stats().sizes == {}
    assert not list(redis_client.scan_iter("*hand*"))


def test_there_is_one_queue_and_others_are_refused_by_name(broker: Broker) -> None:
    with pytest.raises(ValueError, match=r"queue 'mail'.*'default'"):
        dramatiq.actor(broker=broker, queue_name="mail")(print)
    assert broker.get_declared_queues() == set()
    for use in (broker.flush, broker.join, broker.consume):
        with pytest.raises(QueueNotFound):
            use("mail")


# Workers


def test_workers_may_follow_each_other_but_not_run_beside_each_other(broker: Broker) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        done.append(number)

    for number in range(3):
        with running(broker) as worker:
            note.send(number)
            join(broker, worker)
            with pytest.raises(MiddlewareError, match="runs already"):
                dramatiq.Worker(broker).start()
    assert done == [0, 1, 2]


def test_a_worker_without_redis_does_not_start() -> None:
    with pytest.raises(MiddlewareError, match="not connected"):
        dramatiq.Worker(Broker("test")).start()


def test_a_worker_paused_and_resumed_goes_on(broker: Broker) -> None:
    done: list[int] = []

    @dramatiq.actor(broker=broker)
    def note(number: int) -> None:
        done.append(number)

    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    note.send(1)
    join(broker, worker)
    worker.pause()
    note.send(2)
    # What rings the bell meanwhile is left to others.
    eventually(lambda: broker.stats().waiting == 1)
    worker.resume()
    join(broker, worker)
    worker.stop()
    assert done == [1, 2]


def test_a_consumer_may_be_used_without_a_worker(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note(number: int) -> None: ...

    for number in range(4):
        note.send(number)
    consumer = broker.consume("default", prefetch=4, timeout=500)
    taken = [next(consumer) for _ in range(4)]
    assert [message and message.args for message in taken] == [(0,), (1,), (2,), (3,)]
    assert next(consumer) is None
    assert broker.stats().running == 4
    for message, settle in zip(taken, (consumer.ack, consumer.nack, consumer.ack), strict=False):
        assert message is not None
        settle(message)
    assert broker.stats().by_status == {**NOTHING, "running": 1, "dead": 1}
    assert taken[3] is not None
    consumer.requeue([taken[3]])
    consumer.close()
    assert broker.stats().by_status == {**NOTHING, "waiting": 1, "dead": 1}
    assert broker.stats().workers == 0


def send_from_a_fork(broker: Broker, count: int) -> None:
    for number in range(count):
        broker.get_actor("note").send(number)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_may_send_with_the_broker_it_inherits(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note(number: int) -> None: ...

    note.send(-1)
    process = multiprocessing.get_context("fork").Process(target=send_from_a_fork, args=(broker, 5))
    process.start()
    process.join(20)
    for number in range(5):
        note.send(number)
    assert process.exitcode == 0
    assert broker.stats().waiting == 11


# Retries as dramatiq names them


def runs_until_dead(broker: Broker, actor: dramatiq.Actor[..., Any], **options: Any) -> int:
    runs = list[int]()
    actor.send_with_options(args=(), **options)
    with running(broker) as worker:
        join(broker, worker)
    letters, _ = broker.dead_letters.page()
    runs.append(letters[0].attempts)
    return runs[0]


@pytest.mark.parametrize(("options", "attempts"), [({}, 3), ({"max_retries": 0}, 1), ({"max_retries": 4}, 5)])
def test_max_retries_of_actor_and_message(broker: Broker, options: dict[str, Any], attempts: int) -> None:
    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=1, max_backoff=2)
    def failing() -> None:
        raise ValueError("always")

    assert runs_until_dead(broker, failing, **options) == attempts


def test_what_an_actor_says_it_throws_is_not_retried(broker: Broker) -> None:
    @dramatiq.actor(broker=broker, throws=(KeyError, LookupError))
    def failing() -> None:
        raise KeyError("never again")

    assert runs_until_dead(broker, failing) == 1


def test_retry_when_decides(broker: Broker) -> None:
    asked: list[int] = []

    def retry_when(retries: int, error: BaseException) -> bool:
        asked.append(retries)
        return isinstance(error, ValueError) and retries < 2

    @dramatiq.actor(broker=broker, retry_when=retry_when, min_backoff=1)
    def failing() -> None:
        raise ValueError("always")

    assert runs_until_dead(broker, failing) == 3
    assert asked == [0, 1, 2]


def test_dramatiqs_own_retries_are_replaced_by_ours_with_their_settings(redis_client: redis.Redis) -> None:
    broker = Broker("test", middleware=[AsyncIO(), Retries(max_retries=1, min_backoff=1)])
    broker.connect(redis_client)
    runs: list[int] = []

    @dramatiq.actor(broker=broker)
    async def failing() -> None:
        runs.append(1)
        raise ValueError("always")

    assert runs_until_dead(broker, failing) == 2
    assert len(runs) == 2
    broker.close()


def test_an_option_that_no_middleware_knows_is_refused_by_name(broker: Broker) -> None:
    with pytest.raises(ValueError, match="time_limit"):
        dramatiq.actor(broker=broker, time_limit=1000)(print)


# Storage


def test_a_stock_client_can_read_what_is_stored(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note(word: str, *, number: int) -> None: ...

    sent = note.send("ä", number=1)
    [raw] = broker.client.lrange(broker.keys[0]["ready:normal"], 0, -1)
    assert Message.decode(raw.partition(b"\n")[2]) == sent


def test_a_client_that_cannot_be_reached_is_said_so(redis_url: str) -> None:
    broker = Broker("test")
    broker.connect(redis.Redis(port=1))

    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    with pytest.raises(QueueUnavailable, match="not confirmed"):
        note.send()
