"""Subscriptions: Graph's promise to tell us about a folder, for a limited time."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from workers.errors import NotFound
from workers.graph import paths
from workers.graph.client import Graph

# Longest lives Graph grants for messages: 10,080 minutes, 1,440 with resource data; clocks differ a little.
LIFE = timedelta(minutes=10_070)
LIFE_WITH_CONTENT = timedelta(minutes=1_430)

# RFC 3986, 3.3, without the parentheses that a resource gives a meaning of their own.
_PLAIN_IN_PATHS = "@!$&'*+,;=:"
# OData writes a key in parentheses or as a segment: users('a') is users/a.
_KEY = re.compile(r"\('([^/]*)'\)")


@dataclass(frozen=True)
class Subscription:
    """A subscription as Graph has it; `client_state` only where we created it just now."""

    id: str
    resource: str
    notification_url: str
    expires_at: datetime
    change_type: str = ""
    client_state: str | None = None


@dataclass(frozen=True)
class ContentKey:
    """The certificate (base64 DER) to which Graph encrypts a notification's content, and our name for it."""

    id: str
    certificate: str


def resource_of(mailbox: str, folder: str) -> str:
    """The resource of a folder's messages as subscriptions name it: a path, so odd characters are encoded."""
    user, name = quote(mailbox, safe=_PLAIN_IN_PATHS), quote(folder, safe=_PLAIN_IN_PATHS)
    return f"users/{user}/mailFolders('{name}')/messages"


def mailbox_of(resource: str) -> str:
    """The mailbox whose messages a resource names, in lower case: its address, or what Graph calls it by."""
    return _spelled_plainly(resource).removeprefix("users/").partition("/")[0]


def same_resource(one: str, other: str) -> bool:
    """Whether two resources name the same messages, as far as spelling goes: Graph may spell ours anew."""
    return _spelled_plainly(one) == _spelled_plainly(other)


def new_client_state() -> str:
    """A secret for one subscription (<= 128 characters); Graph repeats it in every notification."""
    return secrets.token_urlsafe(48)


async def create(
    graph: Graph,
    *,
    resource: str,
    notification_url: str,
    client_state: str,
    content_key: ContentKey | None = None,
) -> Subscription:
    """Subscribe to arrivals; Graph calls `notification_url` to validate it before this returns.

    Raises Conflict where the same subscription exists, BadRequest where the URL did not answer the handshake.
    """
    body: dict[str, Any] = {
        # Arrival in a folder is "created"; "updated" would only echo our own edits.
        "changeType": "created",
        "resource": resource,
        "notificationUrl": notification_url,
        # Cannot be added later.
        "lifecycleNotificationUrl": notification_url,
        "expirationDateTime": _written(datetime.now(UTC) + (LIFE_WITH_CONTENT if content_key else LIFE)),
        "clientState": client_state,
    }
    if content_key is not None:
        body |= {
            "resource": f"{resource}?$select=id,subject,receivedDateTime",
            "includeResourceData": True,
            "encryptionCertificate": content_key.certificate,
            "encryptionCertificateId": content_key.id,
        }
    created = _read(await graph.post("/subscriptions", mailbox=None, json=body) or {})
    return Subscription(**{**vars(created), "client_state": client_state})


async def renew(graph: Graph, subscription_id: str, *, life: timedelta = LIFE) -> Subscription:
    """Prolong a subscription (also reauthorizes it) and return it with the expiry that Graph grants."""
    changes = {"expirationDateTime": _written(datetime.now(UTC) + life)}
    return _read(await graph.patch(paths.subscription(subscription_id), mailbox=None, json=changes))


async def reauthorize(graph: Graph, subscription_id: str) -> None:
    """Answer reauthorizationRequired without changing the expiry."""
    await graph.post(f"{paths.subscription(subscription_id)}/reauthorize", mailbox=None)


async def delete(graph: Graph, subscription_id: str) -> None:
    """End a subscription; one that is already gone is fine."""
    try:
        await graph.delete(paths.subscription(subscription_id), mailbox=None)
    except NotFound:
        return


async def list_subscriptions(graph: Graph) -> tuple[Subscription, ...]:
    """All subscriptions of the app."""
    content = await graph.get("/subscriptions", mailbox=None)
    found = [_read(item) for item in content.get("value", ())]
    while link := content.get("@odata.nextLink"):
        content = await graph.get_link(link, mailbox=None)
        found += [_read(item) for item in content.get("value", ())]
    return tuple(found)


def _read(item: dict[str, Any]) -> Subscription:
    return Subscription(
        id=str(item["id"]),
        resource=str(item.get("resource") or ""),
        notification_url=str(item.get("notificationUrl") or ""),
        expires_at=datetime.fromisoformat(item["expirationDateTime"]),
        change_type=str(item.get("changeType") or ""),
    )


def _spelled_plainly(resource: str) -> str:
    path = unquote(resource.partition("?")[0]).strip("/").lower()
    return _KEY.sub(r"/\1", path)


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
