"""The admin routes: what the sandbox holds, and what a test or a person wants to happen there."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from workers.sandbox import admin_state, deliveries
from workers.sandbox.calls import GraphProblem
from workers.sandbox.directory import FULL_ROLES, App
from workers.sandbox.drafts import extended_values, plain_properties
from workers.sandbox.endpoints import ROUTES
from workers.sandbox.endpoints.batch import TEMPLATE as BATCH
from workers.sandbox.post_office import Responder
from workers.sandbox.service import Sandbox

SANDBOX = web.AppKey("sandbox", Sandbox)
ADMIN_TOKEN = web.AppKey("admin_token", str)
TENANT_ID = web.AppKey("tenant_id", str)

# A bulk delivery lets other calls in between.
_AT_A_TIME = 100

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_admin_routes(app: web.Application) -> None:
    for method, path, handler in (
        ("GET", "/sandbox/state", _state),
        ("GET", "/sandbox/calls", _calls),
        ("DELETE", "/sandbox/calls", _forget_calls),
        ("POST", "/sandbox/deliver", _deliver),
        ("POST", "/sandbox/mailboxes", _add_mailboxes),
        ("POST", "/sandbox/apps", _add_app),
        ("POST", "/sandbox/move", _move),
        ("POST", "/sandbox/delete", _delete),
        ("POST", "/sandbox/patch", _patch),
        ("POST", "/sandbox/send", _send),
        ("GET", "/sandbox/faults", _faults),
        ("POST", "/sandbox/faults", _add_fault),
        ("DELETE", "/sandbox/faults", _remove_faults),
        ("GET", "/sandbox/behaviour", _behaviour),
        ("POST", "/sandbox/behaviour", _change_behaviour),
        ("POST", "/sandbox/latency", _latency),
        ("POST", "/sandbox/lifecycle", _lifecycle),
        ("POST", "/sandbox/responders", _add_responder),
        ("POST", "/sandbox/expire-delta", _expire_delta),
        ("POST", "/sandbox/revoke-tokens", _revoke_tokens),
    ):
        app.router.add_route(method, path, _guarded(handler))


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        expected = f"Bearer {request.app[ADMIN_TOKEN]}"
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
            return _json({"error": "the admin token of this run is needed"}, 401)
        try:
            return await handler(request)
        except GraphProblem as problem:
            return _json({"error": problem.message}, problem.status)
        except (KeyError, ValueError, TypeError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    return guarded


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(value, option=orjson.OPT_UTC_Z), content_type="application/json"
    )


async def _body(request: web.Request) -> dict[str, Any]:
    value = orjson.loads(await request.read() or b"{}")
    if not isinstance(value, dict):
        raise TypeError("a JSON object is expected")
    return value


async def _state(request: web.Request) -> web.Response:
    query = request.query
    return _json(
        admin_state.state(
            request.app[SANDBOX],
            mailbox=query.get("mailbox"),
            folder=query.get("folder"),
            bodies=query.get("bodies") == "1",
            summary=query.get("summary") == "1",
        )
    )


async def _calls(request: web.Request) -> web.Response:
    journal, query = request.app[SANDBOX].journal, request.query
    calls = []
    if query.get("summary") != "1":
        after = int(query.get("after", "0"))
        calls = list(
            journal.entries(after=after, mailbox=query.get("mailbox"), endpoint=query.get("endpoint"))
        )
    return _json({"calls": calls, "counts": journal.counts(), "last": journal.next_number - 1})


async def _forget_calls(request: web.Request) -> web.Response:
    request.app[SANDBOX].journal.clear()
    request.app[SANDBOX].throttle.forget_peaks()
    return _json({})


async def _deliver(request: web.Request) -> web.Response:
    body = await _body(request)
    delivered = []
    for order in body.get("messages", [body]):
        for number, message in enumerate(deliveries.deliver(request.app[SANDBOX].directory, order)):
            delivered.append(message)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
    return _json({"delivered": [admin_state.message_line(message) for message in delivered]})


async def _add_mailboxes(request: web.Request) -> web.Response:
    body = await _body(request)
    tenant_id = body.get("tenant_id", request.app[TENANT_ID])
    added = [request.app[SANDBOX].directory.add_mailbox(address, tenant_id) for address in body["addresses"]]
    return _json({"mailboxes": [{"address": one.address, "userId": one.user_id} for one in added]})


async def _add_app(request: web.Request) -> web.Response:
    """Register an app, perhaps in a new tenant, or replace one.

    Body: `{client_id, tenant_id?, client_secret?, certificate? (PEM), roles?, allowed_mailboxes?}`.
    """
    body = await _body(request)
    certificates = []
    if body.get("certificate"):
        certificate = x509.load_pem_x509_certificate(body["certificate"].encode())
        if not isinstance(certificate.public_key(), rsa.RSAPublicKey):
            raise ValueError("the certificate needs an RSA key")
        certificates.append(certificate)
    allowed = body.get("allowed_mailboxes")
    app = App(
        tenant_id=body.get("tenant_id", request.app[TENANT_ID]),
        client_id=body["client_id"],
        client_secret=body.get("client_secret"),
        certificates=certificates,
        roles=frozenset(body.get("roles", FULL_ROLES)),
        allowed_mailboxes=None if allowed is None else frozenset(one.lower() for one in allowed),
    )
    request.app[SANDBOX].directory.add_app(app)
    return _json({"tenant_id": app.tenant_id, "client_id": app.client_id})


async def _move(request: web.Request) -> web.Response:
    body = await _body(request)
    mailbox = request.app[SANDBOX].directory.mailboxes[body["mailbox"].lower()]
    message = mailbox.find(body["id"])
    mailbox.move(message, mailbox.folder(body["folder"]))
    return _json(admin_state.message_line(message))


async def _delete(request: web.Request) -> web.Response:
    body = await _body(request)
    mailbox = request.app[SANDBOX].directory.mailboxes[body["mailbox"].lower()]
    mailbox.delete(mailbox.find(body["id"]))
    return _json({})


async def _patch(request: web.Request) -> web.Response:
    body = await _body(request)
    mailbox = request.app[SANDBOX].directory.mailboxes[body["mailbox"].lower()]
    message = mailbox.find(body["id"])
    changes = body["changes"]
    mailbox.change(message, plain_properties(changes), extended=extended_values(changes))
    return _json(admin_state.message_line(message))


async def _send(request: web.Request) -> web.Response:
    body = await _body(request)
    sandbox = request.app[SANDBOX]
    mailbox = sandbox.directory.mailboxes[body["mailbox"].lower()]
    sandbox.post_office.send(mailbox, mailbox.find(body["id"]))
    return _json({})


async def _faults(request: web.Request) -> web.Response:
    return _json({"faults": request.app[SANDBOX].faults.rules})


async def _add_fault(request: web.Request) -> web.Response:
    body = await _body(request)
    templates = {BATCH, *(route.template for route in ROUTES)}
    if body.get("endpoint") not in {None, *templates}:
        raise ValueError(f"unknown endpoint; known: {', '.join(sorted(templates))}")
    return _json(request.app[SANDBOX].faults.add(body))


async def _remove_faults(request: web.Request) -> web.Response:
    number = request.query.get("number")
    request.app[SANDBOX].faults.remove(int(number) if number else None)
    return _json({})


async def _behaviour(request: web.Request) -> web.Response:
    return _json(request.app[SANDBOX].behaviour)


async def _change_behaviour(request: web.Request) -> web.Response:
    request.app[SANDBOX].behaviour.change(await _body(request))
    return _json(request.app[SANDBOX].behaviour)


async def _latency(request: web.Request) -> web.Response:
    request.app[SANDBOX].behaviour.change({"latency_ms": (await _body(request))["ms"]})
    return _json(request.app[SANDBOX].behaviour)


async def _lifecycle(request: web.Request) -> web.Response:
    """Send a lifecycle event to one subscription, or to all: `{event, subscription_id?}`."""
    body = await _body(request)
    sandbox = request.app[SANDBOX]
    wanted = body.get("subscription_id")
    hit = [one for one in sandbox.subscriptions.all() if wanted in (None, one.id)]
    for subscription in hit:
        sandbox.notifier.lifecycle(subscription, body["event"])
    return _json({"subscriptions": [one.id for one in hit]})


async def _add_responder(request: web.Request) -> web.Response:
    """A correspondent who answers every mail: `{address, subject?, body?, headers?}`."""
    body = await _body(request)
    responder = Responder(
        address=body["address"].lower(),
        subject=body.get("subject", "Automatic reply"),
        body=body.get("body", "I am out of the office."),
        headers=tuple(dict(body.get("headers", {})).items()),
    )
    request.app[SANDBOX].post_office.responders[responder.address] = responder
    return _json({"address": responder.address})


async def _expire_delta(request: web.Request) -> web.Response:
    request.app[SANDBOX].delta.generation += 1
    return _json({})


async def _revoke_tokens(request: web.Request) -> web.Response:
    return _json({"revoked": request.app[SANDBOX].tokens.revoke_all()})
