"""Subscriptions: what they watch, how long they live, and what they must look like (WH26, R/subscription)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography import x509

from workers.sandbox.calls import GraphProblem
from workers.sandbox.directory import App, Directory
from workers.sandbox.filters import Filter, parse_filter
from workers.sandbox.mailbox import Change, Folder, Mailbox
from workers.sandbox.rendering import SELECTABLE

MAX_LIFE = timedelta(minutes=10_080)
MAX_LIFE_WITH_DATA = timedelta(minutes=1_440)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Folder ids may stand in it raw or percent-encoded, in OData's parentheses or as a segment.
_RESOURCE = re.compile(
    r"^/?users(?:/(?P<user>[^/()]+)|\('(?P<keyed_user>[^']+)'\))"
    r"(?:/mailFolders(?:/(?P<folder>[^?()]+)|\('(?P<keyed_folder>[^'?]+)'\)))?/messages(?:\?(?P<query>.*))?$",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True, eq=False)
class Subscription:
    """An app's wish to hear of changes; `folder` None watches the whole mailbox."""

    id: str
    app: App
    mailbox: Mailbox
    folder: Folder | None
    resource: str
    change_types: frozenset[str]
    change_type: str
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    expires_at: datetime
    immutable_ids: bool
    restriction: Filter | None = None
    select: tuple[str, ...] | None = None
    certificate: x509.Certificate | None = None
    certificate_id: str | None = None
    needs_reauthorization: bool = False

    def watches(self, folder: Folder, change: Change) -> bool:
        """Whether a change in a folder of its mailbox is to be told."""
        return (
            self.folder in (None, folder)
            and change.kind in self.change_types
            and (self.restriction is None or self.restriction.matches(change.message))
        )

    def as_json(self, *, show_state: bool = False) -> dict[str, Any]:
        """As Graph answers; the clientState is shown to its creator once, at creation."""
        return {
            "id": self.id,
            "resource": self.resource,
            "applicationId": self.app.client_id,
            "changeType": self.change_type,
            "clientState": self.client_state if show_state else None,
            "notificationUrl": self.notification_url,
            "notificationQueryOptions": None,
            "lifecycleNotificationUrl": self.lifecycle_url,
            "expirationDateTime": self.expires_at,
            "creatorId": self.app.client_id,
            "includeResourceData": self.certificate is not None,
            "latestSupportedTlsVersion": "v1_2",
            "encryptionCertificate": None,
            "encryptionCertificateId": self.certificate_id,
            "notificationUrlAppId": None,
        }


class Subscriptions:
    """All subscriptions; expired ones are gone."""

    def __init__(self) -> None:
        self._all: dict[str, Subscription] = {}
        self._by_mailbox: dict[str, list[Subscription]] = {}

    def add(self, subscription: Subscription) -> None:
        """Keep it; GraphProblem 409 if the app has one for the same changes of the same resource."""
        for one in self.of(subscription.app):
            same_resource = one.mailbox is subscription.mailbox and one.folder is subscription.folder
            if (
                same_resource
                and one.change_types == subscription.change_types
                and one.select == subscription.select
            ):
                raise GraphProblem(
                    409, "Conflict", "A subscription for this resource and these changes exists already."
                )
        self._all[subscription.id] = subscription
        self._by_mailbox.setdefault(subscription.mailbox.address, []).append(subscription)

    def all(self) -> list[Subscription]:
        return self._alive(self._all.values())

    def of_mailbox(self, mailbox: Mailbox) -> list[Subscription]:
        return self._alive(self._by_mailbox.get(mailbox.address, ()))

    def of(self, app: App) -> list[Subscription]:
        return [one for one in self.all() if one.app is app]

    def get(self, subscription_id: str, app: App) -> Subscription:
        """One of the app's; GraphProblem 404."""
        for one in self.of(app):
            if one.id.lower() == subscription_id.lower():
                return one
        raise GraphProblem(404, "ResourceNotFound", "The object was not found.")

    def remove(self, subscription: Subscription) -> None:
        if self._all.pop(subscription.id, None) is not None:
            self._by_mailbox[subscription.mailbox.address].remove(subscription)

    def _alive(self, subscriptions: Iterable[Subscription]) -> list[Subscription]:
        now = datetime.now(UTC)
        found = list(subscriptions)
        for one in found:
            if one.expires_at <= now:
                self.remove(one)
        return [one for one in found if one.expires_at > now]


def watched(resource: str, directory: Directory, app: App) -> tuple[Mailbox, Folder | None, dict[str, str]]:
    """What `users/ID/mailFolders('inbox')/messages?$filter=…` and the like name; GraphProblem 400-404."""
    found = _RESOURCE.match(resource)
    if found is None:
        raise GraphProblem(
            400, "InvalidRequest", f"Resource '{resource}' is not supported for subscriptions."
        )
    mailbox = directory.mailbox_for(unquote(found["user"] or found["keyed_user"]), app)
    folder = found["folder"] or found["keyed_folder"]
    query = dict(parse_qsl(found["query"] or ""))
    return mailbox, mailbox.folder(unquote(folder)) if folder else None, query


def checked_change_types(text: str) -> frozenset[str]:
    """`created,updated` as a set; GraphProblem 400."""
    kinds = frozenset(part.strip() for part in text.split(","))
    if not kinds or not kinds <= {"created", "updated", "deleted"}:
        raise GraphProblem(400, "InvalidRequest", f"Invalid changeType '{text}'.")
    return kinds


def checked_url(url: str, name: str) -> str:
    """A webhook address: https, or http on loopback (the sandbox's only leniency); GraphProblem 400."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise GraphProblem(400, "InvalidRequest", f"The {name} '{url}' must be a valid https address.")


def checked_expiry(text: str, *, most: timedelta, least: timedelta) -> datetime:
    """The moment a subscription ends, raised to the least life; GraphProblem 400 when past or too far."""
    now = datetime.now(UTC)
    wanted = datetime.fromisoformat(text.replace("Z", "+00:00"))
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if wanted <= now:
        raise GraphProblem(400, "InvalidRequest", "Subscription expiration time must be in the future.")
    # A minute's grace for clocks that differ.
    if wanted > now + most + timedelta(minutes=1):
        minutes = int(most.total_seconds() // 60)
        raise GraphProblem(
            400, "InvalidRequest", f"Subscription expiration can only be {minutes} minutes in the future."
        )
    return max(wanted, now + least)


def checked_query(query: dict[str, str]) -> tuple[Filter | None, tuple[str, ...] | None]:
    """The `$filter` and `$select` of a resource; GraphProblem 400 for any other option."""
    if unknown := set(query) - {"$filter", "$select"}:
        raise GraphProblem(
            400, "InvalidRequest", f"Options not supported in a resource: {', '.join(sorted(unknown))}."
        )
    restriction = parse_filter(query["$filter"]) if "$filter" in query else None
    if "$select" not in query:
        return restriction, None
    names = tuple(name.strip() for name in query["$select"].split(","))
    if unknown := set(names) - SELECTABLE | (set(names) & {"body", "uniqueBody"}):
        raise GraphProblem(
            400, "InvalidRequest", f"Not selectable in a resource: {', '.join(sorted(unknown))}."
        )
    return restriction, names
