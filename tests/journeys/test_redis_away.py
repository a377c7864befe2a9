"""Redis goes away under load: clean refusals, nothing accepted is lost, and soon all is as before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import orjson
import psutil
import pytest

from tests.integration.test_api_serving import ApiProcess, running
from tests.redis_process import RedisProcess
from tests.steady_load import SteadyLoad
from tests.waiting import wait_for
from workers.broker.encoding import parse
from workers.broker.keys import PRIORITIES
from workers.store.keys import Keys

_PER_SECOND = 200
_BEFORE_S, _AFTER_S = 1.0, 1.5
_RECOVERED_WITHIN_S = 2.0
_GROWTH_MB = 8.0
_BODY = {"messageId": "m1", "organizationId": "solo"}
Away = Callable[[RedisProcess], AbstractContextManager[None]]


@contextmanager
def killed(store: RedisProcess) -> Iterator[None]:
    store.kill()
    try:
        yield
    finally:
        store.start()


@contextmanager
def frozen(store: RedisProcess) -> Iterator[None]:
    """It hears and says nothing, and no connection is closed: a cut network looks like that."""
    with store.frozen():
        yield


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("away", [killed, frozen])
def test_a_minute_without_redis(tmp_path: Path, away: Away) -> None:
    redis_away(tmp_path, away, seconds=60)


def test_some_seconds_without_redis(tmp_path: Path) -> None:
    redis_away(tmp_path, killed, seconds=2)


def redis_away(directory: Path, away: Away, *, seconds: float) -> None:
    """All of it; `seconds` is how long Redis is away."""
    store = RedisProcess(directory / "redis").start()
    # Half a minute more than is needed, for a busy machine: the block ends it.
    bodies = [_BODY] * int(_PER_SECOND * (_BEFORE_S + seconds + _AFTER_S + 30))
    try:
        with (
            running(store.url, directory) as api,
            SteadyLoad(f"http://127.0.0.1:{api.port}", bodies, _PER_SECOND, directory) as load,
        ):
            load.wait_for_answers(int(_PER_SECOND * _BEFORE_S))
            with away(store):
                load.wait_for_answers(int(_PER_SECOND * min(seconds, 5) / 2))
                before_mb = resident_mb(api)
                load.wait_for_answers(int(_PER_SECOND * max(seconds - 5, seconds / 2)))
                grown_mb = resident_mb(api) - before_mb
            back_s = time.time()
            wait_for(lambda: load.answers()[-1].status == 202, what="the first that is taken in again")
            load.wait_for_answers(int(_PER_SECOND * _AFTER_S))
            answers = load.answers()
            assert api.process.poll() is None and "crashed" not in api.log.read_text()
        refused = [answer for answer in answers if answer.status != 202]
        recovered_s = max(answer.at_s for answer in refused) - back_s
        kept = jobs_in_queue(store)
    finally:
        store.stop()
    accepted = [answer.job_id for answer in answers if answer.status == 202]
    slowest_s = max(answer.took_s for answer in refused)
    print(
        f"\nredis away ({away.__name__}) for {seconds} s under {_PER_SECOND} requests/s: "
        f"{len(accepted)} accepted, {len(refused)} refused (slowest after {slowest_s:.1f} s), "
        f"recovered after {max(0.0, recovered_s):.2f} s, memory grew by {grown_mb:.1f} MB"
    )
    assert [answer for answer in refused if not answer.is_clean_refusal] == []
    assert len(refused) >= _PER_SECOND * seconds * 0.8
    assert recovered_s < _RECOVERED_WITHIN_S
    assert [job_id for job_id in accepted if kept[job_id] != 1] == []
    assert grown_mb < _GROWTH_MB


def resident_mb(api: ApiProcess) -> float:
    return float(psutil.Process(api.process.pid).memory_info().rss / (1 << 20))


def jobs_in_queue(store: RedisProcess) -> Counter[str]:
    """How many messages wait for each job that is written down."""
    keys = Keys("econeura")
    with store.client() as client:
        lines = [client.lrange(f"{{econeura}}:q:ready:{priority}", 0, -1) for priority in PRIORITIES]
        found = Counter(
            str(orjson.loads(parse(entry).body)["kwargs"]["job_id"]) for line in lines for entry in line
        )
        steps = client.pipeline(transaction=False)
        for job_id in found:
            steps.hget(keys.job(job_id), "status")
        written = dict(zip(found, steps.execute(), strict=True))
    return Counter({job_id: count for job_id, count in found.items() if written[job_id] == b"queued"})
