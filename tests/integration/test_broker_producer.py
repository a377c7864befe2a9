"""What the api sends: messages, and a record that is there before they run."""

from __future__ import annotations

from typing import Any

import dramatiq
import pytest
import redis.asyncio
from dramatiq import Message

from workers.broker import Broker, Producer
from workers.errors import MessageTooLarge, QueueUnavailable
from workers.redis_records import Record

RECORD = Record("{test}:job:1", 60, ("status", "queued", "attempts", 0))
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def actor() -> dramatiq.Actor[Any, Any]:
    return dramatiq.actor(broker=Broker("test"))(_work)


def _work(text: str = "") -> None: ...


@pytest.mark.parametrize("partitions", [1, 3])
async def test_a_record_is_written_with_its_messages(
    async_redis: redis.asyncio.Redis, actor: dramatiq.Actor[Any, Any], partitions: int
) -> None:
    producer = Producer(async_redis, "test", partitions=partitions)
    await producer.send(*(_message(actor, number) for number in range(10)), beside=RECORD)
    assert await async_redis.hgetall(RECORD.key) == {b"status": b"queued", b"attempts": b"0"}
    assert 0 < await async_redis.ttl(RECORD.key) <= RECORD.keep_s
    tags = ["test"] if partitions == 1 else [f"test:{number}" for number in range(partitions)]
    assert sum([await async_redis.llen(f"{{{tag}}}:q:ready:normal") for tag in tags]) == 10


@pytest.mark.parametrize("partitions", [1, 3])
async def test_no_record_is_left_of_messages_that_cannot_be_stored(
    async_redis: redis.asyncio.Redis, actor: dramatiq.Actor[Any, Any], partitions: int
) -> None:
    producer = Producer(async_redis, "test", partitions=partitions)
    with pytest.raises(MessageTooLarge):
        await producer.send(actor.message("x" * 300_000), beside=RECORD)
    assert not await async_redis.exists(RECORD.key)


async def test_a_record_goes_again_if_its_messages_were_not_taken(
    async_redis: redis.asyncio.Redis, actor: dramatiq.Actor[Any, Any]
) -> None:
    # The queue's key holds something else: the script fails, the record was written before it.
    for number in range(3):
        await async_redis.set(f"{{test:{number}}}:q:ready:normal", "no list")
    producer = Producer(async_redis, "test", partitions=3)
    with pytest.raises(redis.ResponseError):
        await producer.send(_message(actor, 1), beside=RECORD)
    assert not await async_redis.exists(RECORD.key)


@pytest.mark.parametrize("partitions", [1, 3])
async def test_without_redis_the_queue_is_unavailable(
    actor: dramatiq.Actor[Any, Any], partitions: int
) -> None:
    async with redis.asyncio.Redis.from_url(NOWHERE) as nowhere:
        producer = Producer(nowhere, "test", partitions=partitions)
        with pytest.raises(QueueUnavailable):
            await producer.send(_message(actor, 1), beside=RECORD)


def _message(actor: dramatiq.Actor[Any, Any], number: int) -> Message[Any]:
    return actor.message_with_options(partition_key=str(number))
