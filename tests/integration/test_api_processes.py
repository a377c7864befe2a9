"""`econeura up` with several api processes on one port."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from pathlib import Path

import psutil

from tests.econeura import PROGRAM, environment
from tests.processes import titled
from tests.redis_process import free_port
from tests.waiting import wait_for


def test_up_starts_as_many_as_are_set_and_replaces_one_that_dies(redis_url: str, tmp_path: Path) -> None:
    port = free_port()
    env = environment(
        REDIS_URL=redis_url, PORT=str(port), ECONEURA_DATA_DIR=tmp_path / "data", ECONEURA_API_PROCESSES="2"
    )
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        up = subprocess.Popen([*PROGRAM, "up"], env=env, stderr=output)
    try:
        first = wait_for(lambda: listening_apis(up.pid, port, 2), timeout_s=60, what="two apis to listen")
        for _ in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as reply:
                assert reply.status == 200
        psutil.Process(min(first)).kill()
        wait_for(
            lambda: listening_apis(up.pid, port, 2) - {min(first)} > {max(first)},
            timeout_s=60,
            what="another",
        )
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0, log.read_text()
    finally:
        up.kill()
        up.wait()


def listening_apis(supervisor_pid: int, port: int, count: int) -> set[int]:
    """Pids of the apis that listen on the port, once there are so many."""
    apis = set()
    for process in titled(supervisor_pid, "econeura: api"):
        try:
            sockets = process.net_connections("tcp")
        except psutil.Error:
            continue
        if any(socket.status == psutil.CONN_LISTEN and socket.laddr.port == port for socket in sockets):
            apis.add(process.pid)
    return apis if len(apis) == count else set()
