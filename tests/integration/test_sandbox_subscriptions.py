"""Subscriptions and notifications of the sandbox, received by a real webhook."""

from __future__ import annotations

import base64
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
import orjson
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.sandbox_client import Conversation, conversation, escaped
from tests.sandbox_process import SandboxProcess
from tests.sandbox_webhook import Webhook
from tests.self_signed import certificate_pair

pytestmark = pytest.mark.sandbox(described=False)


@pytest.fixture(autouse=True)
def impatient(sandbox: SandboxProcess) -> None:
    sandbox.behave(notification_backoff_s=0.05)


@pytest.fixture
async def graph(sandbox: SandboxProcess) -> AsyncIterator[Conversation]:
    async with conversation(sandbox) as talk:
        yield talk


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")


def wish(mailbox: str, webhook: Webhook, **changes: Any) -> dict[str, Any]:
    """A subscription to the inbox."""
    return {
        "changeType": "created,updated",
        "resource": f"users/{mailbox}/mailFolders('inbox')/messages",
        "notificationUrl": webhook.url,
        "lifecycleNotificationUrl": webhook.url,
        "expirationDateTime": in_minutes(1000),
        "clientState": "secret",
        **changes,
    }


async def subscribe(graph: Conversation, mailbox: str, webhook: Webhook, **changes: Any) -> dict[str, Any]:
    made = await graph.call("POST", "/subscriptions", wish(mailbox, webhook, **changes))
    assert made.status == 201, made.body
    return dict(made.body)


async def test_the_handshake_runs_for_both_addresses_with_an_encoded_token(
    graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    made = await subscribe(graph, mailbox, webhook)
    assert made["clientState"] == "secret"
    assert len(webhook.handshakes) == 2
    assert all("+" in one and "%3a" in one for one in webhook.handshakes)
    listed = (await graph.get("/subscriptions")).body["value"]
    assert made["id"] in {one["id"] for one in listed}


@pytest.mark.parametrize(
    "echo",
    [
        lambda token: web.Response(text=token, status=202),
        web.json_response,
        lambda token: web.Response(text="other"),
        lambda token: web.Response(text=f'"{token}"'),
        lambda token: web.Response(status=302, headers={"Location": "/listen"}),
    ],
)
async def test_a_failed_handshake_makes_no_subscription(
    graph: Conversation, mailbox: str, webhook: Webhook, echo: Any
) -> None:
    webhook.echo = echo
    refused = await graph.call("POST", "/subscriptions", wish(mailbox, webhook))
    assert (refused.status, refused.code) == (400, "ValidationError")
    mine = [one for one in (await graph.get("/subscriptions")).body["value"] if mailbox in one["resource"]]
    assert mine == []


async def test_the_same_subscription_twice_is_a_conflict(
    graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    made = await subscribe(graph, mailbox, webhook)
    inbox = (await graph.get(f"/users/{mailbox}/mailFolders/inbox")).body["id"]
    for resource in (
        made["resource"],
        f"/users/{mailbox}/mailFolders/{escaped(inbox)}/messages",
        f"users('{mailbox}')/mailFolders('{inbox}')/messages",
    ):
        again = wish(mailbox, webhook, resource=resource, changeType="updated,created")
        assert (await graph.call("POST", "/subscriptions", again)).status == 409
    assert (await graph.call("DELETE", f"/subscriptions/{made['id']}")).status == 204
    await subscribe(graph, mailbox, webhook)


@pytest.mark.parametrize(
    "change",
    [
        {"expirationDateTime": in_minutes(10_200)},
        {"expirationDateTime": in_minutes(-1)},
        {"expirationDateTime": "tomorrow"},
        {"changeType": "created,moved"},
        {"resource": "/me/messages"},
        {"resource": "https://graph.microsoft.com/v1.0/users/x/messages"},
        {"notificationUrl": "http://acme.example/listen"},
        {"clientState": "x" * 129},
        {"includeResourceData": True},
        {"unknown": 1},
    ],
)
async def test_a_wrong_wish_is_refused_before_the_handshake(
    graph: Conversation, mailbox: str, webhook: Webhook, change: dict[str, Any]
) -> None:
    assert (await graph.call("POST", "/subscriptions", wish(mailbox, webhook, **change))).status == 400
    assert webhook.handshakes == []


async def test_renewal_validates_again_and_cannot_add_a_lifecycle_address(
    graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    body = wish(mailbox, webhook)
    del body["lifecycleNotificationUrl"]
    made = (await graph.call("POST", "/subscriptions", body)).body
    path = f"/subscriptions/{made['id']}"
    renewed = await graph.call("PATCH", path, {"expirationDateTime": in_minutes(5000)})
    assert renewed.status == 200
    assert renewed.body["expirationDateTime"] > made["expirationDateTime"]
    assert (await graph.call("POST", f"{path}/reauthorize")).status == 204
    assert len(webhook.handshakes) == 3
    assert (await graph.call("PATCH", path, {"lifecycleNotificationUrl": webhook.url})).status == 400
    assert (
        await graph.call("PATCH", "/subscriptions/none", {"expirationDateTime": in_minutes(9)})
    ).status == 404


async def test_short_lives_are_raised_to_45_minutes(
    graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    made = await subscribe(graph, mailbox, webhook, expirationDateTime=in_minutes(1))
    left = datetime.fromisoformat(made["expirationDateTime"]) - datetime.now(UTC)
    assert timedelta(minutes=44) < left <= timedelta(minutes=45)


async def test_mail_is_told_in_batches_with_the_ids_asked_for(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    made = await subscribe(graph, mailbox, webhook)
    user_id = sandbox.admin("GET", "state", mailbox=mailbox, summary=1)["mailboxes"][mailbox]["userId"]
    delivered = sandbox.deliver(mailbox, subject="{n}", count=30)
    await webhook.wait_for(lambda hook: len(hook.items) == 30)
    assert len(webhook.posts) < 5
    first = webhook.items[0]
    assert first["clientState"] == "secret"
    assert (first["subscriptionId"], first["tenantId"]) == (made["id"], sandbox.run["tenant_id"])
    assert first["resource"] == f"Users/{user_id}/Messages/{delivered[0]['id']}"
    assert first["resourceData"]["@odata.etag"] == delivered[0]["etag"]
    assert {one["resourceData"]["id"] for one in webhook.items} == {one["id"] for one in delivered}
    assert {one["changeType"] for one in webhook.items} == {"created"}

    path = f"/users/{mailbox}/messages/{escaped(delivered[0]['id'])}"
    await graph.call("PATCH", path, {"categories": ["x"]})
    await webhook.wait_for(lambda hook: len(hook.items) == 31)
    assert webhook.items[-1]["changeType"] == "updated"


async def test_refused_notifications_are_tried_again(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    webhook.answer = lambda number: 503 if number <= 3 else 202
    await subscribe(graph, mailbox, webhook)
    sandbox.deliver(mailbox, subject="x")
    await webhook.wait_for(lambda hook: len(hook.posts) == 4)
    assert len({orjson.dumps(post) for post in webhook.posts}) == 1


async def test_filters_and_other_folders_are_not_told(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    resource = f"users/{mailbox}/mailFolders('inbox')/messages?$filter=importance eq 'high'"
    await subscribe(graph, mailbox, webhook, resource=resource)
    sandbox.deliver(mailbox, subject="low")
    sandbox.deliver(mailbox, subject="elsewhere", folder="archive", importance="high")
    wanted = sandbox.deliver(mailbox, subject="high", importance="high")[0]
    await webhook.wait_for(lambda hook: len(hook.items) == 1)
    assert webhook.items[0]["resourceData"]["id"] == wanted["id"]


async def test_lifecycle_events_say_what_happened(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    made = await subscribe(graph, mailbox, webhook)
    order = {"subscription_id": made["id"]}
    sandbox.admin("POST", "lifecycle", {"event": "reauthorizationRequired", **order})
    await webhook.wait_for(lambda hook: len(hook.items) == 1)
    assert webhook.items[0]["lifecycleEvent"] == "reauthorizationRequired"
    assert webhook.items[0]["clientState"] == "secret"
    assert "changeType" not in webhook.items[0]
    sandbox.deliver(mailbox, subject="not told")
    assert (await graph.call("POST", f"/subscriptions/{made['id']}/reauthorize")).status == 204
    told = sandbox.deliver(mailbox, subject="told")[0]
    await webhook.wait_for(lambda hook: len(hook.items) == 2)
    assert webhook.items[1]["resourceData"]["id"] == told["id"]
    sandbox.admin("POST", "lifecycle", {"event": "subscriptionRemoved", **order})
    await webhook.wait_for(lambda hook: len(hook.items) == 3)
    assert (await graph.get(f"/subscriptions/{made['id']}")).status == 404


async def test_notifications_can_be_lost_doubled_and_forged(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    await subscribe(graph, mailbox, webhook)
    sandbox.behave(notification_lost_share=0.5, notification_forged_share=0.2, notification_doubled_share=0.3)
    try:
        delivered = sandbox.deliver(mailbox, subject="{n}", count=200)
    finally:
        sandbox.behave(
            notification_lost_share=0.0, notification_forged_share=0.0, notification_doubled_share=0.0
        )
    last = sandbox.deliver(mailbox, subject="last")[0]
    await webhook.wait_for(lambda hook: any(one["resourceData"]["id"] == last["id"] for one in hook.items))
    mine = [one for one in webhook.items if one["clientState"] == "secret"]
    told = [one["resourceData"]["id"] for one in mine]
    assert 60 < len(set(told)) < 140
    assert len(told) > len(set(told))
    assert any(one["clientState"].startswith("guess-") for one in webhook.items)
    assert set(told) <= {one["id"] for one in [*delivered, last]}


async def test_rich_notifications_carry_the_message_encrypted_and_a_signed_token(
    sandbox: SandboxProcess, graph: Conversation, mailbox: str, webhook: Webhook
) -> None:
    private_key, certificate = certificate_pair()
    made = await subscribe(
        graph,
        mailbox,
        webhook,
        resource=f"users/{mailbox}/mailFolders('inbox')/messages?$select=subject,receivedDateTime",
        includeResourceData=True,
        encryptionCertificate=base64.b64encode(certificate.public_bytes(Encoding.DER)).decode(),
        encryptionCertificateId="one",
    )
    message = sandbox.deliver(mailbox, subject="secreto")[0]
    await webhook.wait_for(lambda hook: len(hook.items) == 1)
    content = decrypted(webhook.items[0]["encryptedContent"], private_key, certificate)
    assert (content["id"], content["subject"]) == (message["id"], "secreto")
    assert made["encryptionCertificateId"] == "one"

    discovery = f"{sandbox.run['login_url']}/common/.well-known/openid-configuration"
    keys_url = (await graph.call("GET", discovery)).body["jwks_uri"]
    key = jwt.PyJWK((await graph.call("GET", keys_url)).body["keys"][0])
    claims = jwt.decode(
        webhook.posts[0]["validationTokens"][0],
        key.key,
        algorithms=["RS256"],
        audience=sandbox.run["client_id"],
        issuer=f"https://sts.windows.net/{sandbox.run['tenant_id']}/",
    )
    assert claims["appid"] == "0bf30f3b-4a52-48df-9a82-234910c4a086"


def decrypted(content: dict[str, str], private_key: str, certificate: x509.Certificate) -> dict[str, Any]:
    """Undo what C/change-notifications-with-resource-data describes, checking the signature first."""
    key = load_pem_private_key(private_key.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    sha1 = hashes.SHA1()  # noqa: S303 - Graph's choice
    assert content["encryptionCertificateThumbprint"] == certificate.fingerprint(sha1).hex().upper()
    secret = key.decrypt(base64.b64decode(content["dataKey"]), padding.OAEP(padding.MGF1(sha1), sha1, None))
    data = base64.b64decode(content["data"])
    assert hmac.compare_digest(hmac.digest(secret, data, sha256), base64.b64decode(content["dataSignature"]))
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(data) + decryptor.finalize()
    return dict(orjson.loads(unpadder.update(padded) + unpadder.finalize()))
