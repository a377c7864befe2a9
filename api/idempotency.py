"""Idempotency-Key: a request that its caller named is done once; repeated, it gets the same answer for a day.

Form and statuses follow the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress
from hashlib import sha256

import redis
from aiohttp import web

from api.caller import CALLER
from api.receiving import keep_body
from api.refusals import Refusal, invalid
from api.routes import Handler
from api.wiring import STORE
from workers import logs
from workers.store import Answers
from workers.store.answers import Kept

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_log = logs.get_logger("api")
_NAME = re.compile(r"[!-~]{1,255}")
_KEPT_HEADERS = ("Content-Type", "Location", "Preference-Applied")


def answered_once(handler: Handler) -> Handler:
    """The handler, called once for all requests of the same name by the same caller.

    Another request under a name that is taken is refused with 422, one whose first is in hand with 409. What
    was refused is not kept: nothing was done, and the request may be sent again under its name.
    """

    def handle(request: web.Request) -> Awaitable[web.StreamResponse]:
        name = request.headers.get(HEADER)
        return handler(request) if name is None else once(request, name)

    async def once(request: web.Request, name: str) -> web.StreamResponse:
        if not _NAME.fullmatch(name):
            raise invalid(HEADER, "1 to 255 printable ASCII characters without spaces")
        answers, caller = request.app[STORE].answers, request[CALLER].id
        fingerprint = await _fingerprint(request)
        found = await answers.claim(caller, name, fingerprint)
        if found != "claimed":
            return _repeated(found, fingerprint)
        return await _first(request, handler, answers, Kept(fingerprint), name)

    return handle


async def _first(
    request: web.Request, handler: Handler, answers: Answers, kept: Kept, name: str
) -> web.StreamResponse:
    caller = request[CALLER].id
    async with AsyncExitStack() as undo:
        undo.push_async_callback(_release, answers, caller, name)
        response = await handler(request)
        undo.pop_all()
    if isinstance(response, web.Response) and isinstance(response.body, bytes):
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        answer = Kept(kept.fingerprint, response.status, headers, response.body.decode())
        try:
            await answers.keep(caller, name, answer)
        except redis.RedisError as away:
            # It is done, and the caller is told so; only a repeat will not know.
            _log.warning("answer_not_kept", reason=type(away).__name__)
    return response


def _repeated(found: Kept, fingerprint: str) -> web.Response:
    if found.fingerprint != fingerprint:
        raise invalid(HEADER, "another request was sent under this name")
    if not found.status:
        raise Refusal(
            409, "in_hand", "the first request of this name is still in hand", headers={"Retry-After": "1"}
        )
    headers = {**(found.headers or {}), REPLAYED: "true"}
    return web.Response(body=found.body.encode(), status=found.status, headers=headers)


async def _fingerprint(request: web.Request) -> str:
    digest = sha256(f"{request.method} {request.raw_path}\n".encode())
    digest.update(await keep_body(request))
    return digest.hexdigest()


async def _release(answers: Answers, caller: str, name: str) -> None:
    with suppress(redis.RedisError):
        await answers.release(caller, name)
