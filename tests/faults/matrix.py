"""The faults of the matrix, each as a story told to a running fleet."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from tests.faults.fleet import NAMESPACE, Fleet
from tests.faults.proxy import FaultProxy, Moment
from tests.faults.traffic import Cell, Fault, Traffic, cells, is_over, runs_of
from tests.faults.worker import connect, declare
from tests.redis_process import RedisProcess
from tests.redis_topologies import Failover
from tests.waiting import wait_for
from workers.broker import Broker
from workers.broker.keys import Keys

Kind = Literal["ours", "stock"]
_OFTEN = ("enqueue", "exchange", "blpop")


@dataclass
class Scene:
    """All that a fault can be played on."""

    server: RedisProcess
    proxy: FaultProxy
    failover: Failover | None
    fleet: Fleet
    traffic: Traffic

    def wait(self, seconds: float) -> None:
        """Faults have a length: this is it, not a wait for something to happen."""
        threading.Event().wait(seconds)


Story = Callable[[Scene], frozenset[int]]
"""Plays the fault and returns the processes that may have died or lost their lease by it."""


def kill_9(scene: Scene) -> frozenset[int]:
    return frozenset({scene.fleet.signal(signal.SIGKILL)})


def pause_20_s(scene: Scene, seconds: float = 20) -> frozenset[int]:
    pid = scene.fleet.signal(signal.SIGSTOP)
    scene.wait(seconds)
    scene.fleet.signal(signal.SIGCONT)
    return frozenset({pid})


def terminate(scene: Scene) -> frozenset[int]:
    scene.fleet.signal(signal.SIGTERM)
    return frozenset()


def restart_redis(scene: Scene) -> frozenset[int]:
    scene.server.stop()
    scene.server.start()
    return frozenset()


def redis_away_30_s(scene: Scene, seconds: float = 30) -> frozenset[int]:
    scene.proxy.go_away()
    scene.wait(seconds)
    scene.proxy.come_back()
    return frozenset()


def cut_inside_each_command(scene: Scene) -> frozenset[int]:
    return _cut(scene, "inside the command", _commands(scene))


def cut_inside_often_used_commands(scene: Scene) -> frozenset[int]:
    return _cut(scene, "inside the command", _OFTEN)


def lose_each_reply(scene: Scene) -> frozenset[int]:
    return _cut(scene, "before the reply", _commands(scene))


def lose_replies_of_often_used_commands(scene: Scene) -> frozenset[int]:
    return _cut(scene, "before the reply", _OFTEN)


def _cut(scene: Scene, moment: Moment, commands: Sequence[str]) -> frozenset[int]:
    for command in commands:
        scene.proxy.arm(command, moment, times=3)
    try:
        wait_for(lambda: not scene.proxy.is_armed, timeout_s=15)
    except TimeoutError:
        # Rare commands may not come again.
        scene.proxy.disarm()
    return frozenset()


def _commands(scene: Scene) -> list[str]:
    """What goes through the proxy in this run, but for the greeting of a new connection."""
    return [name for name in scene.proxy.commands if name not in ("hello", "client", "ping")]


def clock_jump(scene: Scene) -> frozenset[int]:
    """An hour forward, then back: as the scripts see the clock of the server."""
    state = Keys(NAMESPACE)["state"]
    with scene.server.client() as client:
        client.hincrby(state, "ahead", 3_600_000)
        scene.wait(6)
        client.hincrby(state, "ahead", -3_600_000)
        scene.wait(6)
    return frozenset()


def sentinel_failover(scene: Scene) -> frozenset[int]:
    assert scene.failover is not None
    scene.failover.fail_over()
    return frozenset()


STORIES: dict[str, Story] = {
    "worker kill -9": kill_9,
    "worker SIGSTOP 20 s, SIGCONT": pause_20_s,
    "worker SIGTERM": terminate,
    "redis restart with AOF": restart_redis,
    "redis away 30 s": redis_away_30_s,
    "connection cut inside each command": cut_inside_each_command,
    "reply lost after each command": lose_each_reply,
    "server clock jumps an hour and back": clock_jump,
    "failover by sentinel": sentinel_failover,
}


@contextmanager
def scene(
    directory: Path, kind: Kind = "ours", *, failover: bool = False, workers: int = 2
) -> Iterator[Scene]:
    """A private Redis behind a proxy (or a master under Sentinel), workers of eight threads, traffic."""
    with ExitStack() as stack:
        server = RedisProcess(directory / "redis").start()
        stack.callback(server.stop)
        proxy = stack.enter_context(FaultProxy(server.port))
        group = stack.enter_context(Failover(directory)) if failover else None
        url = group.url if group else proxy.url
        client = connect(url)
        fleet = stack.enter_context(Fleet(directory, url, kind=kind, size=workers, supervisor_client=client))
        broker = _producer(client, kind, confirm_replicas=int(failover))
        stack.callback(broker.close)
        traffic = stack.enter_context(Traffic(broker, declare(broker, fleet.journal)))
        yield Scene(server, proxy, group, fleet, traffic)


def _producer(client: Any, kind: Kind, confirm_replicas: int) -> dramatiq.Broker:
    if kind == "stock":
        return RedisBroker(client=client)  # type: ignore[no-untyped-call]
    broker = Broker(NAMESPACE, confirm_replicas=confirm_replicas)
    broker.connect(client)
    return broker


def play(
    scene: Scene, story: Story, *, settle_s: float = 60.0, traffic_s: float = 2.0, bulk: int = 1000
) -> list[Cell]:
    """Traffic, the fault in the middle of a bulk, traffic again; then wait until all is over and add up."""
    wait_for(lambda: len(scene.fleet.journal.read()) > 20, timeout_s=30, what="workers run")
    scene.wait(traffic_s)
    scene.traffic.bulk(bulk)
    scene.wait(0.3)
    began_s = time.monotonic()
    victims = story(scene)
    ended_s = time.monotonic()
    scene.traffic.bulk(bulk)
    scene.wait(traffic_s)
    scene.traffic.stop()
    try:
        wait_for(lambda: is_over(scene.traffic, scene.fleet.journal.read()), timeout_s=settle_s)
    except TimeoutError:
        print("not all over in time", file=sys.stderr)
    # Duplicates come late: give them the time to.
    scene.wait(1.0)
    return cells(scene.traffic, runs_of(scene.fleet.journal.read()), Fault(began_s, ended_s, victims))
