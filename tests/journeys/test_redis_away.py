"""Redis goes away under load: clean refusals, all that was accepted is done, and soon all is as before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import StartSandbox, StartService
from tests.journeys.service import Service
from tests.redis_process import RedisProcess
from tests.steady_load import SteadyLoad
from tests.waiting import wait_for
from workers.store.keys import Keys

_BOX = "soporte@acme.example"
_MAILS = 100
_PER_SECOND = 200
_BEFORE_S, _AFTER_S = 1.0, 1.5
_RECOVERED_WITHIN_S = 2.0
_GROWTH_MB = 8.0
_DONE_WITHIN_S = 120
_PROCESSES = ("api", "worker", "scheduler")
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


@dataclass(frozen=True)
class Scene:
    """The whole service over a Redis that can go away, and mail that lies in a mailbox."""

    service: Service
    store: RedisProcess
    message_ids: list[str]

    def resident_mb(self) -> dict[str, float]:
        """Memory of each kind of process."""
        return {
            name: sum(process.memory_info().rss for process in self.service.processes(name)) / (1 << 20)
            for name in _PROCESSES
        }

    def process_ids(self) -> set[int]:
        return {process.pid for name in _PROCESSES for process in self.service.processes(name)}

    def statuses(self, jobs: set[str]) -> Counter[str]:
        keys = Keys("econeura")
        with self.store.client() as client:
            steps = client.pipeline(transaction=False)
            for job in jobs:
                steps.hget(keys.job(job), "status")
            return Counter((status or b"lost").decode() for status in steps.execute())


@pytest.fixture
def scene(tmp_path: Path, start_sandbox: StartSandbox, start_service: StartService) -> Iterator[Scene]:
    store = RedisProcess(tmp_path / "redis").start()
    try:
        sandbox = start_sandbox("--no-samples", "--mailbox", _BOX)
        service = start_service(sandbox, public=False, environment={"REDIS_URL": store.url})
        synced = Keys("econeura").folder(_BOX, "inbox")
        with store.client() as client:
            # Nothing looks again for a quarter of an hour: who asks for a mail has it processed.
            wait_for(lambda: client.hget(synced, "synced_at"), what="the first look")
        mails = sandbox.deliver(_BOX, subject="Pedido {n}", body="¿Cuándo llega?", count=_MAILS)
        yield Scene(service, store, [str(mail["id"]) for mail in mails])
    finally:
        store.stop()


@pytest.mark.soak
@pytest.mark.timeout(420)
@pytest.mark.parametrize("away", [killed, frozen])
def test_a_minute_without_redis(scene: Scene, tmp_path: Path, away: Away) -> None:
    redis_away(scene, tmp_path, away, seconds=60)


def test_some_seconds_without_redis(scene: Scene, tmp_path: Path) -> None:
    redis_away(scene, tmp_path, killed, seconds=2)


def redis_away(scene: Scene, directory: Path, away: Away, *, seconds: float) -> None:
    """All of it; `seconds` is how long Redis is away."""
    processes = scene.process_ids()
    # Half a minute more than is needed, for a busy machine: the block ends it.
    requests = int(_PER_SECOND * (_BEFORE_S + seconds + _AFTER_S + 30))
    url = f"http://127.0.0.1:{scene.service.port}"
    with SteadyLoad(url, bodies(scene, requests), _PER_SECOND, directory) as load:
        load.wait_for_answers(int(_PER_SECOND * _BEFORE_S))
        with away(scene.store):
            load.wait_for_answers(int(_PER_SECOND * min(seconds, 5) / 2))
            before = scene.resident_mb()
            load.wait_for_answers(int(_PER_SECOND * max(seconds - 5, seconds / 2)))
            grown = {name: now - before[name] for name, now in scene.resident_mb().items()}
        back_s = time.time()
        wait_for(lambda: load.answers()[-1].status == 202, what="the first that is taken in again")
        load.wait_for_answers(int(_PER_SECOND * _AFTER_S))
        answers = load.answers()
    accepted = [answer for answer in answers if answer.status == 202]
    refused = [answer for answer in answers if answer.status != 202]
    recovered_s = max(0.0, max(answer.at_s for answer in refused) - back_s)
    jobs = {answer.job_id for answer in accepted}
    wait_for(
        lambda: set(scene.statuses(jobs)) <= {"completed", "failed", "lost"},
        timeout_s=_DONE_WITHIN_S,
        what="all that was accepted to end",
    )
    done_s = time.time() - back_s
    memory = ", ".join(f"{megabytes:.1f} MB ({name})" for name, megabytes in grown.items())
    print(
        f"\nredis away ({away.__name__}) for {seconds} s under {_PER_SECOND} requests/s: "
        f"{len(refused)} refused (slowest after {max(answer.took_s for answer in refused):.1f} s), "
        f"{len(accepted)} accepted: {dict(scene.statuses(jobs))}; taken in again after {recovered_s:.2f} s, "
        f"all done after {done_s:.1f} s; memory grew by {memory}"
    )
    assert [answer for answer in refused if not answer.is_clean_refusal] == []
    assert len(refused) >= _PER_SECOND * seconds * 0.8
    assert recovered_s < _RECOVERED_WITHIN_S
    assert len(jobs) == len(accepted) and scene.statuses(jobs) == {"completed": len(jobs)}
    assert max(grown.values()) < _GROWTH_MB
    assert scene.process_ids() == processes, "nothing had to be started again"
    assert "crashed" not in scene.service.log.read_text()


def bodies(scene: Scene, count: int) -> list[dict[str, Any]]:
    """Requests for one mail after the other, again and again."""
    ids = scene.message_ids
    return [{"messageId": ids[number % len(ids)], "organizationId": "acme"} for number in range(count)]
