"""Sending: the draft goes, the Sent copy appears, and whoever has a mailbox here receives it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workers.sandbox.behaviour import Behaviour
from workers.sandbox.calls import GraphProblem
from workers.sandbox.directory import Directory
from workers.sandbox.mailbox import Mailbox
from workers.sandbox.message import ADDRESS, Letter, Message, now_in_seconds, recipient

_KEPT = 100_000
# What the sender's copy has and the recipient's has not.
_SENDERS_OWN = (
    "categories",
    "flag",
    "conversationIndex",
    "createdDateTime",
    "bccRecipients",
    "isDraft",
    "isRead",
    "receivedDateTime",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that left: who sent it, and the message as it was (its Sent copy may be elsewhere or gone)."""

    mailbox: str
    message: Message
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Responder:
    """A correspondent outside who answers every mail, such as an out-of-office assistant."""

    address: str
    subject: str
    body: str
    headers: tuple[tuple[str, str], ...]


class PostOffice:
    """Sends drafts and keeps a record of all that was sent."""

    def __init__(self, directory: Directory, behaviour: Behaviour) -> None:
        self._directory = directory
        self._behaviour = behaviour
        self.sent: deque[Sent] = deque(maxlen=_KEPT)
        self.responders: dict[str, Responder] = {}

    def send(self, mailbox: Mailbox, draft: Message, *, keep_copy: bool = True) -> None:
        """Send a draft; GraphProblem 400 if it has no recipient, or one that is no address."""
        recipients = draft.recipients()
        if not recipients or not all(ADDRESS.match(one) for one in recipients):
            raise GraphProblem(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        now = now_in_seconds()
        mailbox.take_out(draft)
        draft.properties |= {"isDraft": False, "isRead": True, "sentDateTime": now, "receivedDateTime": now}
        self.sent.append(Sent(mailbox.address, draft, now))
        if keep_copy:
            self._later(self._behaviour.sent_copy_lag_s, self._file_copy, mailbox, draft)
        for address in dict.fromkeys(recipients):
            self._deliver(mailbox, draft, address)

    def _file_copy(self, mailbox: Mailbox, sent: Message) -> None:
        sent.default_id = mailbox.mint.default()
        if self._behaviour.sent_copy_changes_id:
            sent.immutable_id = mailbox.mint.immutable()
        sent.change_key = mailbox.mint.change_key()
        mailbox.place(sent, mailbox.folder("sentitems"))

    def _deliver(self, sender: Mailbox, sent: Message, address: str) -> None:
        letter = Letter(
            properties={name: value for name, value in sent.properties.items() if name not in _SENDERS_OWN},
            headers=[*_transport_headers(sent), *sent.headers],
            attachments=list(sent.attachments),
            references=sent.references,
        )
        if (mailbox := self._directory.mailboxes.get(address)) is not None:
            letter.properties["conversationId"] = None
            mailbox.receive(letter)
        elif (responder := self.responders.get(address)) is not None:
            sender.receive(_answer(responder, sender, sent))

    def _later(self, delay_s: float, action: Any, *arguments: Any) -> None:
        if delay_s <= 0:
            action(*arguments)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, action, *arguments)


def _transport_headers(message: Message) -> list[tuple[str, str]]:
    properties = message.properties
    headers = [
        ("Message-ID", properties["internetMessageId"]),
        ("Subject", properties["subject"]),
        ("From", properties["from"]["emailAddress"]["address"]),
        ("To", ", ".join(one["emailAddress"]["address"] for one in properties["toRecipients"])),
        ("Date", properties["sentDateTime"].strftime("%a, %d %b %Y %H:%M:%S +0000")),
    ]
    if message.references:
        headers += [("In-Reply-To", message.references[-1]), ("References", " ".join(message.references))]
    return headers


def _answer(responder: Responder, sender: Mailbox, sent: Message) -> Letter:
    who = recipient(responder.address)
    internet_id = sent.properties["internetMessageId"]
    return Letter(
        properties={
            "subject": f"{responder.subject}: {sent.properties['subject']}",
            "body": {"contentType": "text", "content": responder.body},
            "from": who,
            "sender": who,
            "toRecipients": [recipient(sender.address)],
        },
        headers=[("From", responder.address), ("In-Reply-To", internet_id), *responder.headers],
        references=(internet_id,),
    )
