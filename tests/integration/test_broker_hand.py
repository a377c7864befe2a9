"""Lost calls and lost leases: the call that hands outcomes in, the one at the bell, and both at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import dramatiq
import pytest
import redis

from tests.faults.proxy import FaultProxy
from tests.redis_process import RedisProcess
from workers.broker import Broker
from workers.broker.delivery import Delivery
from workers.broker.hand import Hand, Taken
from workers.broker.leases import declare_dead
from workers.broker.scripts import AWAY, EXCHANGE
from workers.broker.sorting import knows, sort


@pytest.fixture
def proxy(redis_process: RedisProcess) -> Iterator[FaultProxy]:
    with FaultProxy(redis_process.port) as proxy:
        yield proxy


@pytest.fixture
def near(broker: Broker) -> Broker:
    """The broker of the producer, with an actor; it reaches Redis without the proxy."""

    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    return broker


@pytest.fixture
def hand(near: Broker, proxy: FaultProxy) -> Iterator[Hand]:
    """A worker's hand that reaches Redis through the proxy, and repeats nothing on its own."""
    far = Broker("test")
    far.connect(redis.Redis.from_url(proxy.url))
    hand = Hand(near.keys[0], far.client, "worker")
    hand.register()
    yield hand
    far.close()


def send(near: Broker) -> None:
    near.actors["note"].send()


def accept(near: Broker, hand: Hand, taken: Taken | None) -> list[Delivery]:
    assert taken is not None
    return sort(partial(knows, near.actors), hand, taken)


def lose_the_reply(hand: Hand, proxy: FaultProxy, moment: str) -> None:
    proxy.arm("exchange", "inside the command" if moment == "not applied" else "before the reply")
    with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
        hand.exchange(0)


def hand_in_all(near: Broker, hand: Hand) -> None:
    """Repeat and settle until nothing is left to say; what is taken meanwhile is done, too."""
    for _ in range(5):
        for delivery in accept(near, hand, hand.exchange(0)):
            hand.outbox.append(delivery.settled("done"))
        if hand.is_settled:
            return
    raise AssertionError("five calls were not enough")


def bring_back(near: Broker, hand: Hand) -> None:
    """As a replica that takes over and has not heard of an outcome: the hand holds a message again."""
    send(near)
    [delivery] = accept(near, hand, hand.exchange(1))
    in_hand = near.keys[0].of_worker(hand.lease)[0]
    entry = near.client.hget(in_hand, delivery.delivery_id)
    hand.outbox.append(delivery.settled("done"))
    hand.exchange(0)
    near.client.hset(in_hand, delivery.delivery_id, entry)


@pytest.mark.parametrize("moment", ["not applied", "applied"])
def test_an_outcome_outlives_what_the_bell_brings_before_it_is_repeated(
    near: Broker, hand: Hand, proxy: FaultProxy, moment: str
) -> None:
    bring_back(near, hand)
    send(near)
    [first] = accept(near, hand, hand.exchange(1))
    call = hand.call_at_bell(9)
    hand.outbox.append(first.settled("done"))
    lose_the_reply(hand, proxy, moment)
    send(near)
    reply = EXCHANGE.run(near.client, hand.script_keys, call.args)
    [second] = accept(near, hand, hand.heard(call, reply))
    hand.outbox.append(second.settled("done"))
    hand_in_all(near, hand)
    assert near.client.hlen(near.keys[0].of_worker(hand.lease)[0]) == 0


def test_a_lost_call_at_the_bell_is_repeated_whatever_else_is(near: Broker, hand: Hand) -> None:
    bring_back(near, hand)
    hand.not_heard(hand.call_at_bell(9))
    # What came back is given back with the next call; the bell is not heard again before that.
    hand.exchange(0)
    call = hand.call_at_bell(9)
    send(near)
    EXCHANGE.run(near.client, hand.script_keys, call.args)
    hand.not_heard(call)
    hand_in_all(near, hand)
    assert near.client.hlen(near.keys[0].of_worker(hand.lease)[0]) == 0
    assert near.stats().waiting == 1, "what came back; what the bell brought has ended"


def test_what_a_failover_brought_back_runs_again_though_only_the_bell_noticed(
    near: Broker, hand: Hand
) -> None:
    """Its outcome is known, but what it wrote elsewhere in Redis may be lost, too."""
    bring_back(near, hand)
    hand.not_heard(hand.call_at_bell(1))
    hand_in_all(near, hand)
    assert near.client.hlen(near.keys[0].of_worker(hand.lease)[0]) == 0
    assert near.stats().waiting == 1


def lose_the_lease(near: Broker, hand: Hand) -> None:
    declare_dead(near.client, near.namespace, "worker")
    assert hand.exchange(0) is None
    hand.lose()
    hand.register()


def test_outcomes_of_a_lost_lease_settle_nothing_of_the_next(
    near: Broker, hand: Hand, proxy: FaultProxy
) -> None:
    send(near)
    [delivery] = accept(near, hand, hand.exchange(1))
    hand.outbox.append(delivery.settled("done"))
    hand.exchange(0)
    lose_the_lease(near, hand)
    send(near)
    # Taken by a call that is repeated; the question what else we hold is lost.
    proxy.arm("exchange", "inside the command")
    proxy.arm("hkeys", "inside the command")
    taken: list[Delivery] = []
    for _ in range(4):
        try:
            taken += accept(near, hand, hand.exchange(1))
        except AWAY:
            continue
    assert len(taken) == near.stats().running == 1


def test_a_ring_that_a_lost_lease_hears_is_passed_on(near: Broker, hand: Hand) -> None:
    call = hand.call_at_bell(9)
    declare_dead(near.client, near.namespace, "worker")
    bell = near.keys[0]["bell"]
    near.client.delete(bell)
    assert EXCHANGE.run(near.client, hand.script_keys, call.args)[0] == b"fenced"
    assert near.client.llen(bell) == 1
