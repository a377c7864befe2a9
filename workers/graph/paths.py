"""Paths of Graph resources below the base URL, and the bounded names metrics know them by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

WELL_KNOWN_FOLDERS = frozenset(
    {
        "archive",
        "clutter",
        "deleteditems",
        "drafts",
        "inbox",
        "junkemail",
        "outbox",
        "sentitems",
        "msgfolderroot",
    }
)
# The words of a path that are not ids; whatever else stands in it is one.
_WORDS = frozenset(
    {"users", "messages", "mailFolders", "delta", "move", "copy", "createReply", "createReplyAll"}
    | {"createForward", "send", "sendMail", "attachments", "outlook", "masterCategories", "subscriptions"}
    | {"reauthorize", "$batch"}
)
_SEGMENT = re.compile(r"[^/]+")


def segment(identifier: str) -> str:
    """One path segment; ids hold `/ + = %`, all of which must be encoded, and letter case counts."""
    return quote(identifier, safe="@")


def user(mailbox: str) -> str:
    return f"/users/{segment(mailbox)}"


def message(mailbox: str, message_id: str) -> str:
    return f"{user(mailbox)}/messages/{segment(message_id)}"


def folder(mailbox: str, folder_id: str) -> str:
    """Path of a mail folder, by its id or its well-known name."""
    return f"{user(mailbox)}/mailFolders/{segment(folder_id)}"


def subscription(subscription_id: str) -> str:
    return f"/subscriptions/{segment(subscription_id)}"


def endpoint_of(path: str) -> str:
    """The path with its ids replaced, for metric labels and error texts: bounded, and names nobody."""

    def shown(found: re.Match[str]) -> str:
        word = found.group(0)
        return word if word in _WORDS or word in WELL_KNOWN_FOLDERS else "{id}"

    return _SEGMENT.sub(shown, path.partition("?")[0])


def query(options: Mapping[str, str]) -> str:
    """A query string with everything encoded but the option names: a raw `+` would arrive as a space."""
    if not options:
        return ""
    return "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
