"""`econeura up`: everything runs, what dies comes back, and at the end nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.econeura import PROGRAM, econeura, environment
from tests.processes import title_of, titled
from tests.redis_process import free_port
from tests.waiting import wait_for
from workers.redis_server import PrivateRedis

_ROLES = ["api", "redis", "scheduler", "worker"]


class Up:
    """A running `econeura up`, with its data in `directory`."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.settings = environment(ECONEURA_DATA_DIR=directory, PORT=str(self.port), **settings)
        self.log = directory.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*PROGRAM, "up"], env=self.settings, stderr=log)

    def children(self) -> dict[str, psutil.Process]:
        """Role -> process; a process counts once it has given itself its name."""
        found = {}
        for process in psutil.Process(self.process.pid).children():
            title = title_of(process)
            if title.startswith("econeura: "):
                found[title.removeprefix("econeura: ")] = process
            elif "redis" in title and "lifeline" not in title:
                found["redis"] = process
        return found

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"up has ended: {self.log.read_text()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def await_all(self) -> dict[str, psutil.Process]:
        try:
            wait_for(lambda: sorted(self.children()) == _ROLES and self.is_ready(), timeout_s=60)
        except TimeoutError:
            raise AssertionError(f"not all of {_ROLES} run: {self.log.read_text()[-4000:]}") from None
        return self.children()

    def events(self, name: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]


@contextmanager
def running(directory: Path, **settings: str) -> Iterator[Up]:
    up = Up(directory, **settings)
    try:
        yield up
    finally:
        left = psutil.Process(up.process.pid).children() if up.process.poll() is None else []
        up.process.kill()
        up.process.wait()
        for process in left:
            process.kill()


@pytest.fixture(scope="module")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One for the tests that only look at it."""
    with running(tmp_path_factory.mktemp("up") / "data") as up:
        up.await_all()
        yield up
        up.process.send_signal(signal.SIGTERM)
        up.process.wait(60)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_runs_all_parts_and_ends_clean(tmp_path: Path) -> None:
    with running(tmp_path / "data") as up:
        children = up.await_all()
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 0
        assert not [role for role, process in children.items() if is_alive(process)]
        assert [line["role"] for line in up.events("draining") if line["component"] == "supervisor"] == [
            "api", "scheduler", "worker", "redis",
        ]  # fmt: skip
    assert "Traceback" not in up.log.read_text()


def test_what_is_killed_comes_back(tmp_path: Path) -> None:
    with running(tmp_path / "data") as up:
        victims = up.await_all()
        for victim in victims.values():
            victim.kill()
        wait_for(lambda: not any(map(is_alive, victims.values())))
        assert {process.pid for process in up.await_all().values()}.isdisjoint(
            process.pid for process in victims.values()
        )
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 0


def test_a_second_one_with_the_same_data_is_told_so(shared_up: Up) -> None:
    second = econeura("up", env={**shared_up.settings, "PORT": str(free_port())})
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert f"in use by process {shared_up.process.pid}" in second.stderr


def test_a_port_in_use_is_named(tmp_path: Path, shared_up: Up) -> None:
    other = econeura("up", env={**shared_up.settings, "ECONEURA_DATA_DIR": str(tmp_path)})
    assert other.returncode == 2
    assert f"PORT: cannot listen on 127.0.0.1 port {shared_up.port}" in other.stderr


def test_after_a_kill_the_next_start_finds_a_clean_place(tmp_path: Path) -> None:
    with running(tmp_path / "data") as up:
        children = up.await_all()
        up.process.kill()
        wait_for(lambda: not any(map(is_alive, children.values())), what="every child has ended")
    with running(tmp_path / "data") as again:
        again.await_all()
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(60) == 0


def test_other_commands_with_the_same_data_find_its_redis(shared_up: Up) -> None:
    said = econeura("check", env=shared_up.settings)
    assert str(PrivateRedis(shared_up.directory).socket) in said.stdout
    assert "problem  Redis" not in said.stdout


def test_workers_alone_share_a_supervisor(tmp_path: Path, redis_url: str) -> None:
    env = environment(ECONEURA_DATA_DIR=tmp_path, REDIS_URL=redis_url, ECONEURA_WORKER_PROCESSES="2")
    process = subprocess.Popen([*PROGRAM, "worker"], env=env, stderr=subprocess.DEVNULL)

    def workers() -> list[psutil.Process]:
        return titled(process.pid, "econeura: worker")

    try:
        wait_for(lambda: len(workers()) == 2, what="two workers")
        first, second = workers()
        os.kill(first.pid, signal.SIGKILL)
        wait_for(lambda: {child.pid for child in workers()} - {first.pid, second.pid}, what="another worker")
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
