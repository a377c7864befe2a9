"""The whole service as a user runs it: `econeura up` with real processes, against the sandbox Graph."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from tests.processes import titled
from tests.redis_process import free_port
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

ORGANIZATION = "acme"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the API."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def data(self) -> Any:
        return self.body["data"]


class Service:
    """One `econeura up` in its own data directory; its private Redis outlives a restart of the service."""

    def __init__(
        self,
        directory: Path,
        sandbox: SandboxProcess,
        *,
        rules: str = "",
        mode: str = "act",
        public: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.sandbox = sandbox
        self.port = free_port()
        self.data_dir = directory / "data"
        self.log = directory / "service.log"
        self._organizations = directory / "organizations.toml"
        self._process: subprocess.Popen[bytes] | None = None
        self._extra = dict(environment or {})
        self._public = public
        directory.mkdir(parents=True, exist_ok=True)
        self.configure(rules=rules, mode=mode)

    def configure(self, *, rules: str = "", mode: str = "act") -> None:
        """Write the organizations file: all mailboxes of the sandbox, and these rules (TOML)."""
        info = self.sandbox.run
        self._organizations.write_text(
            f"""
            [organizations.{ORGANIZATION}]
            tenant_id = "{info["tenant_id"]}"
            client_id = "{info["client_id"]}"
            client_secret = "env:ACME_SECRET"
            mailboxes = {json.dumps(info["mailboxes"])}
            process_since = "2020-01-01T00:00:00Z"
            mode = "{mode}"
            {rules}
            """
        )

    @property
    def environment(self) -> dict[str, str]:
        """What its processes have in the environment; a command given the same finds its Redis."""
        info = self.sandbox.run
        return {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("ECONEURA_", "REDIS_"))
            },
            "PORT": str(self.port),
            "ECONEURA_DATA_DIR": str(self.data_dir),
            "ECONEURA_ORGANIZATIONS": str(self._organizations),
            "ECONEURA_GRAPH_URL": info["url"],
            "ECONEURA_LOGIN_URL": info["login_url"],
            "ECONEURA_CA_FILE": info["ca_file"],
            "ACME_SECRET": info["client_secret"],
            "ECONEURA_GRAPH_SENDS_PER_MINUTE": "100000",
            **({"ECONEURA_PUBLIC_URL": f"http://127.0.0.1:{self.port}"} if self._public else {}),
            **self._extra,
        }

    def start(self) -> Service:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "workers", "up"], env=self.environment, stderr=log
            )
        wait_for(self.is_ready, timeout_s=60, what="the service to be ready")
        return self

    def stop(self, *, timeout_s: float = 60) -> int:
        """SIGTERM to the supervisor; returns its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout_s)

    def hang_up(self) -> None:
        """SIGHUP to the supervisor: the settings files are to be read again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Clean up after a failed test: nothing of the service stays."""
        if self._process is not None and self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            for process in (*children, psutil.Process(self._process.pid)):
                process.kill()
            self._process.wait()

    def is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the service ended: {self.log.read_text()[-2000:]}")
        try:
            return self.request("GET", "/health/ready").status == 200
        except OSError:
            return False

    def processes(self, name: str) -> list[psutil.Process]:
        """The service's processes of this name (api, worker, scheduler)."""
        if self._process is None:
            return []
        return titled(self._process.pid, f"econeura: {name}")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One call of the API; errors are answers, too."""
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=content,
            method=method,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=70) as reply:
                return _answer(reply.status, dict(reply.headers), reply.read())
        except urllib.error.HTTPError as refused:
            return _answer(refused.code, dict(refused.headers), refused.read())

    def redis(self) -> redis.Redis:
        """A client of the service's Redis: the private one, unless the environment names another."""
        if url := self._extra.get("REDIS_URL"):
            return redis.Redis.from_url(url, socket_timeout=10)
        return redis.Redis(unix_socket_path=str(self.data_dir / "redis" / "redis.sock"), socket_timeout=10)

    def journal(self) -> list[dict[str, Any]]:
        """Lines of all messages that ended so far."""
        with self.redis() as client:
            entries = client.xrange(f"{{econeura}}:journal:{ORGANIZATION}")
        return [json.loads(fields[b"line"]) for _, fields in entries]

    def ended(self) -> int:
        """How many lines the journal has: one for each time that a message ended."""
        with self.redis() as client:
            return int(client.xlen(f"{{econeura}}:journal:{ORGANIZATION}"))

    def unfinished(self) -> int:
        with self.redis() as client:
            return int(client.zcard(f"{{econeura}}:unfinished:{ORGANIZATION}"))

    def wait_until_finished(self, messages: int, *, timeout_s: float = 120) -> list[dict[str, Any]]:
        """Wait until so many messages have ended and none is open; returns their journal lines."""

        def finished() -> bool:
            # Reading the journal again and again would take the processor from what is waited for.
            return (
                self.ended() >= messages
                and self.unfinished() == 0
                and len({line["messageId"] for line in self.journal()}) >= messages
            )

        wait_for(finished, timeout_s=timeout_s, what=f"{messages} messages to end")
        return self.journal()


def _answer(status: int, headers: dict[str, str], content: bytes) -> Answer:
    try:
        body = json.loads(content)
    except ValueError:
        body = content.decode(errors="replace")
    return Answer(status, headers, body)
