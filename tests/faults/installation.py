"""The service on hosts of its own: an api, workers on two hosts, Redis; Graph and the callers are outside."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.econeura import environment
from tests.faults.hosts import Host, Network, network
from tests.redis_process import executable
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_for

KEY = "a-key-of-the-three-hosts-0123456789abcdef"
_PORT, _REDIS_PORT = 3001, 6379
_APIS = 2


class Installation:
    """All of its processes, each under a name, such as `api-1` or `worker-left`."""

    def __init__(self, directory: Path, lan: Network, boxes: Sequence[str], rules: str) -> None:
        self.directory = directory
        self.front, self.store = lan.host("front"), lan.host("store")
        self.workers = {side: lan.host(side) for side in ("left", "right")}
        self.url = f"http://{self.front.address}:{_PORT}"
        self.sandbox = SandboxProcess(
            *(directory / "sandbox", "--no-samples", "--sends-per-minute", "0"),
            *("--host", lan.here, *(word for box in boxes for word in ("--mailbox", box))),
        ).start()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lives = 0
        # For servers that share a port: callers in the queue of one that ends go to another (runbook).
        self.front.set("net.ipv4.tcp_migrate_req", "1")
        (directory / "key").write_text(KEY)
        info = self.sandbox.run
        (directory / "organizations.toml").write_text(
            f'[organizations.acme]\ntenant_id = "{info["tenant_id"]}"\nclient_id = "{info["client_id"]}"\n'
            f'client_secret = "env:ACME_SECRET"\nmailboxes = {json.dumps(boxes)}\n{rules}'
        )

    def start_all(self) -> None:
        self.start_redis()
        for number in range(_APIS):
            self.start_api(number)
        for side in self.workers:
            self.start_worker(side)
        self.start_scheduler()

    def start_redis(self) -> None:
        (self.directory / "redis").mkdir(exist_ok=True)
        words = ("--bind", self.store.address, "--port", str(_REDIS_PORT), "--protected-mode", "no")
        kept = ("--dir", str(self.directory / "redis"), "--save", "", "--appendonly", "yes")
        self._start("redis", self.store, executable(), *words, *kept)
        wait_for(self._redis_answers, what="redis")

    def start_api(self, number: int) -> None:
        log = self._start_ours(f"api-{number}", self.front, "api")
        wait_for(lambda: '"listening"' in log.read_text(), timeout_s=60, what="an api to listen")

    def start_worker(self, side: str) -> None:
        self._start_ours(f"worker-{side}", self.workers[side], "worker")
        running = sum(name.startswith("worker-") for name in self._running)
        wait_for(lambda: self._leases() == running, timeout_s=60, what="a worker to run")

    def start_scheduler(self) -> None:
        self._start_ours("scheduler", self.front, "scheduler")

    def end(self, name: str, *, timeout_s: float = 60) -> None:
        """SIGTERM; AssertionError unless it ends well."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout_s) == 0, name

    def restart_one_by_one(self) -> None:
        """All that is ours: of each kind, the next starts before the last ends where they share a port."""
        for number in range(_APIS):
            self.start_api(_APIS + number)
            self.end(f"api-{number}")
        for side in self.workers:
            self.end(f"worker-{side}")
            self.start_worker(side)
        self.end("scheduler")
        self.start_scheduler()

    def redis(self) -> redis.Redis:
        return redis.Redis(host=self.store.address, port=_REDIS_PORT, socket_timeout=10)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self.sandbox.stop()

    def _leases(self) -> int:
        with self.redis() as client:
            return int(client.zcard("{econeura}:q:leases"))

    def _redis_answers(self) -> bool:
        try:
            with self.redis() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def _start_ours(self, name: str, host: Host, command: str) -> Path:
        return self._start(name, host, sys.executable, "-m", "workers", command)

    def _start(self, name: str, host: Host, *command: str) -> Path:
        self._lives += 1
        log = self.directory / f"{self._lives}-{name}.log"
        info = self.sandbox.run
        env = environment(
            HOST=host.address,
            PORT=str(_PORT),
            REDIS_HOST=self.store.address,
            REDIS_PORT=str(_REDIS_PORT),
            ACME_SECRET=info["client_secret"],
            ECONEURA_API_PROCESSES=str(_APIS),
            ECONEURA_BOOTSTRAP_KEY_FILE=self.directory / "key",
            ECONEURA_CA_FILE=info["ca_file"],
            ECONEURA_DATA_DIR=self.directory / host.address,
            ECONEURA_GRAPH_SENDS_PER_MINUTE="100000",
            ECONEURA_GRAPH_URL=info["url"],
            ECONEURA_LOGIN_URL=info["login_url"],
            ECONEURA_ORGANIZATIONS=self.directory / "organizations.toml",
        )
        self._running[name] = host.start(*command, env=env, log=log)
        return log


@contextmanager
def installed(directory: Path, boxes: Sequence[str], rules: str) -> Iterator[Installation]:
    """All of it, running, for the length of a block."""
    with network() as lan:
        installation = Installation(directory, lan, boxes, rules)
        try:
            installation.start_all()
            wait_for(installation.is_ready, timeout_s=60, what="the api to be ready")
            yield installation
        finally:
            installation.kill()
