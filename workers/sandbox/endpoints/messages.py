"""Messages: list, get, create, change, delete, attachments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.sandbox.calls import Answer, Call, GraphProblem, not_found
from workers.sandbox.drafts import extended_values, new_draft, plain_properties
from workers.sandbox.endpoints.permissions import READ, WRITE
from workers.sandbox.listing import check_options, list_messages, list_page, view_of
from workers.sandbox.message import Message
from workers.sandbox.rendering import attachment_json, message_json
from workers.sandbox.request_bodies import DRAFT_WRITABLE, MESSAGE, MESSAGE_CHANGE, check_body
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox


async def list_all(sandbox: Sandbox, call: Call) -> Answer:
    return list_messages(call, sandbox.mailbox_of(call).messages())


async def get_one(sandbox: Sandbox, call: Call) -> Answer:
    check_options(call, ("$select", "$expand"))
    message = sandbox.mailbox_of(call).find(call.parts["message"])
    return shown(call, message, 200)


async def create(sandbox: Sandbox, call: Call) -> Answer:
    body = call.json_object()
    check_body(body, MESSAGE, "message")
    mailbox = sandbox.mailbox_of(call)
    folder = mailbox.folder(call.parts.get("folder", "drafts"))
    return shown(call, new_draft(mailbox, body, folder), 201)


async def change(sandbox: Sandbox, call: Call) -> Answer:
    mailbox = sandbox.mailbox_of(call)
    message = mailbox.find(call.parts["message"])
    refuse_stale(sandbox, call, message)
    body = call.json_object()
    check_body(body, MESSAGE_CHANGE, "message")
    if not message.is_draft and (fixed := sorted(DRAFT_WRITABLE.keys() & body.keys())):
        raise GraphProblem(
            400,
            "ErrorInvalidPropertySet",
            f"Only a draft's {', '.join(fixed)} can be changed (isDraft is false).",
        )
    mailbox.change(message, plain_properties(body), extended=extended_values(body))
    return shown(call, message, 200)


async def delete(sandbox: Sandbox, call: Call) -> Answer:
    mailbox = sandbox.mailbox_of(call)
    message = mailbox.find(call.parts["message"])
    refuse_stale(sandbox, call, message)
    mailbox.delete(message)
    return Answer(204)


async def list_attachments(sandbox: Sandbox, call: Call) -> Answer:
    check_options(call, ("$select", "$top", "$skip", "$count"))
    message = sandbox.mailbox_of(call).find(call.parts["message"])
    # contentBytes belongs to fileAttachment: it comes unless $select leaves the choice to the base type.
    chosen = call.query.get("$select", "")
    names = {name.strip() for name in chosen.split(",") if name} | {"@odata.type", "id"}
    return list_page(
        call,
        message.attachments,
        lambda one: {
            name: value
            for name, value in attachment_json(one, message, content=not chosen).items()
            if not chosen or name in names
        },
        context="attachments",
    )


async def get_attachment(sandbox: Sandbox, call: Call) -> Answer:
    message = sandbox.mailbox_of(call).find(call.parts["message"])
    for attachment in message.attachments:
        if attachment.id == call.parts["attachment"]:
            return Answer(200, attachment_json(attachment, message))
    raise not_found()


def shown(call: Call, message: Message, status: int) -> Answer:
    """A message as the answer to a call."""
    context = {"@odata.context": f"{call.origin}/$metadata#users('{call.parts['user']}')/messages/$entity"}
    return Answer(status, context | message_json(message, view_of(call)), call.applied_preferences())


def refuse_stale(sandbox: Sandbox, call: Call, message: Message) -> None:
    """412 when If-Match names another state of the message."""
    wanted = call.headers.get("If-Match", "*")
    if wanted not in ("*", message.etag) and not sandbox.behaviour.ignores_if_match:
        raise GraphProblem(
            412,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the "
            "request does not match the current change key for the item.",
        )


ROUTES = (
    Route("GET", "/users/{user}/messages", list_all, READ),
    Route("POST", "/users/{user}/messages", create, WRITE),
    Route("GET", "/users/{user}/messages/{message}", get_one, READ),
    Route("PATCH", "/users/{user}/messages/{message}", change, WRITE),
    Route("DELETE", "/users/{user}/messages/{message}", delete, WRITE),
    Route("GET", "/users/{user}/messages/{message}/attachments", list_attachments, READ),
    Route("GET", "/users/{user}/messages/{message}/attachments/{attachment}", get_attachment, READ),
    Route("POST", "/users/{user}/mailFolders/{folder}/messages", create, WRITE),
)
