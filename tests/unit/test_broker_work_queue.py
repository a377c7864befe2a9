"""The line of messages between the consumer and the threads of a worker."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from queue import Empty
from typing import Any

import pytest
from dramatiq import Message, MessageProxy

from tests.waiting import eventually
from workers.broker.delivery import Delivery
from workers.broker.encoding import Entry
from workers.broker.hand import Hand
from workers.broker.keys import Keys
from workers.broker.work_queue import WorkQueue


@dataclass(frozen=True)
class Put:
    message: MessageProxy


def item(name: str, priority: str = "normal") -> Put:
    message: Message[Any] = Message("default", name, (), {}, {})
    entry = Entry(priority, 0, 0, 0, 1, name, b"")
    hand = Hand(Keys("unit"), None, "worker")
    hand.valid_until = math.inf
    return Put(Delivery(message, entry, name.encode(), hand))


def line(threads: int, refused: list[str] | None = None) -> WorkQueue:
    names = [] if refused is None else refused
    return WorkQueue(threads, lambda delivery: names.append(delivery.actor_name))


def names(queue: WorkQueue) -> list[str]:
    found = []
    while queue.is_waiting:
        found.append(queue.get_nowait().message.actor_name)
    return found


def test_the_best_priority_goes_first_and_the_oldest_of_it() -> None:
    queue = line(4)
    for name, priority in (("a", "low"), ("b", "normal"), ("c", "urgent"), ("d", "normal"), ("e", "high")):
        queue.put(item(name, priority))
    assert names(queue) == ["c", "e", "b", "d", "a"]


def test_an_empty_queue_says_so_after_the_timeout_and_at_once_when_closed() -> None:
    queue = line(4)
    with pytest.raises(Empty):
        queue.get(timeout=0.01)
    with pytest.raises(Empty):
        queue.get_nowait()
    queue.close()
    with pytest.raises(Empty):
        queue.get(timeout=60)


def test_closing_wakes_every_thread_that_waits() -> None:
    queue = line(8)
    woken: list[int] = []

    def wait(number: int) -> None:
        with pytest.raises(Empty):
            queue.get(timeout=60)
        woken.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(queue._asleep) == 8)
    queue.close()
    for thread in threads:
        thread.join(5)
    assert sorted(woken) == list(range(8))


def test_what_no_thread_started_can_be_taken_back() -> None:
    queue = line(4)
    for name in "abc":
        queue.put(item(name))
    assert queue.get(timeout=1).message.actor_name == "a"
    assert queue.take_back(older_than_s=60) == []
    assert [delivery.actor_name for delivery in queue.take_back()] == ["b", "c"]
    assert not queue.is_waiting
    queue.task_done()
    queue.join()


def test_what_another_worker_may_have_is_not_started() -> None:
    refused: list[str] = []
    queue = line(4, refused)
    lost, kept = item("lost"), item("kept")
    assert isinstance(lost.message, Delivery)
    lost.message.hand.lease = "taken anew"
    queue.put(lost)
    queue.put(kept)
    assert queue.get(timeout=1) is kept
    assert refused == ["lost"]
    queue.task_done()
    queue.join()


def test_messages_of_no_length_wake_few_threads_until_those_are_stuck() -> None:
    queue = line(16)
    started: list[str] = []
    gate = threading.Event()

    def work() -> None:
        try:
            started.append(queue.get(timeout=30).message.actor_name)
        except Empty:
            return
        gate.wait(30)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(queue._asleep) == 16)
    for _ in range(500):
        queue.note_run(0.00001)
    for number in range(10):
        queue.put(item(str(number)))
    eventually(lambda: len(started) == 4)
    assert queue.is_waiting
    # None of the four comes back for more: the others are needed after all.

    def all_run_once_roused() -> bool:
        queue.rouse()
        return len(started) == 10

    eventually(all_run_once_roused)
    gate.set()
    queue.close()
    for thread in threads:
        thread.join(5)


def test_messages_that_take_their_time_get_a_thread_each_at_once() -> None:
    queue = line(16)
    started: list[str] = []
    threads = [
        threading.Thread(target=lambda: started.append(queue.get(timeout=30).message.actor_name))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(queue._asleep) == 10)
    for _ in range(500):
        queue.note_run(0.02)
    for number in range(10):
        queue.put(item(str(number)))
    for thread in threads:
        thread.join(5)
    assert len(started) == 10
