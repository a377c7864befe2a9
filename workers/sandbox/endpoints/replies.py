"""Draft replies and forwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.sandbox.calls import Answer, Call
from workers.sandbox.drafts import forward_draft, reply_draft
from workers.sandbox.endpoints.messages import shown
from workers.sandbox.endpoints.permissions import WRITE
from workers.sandbox.request_bodies import FORWARD, REPLY, camel_case, check_body
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox


async def create_reply(sandbox: Sandbox, call: Call) -> Answer:
    return _reply(sandbox, call, to_all=False)


async def create_reply_all(sandbox: Sandbox, call: Call) -> Answer:
    return _reply(sandbox, call, to_all=True)


async def create_forward(sandbox: Sandbox, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, FORWARD)
    mailbox = sandbox.mailbox_of(call)
    original = mailbox.find(call.parts["message"])
    return shown(call, forward_draft(mailbox, original, camel_case(body), sending=False), 201)


def _reply(sandbox: Sandbox, call: Call, *, to_all: bool) -> Answer:
    body = call.json_object()
    check_body(body, REPLY)
    mailbox = sandbox.mailbox_of(call)
    original = mailbox.find(call.parts["message"])
    return shown(call, reply_draft(mailbox, original, camel_case(body), to_all=to_all), 201)


ROUTES = (
    Route("POST", "/users/{user}/messages/{message}/createReply", create_reply, WRITE),
    Route("POST", "/users/{user}/messages/{message}/createReplyAll", create_reply_all, WRITE),
    Route("POST", "/users/{user}/messages/{message}/createForward", create_forward, WRITE),
)
