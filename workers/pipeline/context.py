"""What the pipeline works with: lent to it by the worker process, which opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workers.analysis.llm import LanguageModel
from workers.errors import PermanentError
from workers.graph.client import Graph, GraphSession
from workers.organizations import Organization, Organizations
from workers.pipeline.adjustments import Adjustments
from workers.settings import Settings
from workers.store import PlannedStep, Record, Store
from workers.webhooks.event import Event


class Queue(Protocol):
    """Where the pipeline leaves work for later; the doors turn it into queue messages."""

    async def process(
        self,
        organization_id: str,
        mailbox: str,
        message_ids: Sequence[str],
        *,
        job_id: str | None = None,
        priority: str = "normal",
    ) -> None:
        """Queue the processing of messages, all in one step."""

    async def act(self, record: Record, step: PlannedStep, *, delay_s: float = 0) -> None:
        """Queue one action of a plan, some seconds from now."""

    async def look_again(self, organization_id: str, mailbox: str, message_ids: Sequence[str]) -> None:
        """Queue a look at messages that people may have filed anew by hand."""

    async def sync(
        self, organization_id: str, mailbox: str, *, delay_s: float = 0, notified_at_ms: int = 0
    ) -> None:
        """Queue a look at a mailbox, some seconds from now."""

    async def tell(self, event: Event, webhooks: Sequence[str], *, again: bool = False) -> None:
        """Queue the telling of an event to webhooks, by name; with `again` also of one told before."""


@dataclass
class Context:
    """The open resources of a worker process. `organizations` is replaced on a reload."""

    settings: Settings
    organizations: Organizations
    store: Store
    graph: GraphSession
    queue: Queue
    language_model: LanguageModel
    analysing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a text is read: only one in each turn of the event loop."""
    adjustments: Adjustments = field(default_factory=Adjustments)

    def organization(self, organization_id: str) -> Organization:
        """The organization as configured now; raises PermanentError where it is gone."""
        organization = self.organizations.get(organization_id)
        if organization is None:
            raise PermanentError(
                f"organization {organization_id} is not configured", code="unknown_organization"
            )
        return organization

    def graph_of(self, organization_id: str) -> Graph:
        return self.graph.of(organization_id)
