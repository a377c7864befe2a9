"""The audit log: every change through the API is kept, and here it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from api import routes
from api.caller import CALLER
from api.envelope import answer, moment
from api.routes import Answer, Handler, Route, Routes
from api.schemas.audit import AuditPage, AuditQuery, ShownChange
from api.visibility import narrowed
from api.wiring import STORE
from workers.store.audit import Change, Detail, Entry

AUDIT = Routes("operation")


@dataclass(frozen=True)
class _Noted:
    organization_id: str = ""
    changed: bool = True
    details: Mapping[str, Detail] = field(default_factory=dict)


_NOTED: web.RequestKey[_Noted] = web.RequestKey("noted", _Noted)


def note(
    request: web.Request, *, organization_id: str | None, changed: bool = True, **details: Detail
) -> None:
    """Say more of the change that a request makes than its path does: whose it is (None: nobody's), and how.

    `changed` is False where the request only looked (a dry run).
    """
    given = {name: value for name, value in details.items() if value is not None}
    request[_NOTED] = _Noted(organization_id or "", changed, given)


def audited(route: Route) -> Handler:
    """The route's handler; what it changes is kept, once it is done."""
    if not route.changes:
        return route.handler

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await route.handler(request)
        noted = request.get(_NOTED, _Noted())
        if noted.changed:
            change = Change(
                what=route.changes,
                by=request[CALLER].name,
                organization_id=noted.organization_id,
                target=" ".join(request.match_info.values()),
                details=noted.details,
            )
            await request.app[STORE].audit.note(change)
        return response

    return handle


@AUDIT.add(
    "GET",
    "/audit",
    takes=routes.query(AuditQuery),
    needs="admin",
    answers={200: Answer("A page, newest first.", AuditPage)},
    refusals=(404,),
)
async def list_changes(request: web.Request, asked: AuditQuery) -> web.Response:
    """List who changed what: keys, schedule, switches, dead letters, subscriptions, erasures.

    Newest first; `next` is the cursor of the page after this one. Addresses are masked.
    """
    entries, following = await request.app[STORE].audit.page(
        organizations=narrowed(request, asked.organization_id), limit=asked.limit, before=asked.cursor
    )
    shown = [_shown(entry) for entry in entries]
    return answer(AuditPage(changes=shown, count=len(shown), next=following))


def _shown(entry: Entry) -> ShownChange:
    change = entry.change
    return ShownChange(
        id=entry.id,
        at=moment(entry.at_ms) or "",
        what=change.what,
        by=change.by,
        organization_id=change.organization_id or None,
        target=change.target or None,
        details=dict(change.details),
        correlation_id=change.correlation_id,
    )
