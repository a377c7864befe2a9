"""Mailboxes."""

from __future__ import annotations

from typing import Literal

from api.schemas.forms import Given, OrganizationId, Shown


class SyncMailbox(Given):
    organization_id: OrganizationId | None = None


class SyncQueued(Shown):
    mailbox: str
    organization_id: str
    status: Literal["queued"]
