"""How many notifications and requests one api process takes in, beside Express with BullMQ.

The server has a processor for itself, wrk and Redis share another; both servers live at once and their bursts
alternate. Express and its load are those of `../shared/bench/ingest`; without them ours is measured alone.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson
import psutil
import redis

from tests.econeura import PROGRAM, environment
from tests.redis_process import RedisProcess, free_port
from tests.waiting import wait_for
from workers.store.api_keys import new_key
from workers.store.keys import Keys

_HERE = Path(__file__).parent
_PEERS = Path(os.environ.get("BENCH_ENV") or Path.home() / ".cache/econeura-bench") / "node/node_modules"
_EXPRESS = _HERE.parents[2] / "shared/bench/ingest"
_LOADS = {"20 notifications a POST": ("listen", 20), "1 notification a POST": ("listen", 1),
          "process one message": ("process", 1)}  # fmt: skip
_SECONDS, _ROUNDS, _CONNECTIONS = 4, 3, 32
_ORGANIZATIONS = """
[organizations.acme]
tenant_id = "t"
client_id = "c"
client_secret = "file:secret"
mailboxes = ["info@acme.example"]
"""


@dataclass
class Server:
    """A server under measurement, and what it wants in Redis."""

    process: subprocess.Popen[bytes]
    port: int
    load: Path
    furniture: dict[str, dict[str, bytes]]
    key: str = ""

    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


@dataclass(frozen=True)
class Burst:
    """What wrk saw, and what the server spent."""

    requests_s: float
    p50_ms: float
    p99_ms: float
    failed: int
    cpu_us: float
    """Of the server, for a request."""


def figures() -> Iterator[str]:
    """One line for each load and server, and one with what lies between them."""
    if shutil.which("wrk") is None:
        yield "ingest: not measured, wrk is not installed"
        return
    with tempfile.TemporaryDirectory(prefix="econeura-bench-") as directory, ExitStack() as running:
        store = RedisProcess(Path(directory) / "redis").start()
        running.callback(store.stop)
        servers = {"econeura": _ours(Path(directory), store.url)}
        if (_EXPRESS / "express_server.js").exists() and _PEERS.exists():
            servers["express + bullmq"] = _express(store.port)
        for server in servers.values():
            running.callback(server.process.wait)
            running.callback(server.process.terminate)
            wait_for(partial(_answers, server.port), timeout_s=30)
        _pin(store)
        with store.client() as client:
            yield from _measured(client, servers)


def _furnish(client: redis.Redis, servers: Iterable[Server]) -> None:
    """Empty Redis but for what all servers want in it: one that misses its keys would check none."""
    client.flushall()
    for server in servers:
        for name, fields in server.furniture.items():
            client.hset(name, items=[part for pair in fields.items() for part in pair])


def _measured(client: redis.Redis, servers: dict[str, Server]) -> Iterator[str]:
    for server in servers.values():
        _furnish(client, servers.values())
        _burst(server, "listen", 5, 2)
    for load, (kind, items) in _LOADS.items():
        bursts: dict[str, list[Burst]] = {name: [] for name in servers}
        for _ in range(_ROUNDS):
            for name, server in servers.items():
                _furnish(client, servers.values())
                bursts[name].append(_burst(server, kind, items, _SECONDS))
        middle = {name: _median(found) for name, found in bursts.items()}
        for name, burst in middle.items():
            yield (
                f"ingest, {load}: {name:<16} {burst.requests_s:7.0f} requests/s "
                f"({burst.requests_s * items:.0f} items/s), p50 {burst.p50_ms:.1f} ms, "
                f"p99 {burst.p99_ms:.1f} ms, {burst.cpu_us:.0f} us of processor each, {burst.failed} failed"
            )
        if len(middle) == 2:
            ours, theirs = middle.values()
            yield (
                f"ingest, {load}: {ours.requests_s / theirs.requests_s:.2f} x the rate, "
                f"{theirs.cpu_us / ours.cpu_us:.2f} x by processor, "
                f"{ours.p99_ms / theirs.p99_ms:.2f} of its p99"
            )


def _burst(server: Server, kind: str, items: int, seconds: int) -> Burst:
    before = server.cpu_s()
    said = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(server.load),
         f"http://127.0.0.1:{server.port}"],
        env={**os.environ, "KIND": kind, "N": str(items), "KEY": server.key},
        capture_output=True, text=True, timeout=seconds + 30, check=True,
    ).stdout  # fmt: skip
    told = next(line for line in said.splitlines() if line.startswith("WRK")).split()[1:]
    requests, duration_us, p50_ms, p99_ms, failed = map(float, told)
    cpu_us = (server.cpu_s() - before) / requests * 1e6
    return Burst(requests / duration_us * 1e6, p50_ms, p99_ms, int(failed), cpu_us)


def _median(bursts: list[Burst]) -> Burst:
    return Burst(
        statistics.median(burst.requests_s for burst in bursts),
        statistics.median(burst.p50_ms for burst in bursts),
        statistics.median(burst.p99_ms for burst in bursts),
        sum(burst.failed for burst in bursts),
        statistics.median(burst.cpu_us for burst in bursts),
    )


def _ours(directory: Path, redis_url: str) -> Server:
    """An api as it ships, with a key; it does not verify a lesser thing than in production."""
    (directory / "secret").write_text("s")
    (directory / "organizations.toml").write_text(_ORGANIZATIONS)
    key, text = new_key("bench", ["submit"])
    port = free_port()
    env = environment(
        REDIS_URL=redis_url,
        PORT=str(port),
        ECONEURA_DATA_DIR=directory / "data",
        ECONEURA_ORGANIZATIONS=directory / "organizations.toml",
    )
    keys = Keys("econeura")
    furniture = {
        keys.api_keys(): {key.id: orjson.dumps(key)},
        keys.subscriptions(): {name: orjson.dumps(_subscription(name)) for name in map(_name, range(1400))},
    }
    process = subprocess.Popen(["taskset", "-c", "0", *PROGRAM, "api"], env=env, stderr=subprocess.DEVNULL)
    return Server(process, port, _HERE / "ingest.lua", furniture, text)


def _name(number: int) -> str:
    return f"7f105c7d-2dc5-4530-97cd-{number:012}"


def _subscription(name: str) -> dict[str, str]:
    return {
        "id": name, "organization_id": "acme", "mailbox": f"{name[-4:]}@acme.example", "folder": "inbox",
        "client_state": "secret", "expires_at": "2026-12-20T18:23:45Z", "created_at": "2026-11-20T18:23:45Z",
    }  # fmt: skip


def _express(redis_port: int) -> Server:
    port = free_port()
    env = {**os.environ, "NODE_PATH": str(_PEERS), "PORT": str(port), "REDIS_PORT": str(redis_port),
           "MODE": "bull", "NODE_ENV": "production"}  # fmt: skip
    command = ["taskset", "-c", "0", "node", str(_EXPRESS / "express_server.js")]
    return Server(subprocess.Popen(command, env=env), port, _EXPRESS / "post.lua", {})


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _pin(store: RedisProcess) -> None:
    with store.client() as client:
        pid = int(client.info("server")["process_id"])
    psutil.Process(pid).cpu_affinity([1])


if __name__ == "__main__":
    sys.exit(print(*figures(), sep="\n"))
