"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from tests.api_service import Api, serving
from tests.dead_letters import Killer
from tests.sandbox_webhook import Webhook, listening
from workers.broker import Broker


@pytest.fixture
def broker(redis_client: redis.Redis) -> Iterator[Broker]:
    """A broker over an empty Redis."""
    broker = Broker("test")
    broker.connect(redis_client)
    yield broker
    broker.close()


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The api with its usual organizations, open to this machine."""
    async with serving(redis_url, tmp_path) as api:
        yield api


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    """Where a sandbox may send notifications."""
    async with listening() as webhook:
        yield webhook


@pytest.fixture
def kill(redis_client: redis.Redis) -> Killer:
    """Makes dead letters."""
    return Killer(redis_client)
