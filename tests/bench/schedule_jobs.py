"""Figures of the export and the cleanup at a million journal lines: `python -m tests.bench.schedule_jobs`.

The export runs in a process of its own (its memory is what counts); while the cleanup runs, another process
pings the same Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import redis

from tests.generated_day import lines_of_day
from tests.lent_context import ACME, lent
from tests.redis_process import RedisProcess
from workers import logs
from workers.broker import Broker
from workers.cleanup.sweep import clean_up
from workers.export.weekly import export_weeks
from workers.settings import load_settings

_STOP = "bench:stop"
_PAGE = 5000


def main() -> None:
    arguments = _arguments()
    logs.configure("bench", level="error")
    if arguments.part == "export":
        print(json.dumps(asyncio.run(_export(arguments.url, Path(arguments.directory)))))
    elif arguments.part == "ping":
        print(json.dumps(_ping(arguments.url)))
    else:
        for line in figures(arguments.lines):
            print(line, flush=True)


def figures(lines: int = 1_000_000) -> Iterator[str]:
    """One line for each job."""
    with tempfile.TemporaryDirectory(prefix="econeura-bench-") as directory:
        server = RedisProcess(Path(directory) / "redis").start()
        try:
            yield from _measured(server.url, Path(directory), lines)
        finally:
            server.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--part", choices=("export", "ping"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measured(url: str, directory: Path, lines: int) -> Iterator[str]:
    with redis.Redis.from_url(url) as client:
        _write_lines(client, lines)
        exported = json.loads(_part("export", url, directory).communicate()[0])
        yield (
            f"weekly_export: {exported['records']} records in {exported['seconds']:.1f} s, "
            f"{exported['memory_mb']:.0f} MB resident, {exported['bytes'] / 2**20:.0f} MB written"
        )
        _write_orphans(client, lines // 2)
        pinging = _part("ping", url, directory)
        started = time.perf_counter()
        removed = asyncio.run(_clean(url, directory))
        took_s = time.perf_counter() - started
        client.set(_STOP, 1)
        pings = json.loads(pinging.communicate()[0])
    yield (
        f"cleanup: {removed['journal']['count']} lines and {removed['orphans']['count']} keys in "
        f"{took_s:.1f} s; meanwhile another client's pings: p50 {pings['p50']:.2f}, p99 {pings['p99']:.2f}, "
        f"max {pings['max']:.1f} ms"
    )


def _write_lines(client: redis.Redis, count: int) -> None:
    """The lines of a week long past its retention, so that the cleanup may take them after the export."""
    monday = (datetime.now(UTC) - timedelta(days=150)).date()
    monday -= timedelta(days=monday.weekday())
    sent = 0
    for day in range(7):
        step = client.pipeline(transaction=False)
        for ended_ms, line in lines_of_day(ACME, monday + timedelta(days=day), count // 7):
            step.xadd("{econeura}:journal:acme", {"line": orjson.dumps(line)}, id=f"{ended_ms}-{sent}")
            sent += 1
            if sent % _PAGE == 0:
                step.execute()
        step.execute()


def _write_orphans(client: redis.Redis, count: int) -> None:
    step = client.pipeline(transaction=False)
    for number in range(count):
        step.set(f"{{econeura}}:content:soporte@acme.example:gone-{number}", b"x" * 300)
        if number % _PAGE == 0:
            step.execute()
    step.execute()


def _part(part: str, url: str, directory: Path) -> subprocess.Popen[bytes]:
    words = ["--part", part, "--url", url, "--directory", str(directory)]
    return subprocess.Popen([sys.executable, "-m", __spec__.name, *words], stdout=subprocess.PIPE)


async def _export(url: str, directory: Path) -> dict[str, Any]:
    async with lent(load_settings(redis_url=url, data_dir=directory)) as context:
        started = time.perf_counter()
        done = await export_weeks(context, [ACME], datetime.now(UTC))
        seconds = time.perf_counter() - started
    return {**done.figures, "seconds": seconds, "memory_mb": _most_resident_mb()}


def _most_resident_mb() -> float:
    """The high-water mark of this program alone: getrusage would count the parent's at the fork."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def _clean(url: str, directory: Path) -> dict[str, Any]:
    async with lent(load_settings(redis_url=url, data_dir=directory)) as context:
        with redis.Redis.from_url(url) as client:
            broker = Broker()
            broker.connect(client)
            try:
                return await clean_up(context, broker)
            finally:
                broker.close()


def _ping(url: str) -> dict[str, float]:
    waits: list[float] = []
    with redis.Redis.from_url(url) as client:
        while not client.exists(_STOP):
            started = time.perf_counter()
            client.ping()
            waits.append((time.perf_counter() - started) * 1000)
    waits.sort()
    return {
        "count": len(waits),
        "p50": waits[len(waits) // 2],
        "p99": waits[int(len(waits) * 0.99)],
        "max": waits[-1],
    }


if __name__ == "__main__":
    main()
