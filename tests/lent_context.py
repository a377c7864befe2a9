"""What the core works with, for a test of a piece of it: a real store, a real queue, no Graph to speak of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors import actions, jobs, learning, mail
from actors.outbox import Outbox
from workers.analysis.llm import LanguageModel
from workers.broker import Producer
from workers.graph.client import GraphSession
from workers.graph.tls import trust
from workers.organizations import Organization, Organizations
from workers.pipeline.context import Context
from workers.settings import Settings
from workers.store import Store

# The queue names actors: they are declared by being imported.
DECLARED = (actions, jobs, learning, mail)
ACME = Organization(
    id="acme",
    tenant_id="t",
    client_id="c",
    client_secret="env:NOT_SET",
    mailboxes=("soporte@acme.example",),
    timezone="Europe/Madrid",
)


@asynccontextmanager
async def lent(settings: Settings, *organizations: Organization) -> AsyncIterator[Context]:
    """A Context over the settings' Redis; without organizations there is one, ACME."""
    known = Organizations(organizations or (ACME,))
    async with (
        Store.open(settings) as store,
        GraphSession.open(settings, known, store.redis) as graph,
        LanguageModel.open(settings, known, store.redis, trust(settings.ca_file)) as language_model,
    ):
        producer = Producer(store.redis, namespace=settings.namespace, partitions=settings.partitions)
        yield Context(settings, known, store, graph, Outbox(producer), language_model)
