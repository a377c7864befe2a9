"""What the sandbox holds, as JSON for the admin route."""

from __future__ import annotations

from typing import Any

from workers.sandbox.mailbox import Mailbox
from workers.sandbox.message import Message
from workers.sandbox.post_office import Sent
from workers.sandbox.service import Sandbox


def state(
    sandbox: Sandbox, *, mailbox: str | None, folder: str | None, bodies: bool, summary: bool
) -> dict[str, Any]:
    """Mailboxes, folders, messages, sent mail, subscriptions, counts; `summary` leaves the messages out."""
    chosen = [
        one for one in sandbox.directory.mailboxes.values() if mailbox in (None, one.address, one.user_id)
    ]
    peaks, refusals = sandbox.throttle.peaks(), sandbox.throttle.refusals()
    return {
        "mailboxes": {
            one.address: {
                "userId": one.user_id,
                "tenantId": one.tenant_id,
                "peakConcurrency": peaks.get(one.address, 0),
                "throttled": refusals.get(one.address, 0),
                "categories": list(one.categories.values()),
                "folders": _folders(one, only=folder, bodies=bodies, summary=summary),
            }
            for one in chosen
        },
        "sent": []
        if summary
        else [
            _sent_line(one, bodies=bodies)
            for one in sandbox.post_office.sent
            if mailbox in (None, one.mailbox)
        ],
        "sentCount": sum(mailbox in (None, one.mailbox) for one in sandbox.post_office.sent),
        "subscriptions": [
            {
                **one.as_json(show_state=True),
                "mailbox": one.mailbox.address,
                "immutableIds": one.immutable_ids,
            }
            for one in sandbox.subscriptions.all()
        ],
        "notifications": dict(sandbox.notifier.counts),
        "calls": sandbox.journal.next_number - 1,
    }


def message_line(message: Message, *, bodies: bool = False) -> dict[str, Any]:
    """A message in short; `id` is the immutable one."""
    source = message.properties
    line = {
        "id": message.immutable_id,
        "defaultId": message.default_id,
        "etag": message.etag,
        "folder": message.folder.well_known or message.folder.display_name,
        "subject": source["subject"],
        "from": source["from"]["emailAddress"]["address"] if source["from"] else None,
        "to": [one["emailAddress"]["address"] for one in source["toRecipients"]],
        "cc": [one["emailAddress"]["address"] for one in source["ccRecipients"]],
        "categories": source["categories"],
        "isRead": source["isRead"],
        "isDraft": source["isDraft"],
        "importance": source["importance"],
        "receivedDateTime": source["receivedDateTime"],
        "internetMessageId": source["internetMessageId"],
        "conversationId": source["conversationId"],
        "extended": message.extended,
        "attachments": [one.name for one in message.attachments],
    }
    if bodies:
        line |= {"body": source["body"], "headers": message.headers}
    return line


def _folders(mailbox: Mailbox, *, only: str | None, bodies: bool, summary: bool) -> dict[str, Any]:
    folders = {folder.well_known or folder.display_name: folder for folder in mailbox.folders.values()}
    return {
        name: {
            "id": folder.id,
            "displayName": folder.display_name,
            "total": len(folder.messages),
            "messages": []
            if summary
            else [message_line(message, bodies=bodies) for message in folder.messages.values()],
        }
        for name, folder in folders.items()
        if only in (None, name)
    }


def _sent_line(sent: Sent, *, bodies: bool) -> dict[str, Any]:
    return {"mailbox": sent.mailbox, "sentAt": sent.sent_at, **message_line(sent.message, bodies=bodies)}
