"""Ending all that Graph would go on telling us: for an uninstall, when nobody makes new subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workers.errors import EconeuraError
from workers.graph import subscriptions as graph_subscriptions
from workers.graph.client import GraphSession
from workers.organizations import Organization, Organizations
from workers.settings import Settings
from workers.store import Store, Subscription


@dataclass(frozen=True)
class Found:
    """A subscription at Graph, or one that we only remember (`at_graph` False).

    `is_ours`: it leads to our address, or we made it. Others of the same app are another installation's.
    """

    id: str
    organization_id: str
    mailbox: str
    folder: str
    expires_at: datetime
    at_graph: bool
    is_ours: bool


class Uninstalling:
    """The subscriptions of all organizations; `failed` says of which Graph could not be asked, and why."""

    def __init__(
        self, settings: Settings, organizations: Organizations, store: Store, graph: GraphSession
    ) -> None:
        self._public_url = settings.public_url
        self._organizations = organizations
        self._store = store
        self._graph = graph
        self.failed: dict[str, str] = {}

    async def find(self, organization_id: str | None = None) -> list[Found]:
        """Every subscription of the configured mailboxes, and what else leads to our address."""
        stored = {item.id: item for item in await self._store.subscriptions.all()}
        found: dict[str, Found] = {}
        for organization in self._organizations:
            if organization_id in (None, organization.id):
                for item in await self._of(organization, stored):
                    # Organizations that share an app see each other's.
                    found.setdefault(item.id, item)
        return list(found.values())

    async def remove(self, item: Found) -> bool:
        """End it at Graph and forget it; False where Graph could not be asked."""
        if item.at_graph:
            try:
                await graph_subscriptions.delete(self._graph.of(item.organization_id), item.id)
            except EconeuraError as failed:
                self.failed[item.organization_id] = f"{failed} [{failed.code}]"
                return False
        await self._store.subscriptions.delete(item.id)
        return True

    async def _of(self, organization: Organization, stored: dict[str, Subscription]) -> list[Found]:
        try:
            listed = await graph_subscriptions.list_subscriptions(self._graph.of(organization.id))
        except EconeuraError as failed:
            self.failed[organization.id] = f"{failed} [{failed.code}]"
            return []
        places = {
            item.id: place for item in listed if (place := _place(organization, item.resource)) is not None
        }
        mine = {name: known for name, known in stored.items() if known.organization_id == organization.id}
        target = f"{self._public_url}/listen" if self._public_url else None
        found = [
            Found(
                item.id,
                organization.id,
                *places.get(item.id, ("", "")),
                expires_at=item.expires_at,
                at_graph=True,
                is_ours=item.id in mine or item.notification_url == target,
            )
            for item in listed
            if item.id in places or item.id in mine or _is_stray(item, target, stored)
        ]
        present = {item.id for item in listed}
        return found + [_remembered(known) for name, known in mine.items() if name not in present]


def _is_stray(
    item: graph_subscriptions.Subscription, target: str | None, stored: dict[str, Subscription]
) -> bool:
    """Whether it leads to our address and nobody knows whose it is."""
    return item.notification_url == target and item.id not in stored


def _place(organization: Organization, resource: str) -> tuple[str, str] | None:
    """The mailbox and folder that a resource is about, None where they are not configured."""
    for mailbox in organization.mailboxes:
        for folder in organization.folders:
            wanted = graph_subscriptions.resource_of(mailbox, folder)
            if graph_subscriptions.same_resource(resource, wanted):
                return mailbox, folder
    return None


def _remembered(known: Subscription) -> Found:
    return Found(
        known.id,
        known.organization_id,
        known.mailbox,
        known.folder,
        expires_at=datetime.fromisoformat(known.expires_at),
        at_graph=False,
        is_ours=True,
    )
