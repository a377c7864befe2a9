"""Everything that sends: 202 says accepted, no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workers.sandbox.calls import Answer, Call, GraphProblem, bad_body
from workers.sandbox.drafts import forward_draft, new_draft, reply_draft
from workers.sandbox.endpoints.permissions import SEND
from workers.sandbox.mailbox import Mailbox
from workers.sandbox.message import Message
from workers.sandbox.request_bodies import FORWARD, REPLY, SEND_MAIL, camel_case, check_body
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox


async def send_draft(sandbox: Sandbox, call: Call) -> Answer:
    mailbox = sandbox.mailbox_of(call)
    draft = mailbox.find(call.parts["message"])
    if not draft.is_draft:
        raise GraphProblem(
            400, "ErrorInvalidRequest", "The message is not a draft: it has been sent already."
        )
    sandbox.throttle.count_send(call.app.client_id, mailbox.address)
    sandbox.post_office.send(mailbox, draft)
    return Answer(202)


async def send_mail(sandbox: Sandbox, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, SEND_MAIL)
    body = camel_case(body)
    if "message" not in body:
        raise bad_body("The parameter 'Message' is required.")
    mailbox = sandbox.mailbox_of(call)
    return _send_new(
        sandbox,
        call,
        mailbox,
        lambda: new_draft(mailbox, body["message"], mailbox.folder("outbox")),
        keep_copy=body.get("saveToSentItems", True),
    )


async def reply(sandbox: Sandbox, call: Call) -> Answer:
    return _reply(sandbox, call, to_all=False)


async def reply_all(sandbox: Sandbox, call: Call) -> Answer:
    return _reply(sandbox, call, to_all=True)


async def forward(sandbox: Sandbox, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, FORWARD)
    mailbox = sandbox.mailbox_of(call)
    original = mailbox.find(call.parts["message"])
    parameters = camel_case(body)
    return _send_new(
        sandbox, call, mailbox, lambda: forward_draft(mailbox, original, parameters, sending=True)
    )


def _reply(sandbox: Sandbox, call: Call, *, to_all: bool) -> Answer:
    body = call.json_object()
    check_body(body, REPLY)
    mailbox = sandbox.mailbox_of(call)
    original = mailbox.find(call.parts["message"])
    parameters = camel_case(body)
    return _send_new(
        sandbox, call, mailbox, lambda: reply_draft(mailbox, original, parameters, to_all=to_all)
    )


def _send_new(
    sandbox: Sandbox, call: Call, mailbox: Mailbox, draft: Callable[[], Message], *, keep_copy: bool = True
) -> Answer:
    """Send a message made for it; nothing stays behind when it cannot be sent."""
    sandbox.throttle.count_send(call.app.client_id, mailbox.address)
    message = draft()
    try:
        sandbox.post_office.send(mailbox, message, keep_copy=keep_copy)
    except GraphProblem:
        mailbox.take_out(message)
        raise
    return Answer(202)


ROUTES = (
    Route("POST", "/users/{user}/messages/{message}/send", send_draft, SEND),
    Route("POST", "/users/{user}/sendMail", send_mail, SEND),
    Route("POST", "/users/{user}/messages/{message}/reply", reply, SEND),
    Route("POST", "/users/{user}/messages/{message}/replyAll", reply_all, SEND),
    Route("POST", "/users/{user}/messages/{message}/forward", forward, SEND),
)
