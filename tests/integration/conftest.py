"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from workers.broker import Broker


@pytest.fixture
def broker(redis_client: redis.Redis) -> Iterator[Broker]:
    """A broker over an empty Redis."""
    broker = Broker("test")
    broker.connect(redis_client)
    yield broker
    broker.close()
