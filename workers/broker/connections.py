"""Connections of the broker's own: no waiting longer than ours, no repeating that we do not control."""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from workers.broker.doorbell import LONGEST_SLEEP_S
from workers.broker.scripts import Client

SOCKET_TIMEOUT_S = LONGEST_SLEEP_S + 2.0
"""Longer than the doorbell sleeps: its answer is late by design."""
_CONNECT_TIMEOUT_S = 3.0


def own_client(client: Client) -> Client:
    """A client for the same server with connections of its own; a cluster's client is used as it is."""
    if not isinstance(client, Redis):
        return client
    pool = client.connection_pool
    options = {
        **pool.connection_kwargs,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": _CONNECT_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    if isinstance(pool, SentinelConnectionPool):
        sentinels = SentinelConnectionPool(  # type: ignore[no-untyped-call]
            pool.service_name, pool.sentinel_manager, **{**options, "connection_pool": None}
        )
        return Redis(connection_pool=sentinels)
    return Redis(connection_pool=ConnectionPool(connection_class=pool.connection_class, **options))
