"""`$batch`: up to 20 calls in one (C/json-batching); each part passes the gateway as a call of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from multidict import CIMultiDict

from workers.sandbox.calls import Answer, Call, GraphProblem
from workers.sandbox.directory import App
from workers.sandbox.endpoints.permissions import ANY
from workers.sandbox.faults import ConnectionLost
from workers.sandbox.request_bodies import a_text, check_body, list_of, object_of
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox

Perform = Callable[[Call, App], Awaitable[tuple[Answer, bool]]]

TEMPLATE = "/$batch"
_MAX_PARTS = 20
# Graph hands at most so many parts at once to Outlook (Q&A 1660054).
_AT_ONCE = 4


def _anything(value: Any, path: str) -> None:
    """The body of a part is checked by its own endpoint."""


_PART = object_of(
    {
        "id": a_text,
        "method": a_text,
        "url": a_text,
        "headers": _anything,
        "body": _anything,
        "dependsOn": list_of(a_text),
    },
    "request",
    needs=("id", "method", "url"),
)
_BATCH = object_of({"requests": list_of(_PART)}, "batch", needs=("requests",))


async def run(perform: Perform, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, _BATCH, "batch")
    parts: list[dict[str, Any]] = body["requests"]
    _refuse_malformed(parts)
    places = asyncio.Semaphore(_AT_ONCE)
    done: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def one(part: dict[str, Any]) -> dict[str, Any]:
        for needed in part.get("dependsOn", []):
            if (await done[needed])["status"] >= 400:
                return _failed_dependency(part)
        async with places:
            return await _part(perform, call, part)

    for part in parts:
        done[part["id"]] = asyncio.get_running_loop().create_task(one(part))
    answers = await asyncio.gather(*done.values())
    # In any order, says the page: reversed shows who relies on it.
    return Answer(200, {"responses": list(reversed(answers))})


async def _part(perform: Perform, call: Call, part: dict[str, Any]) -> dict[str, Any]:
    path, _, query = part["url"].partition("?")
    headers = CIMultiDict({str(name): str(value) for name, value in (part.get("headers") or {}).items()})
    inner = Call(
        method=part["method"].upper(),
        path=path if path.startswith("/") else f"/{path}",
        query_string=query,
        headers=headers,
        body=orjson.dumps(part["body"]) if part.get("body") is not None else b"",
        origin=call.origin,
        request_id=str(uuid.uuid4()),
    )
    try:
        answer, _ = await perform(inner, call.app)
    except ConnectionLost:
        answer = Answer(504, {"error": {"code": "UnknownError", "message": ""}})
    shown: dict[str, Any] = {
        "id": part["id"],
        "status": answer.status,
        "headers": {**answer.headers, "request-id": inner.request_id},
    }
    if answer.body is not None:
        shown["headers"]["Content-Type"] = "application/json"
        shown["body"] = answer.body
    return shown


def _refuse_malformed(parts: list[dict[str, Any]]) -> None:
    if not 1 <= len(parts) <= _MAX_PARTS:
        raise GraphProblem(
            400, "BadRequest", f"Number of batch request steps exceeds the maximum value of {_MAX_PARTS}."
        )
    earlier: set[str] = set()
    for part in parts:
        if part["id"] in earlier:
            raise GraphProblem(400, "BadRequest", f"Duplicate id '{part['id']}' in the batch.")
        if not set(part.get("dependsOn", [])) <= earlier:
            raise GraphProblem(
                400, "BadRequest", f"Part '{part['id']}' depends on a part that does not precede it."
            )
        if part.get("body") is not None and "content-type" not in {
            name.lower() for name in part.get("headers") or {}
        }:
            raise GraphProblem(
                400, "BadRequest", f"Part '{part['id']}' has a body but no Content-Type header."
            )
        if part["url"].startswith("http") or part["url"].lstrip("/").startswith(("$batch", "v1.0/")):
            raise GraphProblem(
                400, "BadRequest", f"The url of part '{part['id']}' must be relative to /v1.0."
            )
        earlier.add(part["id"])


def _failed_dependency(part: dict[str, Any]) -> dict[str, Any]:
    error = {"code": "FailedDependency", "message": "A request this one depends on failed."}
    return {"id": part["id"], "status": 424, "headers": {}, "body": {"error": error}}


def batch_route(perform: Perform) -> Route:
    """The endpoint; `perform` carries out a part as if it had come alone."""

    async def handler(sandbox: Sandbox, call: Call) -> Answer:
        return await run(perform, call)

    return Route("POST", TEMPLATE, handler, ANY)
