"""What Graph posts to our webhook: read without trusting a word of it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from workers.errors import BadRequest

LifecycleEvent = Literal["reauthorizationRequired", "subscriptionRemoved", "missed"]
_LIFECYCLE_EVENTS = frozenset({"reauthorizationRequired", "subscriptionRemoved", "missed"})


@dataclass(frozen=True)
class Notification:
    """One item of a notification body; fields are "" or None where the item lacks them."""

    subscription_id: str
    client_state: str
    tenant_id: str
    change_type: str
    resource: str
    message_id: str
    etag: str
    lifecycle_event: LifecycleEvent | None
    encrypted_content: Mapping[str, Any] | None
    validation_tokens: tuple[str, ...]
    """The body's tokens, kept with each item that has encrypted content: only those need them."""


def parse(body: bytes) -> tuple[Notification, ...]:
    """The items of a notification body, which may mix subscriptions, tenants and lifecycle events.

    Raises BadRequest if it is no notification body at all; a single odd item is kept, and is nobody's.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("the notification body is not JSON") from None
    items = content.get("value") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise BadRequest("the notification body has no list named value")
    tokens = content.get("validationTokens")
    validation_tokens = (
        tuple(token for token in tokens if isinstance(token, str)) if isinstance(tokens, list) else ()
    )
    return tuple(_notification(item if isinstance(item, dict) else {}, validation_tokens) for item in items)


def is_genuine(notification: Notification, client_state: str | None) -> bool:
    """Whether the item carries its subscription's secret (None: no such subscription), in constant time."""
    expected = (client_state or "").encode()
    same = hmac.compare_digest(notification.client_state.encode("utf-8", "surrogatepass"), expected)
    return same and bool(expected)


def _notification(item: dict[str, Any], validation_tokens: tuple[str, ...]) -> Notification:
    data = item.get("resourceData")
    data = data if isinstance(data, dict) else {}
    event = _text(item, "lifecycleEvent")
    encrypted = item.get("encryptedContent")
    encrypted = encrypted if isinstance(encrypted, dict) else None
    return Notification(
        subscription_id=_text(item, "subscriptionId"),
        client_state=_text(item, "clientState"),
        tenant_id=_text(item, "tenantId"),
        change_type=_text(item, "changeType"),
        resource=_text(item, "resource"),
        message_id=_text(data, "id"),
        etag=_text(data, "@odata.etag"),
        lifecycle_event=cast("LifecycleEvent", event) if event in _LIFECYCLE_EVENTS else None,
        encrypted_content=encrypted,
        validation_tokens=validation_tokens if encrypted is not None else (),
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
