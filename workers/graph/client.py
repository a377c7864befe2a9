"""Calls to Microsoft Graph: one session per process, one `Graph` per organization.

A call waits for a place among the four a mailbox may have in flight (throttle.py), goes out by transport.py,
and comes back as the JSON body or one of `workers.errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import redis.asyncio
from yarl import URL

from workers.errors import AccessDenied, BadRequest, EconeuraError, SettingsError, TemporaryError
from workers.graph import paths
from workers.graph.leases import Kind, Lane, Limits
from workers.graph.replies import SLOW_DOWN, Reply, error_of
from workers.graph.throttle import Throttle
from workers.graph.tls import trust
from workers.graph.tokens import App, Tokens
from workers.graph.transport import Request, Transport
from workers.graph.vouchers import Vouchers
from workers.organizations import Organization, Organizations
from workers.settings import Settings


class GraphSession:
    """What a process shares for all its calls: the HTTP connections, the tokens and the limiter."""

    def __init__(
        self,
        settings: Settings,
        organizations: Organizations,
        http: aiohttp.ClientSession,
        throttle: Throttle,
    ) -> None:
        self._settings = settings
        self._http = http
        self._throttle = throttle
        self.vouchers = Vouchers(settings)
        self._graphs: dict[str, tuple[Organization, Graph]] = {}
        self.reload(organizations)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, organizations: Organizations, redis_client: redis.asyncio.Redis
    ) -> AsyncIterator[GraphSession]:
        """Open the process' session; to be called inside the event loop that will use it."""
        connect_s = settings.graph_timeout_s / 2
        limits = aiohttp.ClientTimeout(total=settings.graph_timeout_s, sock_connect=connect_s)
        connector = aiohttp.TCPConnector(ssl=trust(settings.ca_file), limit=256, keepalive_timeout=30)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=limits,
                # Else a call without a body would claim to have one of application/octet-stream.
                skip_auto_headers=("Content-Type",),
            ) as http,
            Throttle.open(
                redis_client, settings.namespace, Limits(sends=settings.graph_sends_per_minute)
            ) as throttle,
        ):
            yield cls(settings, organizations, http, throttle)

    def of(self, organization_id: str) -> Graph:
        """The organization's Graph; raises SettingsError for one that is not configured."""
        try:
            return self._graphs[organization_id][1]
        except KeyError:
            raise SettingsError(f"no organization {organization_id!r} in the organizations file") from None

    async def fetch_tokens(self) -> None:
        """Have all organizations' tokens before a call needs one; what is not to be had fails its calls."""
        graphs = [graph for _, graph in self._graphs.values()]
        tokens = await asyncio.gather(
            *(graph.transport.tokens.token() for graph in graphs), return_exceptions=True
        )
        for error in tokens:
            if isinstance(error, BaseException) and not isinstance(error, EconeuraError):
                raise error

    def reload(self, organizations: Organizations) -> None:
        """Take over a changed organizations file; tokens of unchanged organizations are kept."""
        graphs = {}
        for organization in organizations:
            known, graph = self._graphs.get(organization.id, (None, None))
            if graph is None or known is None or _app_of(known) != _app_of(organization):
                graph = self._graph(organizations, organization)
            graphs[organization.id] = (organization, graph)
        self._graphs = graphs

    def _graph(self, organizations: Organizations, organization: Organization) -> Graph:
        app = App(organization.id, organization.tenant_id, organization.client_id)
        tokens = Tokens(app, lambda: organizations.credential(organization), self._settings)
        return Graph(Transport(self._settings.graph_url, tokens, self._http), self._throttle)


class Graph:
    """Microsoft Graph as one organization's app sees it.

    Calls raise TemporaryError or its kinds (Throttled, Conflict) where waiting helps, else PermanentError or
    its kinds (NotFound, AccessDenied, BadRequest), or DeltaLinkExpired.
    """

    def __init__(self, transport: Transport, throttle: Throttle) -> None:
        self.transport = transport
        self.throttle = throttle
        self.app = transport.tokens.app

    async def get(
        self,
        path: str,
        *,
        mailbox: str | None,
        params: Mapping[str, str] | None = None,
        prefer: str | None = None,
        kind: Kind = "read",
    ) -> dict[str, Any]:
        request = Request("GET", path + paths.query(params or {}), prefer=prefer)
        return _content_of(await self._call(request, mailbox, kind))

    async def get_link(
        self, link: str, *, mailbox: str | None, prefer: str | None = None, kind: Kind = "read"
    ) -> dict[str, Any]:
        """Follow a next or delta link verbatim; BadRequest if it leads elsewhere: it would get our token."""
        if not self.owns(link):
            raise BadRequest(f"a link leads outside {self.transport.origin}")
        return _content_of(await self._call(Request("GET", link, prefer=prefer), mailbox, kind))

    async def post(
        self,
        path: str,
        *,
        mailbox: str | None,
        json: Mapping[str, Any] | None = None,
        kind: Kind = "action",
    ) -> dict[str, Any] | None:
        return (await self._call(Request("POST", path, json=json), mailbox, kind)).json()

    async def patch(
        self, path: str, *, mailbox: str | None, json: Mapping[str, Any], if_match: str | None = None
    ) -> dict[str, Any]:
        request = Request("PATCH", path, json=json, if_match=if_match)
        return _content_of(await self._call(request, mailbox, "action"))

    async def delete(self, path: str, *, mailbox: str | None) -> None:
        await self._call(Request("DELETE", path), mailbox, "action")

    def owns(self, link: str) -> bool:
        """Whether a link leads to the configured Graph: same scheme, host and port."""
        try:
            url = URL(link, encoded=True)
            return url.absolute and url.origin() == self.transport.origin
        except ValueError:
            return False

    def lane(self, mailbox: str | None) -> Lane:
        """Whose limits a call counts against; calls on no mailbox (subscriptions) share the app's own."""
        return Lane(f"{self.app.tenant_id}/{self.app.client_id}", (mailbox or "-").lower())

    async def turn_s(self, mailbox: str) -> float:
        """In how many seconds a call on a mailbox that is prepared now should be made."""
        return await self.throttle.turn_s(self.lane(mailbox))

    def refusal(self, reply: Reply, request: Request) -> EconeuraError:
        """The error that a status of 400 or more means; a denied access names the organization."""
        error = error_of(reply, f"{request.method} {self.transport.endpoint_of(request.path)}")
        if isinstance(error, AccessDenied):
            return AccessDenied(f"organization {self.app.organization_id}: {error}")
        return error

    async def slow_down(self, lane: Lane, reply: Reply) -> Reply:
        """Pause the mailbox (or, if Graph says so, the app) for all processes; the reply says how long."""
        # "Tenant_Application/…" where the whole app is over its limit (Graph throttling guidance).
        whole_app = reply.headers.get("x-ms-throttle-scope", "").startswith("Tenant")
        return replace(
            reply, pause_s=await self.throttle.pause(lane, reply.retry_after_s, whole_app=whole_app)
        )

    async def _call(self, request: Request, mailbox: str | None, kind: Kind) -> Reply:
        # A token is there before a place is taken: fetching one can take long.
        await self.transport.tokens.token()
        lane = self.lane(mailbox)
        async with self.throttle.slot(lane, kind) as slot:
            reply = await self.transport.exchange(request, [slot])
            if reply.status in SLOW_DOWN:
                # Before the place is given on: the next in line must find the pause.
                reply = await self.slow_down(lane, reply)
        if reply.status >= 400:
            raise self.refusal(reply, request)
        return reply


def _content_of(reply: Reply) -> dict[str, Any]:
    content = reply.json()
    if content is None:
        raise TemporaryError(f"Graph {reply.status} without a body")
    return content


def _app_of(organization: Organization) -> tuple[str | None, ...]:
    return (
        organization.tenant_id,
        organization.client_id,
        organization.client_secret,
        organization.certificate,
    )
