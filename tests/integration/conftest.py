"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from tests.api_service import Api, serving
from tests.dead_letters import Killer
from tests.graph_access import graph_of
from tests.graph_description import described_sandbox
from tests.lent_context import lent
from tests.pipeline_world import World, a_world
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.sandbox_webhook import Webhook, listening
from workers.broker import Broker
from workers.graph.client import Graph
from workers.pipeline.context import Context
from workers.settings import load_settings


@pytest.fixture
def broker(redis_client: redis.Redis) -> Iterator[Broker]:
    """A broker over an empty Redis."""
    broker = Broker("test")
    broker.connect(redis_client)
    yield broker
    broker.close()


@pytest.fixture
async def context(redis_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    """What the pipeline works with, of one organization and over an empty Redis; nobody plays Graph."""
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path, namespace="test")) as context:
        yield context


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


@pytest.fixture(scope="module")
def sandbox_of_module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxProcess]:
    """The sandbox of a test file, empty; `pytestmark = pytest.mark.sandbox(*options)` gives it options.

    Every call that was made must be one that Graph describes, but where the mark says `described=False`.
    """
    mark = request.node.get_closest_marker("sandbox") or pytest.mark.sandbox().mark
    run = described_sandbox if mark.kwargs.get("described", True) else running_sandbox
    with run(tmp_path_factory.mktemp("sandbox"), "--no-samples", *mark.args) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_of_module: SandboxProcess) -> Iterator[SandboxProcess]:
    """A test's faults and changes of behaviour end with it; its mail stays, in mailboxes of its own."""
    before = sandbox_of_module.admin("GET", "behaviour")
    yield sandbox_of_module
    sandbox_of_module.admin("DELETE", "faults")
    sandbox_of_module.behave(**before)


@pytest.fixture
def mailbox(sandbox: SandboxProcess) -> str:
    """A mailbox of this test alone: faults and limits go by mailbox."""
    return sandbox.add_mailbox(f"m{uuid4().hex[:12]}@acme.example")


@pytest.fixture
async def graph(sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[Graph]:
    """Our client, in conversation with the sandbox."""
    async with graph_of(sandbox, redis_url, tmp_path) as graph:
        yield graph


@pytest.fixture
async def world(sandbox: SandboxProcess, redis_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """The pipeline of one organization with one mailbox, its work done by hand."""
    async with a_world(sandbox, redis_url, tmp_path) as world:
        yield world
