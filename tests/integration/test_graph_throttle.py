"""The limiter on a real Redis: several `Throttle`s stand for several processes, which share no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from workers.errors import TemporaryError, Throttled
from workers.graph.leases import Kind, Lane, Limits
from workers.graph.throttle import Throttle

LANE = Lane("tenant/app", "soporte@acme.example")
OTHER = Lane("tenant/app", "ventas@acme.example")
PREFIX = "{test}:throttle:"


class Gauge:
    """How many calls are in flight, and the most there ever were."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0

    async def call(
        self, throttle: Throttle, lane: Lane, *, lasting_s: float = 0.05, kind: Kind = "action"
    ) -> None:
        async with throttle.slot(lane, kind) as slot:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(lasting_s)
            self.now -= 1
            slot.finish(went_well=True)
        self.done += 1


@pytest.fixture
async def shared(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    pool = redis.asyncio.BlockingConnectionPool.from_url(redis_url, max_connections=32, socket_timeout=5)
    client = redis.asyncio.Redis(connection_pool=pool)
    yield client
    await client.aclose()
    await pool.disconnect()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def processes(
    stack: AsyncExitStack, client: redis.asyncio.Redis, count: int, limits: Limits | None = None
) -> list[Throttle]:
    return [await stack.enter_async_context(Throttle.open(client, "test", limits)) for _ in range(count)]


async def until_size(client: redis.asyncio.Redis, name: str, size: int, deadline_s: float = 5.0) -> None:
    """Wait until the lane's set of that name (leases, waiting, sends) has so many members."""
    end = time.monotonic() + deadline_s
    while await client.zcard(f"{PREFIX}{LANE.app}:{LANE.mailbox}:{name}") != size:
        assert time.monotonic() < end, f"{name} never reached {size}"
        await asyncio.sleep(0.005)


async def calls_counted(client: redis.asyncio.Redis) -> int:
    state: Any = await client.hgetall(f"{PREFIX}{LANE.app}:{LANE.mailbox}:state")
    return sum(int(count) for name, count in state.items() if name.startswith(b"calls:"))


async def retrying(gauge: Gauge, throttle: Throttle, lane: Lane, lasting_s: float) -> None:
    """What the queue does: a message that is sent back comes again when it is told to."""
    while True:
        try:
            return await gauge.call(throttle, lane, lasting_s=lasting_s)
        except Throttled as told:
            await asyncio.sleep(told.retry_after_s or 0)


async def test_never_more_than_four_in_flight_over_all_processes(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    many = await processes(stack, shared, 4)
    await asyncio.gather(*(retrying(gauge, many[number % 4], LANE, 0.01) for number in range(120)))
    assert (gauge.most, gauge.done) == (4, 120)
    await until_size(shared, "leases", 0)


async def test_a_burst_uses_nearly_all_that_the_limit_allows(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    many = await processes(stack, shared, 4)

    async def used() -> float:
        started = time.monotonic()
        gauge = Gauge()
        await asyncio.gather(*(retrying(gauge, many[number % 4], LANE, 0.05) for number in range(240)))
        return 240 * 0.05 / 4 / (time.monotonic() - started)

    # More than 0.9 where the machine is ours; beside the suite it gets leave, and more tries.
    for _ in range(4):
        if await used() > 0.6:
            return
    pytest.fail("four bursts in a row left places empty")


async def test_no_place_is_lost_when_time_runs_out_as_it_comes(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    # Waits end about when calls do; a lost place would be missing until the end of this test.
    many = await processes(stack, shared, 2, Limits(wait_s=0.02, queue_s=1.0, lease_s=60.0))
    await asyncio.gather(*(retrying(gauge, many[number % 2], LANE, 0.005) for number in range(150)))
    assert (gauge.most, gauge.done) == (4, 150)
    await until_size(shared, "leases", 0, deadline_s=2.0)


async def test_a_process_does_not_keep_its_places_to_itself(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    greedy, late = await processes(stack, shared, 2)
    gauge = Gauge()

    async def without_end() -> None:
        while True:
            await gauge.call(greedy, LANE, lasting_s=0.01)

    busy = [asyncio.create_task(without_end()) for _ in range(12)]
    await until_size(shared, "waiting", 8)
    await asyncio.wait_for(gauge.call(late, LANE, lasting_s=0.0), 1.5)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_a_mailbox_at_its_limit_keeps_no_other_waiting(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1)
    busy = [asyncio.create_task(gauge.call(one, LANE, lasting_s=1.0)) for _ in range(4)]
    started = time.monotonic()
    await asyncio.wait_for(gauge.call(one, OTHER, lasting_s=0.0), 1.0)
    assert time.monotonic() - started < 0.5
    await asyncio.gather(*busy)


async def test_places_of_a_dead_process_are_free_again_when_its_leases_lapse(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    limits = Limits(lease_s=0.5)
    dead, alive = await processes(stack, shared, 2, limits)
    started = time.monotonic()
    # A process that dies says nothing any more, neither that it finished nor that it still works.
    for _ in range(4):
        async with dead.slot(LANE, "action"):
            pass
    await retrying(Gauge(), alive, LANE, 0.0)
    assert 0.4 < time.monotonic() - started < 2.0


async def test_a_call_that_takes_long_keeps_its_place(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    one, other = await processes(stack, shared, 2, Limits(in_flight=1, lease_s=0.4))
    slow = asyncio.create_task(gauge.call(one, LANE, lasting_s=1.2))
    await until_size(shared, "leases", 1)
    await gauge.call(other, LANE, lasting_s=0.0)
    await slow
    assert gauge.most == 1


async def test_who_waits_too_long_is_told_when_to_come_back(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, Limits(in_flight=1, wait_s=0.2))
    holding = asyncio.create_task(gauge.call(one, LANE, lasting_s=0.6))
    await until_size(shared, "leases", 1)
    started = time.monotonic()
    with pytest.raises(Throttled) as told:
        await gauge.call(one, LANE)
    assert time.monotonic() - started < 0.5
    assert told.value.retry_after_s is not None
    await holding
    await until_size(shared, "leases", 0)
    await gauge.call(one, LANE, lasting_s=0.0)


@pytest.mark.parametrize("in_one_process", [True, False])
async def test_a_look_goes_before_calls_that_wait(
    shared: redis.asyncio.Redis, stack: AsyncExitStack, in_one_process: bool
) -> None:
    gauge, order = Gauge(), []
    first, second, third = await processes(stack, shared, 3, Limits(in_flight=1))
    if in_one_process:
        second = third = first

    async def call(throttle: Throttle, kind: Kind) -> None:
        await gauge.call(throttle, LANE, kind=kind, lasting_s=0.01)
        order.append(kind)

    holding = asyncio.create_task(gauge.call(first, LANE, lasting_s=0.2))
    await until_size(shared, "leases", 1)
    acting = [asyncio.create_task(call(second, "action")) for _ in range(4)]
    await until_size(shared, "waiting", 4)
    await asyncio.gather(holding, *acting, call(third, "look"))
    assert order == ["look", *["action"] * 4]


async def test_a_look_is_let_in_where_the_line_is_too_long_for_others(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, Limits(in_flight=1, queue_s=0.05))
    holding = asyncio.create_task(gauge.call(one, LANE, lasting_s=0.3))
    await until_size(shared, "leases", 1)
    acting = [asyncio.create_task(gauge.call(one, LANE, lasting_s=0.02)) for _ in range(2)]
    await until_size(shared, "waiting", 2)
    with pytest.raises(Throttled, match="the line is long"):
        await gauge.call(one, LANE)
    await gauge.call(one, LANE, kind="look", lasting_s=0.0)
    await asyncio.gather(holding, *acting)


async def test_a_call_that_follows_one_sent_back_is_told_its_turn_at_once(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, Limits(in_flight=1, queue_s=0.05))
    holding = asyncio.create_task(gauge.call(one, LANE, lasting_s=0.3))
    await until_size(shared, "leases", 1)
    waiting = [asyncio.create_task(gauge.call(one, LANE, lasting_s=0.02)) for _ in range(2)]
    await until_size(shared, "waiting", 2)
    assert await one.turn_s(LANE) == 0, "nobody was sent back yet"
    with pytest.raises(Throttled) as told:
        await gauge.call(one, LANE)
    sent_back_s = told.value.retry_after_s or 0
    assert sent_back_s < await one.turn_s(LANE) < await one.turn_s(LANE)
    await asyncio.gather(holding, *waiting)


async def test_sends_are_counted_by_the_minute(shared: redis.asyncio.Redis, stack: AsyncExitStack) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1)
    for _ in range(30):
        await gauge.call(one, LANE, lasting_s=0.0, kind="send")
    with pytest.raises(Throttled) as told:
        await gauge.call(one, LANE, kind="send")
    assert 50 < (told.value.retry_after_s or 0) < 75
    await gauge.call(one, LANE, lasting_s=0.0, kind="action")
    await gauge.call(one, OTHER, lasting_s=0.0, kind="send")


@pytest.mark.parametrize(
    ("stops", "goes_on", "limits"),
    [
        pytest.param("read", "action", Limits(calls=12, calls_of_reading=10), id="reading"),
        # Else a mailbox with much to act on would hear of nothing new.
        pytest.param("action", "read", Limits(calls=12, calls_of_acting=10), id="acting"),
    ],
)
async def test_one_kind_stops_before_the_window_is_used_up_and_the_other_goes_on(
    shared: redis.asyncio.Redis, stack: AsyncExitStack, stops: Kind, goes_on: Kind, limits: Limits
) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, limits)
    for _ in range(10):
        await gauge.call(one, LANE, lasting_s=0.0, kind=stops)
    with pytest.raises(Throttled) as told:
        await gauge.call(one, LANE, kind=stops)
    assert 500 < (told.value.retry_after_s or 0) < 800
    for _ in range(2):
        await gauge.call(one, LANE, lasting_s=0.0, kind=goes_on)
    with pytest.raises(Throttled):
        await gauge.call(one, LANE, kind=goes_on)


async def test_the_window_of_calls_moves_on(shared: redis.asyncio.Redis, stack: AsyncExitStack) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, Limits(calls=5, calls_of_reading=5))
    state = f"{PREFIX}{LANE.app}:{LANE.mailbox}:state"
    minute = (await shared.time())[0] // 60
    await shared.hset(state, mapping={f"calls:{minute - 12}": 5})
    await gauge.call(one, LANE, lasting_s=0.0)
    assert not await shared.hexists(state, f"calls:{minute - 12}")
    await shared.hset(state, mapping={f"calls:{minute - 9}": 4})
    with pytest.raises(Throttled) as told:
        await gauge.call(one, LANE)
    assert 0 < (told.value.retry_after_s or 0) <= 120 * 1.2


async def test_who_left_the_line_without_a_call_is_not_counted(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    """A mailbox with a long line would come to its limit by waiting alone."""
    limits = Limits(in_flight=1, calls=3, wait_s=0.05, queue_s=60)
    one, other = await processes(stack, shared, 2, limits)
    gauge = Gauge()
    async with one.slot(LANE, "action") as slot:
        for _ in range(4):
            waiting = [gauge.call(throttle, LANE) for throttle in (one, other)]
            for told in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(told, Throttled)
        slot.finish(went_well=True)
    end = time.monotonic() + 5
    while await calls_counted(shared) > 1:
        assert time.monotonic() < end, "they are still counted"
        await asyncio.sleep(0.005)
    await gauge.call(other, LANE)
    await gauge.call(one, LANE)
    assert gauge.done == 2
    with pytest.raises(Throttled, match="at its limit"):
        await gauge.call(one, LANE)


async def test_who_waits_out_a_pause_in_line_is_counted_once(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    one, other = await processes(stack, shared, 2, Limits(in_flight=1, wait_s=20, queue_s=20))
    gauge = Gauge()
    async with one.slot(LANE, "action") as slot:
        waiting = asyncio.create_task(gauge.call(other, LANE))
        await until_size(shared, "waiting", 1)
        # Longer than until it asks again whether its turn has come.
        await one.pause(LANE, 1.8)
        slot.finish(went_well=True)
    await waiting
    assert await calls_counted(shared) == 2


async def test_without_redis_no_call_goes_out_unlimited() -> None:
    nowhere = redis.asyncio.Redis(port=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    async with Throttle.open(nowhere, "test") as throttle:
        with pytest.raises(TemporaryError, match="Redis"):
            await Gauge().call(throttle, LANE)
    await nowhere.aclose()


async def test_a_pause_holds_the_mailbox_in_every_process_and_no_other(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    one, other = await processes(stack, shared, 2)
    await one.pause(LANE, 30.0)
    with pytest.raises(Throttled) as told:
        await gauge.call(other, LANE)
    assert 29 < (told.value.retry_after_s or 0) < 37
    await gauge.call(other, OTHER, lasting_s=0.0)


async def test_a_pause_of_the_app_holds_all_its_mailboxes(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    one, other = await processes(stack, shared, 2)
    await one.pause(LANE, 30.0, whole_app=True)
    with pytest.raises(Throttled):
        await gauge.call(other, OTHER)
    await gauge.call(other, Lane("tenant/another-app", LANE.mailbox), lasting_s=0.0)


async def test_a_short_pause_is_waited_for(shared: redis.asyncio.Redis, stack: AsyncExitStack) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1)
    await one.pause(LANE, 0.3)
    started = time.monotonic()
    await gauge.call(one, LANE, lasting_s=0.0)
    assert 0.25 < time.monotonic() - started < 1.5


async def test_unnamed_pauses_double_until_a_call_goes_well(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, Limits(backoff_s=0.05))
    lengths = [await one.pause(LANE, None) for _ in range(3)]
    assert lengths == pytest.approx([0.05, 0.1, 0.2], abs=0.03)
    await gauge.call(one, LANE, lasting_s=0.0)
    await until_size(shared, "leases", 0)
    assert await one.pause(LANE, None) == pytest.approx(0.05, abs=0.03)


async def test_a_cancelled_wait_leaves_the_line(shared: redis.asyncio.Redis, stack: AsyncExitStack) -> None:
    gauge = Gauge()
    (one,) = await processes(stack, shared, 1, Limits(in_flight=1))
    holding = asyncio.create_task(gauge.call(one, LANE, lasting_s=0.4))
    await until_size(shared, "leases", 1)
    waiting = asyncio.create_task(gauge.call(one, LANE, kind="send"))
    await until_size(shared, "waiting", 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until_size(shared, "waiting", 0)
    # It never sent anything: the minute's thirty are all still there.
    await until_size(shared, "sends", 0)
    await holding


async def test_places_taken_together_are_had_together_or_not_at_all(
    shared: redis.asyncio.Redis, stack: AsyncExitStack
) -> None:
    one, other = await processes(stack, shared, 2)
    order = []

    async def batch(throttle: Throttle, name: str) -> None:
        async with throttle.slot(LANE, "action", places=3) as slot:
            order.append(f"{name} in")
            await asyncio.sleep(0.05)
            order.append(f"{name} out")
            slot.finish(went_well=True)

    await asyncio.gather(batch(one, "a"), batch(other, "b"))
    assert [step.split()[1] for step in order] == ["in", "out", "in", "out"]
