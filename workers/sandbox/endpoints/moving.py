"""Moving and copying messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.sandbox.calls import Answer, Call, bad_body
from workers.sandbox.endpoints.messages import shown
from workers.sandbox.endpoints.permissions import WRITE
from workers.sandbox.mailbox import Folder, Mailbox
from workers.sandbox.request_bodies import DESTINATION, camel_case, check_body
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox


async def move(sandbox: Sandbox, call: Call) -> Answer:
    mailbox = sandbox.mailbox_of(call)
    message = mailbox.find(call.parts["message"])
    mailbox.move(message, _destination(call, mailbox))
    return shown(call, message, 201)


async def copy(sandbox: Sandbox, call: Call) -> Answer:
    mailbox = sandbox.mailbox_of(call)
    message = mailbox.find(call.parts["message"])
    return shown(call, mailbox.copy(message, _destination(call, mailbox)), 201)


def _destination(call: Call, mailbox: Mailbox) -> Folder:
    body = call.json_object()
    check_body(body, DESTINATION, "DestinationId")
    destination = camel_case(body).get("destinationId")
    if not destination:
        raise bad_body("The parameter 'DestinationId' is required.")
    return mailbox.folder(destination)


ROUTES = (
    Route("POST", "/users/{user}/messages/{message}/move", move, WRITE),
    Route("POST", "/users/{user}/messages/{message}/copy", copy, WRITE),
)
