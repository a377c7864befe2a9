"""One person's address, and how to tell that something is about it. No I/O."""

from __future__ import annotations

import re
from functools import cached_property

from workers.errors import SettingsError
from workers.store.keys import sender_fingerprint

_ADDRESS = re.compile(r"[^@\s<>]{1,128}@[^@\s<>]{1,255}")


class Correspondent:
    """Whose data are to be erased."""

    def __init__(self, address: str) -> None:
        """Raises SettingsError for what is no address."""
        self.address = address.strip().lower()
        if not _ADDRESS.fullmatch(self.address):
            raise SettingsError(f"--address: {address!r} is no mail address")

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def fingerprint(self) -> str:
        """As the ledger knows the sender of a message."""
        return sender_fingerprint(self.address)

    def is_named_in(self, text: bytes) -> bool:
        """Whether the address is in a text, whatever its case, and not as a part of another's.

        In JSON a line end before it is written as a letter.
        """
        return self._plain in text.lower() and self._pattern.search(text) is not None

    @cached_property
    def _plain(self) -> bytes:
        return self.address.encode()

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        before, after = rb"(?:(?<![\w.+-])|(?<=\\[nrtbf]))", rb"(?![\w-]|\.\w)"
        return re.compile(before + re.escape(self._plain) + after, re.IGNORECASE)
