"""The queue as an operator sees it: sizes, what waits, dead letters by page and filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
import redis

from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker
from workers.broker.dead_letters import DeadLetter, Filter
from workers.errors import AccessDenied, NotFound


@pytest.fixture(params=[1, 3], ids=["one partition", "three partitions"])
def broker(redis_client: redis.Redis, request: pytest.FixtureRequest) -> Iterator[Broker]:
    broker = Broker("test", partitions=request.param)
    broker.connect(redis_client)
    yield broker
    broker.close()


def declare(broker: Broker, name: str) -> dramatiq.Actor[..., None]:
    @dramatiq.actor(broker=broker, actor_name=name)
    def work(number: int) -> None:
        raise NotFound("gone") if number % 2 else AccessDenied("refused")

    return work


def send(actor: dramatiq.Actor[..., None], numbers: range, **options: Any) -> None:
    messages = [actor.message_with_options(args=(number,), **options) for number in numbers]
    assert isinstance(actor.broker, Broker)
    actor.broker.enqueue_many(messages)


def bury(broker: Broker, count: int) -> None:
    with running(broker):
        eventually(lambda: broker.stats().dead == count)
        eventually(lambda: broker.stats().running == 0)


def numbers(letters: list[DeadLetter]) -> list[int]:
    return [int(letter.options["number"]) for letter in letters]


def test_sizes_are_told_by_status_priority_and_actor(broker: Broker) -> None:
    first, second = declare(broker, "first"), declare(broker, "second")
    send(first, range(5), priority="high")
    send(second, range(2), priority="low")
    second.send_with_options(args=(9,), delay=60_000)
    stats = broker.stats()
    assert stats.by_status == {"waiting": 7, "delayed": 1, "running": 0, "dead": 0}
    assert stats.by_priority["high"] == {"waiting": 5, "delayed": 0, "running": 0, "dead": 0}
    assert stats.by_actor["second"] == {"waiting": 2, "delayed": 1, "running": 0, "dead": 0}
    assert 0 <= stats.oldest_age_s["high"] < 5
    assert stats.oldest_age_s["urgent"] == 0


def test_what_is_next_can_be_looked_at_and_dropped(broker: Broker) -> None:
    first, second = declare(broker, "first"), declare(broker, "second")
    send(first, range(600), priority="low")
    send(second, range(3), priority="urgent", organization_id="org")
    first.send_with_options(args=(9,), delay=60_000)
    peeked = broker.waiting.peek(5)
    assert [(message.actor, message.priority) for message in peeked] == [("second", "urgent")] * 3 + [
        ("first", "low")
    ] * 2
    assert broker.waiting.purge(actor="nobody") == 0
    assert broker.waiting.purge(actor="first") == 601
    assert broker.stats().by_actor == {"second": {"waiting": 3, "delayed": 0, "running": 0, "dead": 0}}
    assert broker.waiting.purge(priority="urgent") == 3
    assert broker.waiting.peek() == []
    assert broker.stats().sizes == {}


def test_pages_of_dead_letters_go_from_new_to_old_and_miss_none(broker: Broker) -> None:
    work = declare(broker, "work")
    for number in range(25):
        work.send_with_options(args=(number,), number=number, partition_key=str(number))
    bury(broker, 25)
    seen: list[DeadLetter] = []
    cursor: str | None = None
    while True:
        page, cursor = broker.dead_letters.page(limit=10, cursor=cursor)
        seen += page
        if cursor is None:
            break
        assert len(page) == 10
    assert sorted(numbers(seen)) == list(range(25))
    assert [letter.died_ms for letter in seen] == sorted((letter.died_ms for letter in seen), reverse=True)


def test_dead_letters_are_filtered_by_actor_reason_organization_and_age(broker: Broker) -> None:
    first, second = declare(broker, "first"), declare(broker, "second")
    send(first, range(4), organization_id="one")
    send(second, range(2), organization_id="two")
    bury(broker, 6)

    def count(**wanted: Any) -> int:
        return len(broker.dead_letters.page(Filter(**wanted))[0])

    assert count(actor="first") == 4
    assert count(reason="not_found") == 3
    assert count(organizations=["two"]) == 2
    assert count(actor="first", reason="access_denied", organizations=["one"]) == 2
    assert count(younger_than_s=60) == 6
    assert count(older_than_s=60) == 0
    assert broker.dead_letters.purge_many(Filter(older_than_s=60), limit=100) == 0
    for keys in broker.keys:
        broker.client.hincrby(keys["state"], "ahead", 61_000)
    assert count(older_than_s=60) == 6
    assert (
        broker.dead_letters.purge_many(Filter(older_than_s=60, actor="second"), limit=100, dry_run=True) == 2
    )
    assert broker.dead_letters.purge_many(Filter(older_than_s=60), limit=100) == 6
    assert broker.stats().sizes == {}


def test_one_dead_letter_is_read_sent_again_or_dropped_by_its_id(broker: Broker) -> None:
    work = declare(broker, "work")
    send(work, range(2), organization_id="org", job_id="7")
    bury(broker, 2)
    (first, second), _ = broker.dead_letters.page()
    assert broker.dead_letters.get(first.id) == first
    assert (first.actor, first.priority, first.organization_id) == ("work", "normal", "org")
    assert first.options["job_id"] == "7"
    assert broker.dead_letters.retry(first.id)
    assert broker.dead_letters.purge(second.id)
    assert not broker.dead_letters.purge(second.id)
    assert broker.dead_letters.get(second.id) is None
    assert broker.stats().by_status == {"waiting": 1, "delayed": 0, "running": 0, "dead": 0}


@pytest.mark.parametrize("nonsense", ["", "x", "1-9", "-", "12-x", "{}", "1" * 400])
def test_an_id_that_is_none_finds_nothing(broker: Broker, nonsense: str) -> None:
    assert broker.dead_letters.get(nonsense) is None
    assert not broker.dead_letters.retry(nonsense)
    assert not broker.dead_letters.purge(nonsense)
