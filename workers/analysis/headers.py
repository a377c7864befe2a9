"""Header fields of a message: unfolding, encoded words and address lists, tolerant of broken ones."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import NamedTuple

from workers.analysis.charsets import to_text

MAX_ADDRESSES = 1_000
MAX_NAME_CHARS = 1_000
MAX_ADDRESS_CHARS = 400
# Linear: every part excludes the character that ends it, and lengths are bounded.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?]{0,2000})\?=")
_BETWEEN_ENCODED_WORDS = re.compile(r"(\?=)[ \t\r\n]{1,40}(?==\?)")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,128}@[^\s<>,;:\"()]{1,255}")
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")


class Address(NamedTuple):
    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower().strip("> ")

    @classmethod
    def bounded(cls, name: str, address: str) -> Address:
        """Of lengths that any real one keeps to."""
        return cls(name[:MAX_NAME_CHARS], address[:MAX_ADDRESS_CHARS])


def decoded(value: str) -> str:
    """Decode RFC 2047 encoded words; those with an unknown charset are read as well as possible."""
    if "=?" not in value:
        return value
    joined = _BETWEEN_ENCODED_WORDS.sub(r"\1", value)
    return _ENCODED_WORD.sub(_decode_word, joined)


def _decode_word(word: re.Match[str]) -> str:
    charset, encoding, payload = word.groups()
    raw = payload.encode("ascii", "ignore")
    if encoding in "bB":
        data = lenient_base64(raw)
    else:
        data = _Q_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), raw.replace(b"_", b" "))
    return to_text(data, charset.partition("*")[0])


def lenient_base64(raw: bytes) -> bytes:
    """Decode base64 that may hold foreign characters or lack its end; bad input gives what is readable."""
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    # One left-over character carries less than a byte.
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    try:
        return b64decode(kept + b"=" * (-len(kept) % 4))
    except binascii.Error:
        return b""


NOBODY = Address("", "")


def read_headers(block: bytes) -> tuple[tuple[str, str], ...]:
    """Fields of a header block, unfolded and decoded; lines that are no field are left out."""
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", block)
    fields: list[tuple[str, str]] = []
    for line in unfolded.splitlines():
        name, colon, value = line.partition(b":")
        if colon and name and b" " not in name.rstrip():
            fields.append((to_text(name.rstrip(), "ascii"), decoded(to_text(value.strip(), "utf-8"))))
    return tuple(fields)


def parse_addresses(value: str) -> tuple[Address, ...]:
    """Addresses of a From/To/Reply-To value; at most MAX_ADDRESSES. Never raises."""
    found: list[Address] = []
    for item in _split_list(value):
        if len(found) == MAX_ADDRESSES:
            break
        before, angle, rest = item.rpartition("<")
        address = _ADDRESS.search(rest if angle else item)
        if address is None:
            name = item.strip().strip('"<>').strip()
            if name:
                found.append(Address.bounded(name, ""))
            continue
        name = (before if angle else item.replace(address[0], "").strip("() ")).strip().strip('"').strip()
        if angle and found and not found[-1].address:
            # An unquoted comma in a display name: "Ruiz, Ana <ana@acme.example>" is one person.
            name = f"{found.pop().name}, {name}" if name else found.pop().name
        found.append(Address.bounded(name, address[0].rstrip(".>")))
    return tuple(found)


def _split_list(value: str) -> list[str]:
    """Split at commas and semicolons outside of quotes and comments."""
    if "," not in value and ";" not in value:
        return [value] if value.strip() else []
    items: list[str] = []
    start = 0
    quoted = False
    for at, char in enumerate(value):
        if char == '"':
            quoted = not quoted
        elif char in ",;" and not quoted:
            items.append(value[start:at])
            start = at + 1
            if len(items) > MAX_ADDRESSES:
                return items
    items.append(value[start:])
    return [item for item in items if item.strip()]
