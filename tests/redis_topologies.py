"""More than one Redis: a cluster of three nodes, and a master with a replica under Sentinel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import redis
from redis.cluster import ClusterNode

from tests.redis_process import RedisProcess, executable, free_port
from tests.waiting import wait_for

_SLOTS = 16384


@contextmanager
def cluster(directory: Path, size: int = 3) -> Iterator[list[RedisProcess]]:
    """Nodes that share the slots between them, no replicas."""
    with ExitStack() as stack:
        nodes = []
        for number in range(size):
            arguments: tuple[str, ...] = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            arguments += ("--cluster-port", str(free_port())) if _knows_cluster_port() else ()
            node = RedisProcess(directory / f"node{number}", port=low_port(), arguments=arguments).start()
            stack.callback(node.stop)
            nodes.append(node)
        for number, node in enumerate(nodes):
            with node.client() as client:
                slots = range(number * _SLOTS // size, (number + 1) * _SLOTS // size)
                client.execute_command("CLUSTER ADDSLOTS", *slots)
                client.config_set("cluster-require-full-coverage", "no")
                for other in nodes[:number]:
                    _meet(client, other)
        for node in nodes:
            with node.client() as client:
                wait_for(partial(_is_whole, client, size), timeout_s=30, what="the cluster is up")
        yield nodes


def cluster_client(nodes: list[RedisProcess]) -> redis.RedisCluster:
    return redis.RedisCluster(
        startup_nodes=[ClusterNode("127.0.0.1", node.port) for node in nodes],  # type: ignore[no-untyped-call]
        socket_timeout=5,
    )


def _meet(client: redis.Redis, other: RedisProcess) -> None:
    with other.client() as there:
        bus = there.config_get("cluster-port").get("cluster-port", "0") if _knows_cluster_port() else "0"
    port = int(bus) or other.port + 10000
    client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, port)  # type: ignore[no-untyped-call]


def _is_whole(client: redis.Redis, size: int) -> bool:
    info = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return bool(info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == size)


def _knows_cluster_port() -> bool:
    text = subprocess.run([executable(), "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.split("v=")[1].split(".")[0]) >= 7


def low_port() -> int:
    """One whose bus port (10,000 higher, before Redis 7) is a port, too."""
    return wait_for(lambda: port if (port := free_port()) < 55000 else 0)


class Failover:
    """A master, two replicas, and a sentinel that promotes one a second after the master is gone."""

    def __init__(self, directory: Path) -> None:
        self.master = RedisProcess(directory / "master")
        follow = ("--replicaof", "127.0.0.1", str(self.master.port))
        self.replicas = [
            RedisProcess(directory / f"replica{number}", arguments=follow) for number in range(2)
        ]
        self.sentinel_port = free_port()
        self._directory = directory
        self._sentinel: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Failover:
        for server in (self.master, *self.replicas):
            server.start()
        settings = self._directory / "sentinel.conf"
        settings.write_text(
            f"port {self.sentinel_port}\nbind 127.0.0.1\ndir {self._directory}\n"
            f"sentinel monitor mymaster 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n",
            encoding="ascii",
        )
        self._sentinel = subprocess.Popen(
            [executable(), str(settings), "--sentinel"], stdout=subprocess.DEVNULL
        )
        wait_for(self._knows_the_replicas, timeout_s=40, what="the sentinel knows the replicas")
        return self

    def __exit__(self, *_: object) -> None:
        if self._sentinel is not None:
            self._sentinel.terminate()
            self._sentinel.wait()
        for server in (*self.replicas, self.master):
            server.stop()

    @property
    def url(self) -> str:
        return f"sentinel://{self.sentinel_port}"

    def fail_over(self) -> None:
        """Kill the master; returns when the sentinel names another."""
        self.master.kill()
        ports = {server.port for server in self.replicas}
        with redis.Redis(port=self.sentinel_port, socket_timeout=2) as client:
            wait_for(
                lambda: client.sentinel_get_master_addr_by_name("mymaster")[1] in ports,
                timeout_s=30,
                what="the sentinel names a replica",
            )

    def _knows_the_replicas(self) -> bool:
        try:
            with redis.Redis(port=self.sentinel_port, socket_timeout=2) as client:
                states = client.sentinel_slaves("mymaster")
        except redis.RedisError:
            return False
        return [state["master-link-status"] for state in states] == ["ok", "ok"]
