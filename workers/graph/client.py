"""Calls to Microsoft Graph: one HTTP session per process, one `Graph` per organization.

A call gets a token, a place among the four a mailbox may have in flight (throttle.py), a time limit and a
`client-request-id`; what comes back is the JSON body or one of `workers.errors`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import aiohttp
import orjson
import redis.asyncio
from yarl import URL

from workers import logs
from workers.errors import AccessDenied, BadRequest, SettingsError, TemporaryError
from workers.graph import paths, request_ids
from workers.graph.replies import SLOW_DOWN, Reply, error_of
from workers.graph.throttle import Kind, Lane, Throttle
from workers.graph.tls import trust
from workers.graph.tokens import App, Tokens
from workers.metrics import GRAPH_CALLS, GRAPH_DURATION
from workers.organizations import Organization, Organizations
from workers.settings import Settings

Method = Literal["GET", "POST", "PATCH", "DELETE"]
# Ids of messages keep through moves within the mailbox only where every single call asks for this form.
IMMUTABLE_IDS = 'IdType="ImmutableId"'
_log = logs.get_logger("graph")


@dataclass
class Calls:
    """Counts the calls under way in this process."""

    under_way: int = 0


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
        self._calls = Calls()
        self._throttle = throttle
        self._graphs: dict[str, tuple[Organization, Graph]] = {}
        self.reload(organizations)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, organizations: Organizations, redis_client: redis.asyncio.Redis
    ) -> AsyncIterator[GraphSession]:
        """Open the process' session; to be called inside the event loop that will use it."""
        limits = aiohttp.ClientTimeout(
            total=settings.graph_timeout_s, sock_connect=settings.graph_timeout_s / 2
        )
        connector = aiohttp.TCPConnector(ssl=trust(settings.ca_file), limit=256, keepalive_timeout=30)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limits, raise_for_status=False) as http,
            Throttle.open(redis_client, settings.namespace) as throttle,
        ):
            yield cls(settings, organizations, http, throttle)

    @property
    def connections(self) -> int:
        """Calls that are under way now."""
        return self._calls.under_way

    def of(self, organization_id: str) -> Graph:
        """The organization's Graph; raises SettingsError for one that is not configured."""
        try:
            return self._graphs[organization_id][1]
        except KeyError:
            raise SettingsError(f"no organization {organization_id!r} in the organizations file") from None

    def reload(self, organizations: Organizations) -> None:
        """Take over a changed organizations file; tokens of unchanged organizations are kept."""
        graphs = {}
        for organization in organizations:
            known, graph = self._graphs.get(organization.id, (None, None))
            if graph is None or known is None or not _same_app(known, organization):
                graph = self._graph(organizations, organization)
            graphs[organization.id] = (organization, graph)
        self._graphs = graphs

    def _graph(self, organizations: Organizations, organization: Organization) -> Graph:
        app = App(organization.id, organization.tenant_id, organization.client_id)
        tokens = Tokens(app, lambda: organizations.credential(organization), self._settings)
        return Graph(self._settings.graph_url, tokens, self._http, self._throttle, self._calls)


class Graph:
    """Microsoft Graph as one organization's app sees it.

    Calls raise TemporaryError or its kinds (Throttled, Conflict) where waiting helps, else PermanentError or
    its kinds (NotFound, AccessDenied, BadRequest), or DeltaLinkExpired.
    """

    def __init__(
        self, base_url: str, tokens: Tokens, http: aiohttp.ClientSession, throttle: Throttle, calls: Calls
    ) -> None:
        self._base_url = base_url
        self._origin = URL(base_url).origin()
        self._tokens = tokens
        self._http = http
        self._throttle = throttle
        self._calls = calls
        self.app = tokens.app

    async def get(
        self,
        path: str,
        *,
        mailbox: str | None,
        params: Mapping[str, str] | None = None,
        prefer: str | None = None,
        kind: Kind = "read",
    ) -> dict[str, Any]:
        url = self.url(path + paths.query(params or {}))
        return self._body(await self._call("GET", url, mailbox, kind, prefer=prefer))

    async def get_link(self, link: str, *, mailbox: str | None, prefer: str | None = None) -> dict[str, Any]:
        """Follow a next or delta link verbatim; BadRequest if it leads elsewhere: it would get our token."""
        if not self.owns(link):
            raise BadRequest(f"link to {URL(link, encoded=True).host} is outside {self._origin}")
        return self._body(await self._call("GET", link, mailbox, "read", prefer=prefer))

    async def post(
        self,
        path: str,
        *,
        mailbox: str | None,
        json: Mapping[str, Any] | None = None,
        kind: Kind = "action",
    ) -> dict[str, Any] | None:
        return (await self._call("POST", self.url(path), mailbox, kind, json=json)).json()

    async def patch(
        self,
        path: str,
        *,
        mailbox: str | None,
        json: Mapping[str, Any],
        if_match: str | None = None,
    ) -> dict[str, Any]:
        call = self._call("PATCH", self.url(path), mailbox, "action", json=json, if_match=if_match)
        return self._body(await call)

    async def delete(self, path: str, *, mailbox: str | None) -> None:
        await self._call("DELETE", self.url(path), mailbox, "action")

    def url(self, path: str) -> str:
        return self._base_url + path

    def owns(self, link: str) -> bool:
        """Whether a link leads to the configured Graph, scheme, host and port."""
        url = URL(link, encoded=True)
        return url.absolute and url.origin() == self._origin

    def lane(self, mailbox: str | None) -> Lane:
        """Whose limits a call counts against; calls on no mailbox (subscriptions) share the app's own."""
        return Lane(f"{self.app.tenant_id}/{self.app.client_id}", (mailbox or "-").lower())

    async def _call(
        self,
        method: Method,
        url: str,
        mailbox: str | None,
        kind: Kind,
        *,
        json: Mapping[str, Any] | None = None,
        prefer: str | None = None,
        if_match: str | None = None,
    ) -> Reply:
        endpoint = paths.endpoint_of(url.removeprefix(self._base_url))
        headers = {"Prefer": f"{IMMUTABLE_IDS}, {prefer}" if prefer else IMMUTABLE_IDS}
        if if_match is not None:
            headers["If-Match"] = if_match
        body = None if json is None else orjson.dumps(json)
        if body is not None:
            headers["Content-Type"] = "application/json"
        token = await self._tokens.token()
        reply = await self._send(method, url, endpoint, headers, body, token, mailbox, kind)
        if reply.status == 401:
            # A token can be revoked before its time: a fresh one settles whether it was that.
            await self._tokens.throw_away(token)
            token = await self._tokens.token()
            reply = await self._send(method, url, endpoint, headers, body, token, mailbox, kind)
        if reply.status >= 400:
            raise self._named(error_of(reply, f"{method} {endpoint}"))
        return reply

    async def _send(
        self,
        method: Method,
        url: str,
        endpoint: str,
        headers: Mapping[str, str],
        body: bytes | None,
        token: str,
        mailbox: str | None,
        kind: Kind,
    ) -> Reply:
        lane = self.lane(mailbox)
        async with self._throttle.slot(lane, kind) as slot:
            started = time.monotonic()
            status = "error"
            self._calls.under_way += 1
            try:
                async with self._http.request(
                    method,
                    URL(url, encoded=True),
                    data=body,
                    headers={
                        **headers,
                        "Authorization": f"Bearer {token}",
                        "client-request-id": logs.correlation_id(),
                    },
                    allow_redirects=False,
                ) as response:
                    reply = Reply(response.status, response.headers, await response.read())
                    status = str(response.status)
                    slot.finish(went_well=response.status not in SLOW_DOWN)
            except TimeoutError:
                status = "timeout"
                raise TemporaryError(f"Graph timed out on {method} {endpoint}") from None
            except aiohttp.ClientConnectorCertificateError:
                raise TemporaryError("Graph's certificate is not trusted; set ECONEURA_CA_FILE") from None
            except aiohttp.ClientError as broken:
                slot.finish(went_well=False)
                raise TemporaryError(f"Graph {type(broken).__name__} on {method} {endpoint}") from None
            finally:
                self._calls.under_way -= 1
                GRAPH_CALLS.labels(endpoint, method, status).inc()
                GRAPH_DURATION.labels(endpoint, method).observe(time.monotonic() - started)
            if reply.status in SLOW_DOWN:
                # "Tenant_Application/…" where the whole app is over its limit (Graph throttling guidance).
                whole_app = reply.headers.get("x-ms-throttle-scope", "").startswith("Tenant")
                pause_s = await self._throttle.pause(lane, reply.retry_after_s, whole_app=whole_app)
                reply = replace(reply, pause_s=pause_s)
        request_ids.record(reply.headers.get("request-id"))
        return reply

    def _named(self, error: Exception) -> Exception:
        if isinstance(error, AccessDenied):
            return AccessDenied(f"organization {self.app.organization_id}: {error}")
        return error

    @staticmethod
    def _body(reply: Reply) -> dict[str, Any]:
        content = reply.json()
        if content is None:
            raise TemporaryError(f"Graph {reply.status} without a body")
        return content


def _same_app(one: Organization, other: Organization) -> bool:
    return (one.tenant_id, one.client_id, one.client_secret, one.certificate) == (
        other.tenant_id,
        other.client_id,
        other.client_secret,
        other.certificate,
    )
