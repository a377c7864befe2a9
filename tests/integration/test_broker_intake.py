"""Moments that are hard to meet: outcomes that come just before sleep, rings that nobody can answer."""

from __future__ import annotations

from functools import partial

import dramatiq
import redis

from tests.faults.proxy import FaultProxy
from tests.redis_process import RedisProcess
from tests.waiting import eventually
from workers.broker import Broker
from workers.broker.delivery import Delivery
from workers.broker.hand import Hand
from workers.broker.intake import Intake
from workers.broker.scripts import EXCHANGE
from workers.broker.sorting import knows, sort
from workers.broker.work_queue import WorkQueue


class LateLine(WorkQueue):
    """A thread ends just after the consumer thread has looked for what ended, and before it sleeps."""

    intake: Intake
    late: Delivery | None = None

    def rouse(self) -> None:
        if self.late is not None:
            delivery, self.late = self.late, None
            delivery.outcome = "done"
            self.intake.settle(delivery)


def test_an_outcome_that_comes_in_before_sleep_is_not_slept_over(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    intake = Intake(
        [Hand(broker.keys[0], broker.client, "worker")], 2, partial(sort, partial(knows, broker.actors))
    )
    intake.line = line = LateLine(2, intake.settle)
    line.intake = intake
    intake.consume(True)
    intake.start()
    note.send()
    delivery = intake.next(5)
    assert delivery is not None
    # The ring of that message is heard, too; from here on all is quiet.
    assert intake.next(0.3) is None
    # As after a flush, when single outcomes were not worth waking for.
    intake._enough = 64
    line.late = delivery
    assert intake.next(1) is None
    assert broker.stats().running == 0
    intake.close()


def test_what_the_bell_brings_while_nobody_consumes_is_left_to_others(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    consumer = broker.consume("default", prefetch=4, timeout=100)
    assert next(consumer) is None
    broker.intake.consume(False)
    note.send()
    other = Hand(broker.keys[0], broker.client, "other")
    other.register()

    def others_get_it() -> bool:
        taken = other.exchange(4)
        return taken is not None and len(taken.messages) == 1

    eventually(others_get_it)
    assert broker.stats().by_status == {"waiting": 0, "delayed": 0, "running": 1, "dead": 0}
    consumer.close()


def test_a_bell_that_was_not_heard_while_the_queue_was_asked_is_waited_for_again(
    broker: Broker, redis_process: RedisProcess
) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    with FaultProxy(redis_process.port) as proxy:
        far = Broker("test")
        far.connect(redis.Redis.from_url(proxy.url))
        hand = Hand(broker.keys[0], far.client, "worker")
        intake = Intake([hand], 2, partial(sort, partial(knows, broker.actors)))
        intake.consume(True)
        intake.start()
        assert intake.next(0.1) is None
        [source] = intake._sources
        # The consumer's thread asks the queue while the bell's thread learns that its connection is gone.
        with intake._lock:
            proxy.cut()
            eventually(lambda: not source.bell.is_listening)
            eventually(lambda: intake._exchange(source, 1))
        note.send()
        assert intake.next(3) is not None
        intake.close()
        far.close()


def test_what_was_taken_at_the_bell_is_not_lost_with_the_reply(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note(number: int) -> None: ...

    hand = Hand(broker.keys[0], broker.client, "worker")
    hand.register()
    call = hand.call_at_bell(2)
    for number in range(2):
        note.send(number)
    EXCHANGE.run(broker.client, hand.script_keys, call.args)
    hand.not_heard(call)
    taken = hand.exchange(10)
    assert taken is not None
    assert [delivery_id for delivery_id, _ in taken.messages] == [b"b1-0"]
    # The first one arrives late, a second time.
    EXCHANGE.run(broker.client, hand.script_keys, call.args)
    assert broker.stats().by_status == {"waiting": 1, "delayed": 0, "running": 1, "dead": 0}


def test_what_comes_too_late_for_a_repeated_call_at_the_bell_takes_nothing(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    hand = Hand(broker.keys[0], broker.client, "worker")
    hand.register()
    call = hand.call_at_bell(2)
    hand.not_heard(call)
    taken = hand.exchange(10)
    assert taken is not None
    assert not taken.messages
    note.send()
    EXCHANGE.run(broker.client, hand.script_keys, call.args)
    assert broker.stats().waiting == 1
