"""What the api sends: messages, and a record that is there before they run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
import redis.asyncio
from dramatiq import Message

from tests.faults.proxy import FaultProxy, Moment
from tests.redis_process import RedisProcess
from tests.waiting import eventually
from workers.broker import Broker, Producer
from workers.errors import MessageTooLarge, QueueUnavailable
from workers.redis_records import Record

RECORD = Record("{test}:job:1", 60, ("status", "queued", "attempts", 0))
READY = "{test}:q:ready:normal"
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


async def test_records_sent_together_are_each_written(
    async_redis: redis.asyncio.Redis, actor: dramatiq.Actor[Any, Any]
) -> None:
    # What several say alike is said once on the way.
    records = [
        Record(f"{{test}}:job:{number}", 60 + number % 2, ("status", "queued", "total", number % 3))
        for number in range(20)
    ]
    producer = Producer(async_redis, "test")
    await asyncio.gather(*(producer.send(_message(actor, 1), beside=record) for record in records))
    for number, record in enumerate(records):
        assert await async_redis.hgetall(record.key) == {b"status": b"queued", b"total": b"%d" % (number % 3)}
        assert await async_redis.ttl(record.key) in (59 + number % 2, 60 + number % 2)
    assert await async_redis.llen(READY) == 20


async def test_what_comes_while_two_calls_are_under_way_goes_together(
    async_redis: redis.asyncio.Redis, redis_client: redis.Redis, actor: dramatiq.Actor[Any, Any]
) -> None:
    producer = Producer(async_redis, "test")
    await producer.send(_message(actor, 0))
    before = _calls(redis_client)
    redis_client.client_pause(60_000, all=False)
    sends: list[asyncio.Task[None]] = []
    try:
        for under_way in (1, 2):
            sends.append(asyncio.create_task(producer.send(_message(actor, 1))))
            await _eventually_blocked(redis_client, under_way)
        sends += [asyncio.create_task(producer.send(_message(actor, 2))) for _ in range(20)]
    finally:
        redis_client.client_unpause()
    await asyncio.gather(*sends)
    assert _calls(redis_client) == before + 3
    assert redis_client.llen(READY) == 23


async def test_a_message_that_cannot_be_stored_fails_alone(
    async_redis: redis.asyncio.Redis, actor: dramatiq.Actor[Any, Any]
) -> None:
    producer = Producer(async_redis, "test")
    texts = ["good", "x" * 300_000, "good"]
    sends = (producer.send(actor.message(text)) for text in texts)
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), MessageTooLarge, type(None)]
    assert await async_redis.llen(READY) == 2


@pytest.mark.parametrize("moment", ["inside the command", "before the reply"])
async def test_a_cut_connection_loses_nothing_and_doubles_nothing(
    proxy: FaultProxy, redis_client: redis.Redis, actor: dramatiq.Actor[Any, Any], moment: Moment
) -> None:
    async with redis.asyncio.Redis.from_url(proxy.url, socket_timeout=5) as client:
        producer = Producer(client, "test")
        await producer.send(_message(actor, 0))
        proxy.arm("enqueue", moment)
        await asyncio.gather(*(producer.send(_message(actor, number)) for number in range(10)))
        assert proxy.faults_played == 1
        proxy.cut()
        await producer.send(_message(actor, 11))
    assert redis_client.llen(READY) == 12


async def test_who_goes_away_takes_nobody_along(
    async_redis: redis.asyncio.Redis, redis_client: redis.Redis, actor: dramatiq.Actor[Any, Any]
) -> None:
    producer = Producer(async_redis, "test")
    await producer.send(_message(actor, 0))
    redis_client.client_pause(60_000, all=False)
    try:
        gone, stays = (asyncio.create_task(producer.send(_message(actor, number))) for number in (1, 2))
        await _eventually_blocked(redis_client, 1)
        gone.cancel()
    finally:
        redis_client.client_unpause()
    await stays
    assert redis_client.llen(READY) == 3


@pytest.fixture
def proxy(redis_process: RedisProcess) -> Iterator[FaultProxy]:
    with FaultProxy(redis_process.port) as proxy:
        yield proxy


async def _eventually_blocked(client: redis.Redis, count: int) -> None:
    await asyncio.to_thread(eventually, lambda: client.info("clients")["blocked_clients"] == count)


def _calls(client: redis.Redis) -> int:
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def _message(actor: dramatiq.Actor[Any, Any], number: int) -> Message[Any]:
    return actor.message_with_options(partition_key=str(number))
