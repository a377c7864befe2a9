"""How long the work of dead workers lies still, and that no live one is taken for dead."""

from __future__ import annotations

import multiprocessing
import signal
import statistics
import time
from pathlib import Path

import pytest
import redis

from tests.faults.fleet import Fleet
from tests.faults.lost_work import IN_HAND, seconds_until_all_run_elsewhere
from tests.faults.producer import producing
from tests.redis_process import RedisProcess
from tests.waiting import wait_for


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_ten_killed_workers_under_a_supervisor(
    redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path
) -> None:
    took = []
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        took.append(
            seconds_until_all_run_elsewhere(
                tmp_path / str(number), redis_process.url, redis_client, supervised=True
            )
        )
    print(f"supervised worker killed: {IN_HAND} messages run elsewhere after {statistics.median(took):.2f} s "
          f"(median of 10, most {max(took):.2f} s)")  # fmt: skip
    assert statistics.median(took) < 3


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_a_lost_host(redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path) -> None:
    took = seconds_until_all_run_elsewhere(tmp_path, redis_process.url, redis_client, supervised=False)
    print(f"host lost: {IN_HAND} messages run elsewhere after {took:.1f} s")
    assert took < 20


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_a_message_that_a_paused_worker_was_handed_at_its_bell(
    redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """It waits in an answer that nobody reads: another runs it once the lease has ended, and that is all."""
    with (
        Fleet(tmp_path, redis_process.url, size=2, threads=4, supervised=False) as fleet,
        producing(fleet, redis_client) as (broker, actors),
    ):
        wait_for(lambda: broker.stats().workers == 2)
        paused = fleet.signal(signal.SIGSTOP)
        for number in range(2):
            actors["plain"].send(number=number, work_ms=0)
            wait_for(lambda: broker.stats().waiting == 0)
        began = time.monotonic()
        wait_for(lambda: len(fleet.journal.read()) == 4)
        took = time.monotonic() - began
        fleet.signal(signal.SIGCONT)
        wait_for(lambda: "lease lost" in fleet.log())
        wait_for(lambda: not broker.stats().sizes and broker.stats().workers == 2)
        lines = fleet.journal.read()
    print(f"worker paused at its bell: its message runs elsewhere after {took:.1f} s")
    assert 5 < took < 20
    assert sorted(line.number for line in lines if line.what == "start") == [0, 1]
    assert paused not in {line.pid for line in lines}


def burn(until: float) -> None:
    while time.monotonic() < until:
        sum(range(10_000))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_no_live_worker_is_declared_dead_while_all_processors_are_busy(
    redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path, seconds: float = 600
) -> None:
    until = time.monotonic() + seconds
    burners = [
        multiprocessing.get_context("spawn").Process(target=burn, args=(until,))
        for _ in range(2 * multiprocessing.cpu_count())
    ]
    for burner in burners:
        burner.start()
    with (
        Fleet(tmp_path, redis_process.url, size=3, threads=8, supervised=False) as fleet,
        producing(fleet, redis_client) as (broker, actors),
    ):
        sent = 0
        while time.monotonic() < until:
            broker.enqueue_many([actors["bulk"].message(number=sent + n, work_ms=1) for n in range(200)])
            sent += 200
            wait_for(lambda: broker.stats().waiting < 400, timeout_s=120)
        wait_for(lambda: not broker.stats().sizes, timeout_s=120)
        starts = [line.number for line in fleet.journal.read() if line.what == "start"]
    for burner in burners:
        burner.join()
    assert sorted(starts) == list(range(sent))
    assert "a worker is gone" not in fleet.log()
