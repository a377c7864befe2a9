"""`econeura subscriptions`: what Graph would go on telling us is shown, and ended for an uninstall."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.econeura import econeura, environment
from tests.graph_access import ORGANIZATION
from tests.pipeline_world import World, a_world
from tests.sandbox_process import SandboxProcess
from tests.sandbox_webhook import Webhook
from workers.graph import subscriptions as graph_subscriptions
from workers.pipeline import subscribing

pytestmark = pytest.mark.sandbox(described=False)


@pytest.fixture
async def world(
    sandbox: SandboxProcess, webhook: Webhook, redis_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    """With a subscription of its one mailbox."""
    public_url = webhook.url.removesuffix("/listen")
    async with a_world(sandbox, redis_url, tmp_path, public_url=public_url) as world:
        for organization in world.context.organizations:
            await subscribing.reconcile(world.context, organization)
        yield world


@pytest.fixture
def env(world: World, redis_url: str, tmp_path: Path) -> dict[str, str]:
    run = world.sandbox.run
    return environment(
        REDIS_URL=redis_url,
        ECONEURA_DATA_DIR=tmp_path / "data",
        ECONEURA_ORGANIZATIONS=tmp_path / "organizations.toml",
        ECONEURA_GRAPH_URL=run["url"],
        ECONEURA_LOGIN_URL=run["login_url"],
        ECONEURA_CA_FILE=run["ca_file"],
        ECONEURA_PUBLIC_URL=world.context.settings.public_url or "",
    )


async def at_graph(world: World) -> list[str]:
    """Ids of the subscriptions of the world's mailbox that Graph has."""
    listed = await graph_subscriptions.list_subscriptions(world.context.graph_of(ORGANIZATION))
    return [item.id for item in listed if world.mailbox in item.resource]


async def replaced_by_another(world: World, webhook: Webhook) -> str:
    """Another installation's subscription of the same folder, with the same app: Graph allows but one."""
    (ours,) = await world.context.store.subscriptions.all()
    await subscribing.remove(world.context, ORGANIZATION, ours.id)
    made = await graph_subscriptions.create(
        world.context.graph_of(ORGANIZATION),
        resource=graph_subscriptions.resource_of(world.mailbox, "inbox"),
        notification_url=f"{webhook.url}?of=another",
        client_state="x",
    )
    return made.id


def told(ran: Any) -> list[list[str]]:
    return [line.split() for line in ran.stdout.splitlines()]


async def test_they_are_listed_and_removed_at_graph_and_here(
    world: World, webhook: Webhook, env: dict[str, str]
) -> None:
    (ours,) = await at_graph(world)
    listed = told(econeura("subscriptions", "list", env=env))
    (row,) = [words for words in listed if words[2] == world.mailbox]
    assert (row[0], row[1], row[3], row[-1]) == (ours, ORGANIZATION, "inbox", "ours")
    dry = econeura("subscriptions", "remove", "--dry-run", env=env)
    assert (dry.returncode, told(dry)[-1]) == (0, ["1", "would", "be", "removed"])
    assert await at_graph(world) == [ours]
    removed = econeura("subscriptions", "remove", "--organization", ORGANIZATION, env=env)
    assert (removed.returncode, removed.stdout, removed.stderr) == (0, "1 removed\n", "")
    assert await at_graph(world) == [] and await world.context.store.subscriptions.all() == []
    ((entry,), _) = await world.context.store.audit.page()
    assert (entry.change.what, entry.change.target) == ("subscription.removed", ours)
    assert world.mailbox not in str(entry.change)


async def test_another_installations_stay(world: World, webhook: Webhook, env: dict[str, str]) -> None:
    theirs = await replaced_by_another(world, webhook)
    listed = econeura("subscriptions", "list", env=env).stdout
    assert next(line for line in listed.splitlines() if theirs in line).endswith("another installation's")
    assert econeura("subscriptions", "remove", env=env).stdout == "0 removed\n"
    assert await at_graph(world) == [theirs]


async def test_without_a_public_url_what_we_made_is_still_known(world: World, env: dict[str, str]) -> None:
    del env["ECONEURA_PUBLIC_URL"]
    assert econeura("subscriptions", "remove", env=env).stdout == "1 removed\n"
    assert await at_graph(world) == []


async def test_one_that_we_lost_track_of_is_ours_by_its_address(world: World, env: dict[str, str]) -> None:
    store = world.context.store.subscriptions
    (known,) = await store.all()
    await store.delete(known.id)
    assert econeura("subscriptions", "remove", env=env).stdout == "1 removed\n"
    assert await at_graph(world) == []


async def test_one_that_graph_has_no_more_is_forgotten(world: World, env: dict[str, str]) -> None:
    (known,) = await world.context.store.subscriptions.all()
    await graph_subscriptions.delete(world.context.graph_of(ORGANIZATION), known.id)
    assert "gone at Graph" in econeura("subscriptions", "list", env=env).stdout
    assert econeura("subscriptions", "remove", env=env).stdout == "1 removed\n"
    assert await world.context.store.subscriptions.all() == []


async def test_a_broken_credential_is_said_and_nothing_is_forgotten(
    world: World, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "credential").write_text("wrong")
    refused = econeura("subscriptions", "remove", env=env)
    assert (refused.returncode, "econeura: acme:" in refused.stderr) == (1, True)
    assert len(await world.context.store.subscriptions.all()) == 1


async def test_a_running_service_is_said(world: World, env: dict[str, str]) -> None:
    store = world.context.store
    # A sign of life that lasts for as long as the command takes to start, on however busy a machine.
    await store.redis.zadd(store.keys.schedulers(), {"a-scheduler": (time.time() + 60) * 1000})
    ran = econeura("subscriptions", "remove", env=env)
    assert "the service is running" in ran.stderr
