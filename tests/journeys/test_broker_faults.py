"""The short form of the fault matrix, and what happens when workers die; `make faults` plays all of it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import redis

from tests.faults import matrix
from tests.faults.fleet import NAMESPACE, Fleet
from tests.faults.lost_work import seconds_until_all_run_elsewhere
from tests.faults.producer import producing
from tests.redis_process import RedisProcess
from tests.waiting import eventually
from workers.broker.leases import declare_dead

SHORT = {
    "kill -9": matrix.kill_9,
    "SIGTERM": matrix.terminate,
    "restart of redis": matrix.restart_redis,
    "redis away": lambda scene: matrix.redis_away_30_s(scene, seconds=2),
    "cut inside commands": matrix.cut_inside_often_used_commands,
    "lost replies": matrix.lose_replies_of_often_used_commands,
}


@pytest.mark.parametrize("fault", SHORT)
def test_a_fault_loses_nothing_leaves_nothing_and_repeats_nothing(fault: str, tmp_path: Path) -> None:
    with matrix.scene(tmp_path) as on:
        cells = matrix.play(on, SHORT[fault], traffic_s=0.5, bulk=300)
    assert [str(cell) for cell in cells if not cell.is_good] == []


def test_a_paused_worker_does_not_settle_what_was_given_away(
    redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with (
        Fleet(tmp_path, redis_process.url, size=1, threads=4, supervised=False) as fleet,
        producing(fleet, redis_client) as (broker, actors),
    ):
        actors["plain"].send(number=1, work_ms=300)
        eventually(lambda: len(fleet.journal.read()) == 1)
        fleet.signal(signal.SIGSTOP)
        [lease] = [name.decode() for name in broker.client.zrange(broker.keys[0]["leases"], 0, -1)]
        assert declare_dead(redis_client, NAMESPACE, lease.rpartition(".")[0]) == 1
        fleet.signal(signal.SIGCONT)
        # The first run comes to its end, and the message still runs again: only that counts.
        eventually(lambda: [line.what for line in fleet.journal.read()].count("end") == 2)
        eventually(lambda: not broker.stats().sizes)


def test_what_a_killed_worker_held_runs_elsewhere_within_three_seconds(
    redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path
) -> None:
    took = seconds_until_all_run_elsewhere(tmp_path, redis_process.url, redis_client, supervised=True)
    print(f"16 messages of a killed worker run elsewhere after {took:.2f} s")
    assert took < 3


def test_a_message_that_kills_its_worker_is_found_out_and_its_neighbours_run(
    redis_process: RedisProcess, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with (
        Fleet(tmp_path, redis_process.url, size=1, threads=8, supervisor_client=redis_client) as fleet,
        producing(fleet, redis_client) as (broker, actors),
    ):
        messages = [actors["plain"].message(number=number, work_ms=50) for number in range(30)]
        messages.insert(5, actors["deadly"].message(number=0, work_ms=30))
        broker.enqueue_many(messages)
        eventually(lambda: broker.stats().dead == 1, within_s=60)
        eventually(lambda: broker.stats().by_status == {"waiting": 0, "delayed": 0, "running": 0, "dead": 1})
        [letter], _ = broker.dead_letters.page()
        assert (letter.actor, letter.reason) == ("deadly", "poison")
        ended = {line.number for line in fleet.journal.read() if (line.what, line.kind) == ("end", "plain")}
        assert ended == set(range(30))
        assert len(fleet.died) <= 5
