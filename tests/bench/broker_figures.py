"""The queue alone: pickup, rates, what idle workers cost, memory. Workers are processes of their own."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dramatiq
import psutil
import redis

from tests.faults.fleet import NAMESPACE, Fleet
from tests.faults.worker import declare
from tests.redis_process import RedisProcess
from tests.waiting import wait_for
from workers.broker import Broker

_MAIL = {
    "userId": "48d31887-5fad-4d73-a9f5-3c356e68a038",
    "messageId": "AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViMi1hZjc4LTMzM2Q2ZDZkMzQxYgBGAAAAAAC700000001",
    "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95",
    "changeType": "created",
}


@dataclass
class Bench:
    """A private Redis, worker processes, and a broker to send with."""

    server: RedisProcess
    client: redis.Redis
    fleet: Fleet
    broker: Broker
    actors: dict[str, dramatiq.Actor[..., Any]]

    def send(self, kind: str, numbers: range, **options: Any) -> float:
        """Enqueue messages that take no time; returns when (monotonic s)."""
        actor = self.actors[kind]
        messages = [actor.message_with_options(kwargs={"number": number, "work_ms": 0}) for number in numbers]
        now = time.monotonic()
        self.broker.enqueue_many(messages, **options)
        return now

    def cpu_s(self) -> float:
        times = [psutil.Process(process.pid).cpu_times() for process in self.fleet.processes]
        return sum(each.user + each.system for each in times)

    def resident_mb(self) -> float:
        return sum(psutil.Process(process.pid).memory_info().rss for process in self.fleet.processes) / 2**20


@contextmanager
def bench(*, workers: int = 1, threads: int = 64) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="econeura-bench-") as directory:
        server = RedisProcess(Path(directory) / "redis").start()
        client = server.client()
        try:
            with Fleet(Path(directory), server.url, size=workers, threads=threads) as fleet:
                broker = Broker(NAMESPACE)
                broker.connect(client)
                wait_for(lambda: broker.stats().workers == workers, timeout_s=60)
                yield Bench(server, client, fleet, broker, declare(broker, fleet.journal))
                broker.close()
        finally:
            server.stop()


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def figures() -> Iterator[str]:
    """One line for each."""
    yield idle_pickup()
    yield idle_workers()
    yield rate()
    yield delayed()
    yield bytes_per_message()
    yield unrelated_keys()


def idle_pickup(samples: int = 300) -> str:
    with bench() as on:
        p50, p99 = pickup_ms(on, samples)
    return f"idle pickup, {samples} samples: p50 {p50:.2f} ms, p99 {p99:.2f} ms (send to start of the actor)"


def pickup_ms(on: Bench, samples: int) -> tuple[float, float]:
    sent = {}
    for number in range(samples):
        sent[number] = on.send("plain", range(number, number + 1))
        wait_for(lambda: len(on.fleet.journal.read()) == 2 * len(sent))
        pause(0.01)
    starts = {line.number: line.at_s for line in on.fleet.journal.read() if line.what == "start"}
    waits = sorted((starts[number] - at_s) * 1000 for number, at_s in sent.items())
    return statistics.median(waits), waits[int(len(waits) * 0.99)]


def idle_workers(seconds: float = 20) -> str:
    with bench(workers=10) as on:
        pause(2)
        before, commands, cpu_s = time.monotonic(), _commands(on.client), on.cpu_s()
        pause(seconds)
        passed_s = time.monotonic() - before
        commands_s = (_commands(on.client) - commands) / passed_s
        share = (on.cpu_s() - cpu_s) / passed_s / 10 * 100
    return f"10 idle workers: {commands_s:.0f} Redis commands/s in all, {share:.2f} % of a processor each"


def _commands(client: redis.Redis) -> int:
    return int(client.info("stats")["total_commands_processed"])


def rate(messages: int = 50_000) -> str:
    with bench() as on:
        on.send("plain", range(1000))
        wait_for(lambda: not on.broker.stats().sizes)
        calls, cpu_s, before = _script_calls(on.client), on.cpu_s(), time.monotonic()
        on.send("plain", range(1000, 1000 + messages))
        wait_for(lambda: not on.broker.stats().sizes, timeout_s=120)
        passed_s = time.monotonic() - before
        calls = _script_calls(on.client) - calls - messages // 500
        cpu_us = (on.cpu_s() - cpu_s) / messages * 1e6
    return (
        f"messages that do nothing, 64 threads: {messages / passed_s:.0f}/s while being sent, "
        f"{cpu_us:.0f} us of worker each, {calls / messages:.3f} round trips each"
    )


def _script_calls(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))


def delayed(messages: int = 100_000) -> str:
    with bench() as on:
        pause(1)
        before = on.resident_mb()
        on.send("plain", range(messages), delay=3_600_000)
        pause(6)
        grown = on.resident_mb() - before
    return f"{messages} delayed messages: worker grows by {grown:.1f} MB"


def bytes_per_message(messages: int = 10_000) -> str:
    with tempfile.TemporaryDirectory() as directory:
        server = RedisProcess(Path(directory)).start()
        client = server.client()
        broker = Broker()
        broker.connect(client)

        @dramatiq.actor(broker=broker)
        def process_email(**kwargs: Any) -> None: ...

        process_email.send(**_MAIL)
        before = client.info("memory")["used_memory"]
        broker.enqueue_many([process_email.message(**_MAIL) for _ in range(messages)])
        size = (client.info("memory")["used_memory"] - before) / messages
        broker.close()
        server.stop()
    return f"a queued message takes {size:.0f} bytes of Redis"


def unrelated_keys(keys: int = 1_000_000) -> str:
    with bench() as on:
        without, _ = pickup_ms(on, 100)
    with bench() as on:
        pipeline = on.client.pipeline(transaction=False)
        for number in range(keys):
            pipeline.set(f"other:{number}", "x")
            if number % 20_000 == 0:
                pipeline.execute()
        pipeline.execute()
        beside, _ = pickup_ms(on, 100)
    return f"{keys} unrelated keys: idle pickup p50 {without:.2f} -> {beside:.2f} ms"
