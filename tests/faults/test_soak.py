"""A day of traffic in ten minutes, workers killed at random: the totals add up exactly (`make soak`)."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
import redis

from tests.faults.fleet import Fleet
from tests.faults.matrix import Scene, scene
from tests.faults.traffic import RUNS, Run, is_over, runs_of
from tests.waiting import wait_for

_DAY_S = 600.0
_OUTCOME_IN_HAND_S = 0.1


def torment(on: Scene, client: redis.Redis, until: float) -> dict[str, int]:
    """Every few seconds something happens to a worker, or a bulk comes in; returns how often what did."""
    happened = {"kill -9": 0, "SIGTERM": 0, "bulk": 0}
    dice = random.Random(7)
    while time.monotonic() < until:
        what = dice.choice(list(happened))
        happened[what] += 1
        if what == "bulk":
            on.traffic.bulk()
        else:
            on.fleet.signal(signal.SIGKILL if what == "kill -9" else signal.SIGTERM)
            wait_for(lambda: len(on.fleet.processes) == 3, timeout_s=60)
        wait_for(lambda: int(client.zcard("{faults}:q:leases")) == 3, timeout_s=60)
        on.wait(dice.uniform(0.5, 4))
    return happened


def is_excused(run: Run, fleet: Fleet) -> bool:
    """Its worker died during it, or before its outcome was handed in."""
    died_s = fleet.died.get(run.pid)
    return died_s is not None and (run.end_s is None or run.end_s > died_s - _OUTCOME_IN_HAND_S)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_day_of_traffic_and_random_kills_adds_up(tmp_path: Path, day_s: float = _DAY_S) -> None:
    with scene(tmp_path, workers=3) as on, on.server.client() as client:
        wait_for(lambda: len(on.fleet.journal.read()) > 50, timeout_s=60)
        before = memory(client)
        happened = torment(on, client, time.monotonic() + day_s)
        on.traffic.stop()
        wait_for(lambda: is_over(on.traffic, on.fleet.journal.read()), timeout_s=120, what="all is over")
        wait_for(
            lambda: not client.exists("{faults}:q:counts"), timeout_s=60, what="nothing is left in the queue"
        )
        after = memory(client)
        runs = runs_of(on.fleet.journal.read())
        excused = 0
        for message in on.traffic.confirmed:
            broken = [run for run in runs[message] if is_excused(run, on.fleet)]
            too_many = len(runs[message]) - RUNS[message[0]]
            assert 0 <= too_many <= len(broken), (message, runs[message])
            excused += too_many
    sent = len(on.traffic.confirmed)
    print(
        f"soak: {sent} messages, {happened}, {excused} runs repeated after a death, "
        f"dataset {before} -> {after} bytes"
    )
    assert on.traffic.unconfirmed == 0
    assert after < before + 50_000


def memory(client: redis.Redis) -> int:
    """Bytes of all keys together: what the queue itself holds, without the buffers of connections."""
    return sum(int(client.memory_usage(key) or 0) for key in client.scan_iter())


def test_a_quarter_of_a_minute_of_it(tmp_path: Path) -> None:
    test_a_day_of_traffic_and_random_kills_adds_up(tmp_path, day_s=15.0)
