"""`econeura queue` on a queue with messages in line and dead letters."""

from __future__ import annotations

import threading

import dramatiq
import pytest
import redis

from tests.econeura import econeura, environment
from tests.waiting import wait_for
from workers.broker import Broker
from workers.broker.run import run_worker
from workers.errors import PermanentError


@pytest.fixture
def broker(redis_client: redis.Redis) -> Broker:
    broker = Broker()
    broker.connect(redis_client)
    return broker


def queue(redis_url: str, *words: str) -> tuple[int, str, str]:
    ran = econeura("queue", *words, env=environment(REDIS_URL=redis_url))
    return ran.returncode, ran.stdout, ran.stderr


def bury(broker: Broker, count: int) -> None:
    """Let a worker find messages that can never be done."""

    @dramatiq.actor(broker=broker)
    def refuse(number: int) -> None:
        raise PermanentError(f"not number {number}", code="refused")

    broker.enqueue_many([refuse.message(number) for number in range(count)])
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(broker, stop), kwargs={"threads": 2})
    worker.start()
    wait_for(lambda: broker.stats().dead == count, what="the dead letters")
    stop.set()
    worker.join()


def test_what_waits_is_shown_in_the_order_it_is_taken(broker: Broker, redis_url: str) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    broker.enqueue(note.message_with_options(priority="low"))
    broker.enqueue(note.message_with_options(priority="urgent"))
    code, shown, _ = queue(redis_url, "peek")
    assert code == 0 and [line.split()[1] for line in shown.splitlines()] == ["urgent", "low"]
    assert "urgent            1        0" in queue(redis_url, "stats")[1]


def test_dead_letters_are_shown_counted_sent_again_and_dropped(broker: Broker, redis_url: str) -> None:
    bury(broker, 3)
    listed = queue(redis_url, "dead", "--reason", "refused")[1].splitlines()
    assert len(listed) == 3 and "refused: not number" in listed[0]
    assert queue(redis_url, "dead", "--actor", "other")[1] == ""
    assert queue(redis_url, "retry", "--all", "--dry-run")[1] == "3 would be sent again\n"
    assert queue(redis_url, "retry", listed[0].split()[0])[:2] == (0, "1 sent again\n")
    assert queue(redis_url, "purge", "--all", "--limit", "1")[1] == "1 dropped\n"
    stats = broker.stats()
    assert (stats.waiting, stats.dead) == (1, 1)
    told = econeura("audit", env=environment(REDIS_URL=redis_url)).stdout.splitlines()
    assert [line.split()[1] for line in told] == ["dead_letters.dropped", "dead_letters.retried"]
    assert listed[0].split()[0] in told[1] and "count=1" in told[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry"], "retry: name one ID, or say --all"),
        (["purge", "1", "--all"], "purge: name one ID"),
        (["dead", "--limit", "0"], "--limit: a number from 1"),
    ],
)
def test_a_mistake_is_named(redis_url: str, words: list[str], said: str) -> None:
    code, _, problem = queue(redis_url, *words)
    assert code == 2 and said in problem


def test_a_letter_that_is_not_there_is_said_by_the_exit_code(redis_url: str) -> None:
    assert queue(redis_url, "purge", "123")[0] == 1
