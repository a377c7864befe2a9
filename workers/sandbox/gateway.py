"""The Graph door: every call below `/v1.0` passes token, permission, limits and faults, and is noted."""

from __future__ import annotations

import asyncio
import time
import uuid

import orjson
from aiohttp import web

from workers.sandbox.calls import Answer, Call, GraphProblem, problem_answer
from workers.sandbox.directory import App
from workers.sandbox.endpoints import ROUTES
from workers.sandbox.endpoints.batch import TEMPLATE as BATCH
from workers.sandbox.endpoints.batch import batch_route
from workers.sandbox.faults import ConnectionLost, Fault
from workers.sandbox.journal import Entry
from workers.sandbox.routing import Route, Router
from workers.sandbox.service import Sandbox

VERSION = "/v1.0"
_JSON_TYPE = (
    "application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8"
)
_JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


class Gateway:
    """Carries out Graph calls, those that arrive over HTTP and the parts of a `$batch`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._router = Router((*ROUTES, batch_route(self.perform)))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer an HTTP request below /v1.0."""
        raw_path, _, query_string = request.raw_path.partition("?")
        call = Call(
            method=request.method,
            path=raw_path.removeprefix(VERSION),
            query_string=query_string,
            headers=request.headers.copy(),
            body=await request.read(),
            origin=f"https://{request.host}{VERSION}",
            request_id=str(uuid.uuid4()),
        )
        try:
            answer, truncate = await self.perform(call)
        except ConnectionLost:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return _http_answer(answer, call, truncate=truncate)

    async def perform(self, call: Call, app: App | None = None) -> tuple[Answer, bool]:
        """Carry out a call; `app` is known for parts of a batch.

        Returns the answer and whether to truncate it; raises ConnectionLost.
        """
        started = time.perf_counter()
        route: Route | None = None
        fault: Fault | None = None
        mailbox: str | None = None
        answer = Answer(500)
        try:
            call.app = app or self._sandbox.tokens.app_of(call.headers.get("Authorization", ""))
            call.read_options()
            route, call.parts = self._router.find(call.method, call.path)
            if not call.app.roles.intersection(route.permissions):
                raise GraphProblem(
                    403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."
                )
            mailbox = self._sandbox.mailbox_of(call).address if "user" in call.parts else None
            fault = self._sandbox.faults.pick(call.method, route.template, call.target, mailbox)
            answer = await self._within_limits(route, call, fault, mailbox)
        except GraphProblem as problem:
            answer = problem_answer(problem, call.request_id, call.client_request_id)
        except ConnectionLost:
            answer = Answer(0)
            raise
        finally:
            self._write_down(call, route, mailbox, answer, fault, started, batched=app is not None)
        return answer, fault is not None and fault.kind == "truncate"

    async def _within_limits(
        self, route: Route, call: Call, fault: Fault | None, mailbox: str | None
    ) -> Answer:
        if mailbox is None:
            return await self._with_fault(route, call, fault)
        with self._sandbox.throttle.slot(call.app.client_id, mailbox):
            return await self._with_fault(route, call, fault)

    async def _with_fault(self, route: Route, call: Call, fault: Fault | None) -> Answer:
        delay_ms = self._sandbox.behaviour.latency_ms + (fault.delay_ms if fault else 0)
        if delay_ms > 0 and route.template != BATCH:
            await _hold(delay_ms / 1000)
        if fault is not None:
            if fault.kind == "reset_before":
                raise ConnectionLost
            if fault.kind == "status" and not fault.after_effect:
                raise fault.problem(call)
        answer = await route.handler(self._sandbox, call)
        if fault is not None:
            if fault.kind == "reset_after":
                raise ConnectionLost
            if fault.kind == "status":
                raise fault.problem(call)
        return answer

    def _write_down(
        self,
        call: Call,
        route: Route | None,
        mailbox: str | None,
        answer: Answer,
        fault: Fault | None,
        started: float,
        *,
        batched: bool,
    ) -> None:
        journal = self._sandbox.journal
        journal.add(
            Entry(
                number=journal.next_number,
                at=time.time(),
                method=call.method,
                endpoint=route.template if route else "(none)",
                path=call.path,
                query=call.query_string,
                mailbox=mailbox,
                status=answer.status,
                duration_ms=round((time.perf_counter() - started) * 1000, 3),
                batched=batched,
                fault=fault.name if fault else None,
                request_id=call.request_id,
                client_request_id=call.client_request_id,
                traceparent=call.headers.get("traceparent", ""),
                prefer=call.headers.getall("Prefer", []),
                content_type=call.headers.get("Content-Type"),
                body=call.body,
            )
        )


def _http_answer(answer: Answer, call: Call, *, truncate: bool) -> web.Response:
    headers = {
        **answer.headers,
        "request-id": call.request_id,
        "client-request-id": call.client_request_id,
        "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"0"}}',
    }
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    body = orjson.dumps(answer.body, option=_JSON_OPTIONS)
    if truncate:
        body = body[: max(1, len(body) // 2)]
    headers["Content-Type"] = _JSON_TYPE
    return web.Response(status=answer.status, headers=headers, body=body)


async def _hold(seconds: float) -> None:
    """No less, as the journal's clock has it: timers of an event loop may be a moment early."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:  # noqa: ASYNC110 what is waited for is the time
        await asyncio.sleep(left)
