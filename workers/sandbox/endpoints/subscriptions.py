"""Subscriptions: create with handshake, list, get, renew, reauthorize, delete."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from workers.sandbox.calls import Answer, Call, GraphProblem
from workers.sandbox.endpoints.permissions import SUBSCRIBE
from workers.sandbox.listing import check_options
from workers.sandbox.request_bodies import SUBSCRIPTION, SUBSCRIPTION_CHANGE, check_body
from workers.sandbox.rich_content import read_certificate
from workers.sandbox.routing import Route
from workers.sandbox.subscriptions import (
    MAX_LIFE,
    MAX_LIFE_WITH_DATA,
    Subscription,
    checked_change_types,
    checked_expiry,
    checked_query,
    checked_url,
    watched,
)

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox

_MAX_CLIENT_STATE = 128


async def create(sandbox: Sandbox, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, SUBSCRIPTION, "subscription")
    subscription = _subscription(sandbox, call, body)
    for url in (subscription.notification_url, subscription.lifecycle_url):
        if url is not None:
            await sandbox.notifier.validate(url)
    sandbox.subscriptions.add(subscription)
    return Answer(201, _context(call) | subscription.as_json(show_state=True))


async def list_all(sandbox: Sandbox, call: Call) -> Answer:
    check_options(call, ("$select",))
    mine = sandbox.subscriptions.of(call.app)
    return Answer(
        200,
        {
            "@odata.context": f"{call.origin}/$metadata#subscriptions",
            "value": [one.as_json() for one in mine],
        },
    )


async def get_one(sandbox: Sandbox, call: Call) -> Answer:
    return Answer(
        200, _context(call) | sandbox.subscriptions.get(call.parts["subscription"], call.app).as_json()
    )


async def renew(sandbox: Sandbox, call: Call) -> Answer:
    subscription = sandbox.subscriptions.get(call.parts["subscription"], call.app)
    body = call.json_object()
    check_body(body, SUBSCRIPTION_CHANGE, "subscription")
    url = checked_url(body.get("notificationUrl", subscription.notification_url), "notificationUrl")
    await sandbox.notifier.validate(url)
    subscription.notification_url = url
    if "expirationDateTime" in body:
        with_data = subscription.certificate is not None
        subscription.expires_at = _expiry(sandbox, body["expirationDateTime"], with_data=with_data)
    subscription.needs_reauthorization = False
    return Answer(200, _context(call) | subscription.as_json())


async def reauthorize(sandbox: Sandbox, call: Call) -> Answer:
    subscription = sandbox.subscriptions.get(call.parts["subscription"], call.app)
    await sandbox.notifier.validate(subscription.notification_url)
    subscription.needs_reauthorization = False
    return Answer(204)


async def delete(sandbox: Sandbox, call: Call) -> Answer:
    sandbox.subscriptions.remove(sandbox.subscriptions.get(call.parts["subscription"], call.app))
    return Answer(204)


def _subscription(sandbox: Sandbox, call: Call, body: dict[str, Any]) -> Subscription:
    mailbox, folder, query = watched(body["resource"], sandbox.directory, call.app)
    restriction, select = checked_query(query)
    certificate = None
    if body.get("includeResourceData"):
        if not body.get("encryptionCertificate") or not body.get("encryptionCertificateId") or select is None:
            raise GraphProblem(
                400,
                "InvalidRequest",
                "includeResourceData needs encryptionCertificate, encryptionCertificateId and a $select.",
            )
        certificate = read_certificate(body["encryptionCertificate"])
    if len(body.get("clientState") or "") > _MAX_CLIENT_STATE:
        raise GraphProblem(400, "InvalidRequest", "clientState must not be longer than 128 characters.")
    lifecycle_url = body.get("lifecycleNotificationUrl")
    return Subscription(
        id=sandbox.mint.guid(),
        app=call.app,
        mailbox=mailbox,
        folder=folder,
        resource=body["resource"],
        change_types=checked_change_types(body["changeType"]),
        change_type=body["changeType"],
        notification_url=checked_url(body["notificationUrl"], "notificationUrl"),
        lifecycle_url=checked_url(lifecycle_url, "lifecycleNotificationUrl") if lifecycle_url else None,
        client_state=body.get("clientState"),
        expires_at=_expiry(sandbox, body["expirationDateTime"], with_data=certificate is not None),
        immutable_ids=call.immutable_ids,
        restriction=restriction,
        select=select,
        certificate=certificate,
        certificate_id=body.get("encryptionCertificateId"),
    )


def _expiry(sandbox: Sandbox, text: str, *, with_data: bool) -> datetime:
    least = timedelta(seconds=sandbox.behaviour.min_subscription_s)
    return checked_expiry(text, most=MAX_LIFE_WITH_DATA if with_data else MAX_LIFE, least=least)


def _context(call: Call) -> dict[str, str]:
    return {"@odata.context": f"{call.origin}/$metadata#subscriptions/$entity"}


ROUTES = (
    Route("POST", "/subscriptions", create, SUBSCRIBE),
    Route("GET", "/subscriptions", list_all, SUBSCRIBE),
    Route("GET", "/subscriptions/{subscription}", get_one, SUBSCRIBE),
    Route("PATCH", "/subscriptions/{subscription}", renew, SUBSCRIBE),
    Route("DELETE", "/subscriptions/{subscription}", delete, SUBSCRIBE),
    Route("POST", "/subscriptions/{subscription}/reauthorize", reauthorize, SUBSCRIBE),
)
