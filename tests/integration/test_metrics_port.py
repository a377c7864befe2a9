"""Hosts of workers or schedulers alone show their metrics: what the containers of deploy/ rely on."""

from __future__ import annotations

import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.econeura import PROGRAM, environment
from tests.redis_process import free_port
from tests.waiting import wait_for


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("scheduler", {}),
        ("worker", {}),
        ("worker", {"ECONEURA_WORKER_PROCESSES": "2"}),
    ],
    ids=["scheduler", "worker", "several workers"],
)
def test_a_process_shows_the_metrics_of_its_host(
    command: str, settings: dict[str, str], redis_url: str, tmp_path: Path
) -> None:
    port = free_port()
    env = environment(
        REDIS_URL=redis_url,
        ECONEURA_DATA_DIR=tmp_path,
        ECONEURA_METRICS_PORT=str(port),
        ECONEURA_WORKER_THREADS="2",
        **settings,
    )
    with subprocess.Popen([*PROGRAM, command], env=env, stderr=subprocess.DEVNULL) as process:
        try:
            text = wait_for(lambda: page(port, "metrics"), timeout_s=60, what="its metrics")
            assert "# TYPE econeura_jobs_processed_total counter" in text
            assert page(port, "health/live") == "alive\n"
        finally:
            process.terminate()
    # Its page comes first: the signal may find it before it listens for one.
    assert process.returncode in (0, -signal.SIGTERM)


def page(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.URLError:
        return ""
