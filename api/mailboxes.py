"""Mailboxes: look at one now."""

from __future__ import annotations

from aiohttp import web

from api import routes
from api.audit import note
from api.envelope import answer
from api.looks import Place
from api.routes import Answer, Routes
from api.schemas.mailboxes import SyncMailbox, SyncQueued
from api.visibility import visible
from api.wiring import LOOKS

MAILBOXES = Routes("mailboxes")


@MAILBOXES.add(
    "POST",
    "/mailboxes/{mailbox}/sync",
    takes=routes.body(SyncMailbox),
    needs="operate",
    changes="mailbox.sync_asked",
    answers={202: Answer("Queued.", SyncQueued)},
    refusals=(404,),
)
async def sync_mailbox(request: web.Request, given: SyncMailbox) -> web.Response:
    """Queue a delta sync of a mailbox now. One that is queued and has not started stands for all that ask."""
    mailbox = request.match_info["mailbox"].lower()
    organization = visible(request).owner(mailbox, given.organization_id)
    await request.app[LOOKS].want(Place(organization.id, mailbox))
    note(request, organization_id=organization.id)
    return answer(SyncQueued(mailbox=mailbox, organization_id=organization.id, status="queued"), status=202)
