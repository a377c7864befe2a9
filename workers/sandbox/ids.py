"""Ids shaped like Graph's: long, opaque, case-sensitive, and useless unless percent-encoded."""

from __future__ import annotations

import base64
import random
import re

_DEFAULT_PREFIX = "AAMkAD/+"
_IMMUTABLE_PREFIX = "AAkALg/+"
_WELL_FORMED = re.compile(r"^(AAMkAD|AAkALg)[A-Za-z0-9+/=_-]{40,}$")


class IdMint:
    """Makes ids; the same seed makes the same ids."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - ids need to be distinct, not secret
        self._twin: dict[str, str] = {}

    def default(self) -> str:
        """An id of the kind that changes when the item moves."""
        return _DEFAULT_PREFIX + self._unique("default", 76)

    def immutable(self) -> str:
        """An id that survives moves within the mailbox."""
        return _IMMUTABLE_PREFIX + self._unique("immutable", 58)

    def folder(self) -> str:
        return _DEFAULT_PREFIX + self._unique("folder", 64)

    def attachment(self) -> str:
        return _DEFAULT_PREFIX + self._unique("attachment", 88)

    def change_key(self) -> str:
        return "CQAAABYAAA" + base64.b64encode(self._random.randbytes(16)).decode()

    def conversation(self) -> str:
        return "AAQkAD" + base64.b64encode(self._random.randbytes(40)).decode()

    def guid(self) -> str:
        digits = self._random.randbytes(16).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def _unique(self, kind: str, size: int) -> str:
        # Every second id is the one before with its letter case swapped: folding case mixes two messages up.
        if twin := self._twin.pop(kind, None):
            return twin
        text = base64.b64encode(self._random.randbytes(size)).decode()
        self._twin[kind] = text.swapcase()
        return text


def is_well_formed(item_id: str) -> bool:
    """Whether a text can be an id at all; Graph tells a malformed id (400) from an unknown one (404)."""
    return bool(_WELL_FORMED.match(item_id))
