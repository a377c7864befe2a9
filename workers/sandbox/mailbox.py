"""A mailbox: folders, messages, and the log of changes that delta queries and notifications read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from workers.sandbox.calls import GraphProblem, not_found
from workers.sandbox.ids import IdMint, is_well_formed
from workers.sandbox.message import Attachment, Letter, Message, complete, now_in_seconds

# Well-known name -> (English, Spanish) display name: nobody may rely on a name that depends on the language.
WELL_KNOWN = {
    "inbox": ("Inbox", "Bandeja de entrada"),
    "drafts": ("Drafts", "Borradores"),
    "sentitems": ("Sent Items", "Elementos enviados"),
    "deleteditems": ("Deleted Items", "Elementos eliminados"),
    "archive": ("Archive", "Archivo"),
    "junkemail": ("Junk Email", "Correo no deseado"),
    "outbox": ("Outbox", "Bandeja de salida"),
    "clutter": ("Clutter", "Otros correos"),
    "conversationhistory": ("Conversation History", "Historial de conversaciones"),
}
ROOT = "msgfolderroot"
_FIRST_CATEGORIES = (("Red category", "preset0"), ("Blue category", "preset7"), ("Green category", "preset4"))


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a folder's log: `default_id` is the id the message had there."""

    version: int
    kind: str
    message: Message
    default_id: str
    fields: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class Folder:
    """A folder with its messages (by number, in the order they came) and its log."""

    id: str
    well_known: str | None
    display_name: str
    parent_id: str
    messages: dict[int, Message] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)

    def changes_after(self, version: int) -> Iterator[Change]:
        start = bisect_right(self.log, version, key=attrgetter("version"))
        for position in range(start, len(self.log)):
            yield self.log[position]

    def unread(self) -> int:
        return sum(not message.properties["isRead"] for message in self.messages.values())


Listener = Callable[["Mailbox", Folder, Change], None]


class Mailbox:
    """One user's mail. Every change goes through a method here, so that log and listener always know."""

    def __init__(
        self, address: str, *, user_id: str, tenant_id: str, mint: IdMint, spanish: bool = False
    ) -> None:
        self.address = address.lower()
        self.user_id = user_id
        self.tenant_id = tenant_id
        self.mint = mint
        self.version = 0
        self.listener: Listener | None = None
        self.categories: dict[str, dict[str, str]] = {}
        self._numbers = 0
        self._by_id: dict[str, Message] = {}
        self._conversations: dict[str, str] = {}
        self.root = Folder(mint.folder(), ROOT, "Top of Information Store", "")
        self.folders: dict[str, Folder] = {}
        self._named: dict[str, Folder] = {ROOT: self.root}
        for name, display_names in WELL_KNOWN.items():
            self._named[name] = self.add_folder(display_names[spanish], well_known=name)
        for display_name, color in _FIRST_CATEGORIES:
            self.add_category(display_name, color)

    def add_folder(self, display_name: str, *, well_known: str | None = None) -> Folder:
        folder = Folder(self.mint.folder(), well_known, display_name, self.root.id)
        self.folders[folder.id] = folder
        return folder

    def folder(self, name_or_id: str) -> Folder:
        """A folder by well-known name or id; GraphProblem 400 or 404."""
        if found := self.folders.get(name_or_id) or self._named.get(name_or_id.lower()):
            return found
        if name_or_id == self.root.id:
            return self.root
        if not is_well_formed(name_or_id):
            raise GraphProblem(400, "ErrorInvalidIdMalformed", "Id is malformed.")
        raise GraphProblem(
            404, "ErrorFolderNotFound", "The specified folder could not be found in the store."
        )

    def messages(self) -> Iterator[Message]:
        for folder in self.folders.values():
            yield from folder.messages.values()

    def find(self, message_id: str) -> Message:
        """A message by its default or immutable id; GraphProblem 400 malformed, 404 unknown."""
        if found := self._by_id.get(message_id):
            return found
        if not is_well_formed(message_id):
            raise GraphProblem(400, "ErrorInvalidIdMalformed", "Id is malformed.")
        raise not_found()

    def add_category(self, display_name: str, color: str) -> dict[str, str]:
        """A new master category; names are unique whatever their case (409)."""
        if display_name.casefold() in self.categories:
            raise GraphProblem(
                409, "ErrorItemAlreadyExists", f"The category '{display_name}' already exists."
            )
        category = {"id": self.mint.guid(), "displayName": display_name, "color": color}
        self.categories[display_name.casefold()] = category
        return category

    def receive(self, letter: Letter, folder: str = "inbox") -> Message:
        """Put an arriving mail into a folder."""
        return self.add(letter, self.folder(folder), now=letter.received_at or now_in_seconds())

    def add(self, letter: Letter, folder: Folder, *, now: datetime) -> Message:
        """Store a letter as a new message; it joins the conversation its references name."""
        properties = complete(letter.properties, now=now)
        internet_id = properties["internetMessageId"]
        if not internet_id:
            internet_id = properties["internetMessageId"] = self.new_internet_message_id()
        if not properties["conversationId"]:
            known = (self._conversations[one] for one in letter.references if one in self._conversations)
            properties["conversationId"] = next(known, None) or self.mint.conversation()
        properties["conversationIndex"] = (
            properties["conversationIndex"] or "AQHc" + self.mint.guid().replace("-", "")[:28]
        )
        self._conversations.setdefault(internet_id, properties["conversationId"])
        message = Message(
            number=self._next_number(),
            immutable_id=self.mint.immutable(),
            default_id=self.mint.default(),
            change_key=self.mint.change_key(),
            folder=folder,
            properties=properties,
            headers=list(letter.headers),
            attachments=[replace(one, id=self.mint.attachment()) for one in letter.attachments],
            modified_at=now,
            references=letter.references,
        )
        self.place(message, folder)
        return message

    def place(self, message: Message, folder: Folder) -> None:
        """Let a message that is in no folder appear in one."""
        message.folder = folder
        folder.messages[message.number] = message
        self._by_id[message.default_id] = self._by_id[message.immutable_id] = message
        message.entered = self._record(folder, "created", message)

    def take_out(self, message: Message) -> None:
        """Let a message vanish from its folder; both its ids are unknown until it is placed again."""
        del message.folder.messages[message.number]
        del self._by_id[message.default_id], self._by_id[message.immutable_id]
        self._record(message.folder, "deleted", message)

    def change(
        self, message: Message, changes: dict[str, Any], *, extended: dict[str, str] | None = None
    ) -> None:
        """Set properties; the change key becomes a new one."""
        message.properties.update(changes)
        message.extended.update(extended or {})
        self._touch(message)
        self._record(message.folder, "updated", message, frozenset(changes))

    def move(self, message: Message, folder: Folder) -> None:
        """Move: a new default id, the immutable id stays."""
        self.take_out(message)
        message.default_id = self.mint.default()
        self._touch(message)
        self.place(message, folder)

    def copy(self, message: Message, folder: Folder) -> Message:
        """A second message with ids of its own."""
        twin = replace(
            message,
            number=self._next_number(),
            immutable_id=self.mint.immutable(),
            default_id=self.mint.default(),
            properties=dict(message.properties),
            headers=list(message.headers),
            attachments=list(message.attachments),
            extended=dict(message.extended),
        )
        self._touch(twin)
        self.place(twin, folder)
        return twin

    def delete(self, message: Message) -> None:
        """Into Deleted Items; from there for good, as Exchange does."""
        deleted = self.folder("deleteditems")
        if message.folder is deleted:
            self.take_out(message)
        else:
            self.move(message, deleted)

    def new_internet_message_id(self) -> str:
        return f"<{self.mint.guid()}@{self.address.partition('@')[2]}>"

    def attach(self, message: Message, attachments: list[Attachment]) -> None:
        """Add copies of attachments, each with an id of its own."""
        message.attachments.extend(replace(one, id=self.mint.attachment()) for one in attachments)

    def _touch(self, message: Message) -> None:
        message.change_key = self.mint.change_key()
        message.modified_at = now_in_seconds()

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _record(
        self, folder: Folder, kind: str, message: Message, fields: frozenset[str] = frozenset()
    ) -> int:
        self.version += 1
        change = Change(self.version, kind, message, message.default_id, fields)
        folder.log.append(change)
        if self.listener is not None:
            self.listener(self, folder, change)
        return self.version
