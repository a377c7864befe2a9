"""Moments that are hard to meet: outcomes that come just before sleep, rings that nobody can answer."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial

import dramatiq
import redis

from tests.faults.proxy import FaultProxy
from tests.redis_process import RedisProcess
from tests.running_worker import running
from tests.waiting import eventually
from workers.broker import Broker
from workers.broker.delivery import Delivery
from workers.broker.hand import Hand
from workers.broker.intake import Intake
from workers.broker.keys import partition_of
from workers.broker.leases import declare_dead
from workers.broker.scripts import EXCHANGE
from workers.broker.sorting import knows, sort
from workers.broker.work_queue import Item, WorkQueue


def an_intake(broker: Broker, far: Broker | None = None) -> Intake:
    """Begun, with two threads that are not there; `far` reaches Redis on another way."""
    hands = [Hand(keys, (far or broker).client, "worker") for keys in broker.keys]
    intake = Intake(hands, 2, partial(sort, partial(knows, broker.actors)))
    intake.consume(True)
    intake.start()
    return intake


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

    intake = an_intake(broker)
    intake.line = line = LateLine(2, intake.settle)
    line.intake = intake
    note.send()
    delivery = intake.next(5)
    assert delivery is not None
    # The ring of that message is heard, too; from here on all is quiet.
    assert intake.next(0.3) is None
    # As after a flush, when single outcomes were not worth waking for.
    intake._outcomes.enough = 64
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
        intake = an_intake(broker, far)
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


class TakenLate(deque[Delivery]):
    """Lets the bell's thread go on before another takes what it has seen to be there."""

    def __init__(self, line: LineBesideALook) -> None:
        super().__init__()
        self._line = line

    def popleft(self) -> Delivery:
        if threading.current_thread().name != "doorbell":
            self._line.seen.set()
            self._line.filled.wait(0.2)
        return super().popleft()


class LineBesideALook(WorkQueue):
    """What the bell brings waits a moment, on its way to the threads, for another to see it."""

    def __init__(self, threads: int) -> None:
        self.seen, self.filled = threading.Event(), threading.Event()
        super().__init__(threads, lambda delivery: None)

    @property
    def run_s(self) -> float:
        if threading.current_thread().name == "doorbell":
            self.seen.wait(0.05)
        return 0.0

    @run_s.setter
    def run_s(self, seconds: float) -> None: ...

    def put(self, item: Item) -> bool:
        is_awake = super().put(item)
        self.filled.set()
        return is_awake


def test_what_the_bell_passes_to_the_threads_is_taken_by_nobody_else(broker: Broker) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    intake = an_intake(broker)
    intake.line = line = LineBesideALook(2)
    intake._ready = TakenLate(line)
    assert intake.next(0.1) is None
    note.send()
    while not line.filled.is_set():
        assert intake.next(0) is None
    assert line.get(1).message.actor_name == "note"
    intake.close()


def test_a_message_that_no_thread_has_time_for_is_left_to_others(broker: Broker) -> None:
    gate = threading.Event()

    @dramatiq.actor(broker=broker)
    def slow() -> None:
        gate.wait(20)

    with running(broker, threads=16):
        # One more than there are threads is taken, for the case that one of them is done soon.
        broker.enqueue_many([slow.message() for _ in range(17)])
        other = Hand(broker.keys[0], broker.client, "other")
        other.register()

        def others_get_it() -> bool:
            taken = other.exchange(1)
            return taken is not None and len(taken.messages) == 1

        eventually(lambda: broker.stats().running == 17)
        eventually(others_get_it, within_s=3)
        gate.set()


def test_what_the_bell_brings_while_a_suspect_runs_alone_is_left_to_others(redis_client: redis.Redis) -> None:
    broker = Broker("test", partitions=2)
    broker.connect(redis_client)

    @dramatiq.actor(broker=broker)
    def note(word: str) -> None: ...

    def send(word: str, partition: int) -> None:
        key = next(key for key in map(str, range(99)) if partition_of(key, 2) == partition)
        note.send_with_options(args=(word,), partition_key=key)

    send("suspect", 0)
    for name in ("first", "second"):
        dying = Hand(broker.keys[0], broker.client, name)
        dying.register()
        dying.exchange(1)
        if name == "first":
            declare_dead(broker.client, "test", name, partitions=2)
    intake = an_intake(broker)
    assert intake.next(0.1) is None
    declare_dead(broker.client, "test", "second", partitions=2)
    suspect = intake.next(5)
    assert suspect is not None
    assert intake.next(0.1) is None
    send("neighbour", 1)
    eventually(lambda: broker.client.llen(broker.keys[1]["bell"]))
    assert intake.next(0.3) is None
    assert not intake.line.is_waiting
    intake.settle(suspect)
    neighbour = intake.next(5)
    assert neighbour is not None
    assert neighbour.args == ("neighbour",)
    intake.close()
