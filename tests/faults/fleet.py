"""Worker processes under a supervisor of the tests' own: what dies is declared dead and started anew."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.faults.journal import Journal
from tests.waiting import wait_for
from workers.broker.leases import declare_dead
from workers.broker.scripts import AWAY, Client

NAMESPACE = "faults"
ROOT = Path(__file__).parents[2]


class Fleet:
    """`size` worker processes of `threads` threads; the journal says what they did.

    `supervised` False: nobody notices a death but the other workers, as when a whole host is lost.
    """

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        *,
        size: int = 2,
        threads: int = 8,
        supervised: bool = True,
        kind: Literal["ours", "stock"] = "ours",
        partitions: int = 1,
        supervisor_client: Client = None,
    ) -> None:
        self.journal = Journal(directory / "journal")
        self._url = redis_url
        self._threads = threads
        self._size = size
        self._supervised = supervised
        self._kind = kind
        self._client = supervisor_client
        self._partitions = partitions
        self._names = itertools.count(1)
        self._stopping = False
        self._lock = threading.Lock()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.died: dict[int, float] = {}
        """Process ids that ended without being asked to, and when (monotonic s)."""

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self.add()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes:
            try:
                process.wait(25)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.journal.close()

    def add(self) -> None:
        """Start another worker process."""
        name = f"test:{os.getpid()}:{next(self._names)}"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.worker",
                str(self.journal.path),
                str(self._threads),
                self._kind,
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "FAULTS_REDIS_URL": self._url,
                "FAULTS_WORKER_ID": name,
                "FAULTS_PARTITIONS": str(self._partitions),
            },
            stderr=self.journal.path.with_suffix(".log").open("ab"),
        )
        with self._lock:
            self.processes.append(process)
        threading.Thread(target=self._watch, args=(process, name), daemon=True).start()

    def _watch(self, process: subprocess.Popen[bytes], name: str) -> None:
        status = process.wait()
        if self._stopping:
            return
        if status != 0:
            self.died[process.pid] = time.monotonic()
        with self._lock:
            self.processes.remove(process)
        if self._supervised and self._client is not None and self._kind == "ours":
            wait_for(lambda: self._declare(name), timeout_s=120)
        if self._supervised:
            self.add()

    def _declare(self, name: str) -> bool:
        try:
            declare_dead(self._client, NAMESPACE, name, partitions=self._partitions)
        except AWAY:
            return False
        return True

    def kill_all(self) -> None:
        """For workers whose work is not worth waiting for."""
        self._stopping = True
        for process in self.processes:
            process.kill()

    def log(self) -> str:
        return self.journal.path.with_suffix(".log").read_text(encoding="utf-8")

    def signal(self, number: int, which: int = 0) -> int:
        """Send a signal to one of the processes; returns its process id."""
        with self._lock:
            process = self.processes[which]
        process.send_signal(number)
        return process.pid
