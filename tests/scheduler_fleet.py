"""Several scheduler processes on one Redis, and the faults that a test gives them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import redis

from tests.econeura import PROGRAM, environment
from tests.waiting import wait_for
from workers.broker.keys import PRIORITIES, Keys

_SCHEDULERS = "{econeura}:schedule:schedulers"


class SchedulerFleet:
    """`econeura scheduler`, some of it. Nothing takes the messages: what was published can be read."""

    def __init__(self, directory: Path, redis_url: str, jobs: str = "") -> None:
        self.directory = directory
        self.redis = redis.Redis.from_url(redis_url, socket_timeout=5)
        self._redis_url = redis_url
        self._table = directory / "organizations.toml"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = (directory / "schedulers.log").open("ab")
        self.define(jobs)

    def define(self, jobs: str) -> None:
        """Write the organizations file that schedulers read at start and at SIGHUP."""
        self._table.write_text(jobs, encoding="utf-8")

    def start(self, count: int = 1) -> None:
        """Start some more, and wait until they give signs of life."""
        for _ in range(count):
            env = environment(
                REDIS_URL=self._redis_url,
                ECONEURA_ORGANIZATIONS=self._table,
                ECONEURA_DATA_DIR=self.directory / f"data-{len(self._processes)}",
            )
            self._processes.append(subprocess.Popen([*PROGRAM, "scheduler"], env=env, stderr=self._log))
        wait_for(self._all_joined, timeout_s=30, what="schedulers to join")

    def running(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self._processes if process.poll() is None]

    def send(self, number: signal.Signals) -> None:
        for process in self.running():
            process.send_signal(number)

    def kill(self) -> None:
        """Kill all that is left."""
        for process in self.running():
            process.kill()
            process.wait()

    def close(self) -> None:
        self.kill()
        self._log.close()
        self.redis.close()

    def log(self) -> str:
        return (self.directory / "schedulers.log").read_text(encoding="utf-8")

    def published(self, job_id: str) -> list[str]:
        """Due times of the job's messages, in the order of the queue."""
        queue = Keys("econeura")
        due = []
        for priority in PRIORITIES:
            entries: list[Any] = self.redis.lrange(queue[f"ready:{priority}"], 0, -1)
            for entry in entries:
                kwargs = orjson.loads(entry.partition(b"\n")[2])["kwargs"]
                if kwargs.get("job") == job_id:
                    due.append(kwargs["due"])
        return due

    def _all_joined(self) -> bool:
        members: list[Any] = self.redis.zrange(_SCHEDULERS, 0, -1)
        pids = {int(member.decode().rsplit("-", 2)[1]) for member in members}
        return pids >= {process.pid for process in self.running()}


@contextmanager
def fleet(directory: Path, redis_url: str, jobs: str = "") -> Iterator[SchedulerFleet]:
    """A fleet for the length of the block; nothing of it stays."""
    schedulers = SchedulerFleet(directory, redis_url, jobs)
    try:
        yield schedulers
    finally:
        schedulers.close()
