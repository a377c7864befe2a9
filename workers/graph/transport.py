"""One HTTP exchange with Graph: the app's token, a time limit, the ids to trace it by, metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import orjson
from yarl import URL

from workers import logs, tracing
from workers.errors import TemporaryError
from workers.graph import paths, request_ids
from workers.graph.replies import SLOW_DOWN, Reply
from workers.graph.throttle import Slot
from workers.graph.tokens import Tokens
from workers.metrics import ACTIVE_CONNECTIONS, GRAPH_CALLS, GRAPH_DURATION

Method = Literal["GET", "POST", "PATCH", "DELETE"]
# Ids of messages keep through moves within the mailbox only where every single call asks for this form.
IMMUTABLE_IDS = 'IdType="ImmutableId"'


@dataclass(frozen=True)
class Request:
    """What is asked of Graph; `path` is below the base URL, or a whole link that Graph gave us."""

    method: Method
    path: str
    json: Mapping[str, Any] | None = None
    prefer: str | None = None
    if_match: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Prefer": f"{IMMUTABLE_IDS}, {self.prefer}" if self.prefer else IMMUTABLE_IDS}
        if self.if_match is not None:
            headers["If-Match"] = self.if_match
        if self.json is not None:
            headers["Content-Type"] = "application/json"
        return headers


@dataclass
class Transport:
    """The way to Graph for one app."""

    base_url: str
    tokens: Tokens
    http: aiohttp.ClientSession
    origin: URL = field(init=False)

    def __post_init__(self) -> None:
        self.origin = URL(self.base_url).origin()

    def url_of(self, path: str) -> str:
        return path if path.startswith(("https://", "http://")) else self.base_url + path

    def endpoint_of(self, path: str) -> str:
        return paths.endpoint_of(path.removeprefix(self.base_url))

    async def exchange(self, request: Request, slots: Sequence[Slot]) -> Reply:
        """Ask Graph within places that the caller holds, and say in them how it ended.

        Returns whatever Graph answers; raises TemporaryError where no whole answer came, AccessDenied where
        there is no token.
        """
        token = await self.tokens.token()
        reply = await self._once(request, slots, token)
        if reply.status == 401:
            # A token can be revoked before its time: a fresh one settles whether it was that.
            await self.tokens.throw_away(token)
            reply = await self._once(request, slots, await self.tokens.token())
        return reply

    async def _once(self, request: Request, slots: Sequence[Slot], token: str) -> Reply:
        name = f"{request.method} {self.endpoint_of(request.path)}"
        about = {"http.request.method": request.method, "server.address": self.origin.host or ""}
        with tracing.span(f"Graph {name}", "client", attributes=about) as work:
            try:
                reply = await self._ask(request, slots, token)
            except TemporaryError as failed:
                tracing.note_failure(work, failed.code)
                raise
            request_id = reply.headers.get("request-id", "")
            tracing.note(
                work, {"http.response.status_code": reply.status, "econeura.graph_request_id": request_id}
            )
            return reply

    async def _ask(self, request: Request, slots: Sequence[Slot], token: str) -> Reply:
        method, endpoint = request.method, self.endpoint_of(request.path)
        started = time.monotonic()
        status = "error"
        ACTIVE_CONNECTIONS.labels("graph").inc()
        try:
            async with self.http.request(
                method,
                # Links and encoded ids must arrive letter by letter: yarl would otherwise rewrite %2F.
                URL(self.url_of(request.path), encoded=True),
                data=None if request.json is None else orjson.dumps(request.json),
                headers={
                    **request.headers,
                    "Authorization": f"Bearer {token}",
                    "client-request-id": logs.correlation_id(),
                    **({"traceparent": parent} if (parent := tracing.traceparent()) else {}),
                },
                allow_redirects=False,
            ) as response:
                reply = Reply(response.status, response.headers, await response.read())
        except TimeoutError:
            # The places stay taken: Graph may still be at work.
            status = "timeout"
            raise TemporaryError(f"Graph timed out on {method} {endpoint}") from None
        except aiohttp.ClientConnectorCertificateError:
            _finish(slots, went_well=False)
            raise TemporaryError("Graph's certificate is not trusted; set ECONEURA_CA_FILE") from None
        except aiohttp.ClientError as broken:
            _finish(slots, went_well=False)
            raise TemporaryError(f"Graph {type(broken).__name__} on {method} {endpoint}") from None
        else:
            status = str(reply.status)
            _finish(slots, went_well=reply.status not in SLOW_DOWN)
        finally:
            ACTIVE_CONNECTIONS.labels("graph").dec()
            GRAPH_CALLS.labels(endpoint, method, status).inc()
            GRAPH_DURATION.labels(endpoint, method).observe(time.monotonic() - started)
        request_ids.record(reply.headers.get("request-id"))
        return reply


def _finish(slots: Sequence[Slot], *, went_well: bool) -> None:
    for slot in slots:
        slot.finish(went_well=went_well)
