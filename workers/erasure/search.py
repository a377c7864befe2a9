"""What an erasure looks for."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from workers.erasure.correspondent import Correspondent

_MESSAGE_ID = re.compile(rb"\"messageId\"\s*:\s*\"([^\"]{1,512})\"")


@dataclass(frozen=True)
class Search:
    """A correspondent, the messages known to be theirs (ids), in some organizations (None: in all)."""

    person: Correspondent
    organizations: Collection[str] | None
    ended: frozenset[str] = frozenset()

    def covers(self, organization_id: str) -> bool:
        return self.organizations is None or organization_id in self.organizations

    def concerns(self, text: bytes) -> bool:
        """Whether some JSON of ours names the correspondent, or is about one of the messages."""
        return self.person.is_named_in(text) or any(
            found.decode() in self.ended for found in _MESSAGE_ID.findall(text)
        )
