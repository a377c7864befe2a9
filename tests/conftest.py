"""Fixtures for all tests: a private Redis for each test process, emptied before each test."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
import redis
import redis.asyncio

from tests.redis_process import RedisProcess


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_process: RedisProcess) -> str:
    """Address of this process' private Redis, empty."""
    with redis_process.client() as client:
        client.flushall()
    return redis_process.url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, socket_timeout=5) as client:
        yield client


@pytest.fixture
async def async_redis(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(redis_url, socket_timeout=5)
    yield client
    await client.aclose()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Free what the tests left, before plugins import what they need for their summaries.

    CPython 3.11 answers parsing with a SystemError where a collection in the middle of it ends a task that
    failed (python/cpython#106905): the whole run would count as broken.
    """
    gc.collect()
