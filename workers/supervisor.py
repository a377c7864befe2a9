"""Keeps a set of programs running: restarts what dies, passes signals on, and stops all of it in order."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import uuid4

from workers import logs, metrics
from workers.errors import EconeuraError

_log = logs.get_logger("supervisor")
_CLEAN_EXITS = (0, -signal.SIGTERM)
"""A program told to end before it listens for that is ended by the signal itself."""
_WRONG_SETTINGS = 2
"""How the command line ends over a mistake in the settings."""


@dataclass(frozen=True)
class Program:
    """A program to keep running. Each start of it is a life with an id of its own (a worker's id).

    `start` begins a life, `died` hears of its end, from another thread. Programs of one role are stopped
    together; one that has not ended `drain_s` seconds after that is killed.
    """

    role: str
    start: Callable[[str], subprocess.Popen[bytes]]
    drain_s: float
    died: Callable[[str], None] | None = None
    is_ours: bool = True
    """Reads its settings again on SIGHUP, and loses nothing when killed."""


@dataclass(frozen=True)
class Backoff:
    """How long a program that keeps dying waits for its next life, in seconds."""

    first_s: float = 0.2
    most_s: float = 30.0
    forgiven_after_s: float = 5.0
    """A life this long ends a series of deaths: it came up, so it is not that which kills it."""

    def after(self, deaths: int) -> float:
        return float(min(self.most_s, self.first_s * 2 ** min(deaths - 1, 32)))


class Supervisor:
    """Runs programs until SIGTERM or SIGINT, then stops them role by role, in the order given.

    A second SIGINT ends what is still draining at once. SIGHUP is passed on.
    """

    def __init__(self, programs: Sequence[Program], *, backoff: Backoff | None = None) -> None:
        self.stopping = asyncio.Event()
        """Set once the programs are being stopped."""
        self._keepers = [_Keeper(program, backoff or Backoff(), self.stop) for program in programs]

    async def run(self) -> int:
        """Return 0 if all programs ended well when told to, 2 if one refused its settings at once, else 1."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self._interrupt,
            signal.SIGHUP: self._pass_on_hangup,
            signal.SIGCHLD: self._look_who_ended,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            async with asyncio.TaskGroup() as tasks:
                for keeper in self._keepers:
                    tasks.create_task(keeper.keep())
                await self.stopping.wait()
                for role, keepers in groupby(self._keepers, key=lambda keeper: keeper.program.role):
                    _log.info("draining", role=role)
                    await asyncio.gather(*(keeper.drain() for keeper in keepers))
        finally:
            self.stopping.set()
            for number in handlers:
                loop.remove_signal_handler(number)
        if any(keeper.refused_settings for keeper in self._keepers):
            return _WRONG_SETTINGS
        return 0 if all(keeper.ended_well for keeper in self._keepers) else 1

    @property
    def deaths(self) -> int:
        """How many times a program had to be started again."""
        return sum(keeper.deaths for keeper in self._keepers)

    def stop(self) -> None:
        """Begin to drain; `run` returns when it is done."""
        self.stopping.set()

    def _interrupt(self) -> None:
        if self.stopping.is_set():
            for keeper in self._keepers:
                keeper.hurry()
        self.stop()

    def _pass_on_hangup(self) -> None:
        for keeper in self._keepers:
            if keeper.program.is_ours:
                keeper.send(signal.SIGHUP)

    def _look_who_ended(self) -> None:
        for keeper in self._keepers:
            keeper.look()


class _Keeper:
    """Lives of one program, one after the other."""

    def __init__(self, program: Program, backoff: Backoff, give_up: Callable[[], None]) -> None:
        self.program = program
        self.deaths = 0
        self.ended_well = True
        self.refused_settings = False
        self._backoff = backoff
        self._give_up = give_up
        self._process: subprocess.Popen[bytes] | None = None
        self._process_ended = asyncio.Event()
        self._no_more = asyncio.Event()
        self._all_over = asyncio.Event()

    async def keep(self) -> None:
        in_a_row = 0
        while not self._no_more.is_set():
            started = time.monotonic()
            exit_code = await self._live(new_life_id())
            if self.program.is_ours and self.deaths == 0 and exit_code == _WRONG_SETTINGS:
                # It said what is wrong, and would only say it again. Later on, a file may be corrected.
                self.refused_settings = True
                self._give_up()
            in_a_row = 1 if time.monotonic() - started >= self._backoff.forgiven_after_s else in_a_row + 1
            await _happens_within(self._no_more, self._backoff.after(in_a_row))
            self.deaths += not self._no_more.is_set()
        self._all_over.set()

    async def drain(self) -> None:
        """Tell the program to end and wait until it has; kill it when its time is over."""
        self._no_more.set()
        self.send(signal.SIGTERM)
        if not await _happens_within(self._all_over, self.program.drain_s):
            _log.error("killed", role=self.program.role, reason=f"did not end in {self.program.drain_s} s")
            self.send(signal.SIGKILL)
            await self._all_over.wait()

    def hurry(self) -> None:
        if self.program.is_ours:
            self._no_more.set()
            self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def look(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process_ended.set()

    async def _live(self, life: str) -> int | None:
        """One life; returns its exit code, None if it could not begin."""
        role = self.program.role
        try:
            self._process = process = self.program.start(life)
        except (OSError, EconeuraError) as problem:
            _log.error("not_started", role=role, error=str(problem))
            metrics.ERRORS.labels("program_not_started", role, "error").inc()
            return None
        _log.info("started", role=role, pid=process.pid, life=life)
        self._process_ended.clear()
        self.look()
        await self._process_ended.wait()
        self._process = None
        metrics.forget_process(process.pid)
        if self._no_more.is_set():
            self.ended_well = process.returncode in _CLEAN_EXITS
            _log.info("ended", role=role, pid=process.pid, exit=process.returncode)
        elif process.returncode == 0:
            _log.warning("ended_by_itself", role=role, pid=process.pid)
        else:
            metrics.ERRORS.labels("program_died", role, "error").inc()
            _log.error("died", role=role, pid=process.pid, exit=process.returncode)
        if self.program.died is not None:
            await asyncio.to_thread(self.program.died, life)
        return process.returncode


def new_life_id() -> str:
    """An id that no other process has, had or will have."""
    return f"{socket.gethostname()}-{uuid4().hex[:12]}"


async def _happens_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
