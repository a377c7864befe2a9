"""What must not be in the logs is taken out of every line, whatever a library or a hurried hand put there.

Taken out are secrets by the name of their field or by their form, text of mails by the name of its field, and
all of an address but its first letter and domain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from typing import Any

_GONE = "[redacted]"
_SECRET_NAME = re.compile(r"(?i)authorization|secret|token|passw|api_?key|assertion|cookie|signature")
_MAIL_TEXT = frozenset({"body", "subject", "content", "preview", "bodypreview", "html"})
_ADDRESS = re.compile(r"[^\s@<>\",;:()\[\]]{1,64}(?:@|%40)([A-Za-z0-9.-]{1,253})")
# In this order: our API keys, webhook secrets, tokens (JWT), what follows an authorization scheme, what is
# set in a form or a document, passwords in a URL.
_SECRETS = re.compile(
    r"(?P<key>econeura_[0-9a-f]{12}_)[A-Za-z0-9_-]{20,}"
    r"|(?P<webhook>whsec_)[A-Za-z0-9+/=]{16,}"
    r"|(?P<jwt>eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?P<scheme>(?i:bearer|basic) )[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<field>(?i:secret|token|password|passwd|assertion|api_?key|signature)[\"']?\s?[=:]\s?[\"']?)"
    r"[^\s\"'&,;}]{4,}"
    r"|(?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)"
)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog; to be put after those that turn exceptions into text."""
    for name, value in event.items():
        event[name] = _field(name, value)
    return event


def cleaned(text: str) -> str:
    """A text without what has the form of a secret or of a whole address."""
    text = _SECRETS.sub(lambda found: f"{found[found.lastgroup or 0]}{_GONE}", text)
    return masked(text) if "@" in text or "%40" in text else text


def masked(address: str) -> str:
    """An address as it may be logged: the domain, and no more than the first letter of the person."""
    return _ADDRESS.sub(lambda found: f"{found.group(0)[0]}***@{found.group(1)}", address)


def _field(name: str, value: Any) -> Any:
    # Counts are no secrets.
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAME.search(name) or name.lower() in _MAIL_TEXT:
        return _GONE
    return _redacted(value)


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _field(str(name), part) for name, part in value.items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [_field("", part) for part in value]
    # What has no form of its own in JSON would become text only after this.
    return cleaned(value if isinstance(value, str) else str(value))
