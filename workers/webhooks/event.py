"""Something that happened and is told to webhooks: ids, categories and outcomes, never text of a mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from workers import clock
from workers.organizations import EventType


@dataclass(frozen=True)
class Event:
    """One happening. `id` is its webhook-id, the same at every try and replay; `at` is ISO 8601 UTC."""

    id: str
    type: EventType
    organization_id: str
    at: str
    data: Mapping[str, Any]

    def to_json(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, raw: bytes) -> Event:
        return cls(**orjson.loads(raw))

    def body(self) -> bytes:
        """What a webhook is sent: {type, timestamp, data} (Standard Webhooks, "Payload structure")."""
        data = {"organizationId": self.organization_id, **self.data}
        return orjson.dumps({"type": self.type, "timestamp": self.at, "data": data})


def new_event(kind: EventType, organization_id: str, data: Mapping[str, Any]) -> Event:
    return Event(f"evt_{uuid4().hex}", kind, organization_id, clock.now_text(), data)
