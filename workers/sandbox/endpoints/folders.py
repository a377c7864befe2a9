"""Mail folders, the messages in them and their delta rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.sandbox.calls import Answer, Call
from workers.sandbox.delta import answer_delta
from workers.sandbox.endpoints.permissions import READ
from workers.sandbox.listing import check_options, list_messages, list_page, selected
from workers.sandbox.mailbox import Folder, Mailbox
from workers.sandbox.routing import Route

if TYPE_CHECKING:
    from workers.sandbox.service import Sandbox

_PROPERTIES = (
    "id",
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "unreadItemCount",
    "totalItemCount",
    "isHidden",
)


async def list_all(sandbox: Sandbox, call: Call) -> Answer:
    check_options(call, ("$select", "$top", "$skip", "$count", "includeHiddenFolders"))
    mailbox = sandbox.mailbox_of(call)
    names = selected(call.query, frozenset(_PROPERTIES))
    return list_page(
        call,
        list(mailbox.folders.values()),
        lambda folder: _folder_json(mailbox, folder, names),
        context="mailFolders",
    )


async def get_one(sandbox: Sandbox, call: Call) -> Answer:
    check_options(call, ("$select",))
    mailbox = sandbox.mailbox_of(call)
    folder = mailbox.folder(call.parts["folder"])
    context = {"@odata.context": f"{call.origin}/$metadata#users('{call.parts['user']}')/mailFolders/$entity"}
    return Answer(200, context | _folder_json(mailbox, folder, selected(call.query, frozenset(_PROPERTIES))))


async def messages(sandbox: Sandbox, call: Call) -> Answer:
    folder = sandbox.mailbox_of(call).folder(call.parts["folder"])
    return list_messages(call, folder.messages.values())


async def delta(sandbox: Sandbox, call: Call) -> Answer:
    mailbox = sandbox.mailbox_of(call)
    return answer_delta(call, mailbox, mailbox.folder(call.parts["folder"]), sandbox.delta)


def _folder_json(mailbox: Mailbox, folder: Folder, names: tuple[str, ...] | None) -> dict[str, Any]:
    shown = {
        "id": folder.id,
        "displayName": folder.display_name,
        "parentFolderId": folder.parent_id,
        "childFolderCount": len(mailbox.folders) if folder is mailbox.root else 0,
        "unreadItemCount": folder.unread(),
        "totalItemCount": len(folder.messages),
        "isHidden": False,
    }
    return {name: value for name, value in shown.items() if names is None or name in names or name == "id"}


ROUTES = (
    Route("GET", "/users/{user}/mailFolders", list_all, READ),
    Route("GET", "/users/{user}/mailFolders/{folder}", get_one, READ),
    Route("GET", "/users/{user}/mailFolders/{folder}/messages", messages, READ),
    Route("GET", "/users/{user}/mailFolders/{folder}/messages/delta", delta, READ),
)
