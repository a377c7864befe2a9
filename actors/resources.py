"""The open resources of a worker process, lent to its actors; opened inside the actors' event loop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from actors.outbox import Outbox
from workers.analysis import read_model
from workers.analysis.llm import LanguageModel
from workers.broker import Producer
from workers.graph.client import GraphSession
from workers.graph.tls import trust
from workers.organizations import Organizations
from workers.pipeline.context import Context
from workers.redis_clients import connect
from workers.settings import Settings
from workers.store import Store
from workers.webhooks.sender import Sender


class _Lent:
    """Holds what is open in this process."""

    context: Context | None = None
    webhooks: Sender | None = None
    closing: AsyncExitStack | None = None


def current() -> Context:
    """The context of this worker process; only valid inside actors."""
    if _Lent.context is None:
        raise RuntimeError("actors run in a worker process only: no resources are open here")
    return _Lent.context


def webhooks() -> Sender:
    """The way to the organizations' webhooks; only valid inside actors."""
    if _Lent.webhooks is None:
        raise RuntimeError("actors run in a worker process only: no resources are open here")
    return _Lent.webhooks


async def open_resources(settings: Settings, organizations: Organizations) -> None:
    """Open Redis, Graph and the queue for the actors of this process."""
    async with AsyncExitStack() as stack:
        client = connect(settings, max_connections=128)
        stack.push_async_callback(client.aclose)
        graph = await stack.enter_async_context(GraphSession.open(settings, organizations, client))
        networks = settings.webhook_networks
        _Lent.webhooks = await stack.enter_async_context(Sender.open(trust(settings.ca_file), networks))
        producer = Producer(client, namespace=settings.namespace, partitions=settings.partitions)
        store = Store.over(client, settings)
        language_model = await stack.enter_async_context(
            LanguageModel.open(settings, organizations, client, trust(settings.ca_file))
        )
        outbox = Outbox(producer)
        _Lent.context = Context(settings, organizations, store, graph, outbox, language_model)
        # The first message should not wait for what is needed once: the model, and a token.
        read_model()
        stack.callback(asyncio.create_task(graph.fetch_tokens()).cancel)
        _Lent.closing = stack.pop_all()


async def reload(organizations: Organizations) -> None:
    """Take over a changed organizations file; work in hand goes on with what it began with."""
    context = current()
    context.organizations = organizations
    context.graph.reload(organizations)
    await context.language_model.reload(organizations)


async def close_resources() -> None:
    """Close what `open_resources` opened."""
    closing, _Lent.context, _Lent.webhooks, _Lent.closing = _Lent.closing, None, None, None
    if closing is not None:
        await closing.aclose()
