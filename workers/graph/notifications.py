"""What Graph posts to our webhook: read without trusting a word of it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Literal, cast

import orjson

from workers.errors import BadRequest

LifecycleEvent = Literal["reauthorizationRequired", "subscriptionRemoved", "missed"]
_LIFECYCLE_EVENTS = frozenset({"reauthorizationRequired", "subscriptionRemoved", "missed"})


class Notification:
    """One item of a notification body; fields are "" or None where the item lacks them or they are no text.

    Fields are read when asked for: most items only say "look now", and many come at once.
    """

    __slots__ = ("_item", "_tokens")

    def __init__(self, item: Mapping[str, Any], tokens: tuple[str, ...]) -> None:
        self._item = item
        self._tokens = tokens

    @property
    def subscription_id(self) -> str:
        return _text(self._item, "subscriptionId")

    @property
    def client_state(self) -> str:
        return _text(self._item, "clientState")

    @property
    def tenant_id(self) -> str:
        return _text(self._item, "tenantId")

    @property
    def change_type(self) -> str:
        return _text(self._item, "changeType")

    @property
    def resource(self) -> str:
        return _text(self._item, "resource")

    @property
    def message_id(self) -> str:
        return _text(self._data, "id")

    @property
    def etag(self) -> str:
        return _text(self._data, "@odata.etag")

    @property
    def lifecycle_event(self) -> LifecycleEvent | None:
        event = self._item.get("lifecycleEvent")
        known = isinstance(event, str) and event in _LIFECYCLE_EVENTS
        return cast("LifecycleEvent", event) if known else None

    @property
    def encrypted_content(self) -> Mapping[str, Any] | None:
        content = self._item.get("encryptedContent")
        return content if isinstance(content, dict) else None

    @property
    def validation_tokens(self) -> tuple[str, ...]:
        """The body's tokens, kept with each item that has encrypted content: only those need them."""
        return () if self.encrypted_content is None else self._tokens

    @property
    def _data(self) -> Mapping[str, Any]:
        data = self._item.get("resourceData")
        return data if isinstance(data, dict) else {}


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
    return tuple([Notification(item if isinstance(item, dict) else {}, validation_tokens) for item in items])


def is_genuine(notification: Notification, client_state: str | None) -> bool:
    """Whether the item carries its subscription's secret (None: no such subscription), in constant time."""
    expected = (client_state or "").encode()
    same = hmac.compare_digest(notification.client_state.encode("utf-8", "surrogatepass"), expected)
    return same and bool(expected)


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
