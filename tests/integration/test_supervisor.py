"""The supervisor over real processes: what dies comes back, signals get through, the end comes in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_for
from workers.supervisor import Backoff

# A program tells what happens to it: one line "<role> <life> <event> <pid>" each, in a file.
PROGRAM = """
import os, signal, sys
role, life, conduct = sys.argv[1:4]
def tell(event):
    with open("story", "a") as story:
        story.write(f"{role} {life} {event} {os.getpid()}\\n")
def end(*_):
    if conduct == "deaf":
        tell("hears")
        return
    tell("ends")
    sys.exit(7 if conduct == "ends badly" else 0)
signal.signal(signal.SIGTERM, end)
tell("lives")
while conduct == "slow" and signal.SIGHUP not in signal.sigpending():
    pass
signal.signal(signal.SIGHUP, lambda *_: tell("reads"))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
tell("listens")
if conduct == "dies":
    sys.exit(3)
if conduct == "refuses":
    sys.exit(2)
while True:
    signal.pause()
"""

SUPERVISOR = """
import asyncio, json, sys
from pathlib import Path
from workers import lifeline, logs
from workers.supervisor import Backoff, Program, Supervisor
def program(role, conduct, drain_s):
    def start(life):
        return lifeline.start([sys.executable, "-S", "program.py", role, life, conduct])
    def died(life):
        with open("story", "a") as story:
            story.write(f"{role} {life} buried 0\\n")
    return Program(role, start, drain_s, died, is_ours=role != "redis")
logs.configure("supervisor", form="json")
programs = [program(*words) for words in json.loads(sys.argv[1])]
supervisor = Supervisor(programs, backoff=Backoff(first_s=0.05, most_s=0.2, forgiven_after_s=60))
sys.exit(asyncio.run(supervisor.run()))
"""


@dataclass(frozen=True)
class Event:
    role: str
    life: str
    what: str
    pid: int


class Supervised:
    """A supervisor process and the story that its programs tell."""

    def __init__(self, directory: Path, *programs: tuple[str, str, float]) -> None:
        self._directory = directory
        (directory / "program.py").write_text(PROGRAM)
        (directory / "supervisor.py").write_text(SUPERVISOR)
        words = str([list(program) for program in programs]).replace("'", '"')
        self.process = subprocess.Popen([sys.executable, "supervisor.py", words], cwd=directory)

    def story(self, *, role: str | None = None, what: str | None = None) -> list[Event]:
        path = self._directory / "story"
        words = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        events = [Event(role_, life, what_, int(pid)) for role_, life, what_, pid in words]
        return [event for event in events if role in (None, event.role) and what in (None, event.what)]

    def await_events(self, count: int, *, role: str | None = None, what: str) -> list[Event]:
        def enough() -> list[Event]:
            events = self.story(role=role, what=what)
            return events if len(events) >= count else []

        return wait_for(enough, what=f"{count} times {what}: {self.story()}")


@contextmanager
def supervised(directory: Path, *programs: tuple[str, str, float]) -> Iterator[Supervised]:
    running = Supervised(directory, *programs)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        for event in running.story(what="lives"):
            with suppress(ProcessLookupError):
                os.kill(event.pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_program_lives_again_under_another_id(tmp_path: Path) -> None:
    with supervised(tmp_path, ("worker", "obeys", 5), ("worker", "obeys", 5)) as running:
        first, _ = running.await_events(2, what="lives")
        os.kill(first.pid, signal.SIGKILL)
        lives = running.await_events(3, what="lives")
        assert [event.life for event in running.await_events(1, what="buried")] == [first.life]
        assert len({event.life for event in lives}) == 3
        running.process.terminate()
        assert running.process.wait(20) == 0


def test_the_end_comes_in_order(tmp_path: Path) -> None:
    roles = ("api", "scheduler", "worker", "worker", "redis")
    with supervised(tmp_path, *((role, "obeys", 5.0) for role in roles)) as running:
        running.await_events(5, what="lives")
        running.process.terminate()
        assert running.process.wait(20) == 0
        assert [event.role for event in running.story(what="ends")] == list(roles)


def test_a_program_that_does_not_end_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    with supervised(tmp_path, ("worker", "deaf", 0.2), ("redis", "obeys", 5)) as running:
        running.await_events(2, what="lives")
        running.process.terminate()
        assert running.process.wait(20) == 1
        assert [event.role for event in running.story(what="ends")] == ["redis"]


def test_a_bad_end_shows_in_the_exit_code(tmp_path: Path) -> None:
    with supervised(tmp_path, ("worker", "ends badly", 5)) as running:
        running.await_events(1, what="lives")
        running.process.terminate()
        assert running.process.wait(20) == 1


def test_hangup_reaches_our_programs_alone(tmp_path: Path) -> None:
    with supervised(tmp_path, ("api", "obeys", 5), ("worker", "obeys", 5), ("redis", "obeys", 5)) as running:
        running.await_events(3, what="listens")
        running.process.send_signal(signal.SIGHUP)
        assert {event.role for event in running.await_events(2, what="reads")} == {"api", "worker"}
        running.process.terminate()
        assert running.process.wait(20) == 0
        assert len(running.story(what="reads")) == 2


def test_a_hangup_waits_for_a_program_that_has_only_just_begun(tmp_path: Path) -> None:
    with supervised(tmp_path, ("api", "slow", 5)) as running:
        running.await_events(1, what="lives")
        running.process.send_signal(signal.SIGHUP)
        running.await_events(1, what="reads")
        assert len(running.story(what="lives")) == 1


def test_a_second_interrupt_ends_the_waiting(tmp_path: Path) -> None:
    with supervised(tmp_path, ("worker", "deaf", 60), ("redis", "obeys", 5)) as running:
        running.await_events(2, what="lives")
        running.process.send_signal(signal.SIGINT)
        running.await_events(1, what="hears")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 1
        assert len(running.story(role="redis", what="ends")) == 1


def test_a_program_that_keeps_dying_is_tried_again_and_disturbs_no_other(tmp_path: Path) -> None:
    with supervised(tmp_path, ("worker", "dies", 5), ("api", "obeys", 5)) as running:
        running.await_events(4, role="worker", what="lives")
        assert len(running.await_events(1, role="api", what="lives")) == 1


def test_a_program_that_refuses_its_settings_at_once_ends_all(tmp_path: Path) -> None:
    with supervised(tmp_path, ("api", "refuses", 5), ("worker", "obeys", 5)) as running:
        assert running.process.wait(20) == 2
        assert len(running.story(role="api", what="lives")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the tie between processes is Linux's")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path, ("api", "obeys", 5), ("worker", "obeys", 5)) as running:
        pids = [event.pid for event in running.await_events(2, what="lives")]
        running.process.kill()
        wait_for(lambda: not any(is_alive(pid) for pid in pids))


def test_the_wait_between_deaths_grows_to_its_bound() -> None:
    backoff = Backoff(first_s=0.5, most_s=10.0)
    assert [backoff.after(deaths) for deaths in (1, 2, 3, 4, 5, 6, 500)] == [
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
        10.0,
        10.0,
    ]
