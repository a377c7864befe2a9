"""Subscriptions are kept: whatever happens to them at Graph or here, the next look puts it right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.graph_access import ORGANIZATION
from tests.pipeline_world import RULES, World, a_world
from tests.sandbox_process import SandboxProcess
from tests.sandbox_webhook import Webhook
from workers.graph import subscriptions as graph_subscriptions
from workers.organizations import Organization
from workers.pipeline import subscribing
from workers.store import Subscription

NOTHING = {"created": 0, "renewed": 0, "removed": 0, "failed": 0}


@pytest.fixture
async def world(
    sandbox: SandboxProcess, webhook: Webhook, redis_url: str, tmp_path: Path
) -> AsyncIterator[World]:
    public_url = webhook.url.removesuffix("/listen")
    async with a_world(sandbox, redis_url, tmp_path, public_url=public_url) as world:
        yield world


def acme(world: World) -> Organization:
    return next(iter(world.context.organizations))


async def reconciled(world: World) -> dict[str, int]:
    """What a look at the subscriptions did, beside nothing."""
    counts = await subscribing.reconcile(world.context, acme(world))
    assert set(counts) == set(NOTHING)
    return {what: count for what, count in counts.items() if count}


async def ours(world: World) -> Subscription:
    (only,) = await world.context.store.subscriptions.all()
    return only


def at_graph(world: World) -> list[dict[str, Any]]:
    found = world.sandbox.admin("GET", "state", summary=1)["subscriptions"]
    return [one for one in found if one["mailbox"] == world.mailbox]


async def both_agree(world: World) -> None:
    (there,) = at_graph(world)
    assert (await ours(world)).id == there["id"]


async def error_of(world: World) -> str:
    return (await world.context.store.mailboxes.read(world.mailbox, "inbox")).subscription_error


async def test_one_is_made_and_a_look_follows_it(world: World) -> None:
    assert await reconciled(world) == {"created": 1}
    assert [work.name for work in world.queue.waiting] == ["sync"]
    assert await reconciled(world) == {}
    await both_agree(world)


@pytest.mark.parametrize("event", ["subscriptionRemoved", "expired"])
async def test_one_that_graph_dropped_without_our_hearing_is_made_anew(world: World, event: str) -> None:
    await reconciled(world)
    former = await ours(world)
    order = {"event": event, "subscription_id": former.id}
    world.sandbox.admin("POST", "lifecycle", order)
    assert await reconciled(world) == {"created": 1}
    await both_agree(world)
    assert (await ours(world)).id != former.id


async def test_one_that_we_lost_track_of_is_replaced(world: World) -> None:
    await reconciled(world)
    (lost,) = at_graph(world)
    await world.context.store.redis.delete(world.context.store.keys.subscriptions())
    assert await reconciled(world) == {"removed": 1, "created": 1}
    await both_agree(world)
    assert at_graph(world)[0]["id"] != lost["id"], "its secret is not known any more"


async def test_a_second_one_of_the_same_folder_is_forgotten(world: World) -> None:
    await reconciled(world)
    stale = replace(await ours(world), id="of-a-former-life", health="conflict")
    await world.context.store.subscriptions.save(stale)
    assert await reconciled(world) == {}
    await both_agree(world)


async def test_it_is_renewed_at_half_life_and_not_before(world: World) -> None:
    await reconciled(world)
    young = await ours(world)
    half = timedelta(minutes=10_070) / 2
    aged = replace(young, created_at=(datetime.now(UTC) - half - timedelta(minutes=10)).isoformat())
    aged = replace(aged, expires_at=(datetime.now(UTC) + half - timedelta(minutes=10)).isoformat())
    await world.context.store.subscriptions.save(aged)
    assert await reconciled(world) == {"renewed": 1}
    assert (await ours(world)).expires_at > aged.expires_at
    assert await reconciled(world) == {}


async def test_one_that_cannot_be_had_is_shown_until_it_can(world: World, webhook: Webhook) -> None:
    answer, webhook.echo = webhook.echo, lambda token: web.Response(status=503)
    assert await reconciled(world) == {"failed": 1}
    assert await error_of(world) == "bad_request"
    assert await world.sync() == 0, "the timer looks all the same"
    assert await error_of(world) == "bad_request", "a look says nothing of the subscription"
    webhook.echo = answer
    assert await reconciled(world) == {"created": 1}
    assert await error_of(world) == ""


async def test_a_folder_without_a_subscription_is_told_once_until_it_has_one(
    world: World, webhook: Webhook
) -> None:
    world.configure(f'{RULES}[organizations.acme.webhooks.crm]\nurl = "https://x.example"\nsecret = "env:X"')
    answer = webhook.echo
    for times in (1, 2):
        webhook.echo = lambda token: web.Response(status=503)
        for _ in range(3):
            assert await reconciled(world) == {"failed": 1}
        assert [event.type for event, _ in world.queue.told] == ["subscription.degraded"] * times
        webhook.echo = answer
        assert await reconciled(world) == {"created": 1}
        await subscribing.remove(world.context, ORGANIZATION, (await ours(world)).id)
    event = world.queue.told[0][0]
    assert event.data == {"mailbox": world.mailbox, "folder": "inbox", "code": "bad_request"}


async def test_one_that_could_not_be_renewed_is_tried_again_at_once(
    world: World, sandbox: SandboxProcess
) -> None:
    await reconciled(world)
    aged = replace(await ours(world), created_at="2020-01-01T00:00:00+00:00")
    await world.context.store.subscriptions.save(aged)
    sandbox.fault("status", status=500, method="PATCH", path="/subscriptions/", count=1)
    assert await reconciled(world) == {"failed": 1}
    assert (await ours(world)).health == "temporary" and await error_of(world) == "", "it still tells us"
    assert await reconciled(world) == {"renewed": 1}
    assert (await ours(world)).health == "ok"


class TestLifecycleEvents:
    async def hear(self, world: World, event: str) -> None:
        known = await ours(world)
        await subscribing.handle_lifecycle(world.context, "acme", world.mailbox, "inbox", known.id, event)

    @pytest.fixture(autouse=True)
    async def subscribed(self, world: World) -> None:
        await reconciled(world)
        world.queue.waiting.clear()

    @pytest.mark.parametrize("event", ["missed", "subscriptionRemoved", "reauthorizationRequired"])
    async def test_each_makes_us_look_and_leaves_one_live_subscription(
        self, world: World, webhook: Webhook, event: str
    ) -> None:
        order = {"event": event, "subscription_id": (await ours(world)).id}
        world.sandbox.admin("POST", "lifecycle", order)
        await self.hear(world, event)
        assert "sync" in {work.name for work in world.queue.waiting}
        await both_agree(world)
        world.deliver(subject="Ayuda")
        await webhook.wait_for(lambda hook: any("resourceData" in item for item in hook.items))

    async def test_reauthorizing_one_that_is_gone_makes_a_new_one(self, world: World) -> None:
        order = {"event": "expired", "subscription_id": (await ours(world)).id}
        world.sandbox.admin("POST", "lifecycle", order)
        await self.hear(world, "reauthorizationRequired")
        await both_agree(world)

    async def test_a_removed_one_that_cannot_be_had_again_is_no_dead_letter(
        self, world: World, webhook: Webhook
    ) -> None:
        order = {"event": "subscriptionRemoved", "subscription_id": (await ours(world)).id}
        world.sandbox.admin("POST", "lifecycle", order)
        answer, webhook.echo = webhook.echo, lambda token: web.Response(status=503)
        await self.hear(world, "subscriptionRemoved")
        assert await error_of(world) == "bad_request"
        webhook.echo = answer
        assert await reconciled(world) == {"created": 1}
        await both_agree(world)

    async def test_an_event_of_one_that_was_replaced_changes_nothing(self, world: World) -> None:
        await subscribing.handle_lifecycle(
            world.context, "acme", world.mailbox, "inbox", "of-a-former-life", "subscriptionRemoved"
        )
        await both_agree(world)


async def test_what_is_no_longer_configured_is_ended(world: World) -> None:
    await reconciled(world)
    world.configure(mailboxes=[world.sandbox.add_mailbox(f"otro-{world.mailbox}")])
    assert await reconciled(world) == {"removed": 1, "created": 1}
    assert at_graph(world) == []


async def test_an_organization_that_is_gone_leaves_nothing_once_its_subscriptions_have_ended(
    world: World,
) -> None:
    await reconciled(world)
    mine = await ours(world)
    ended = "2026-01-01T00:00:00+00:00"
    await world.context.store.subscriptions.save(
        replace(mine, id="a", organization_id="gone", expires_at=ended)
    )
    await world.context.store.subscriptions.save(replace(mine, id="b", organization_id="gone"))
    await subscribing.forget_ended(world.context)
    assert {one.id for one in await world.context.store.subscriptions.all()} == {mine.id, "b"}


class TestAnOrganizationThatSharesTheApp:
    @pytest.fixture(autouse=True)
    def sister(self, world: World, tmp_path: Path) -> str:
        """Its mailbox."""
        mailbox = world.sandbox.add_mailbox(f"otro-{world.mailbox}")
        run = world.sandbox.run
        world.configure(
            rules=f"""
            [organizations.hermana]
            tenant_id = "{run["tenant_id"]}"
            client_id = "{run["client_id"]}"
            client_secret = "file:{tmp_path / "credential"}"
            mailboxes = ["{mailbox}"]
            """
        )
        return mailbox

    async def reconciled(self, world: World, organization_id: str) -> dict[str, int]:
        organization = world.context.organization(organization_id)
        counts = await subscribing.reconcile(world.context, organization)
        return {what: count for what, count in counts.items() if count}

    async def test_keeps_its_own(self, world: World, sister: str) -> None:
        for expected in ({"created": 1}, {}):
            for organization_id in ("acme", "hermana"):
                assert await self.reconciled(world, organization_id) == expected
        assert {one.mailbox for one in await world.context.store.subscriptions.all()} == {
            world.mailbox,
            sister,
        }

    async def test_keeps_one_that_is_made_just_now(self, world: World, sister: str) -> None:
        made = await graph_subscriptions.create(
            world.context.graph_of("hermana"),
            resource=graph_subscriptions.resource_of(sister, "inbox"),
            notification_url=f"{world.context.settings.public_url}/listen",
            client_state="not noted yet",
        )
        assert await self.reconciled(world, "acme") == {"created": 1}
        assert made.id in {
            one["id"] for one in world.sandbox.admin("GET", "state", summary=1)["subscriptions"]
        }
        assert await self.reconciled(world, "hermana") == {"removed": 1, "created": 1}

    async def test_replaces_what_it_lost_track_of_itself(self, world: World, sister: str) -> None:
        await self.reconciled(world, "hermana")
        await world.context.store.redis.delete(world.context.store.keys.subscriptions())
        for organization_id, expected in (
            ("acme", {"created": 1}),
            ("hermana", {"removed": 1, "created": 1}),
            ("acme", {}),
        ):
            assert await self.reconciled(world, organization_id) == expected

    async def test_has_what_it_no_longer_wants_ended(self, world: World, sister: str) -> None:
        await self.reconciled(world, "hermana")
        world.configure(mailboxes=[world.mailbox, sister])
        assert await self.reconciled(world, "acme") == {"removed": 1, "created": 2}


async def test_many_are_made_a_few_at_a_time(world: World, webhook: Webhook) -> None:
    addresses = [f"n{number}-{world.mailbox}" for number in range(40)]
    world.sandbox.admin("POST", "mailboxes", {"addresses": addresses})
    world.configure(mailboxes=addresses)
    world.sandbox.behave(latency_ms=10)
    assert await reconciled(world) == {"created": 40}
    world.sandbox.behave(latency_ms=0)
    assert len(webhook.handshakes) == 80, "each address is validated for notifications and for events"


async def test_master_categories_that_may_not_be_made_stop_no_action(
    world: World, sandbox: SandboxProcess
) -> None:
    sandbox.fault("status", status=403, mailbox=world.mailbox, path="masterCategories")
    message_id = world.deliver(subject="Ayuda con el acceso")
    await world.handle()
    assert (await world.statuses(message_id))["categorize"] == "done"
    assert world.folder("inbox")[0]["categories"] == ["Soporte"]
    asked = world.fault_hits()
    world.deliver(subject="Ayuda otra vez")
    await world.handle()
    assert world.fault_hits() == asked, "they are not asked for with every message"
