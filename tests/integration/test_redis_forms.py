"""REDIS_URL may lead to sentinels or to a cluster, with a user and password like any other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.redis_process import RedisProcess, executable, free_port
from tests.waiting import eventually
from workers import redis_clients
from workers.settings import Settings

USERS = """\
user default on nopass resetkeys -@all +ping
user econeura on >p@ss allkeys +@all
user sentinel on >watch allchannels -@all +@pubsub +multi +exec +slaveof +ping +role +info +config|rewrite
"""


@pytest.fixture
def users(tmp_path: Path) -> tuple[str, str]:
    """Arguments for a server whose strangers may only ping."""
    path = tmp_path / "users.acl"
    path.write_text(USERS, encoding="utf-8")
    return "--aclfile", str(path)


@pytest.fixture
def cluster(tmp_path: Path, users: tuple[str, str]) -> Iterator[RedisProcess]:
    # The cluster's own port is this one plus 10,000.
    port = next(port for port in iter(free_port, 0) if port < 55_000)
    server = RedisProcess(
        tmp_path / "node", port=port, arguments=("--cluster-enabled", "yes", *users)
    ).start()
    with redis.Redis(port=server.port, username="econeura", password="p@ss") as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(16384))
        eventually(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    yield server
    server.stop()


@pytest.fixture
def sentinel_port(tmp_path: Path, users: tuple[str, str]) -> Iterator[int]:
    server = RedisProcess(tmp_path / "master", arguments=users).start()
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor econeura 127.0.0.1 {server.port} 1\n"
        "sentinel auth-user econeura sentinel\nsentinel auth-pass econeura watch\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([executable(), str(settings), "--sentinel"], stdout=subprocess.DEVNULL)
    with redis.Redis(port=port) as client:
        eventually(lambda: _knows_master(client))
    yield port
    process.terminate()
    process.wait()
    server.stop()


def _knows_master(sentinel: redis.Redis) -> bool:
    try:
        return bool(sentinel.info("sentinel")["master0"]["status"] == "ok")
    except redis.ConnectionError:
        return False


async def test_a_cluster_is_reached_with_user_and_password(cluster: RedisProcess) -> None:
    await assert_works(f"redis+cluster://econeura:p%40ss@127.0.0.1:{cluster.port}")


async def test_a_master_is_found_through_sentinels_and_reached_with_user_and_password(
    sentinel_port: int,
) -> None:
    await assert_works(f"redis+sentinel://econeura:p%40ss@127.0.0.1:{sentinel_port}/econeura")


async def assert_works(url: str) -> None:
    settings = Settings.model_validate({"redis_url": url})
    with redis_clients.connect_sync(settings) as client:
        client.set("{econeura}:here", "1")
    other = redis_clients.connect(settings)
    assert await other.get("{econeura}:here") == b"1"
    # The clients of the sentinels are the pool's own: closing ours leaves them to the end of the process.
    sentinels = other.connection_pool.sentinel_manager.sentinels if "sentinel" in url else ()
    for client in (other, *sentinels):
        await client.aclose()
