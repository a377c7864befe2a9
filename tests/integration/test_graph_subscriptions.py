"""Subscriptions and what they bring, basic and encrypted, against the sandbox and a webhook on loopback."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.graph_access import settings_for
from tests.sandbox_process import SandboxProcess
from tests.sandbox_webhook import Webhook
from workers.errors import BadRequest, Conflict, NotFound, PermanentError, TemporaryError
from workers.graph import notifications, rich, subscriptions
from workers.graph.client import Graph
from workers.graph.notifications import Notification
from workers.graph.rich import PrivateContentKey
from workers.graph.subscriptions import Subscription
from workers.graph.vouchers import NOTIFIER_APP_ID, Vouchers


@pytest.fixture(scope="module")
def key() -> PrivateContentKey:
    return rich.new_content_key()


async def subscribed(graph: Graph, mailbox: str, webhook: Webhook, **options: Any) -> Subscription:
    return await subscriptions.create(
        graph,
        resource=subscriptions.resource_of(mailbox, "inbox"),
        notification_url=webhook.url,
        client_state=subscriptions.new_client_state(),
        **options,
    )


class TestSubscriptions:
    async def test_a_subscription_lives_nearly_as_long_as_graph_allows(
        self, mailbox: str, graph: Graph, webhook: Webhook
    ) -> None:
        made = await subscribed(graph, mailbox, webhook)
        left = made.expires_at - datetime.now(UTC)
        assert timedelta(minutes=10_060) < left < timedelta(minutes=10_080)
        # One validation for notifications, one for lifecycle events.
        assert len(webhook.handshakes) == 2

    async def test_it_is_found_renewed_reauthorized_and_deleted(
        self, mailbox: str, graph: Graph, webhook: Webhook
    ) -> None:
        made = await subscribed(graph, mailbox, webhook)
        (found,) = [one for one in await subscriptions.list_subscriptions(graph) if one.id == made.id]
        assert (found.resource, found.notification_url) == (made.resource, webhook.url)
        assert found.client_state is None
        renewed = await subscriptions.renew(graph, made.id, life=timedelta(hours=2))
        assert timedelta(hours=1) < renewed.expires_at - datetime.now(UTC) < timedelta(hours=3)
        await subscriptions.reauthorize(graph, made.id)
        await subscriptions.delete(graph, made.id)
        await subscriptions.delete(graph, made.id)
        with pytest.raises(NotFound):
            await subscriptions.renew(graph, made.id)

    async def test_a_second_of_the_same_is_a_conflict(
        self, mailbox: str, graph: Graph, webhook: Webhook
    ) -> None:
        await subscribed(graph, mailbox, webhook)
        with pytest.raises(Conflict):
            await subscribed(graph, mailbox, webhook)

    async def test_a_webhook_that_does_not_answer_the_handshake_is_refused(
        self, mailbox: str, graph: Graph, webhook: Webhook
    ) -> None:
        webhook.url = "http://127.0.0.1:1/listen"
        with pytest.raises(BadRequest):
            await subscribed(graph, mailbox, webhook)

    async def test_each_secret_is_another_and_short_enough(self) -> None:
        secrets = {subscriptions.new_client_state() for _ in range(100)}
        assert len(secrets) == 100
        assert max(map(len, secrets)) <= 128


class TestNotifications:
    async def test_an_arrival_is_told_with_the_secret_and_the_immutable_id(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, webhook: Webhook
    ) -> None:
        made = await subscribed(graph, mailbox, webhook)
        (delivered,) = sandbox.deliver(mailbox, subject="Hola")
        await webhook.wait_for(lambda seen: bool(seen.items))
        (told,) = notifications.parse(orjson.dumps(webhook.posts[0]))
        assert (told.subscription_id, told.message_id) == (made.id, delivered["id"])
        assert notifications.is_genuine(told, made.client_state)
        assert not notifications.is_genuine(told, "another secret")

    async def test_lifecycle_events_are_told_too(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, webhook: Webhook
    ) -> None:
        made = await subscribed(graph, mailbox, webhook)
        for event in ("missed", "reauthorizationRequired", "subscriptionRemoved"):
            sandbox.admin("POST", "lifecycle", {"event": event, "subscription_id": made.id})
        await webhook.wait_for(lambda seen: len(seen.items) == 3)
        told = [one for post in webhook.posts for one in notifications.parse(orjson.dumps(post))]
        events = {one.lifecycle_event for one in told}
        assert events == {"missed", "reauthorizationRequired", "subscriptionRemoved"}
        assert all(notifications.is_genuine(one, made.client_state) for one in told)


class TestContent:
    async def test_content_is_vouched_for_and_decrypted(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, webhook: Webhook, key: PrivateContentKey
    ) -> None:
        made = await subscribed(graph, mailbox, webhook, content_key=key.public)
        assert made.expires_at - datetime.now(UTC) < timedelta(minutes=1_440)
        told = await rich_notification(sandbox, mailbox, webhook, subject="Pago señalado")
        vouchers = Vouchers(settings_for(sandbox))
        run = sandbox.run
        pairs = await vouchers.vouched(told.validation_tokens, [run["client_id"]])
        assert pairs == {(run["tenant_id"], run["client_id"])}
        content = rich.decrypt(told.encrypted_content or {}, {key.public.id: key.private_pem})
        assert content["subject"] == "Pago señalado"

    async def test_old_keys_are_kept_through_a_rotation(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, webhook: Webhook, key: PrivateContentKey
    ) -> None:
        await subscribed(graph, mailbox, webhook, content_key=key.public)
        told = await rich_notification(sandbox, mailbox, webhook, subject="Hola")
        newer = rich.new_content_key()
        both = {newer.public.id: newer.private_pem, key.public.id: key.private_pem}
        assert rich.decrypt(told.encrypted_content or {}, both)["subject"] == "Hola"
        with pytest.raises(PermanentError, match="key we do not have"):
            rich.decrypt(told.encrypted_content or {}, {newer.public.id: newer.private_pem})

    @pytest.mark.parametrize("field", ["data", "dataKey", "dataSignature"])
    @pytest.mark.parametrize("how", ["flipped", "missing", "not base64"])
    async def test_content_that_was_touched_is_refused(
        self,
        sandbox: SandboxProcess,
        mailbox: str,
        graph: Graph,
        webhook: Webhook,
        key: PrivateContentKey,
        field: str,
        how: str,
    ) -> None:
        await subscribed(graph, mailbox, webhook, content_key=key.public)
        told = await rich_notification(sandbox, mailbox, webhook, subject="Hola")
        touched = dict(told.encrypted_content or {})
        raw = base64.b64decode(touched[field])
        flipped = base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode()
        touched[field] = {"flipped": flipped, "missing": None, "not base64": "%%%"}[how]
        with pytest.raises(BadRequest):
            rich.decrypt(touched, {key.public.id: key.private_pem})


class TestVouching:
    async def test_tokens_vouch_only_for_our_apps(
        self, sandbox: SandboxProcess, mailbox: str, graph: Graph, webhook: Webhook, key: PrivateContentKey
    ) -> None:
        await subscribed(graph, mailbox, webhook, content_key=key.public)
        told = await rich_notification(sandbox, mailbox, webhook, subject="Hola")
        assert (
            await Vouchers(settings_for(sandbox)).vouched(told.validation_tokens, [str(uuid4())])
            == frozenset()
        )

    async def test_an_access_token_of_the_same_issuer_vouches_for_nothing(
        self, sandbox: SandboxProcess, graph: Graph
    ) -> None:
        # Signed by the same keys, but for Graph as its audience and by another app than Graph's notifier.
        token = await graph.transport.tokens.token()
        claims = jwt.decode(token, options={"verify_signature": False})
        vouchers = Vouchers(settings_for(sandbox))
        assert await vouchers.vouched([token], [claims["aud"]]) == frozenset()

    async def test_a_token_signed_by_anyone_else_vouches_for_nothing(self, sandbox: SandboxProcess) -> None:
        run = sandbox.run
        claims = {
            "aud": run["client_id"],
            "iss": f"https://sts.windows.net/{run['tenant_id']}/",
            "tid": run["tenant_id"],
            "appid": NOTIFIER_APP_ID,
            "exp": datetime.now(UTC) + timedelta(hours=1),
        }
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        forged = jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "theirs"})
        unsigned = jwt.encode(claims, "", algorithm="none")
        vouchers = Vouchers(settings_for(sandbox))
        assert await vouchers.vouched([forged, unsigned, "rubbish", ""], [run["client_id"]]) == frozenset()

    async def test_while_login_is_down_nothing_is_decided(self, sandbox: SandboxProcess) -> None:
        vouchers = Vouchers(settings_for(sandbox, login_url="https://127.0.0.1:1"))
        with pytest.raises(TemporaryError):
            await vouchers.vouched(["any"], ["any"])


async def rich_notification(
    sandbox: SandboxProcess, mailbox: str, webhook: Webhook, *, subject: str
) -> Notification:
    """Deliver a message and return the notification with its content."""
    sandbox.deliver(mailbox, subject=subject)
    await webhook.wait_for(lambda seen: bool(seen.items))
    (told,) = notifications.parse(orjson.dumps(webhook.posts[0]))
    return told
