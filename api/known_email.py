"""The message that a path names, as the ledger has it."""

from __future__ import annotations

from aiohttp import web

from api.refusals import not_found
from api.wiring import STORE
from workers.organizations import Organization
from workers.store import Record


async def known_email(request: web.Request, organization: Organization, mailbox: str | None) -> Record:
    """The ledger's record of `{messageId}`, in this mailbox or wherever it was seen; refuses (404) where it
    knows no such message of the organization."""
    ledger = request.app[STORE].ledger
    message_id = request.match_info["messageId"]
    place = await ledger.mailbox_of(organization.id, message_id) if mailbox is None else mailbox.lower()
    record = None if place is None else await ledger.read(place, message_id)
    if record is None or record.organization_id != organization.id:
        raise not_found("the ledger knows no such message of this organization")
    return record
