"""The webhooks' part of the organizations file: who is told what happened, and how the telling is signed.

[organizations.acme.webhooks.crm]
url = "https://crm.acme.example/hooks/mail"
secret = "env:CRM_WEBHOOK_SECRET"           # whsec_…; two in a list while one replaces the other
events = ["email.dead", "draft.waiting"]    # left out: all
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from workers.organizations.rules import Strict

EventType = Literal["email.done", "email.dead", "draft.waiting", "job.failed", "subscription.degraded"]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


class Webhook(Strict):
    """An address that is told. `secret` holds references (env:NAME, file:PATH) of what signs each message."""

    url: Annotated[str, Field(max_length=2000)]
    secret: Annotated[tuple[str, ...], Field(min_length=1, max_length=4)]
    events: Annotated[tuple[EventType, ...], Field(min_length=1)] = EVENT_TYPES

    @field_validator("secret", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            is_complete = parts.scheme in ("https", "http") and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            is_complete = False
        if not is_complete or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("must be an address such as https://host/path")
        if parts.username is not None or parts.fragment:
            raise ValueError("must not hold credentials or a fragment: what is sent is signed instead")
        return value

    @property
    def host(self) -> str:
        """Where it leads, without the path: that may be as good as a password."""
        return urlsplit(self.url).netloc
