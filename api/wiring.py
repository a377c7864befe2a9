"""What handlers borrow: typed keys, and how each thing is opened and closed. `create_app` sets the order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from actors import mail, webhooks
from actors.outbox import Outbox
from api.background import beside
from api.directory import Directory
from api.entra import EntraTokens
from api.graph_watch import GraphWatch
from api.keyring import Keyring
from api.known_subscriptions import KnownSubscriptions
from api.load import LOAD
from api.lookout import LOOKOUT, Lookout
from api.looks import Looks
from api.rates import LIMITS, Limits
from api.routes import Route
from api.waiting import Waiting
from workers.analysis.llm import LanguageModel
from workers.broker import Broker, Producer
from workers.broker.stats import QueueStats
from workers.graph.client import GraphSession
from workers.graph.tls import trust
from workers.organizations import Organizations
from workers.pipeline.context import Context
from workers.redis_clients import connect, connect_sync
from workers.settings import Settings
from workers.store import Store

# What the outbox queues is declared by being imported.
DECLARED = (mail, webhooks)
# A caller waits: with its repeats, a Redis that says nothing is given up before Graph's 10 seconds are over.
_REDIS_TIMEOUT_S = 2.0
SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
ROUTE_TABLE: web.AppKey[Sequence[Route]] = web.AppKey("route_table")
DIRECTORY: web.AppKey[Directory] = web.AppKey("directory", Directory)
DRAINING: web.AppKey[asyncio.Event] = web.AppKey("draining", asyncio.Event)
KEYRING: web.AppKey[Keyring] = web.AppKey("keyring", Keyring)
ENTRA: web.AppKey[EntraTokens | None] = web.AppKey("entra")
STORE: web.AppKey[Store] = web.AppKey("store", Store)
PRODUCER: web.AppKey[Producer] = web.AppKey("producer", Producer)
KNOWN_SUBSCRIPTIONS: web.AppKey[KnownSubscriptions] = web.AppKey("known_subscriptions", KnownSubscriptions)
LOOKS: web.AppKey[Looks] = web.AppKey("looks", Looks)
WAITING: web.AppKey[Waiting] = web.AppKey("waiting", Waiting)
GRAPH_WATCH: web.AppKey[GraphWatch] = web.AppKey("graph_watch", GraphWatch)
QUEUE: web.AppKey[Broker] = web.AppKey("queue", Broker)
CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)


async def open_store(app: web.Application) -> AsyncIterator[None]:
    """Redis, and what lives on its client: the store, the way into the queue, what notifications need."""
    settings = app[SETTINGS]
    async with connect(settings, timeout_s=min(_REDIS_TIMEOUT_S, settings.redis_timeout_s)) as client:
        store = Store.over(client, settings)
        producer = Producer(store.redis, namespace=settings.namespace, partitions=settings.partitions)
        app[STORE] = store
        app[PRODUCER] = producer
        app[LIMITS] = Limits(settings, store.rates)
        app[LOOKS] = Looks(store.mailboxes, producer)
        app[KNOWN_SUBSCRIPTIONS] = KnownSubscriptions(store.subscriptions)
        app[GRAPH_WATCH] = GraphWatch(store, app[DIRECTORY])
        yield


async def look_out(app: web.Application) -> AsyncIterator[None]:
    """Somebody who looks out for Redis."""
    lookout = app[LOOKOUT] = Lookout(app[STORE], app[LOAD], app[SETTINGS])
    async with beside(lookout.follow()):
        yield


async def open_keyring(app: web.Application) -> AsyncIterator[None]:
    """The API keys, known from here on."""
    async with app[KEYRING].following(app[STORE]):
        yield


async def open_entra(app: web.Application) -> AsyncIterator[None]:
    """The signing keys of Entra ID, where its tokens are taken."""
    async with AsyncExitStack() as stack:
        if (entra := app[ENTRA]) is not None:
            await stack.enter_async_context(entra.following())
        yield


async def open_waiting(app: web.Application) -> AsyncIterator[None]:
    """The announcements of ended jobs."""
    app[WAITING] = Waiting(app[STORE])
    yield
    await app[WAITING].close()


async def open_queue(app: web.Application) -> AsyncIterator[None]:
    """The queue as an operator sees it: sizes and dead letters. Its calls block: use them in threads."""
    settings = app[SETTINGS]
    with connect_sync(settings) as client:
        broker = Broker(settings.namespace, partitions=settings.partitions)
        broker.connect(client)
        app[QUEUE] = broker
        yield
        broker.close()


async def open_graph(app: web.Application) -> AsyncIterator[None]:
    """Graph, for the few routes whose caller waits for what Microsoft says."""
    settings, directory, store = app[SETTINGS], app[DIRECTORY], app[STORE]
    async with GraphSession.open(settings, directory.current, store.redis) as graph:
        # No mail is processed here: nothing is asked of it, and so nothing opened.
        language_model = LanguageModel(settings, directory.current, store.redis, trust(settings.ca_file))
        outbox = Outbox(app[PRODUCER])
        context = Context(settings, directory.current, store, graph, outbox, language_model)
        app[CONTEXT] = context

        def take_over(organizations: Organizations) -> None:
            context.organizations = organizations
            graph.reload(organizations)

        directory.on_change(take_over)
        yield


async def queue_stats(app: web.Application) -> QueueStats:
    """Sizes and ages of the queue; raises RedisError."""
    return await asyncio.to_thread(app[QUEUE].stats)
