"""Connections of the broker's own: no waiting longer than ours, no repeating that we do not control."""

from __future__ import annotations

from typing import Any

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import ConnectionPool
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from workers.broker.doorbell import LONGEST_SLEEP_S
from workers.broker.scripts import Client

_TIMES: dict[str, Any] = {
    # Longer than the doorbell sleeps: its answer is late by design.
    "socket_timeout": LONGEST_SLEEP_S + 2.0,
    "socket_connect_timeout": 3.0,
}
_FOR_A_NODE = {
    "username",
    "password",
    "credential_provider",
    "client_name",
    "protocol",
    "health_check_interval",
}


def own_client(client: Client) -> Client:
    """A client for the same server (plain, Sentinel or Cluster) with connections of its own."""
    if isinstance(client, RedisCluster):
        return _own_cluster(client)
    pool = client.connection_pool
    options = {
        **pool.connection_kwargs,
        **_TIMES,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    if isinstance(pool, SentinelConnectionPool):
        # It puts itself there, for its connections.
        options.pop("connection_pool", None)
        return Redis(
            connection_pool=SentinelConnectionPool(  # type: ignore[no-untyped-call]
                pool.service_name, pool.sentinel_manager, **options
            )
        )
    return Redis(connection_pool=ConnectionPool(connection_class=pool.connection_class, **options))


def _own_cluster(client: RedisCluster) -> RedisCluster:
    given = client.nodes_manager.connection_kwargs
    options: dict[str, Any] = {
        name: given[name] for name in given if name in _FOR_A_NODE or name.startswith("ssl")
    }
    return RedisCluster(
        startup_nodes=[ClusterNode(node.host, node.port) for node in client.get_nodes()],  # type: ignore[no-untyped-call]
        # One repetition: with it a moved slot is found, without it a dead node would not be noticed.
        retry=Retry(NoBackoff(), 1),
        # Partitions on the nodes that are there go on.
        require_full_coverage=False,
        **_TIMES,
        **options,
    )
