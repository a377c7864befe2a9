"""A report sent through Graph to the organization's `report_to`: once, whatever is repeated or killed.

As with replies, nothing is sent blindly: who comes back looks for the tagged copy first, and a draft that
is gone after sending began was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any

from workers import logs
from workers.errors import NotFound
from workers.graph import drafts
from workers.graph.client import Graph
from workers.graph.new_mail import create_mail
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.reports.words import Language, decimal, long_date, word

_log = logs.get_logger("reports")
_SHOWN = ("received", "done", "skipped", "dead", "open", "toReview")


async def mail_report(
    context: Context, organization: Organization, report: Mapping[str, Any], page: str, *, owner: str
) -> bool:
    """Send a report; False where there is nothing to send, or it was sent before.

    Organizations that only observe or draft get none: nothing leaves their mailboxes. `owner` is the queue
    message in hand, the same when it is delivered again. Raises as Graph's calls do.
    """
    if not organization.report_to or organization.mode != "act":
        return False
    day, mails = date.fromisoformat(report["date"]), context.store.report_mails
    if not await mails.reserve(organization.id, day, owner):
        return False
    state = await mails.state(organization.id, day)
    if state == "sent":
        return False
    graph, mailbox = context.graph_of(organization.id), organization.mailboxes[0]
    tag = drafts.tag_of(organization.id, day.isoformat(), "report")
    found = await drafts.find_tagged(graph, mailbox, tag)
    has_left = any(not copy.is_draft for copy in found) or (state == "sending" and not found)
    if not has_left:
        draft_id = next((copy.id for copy in found), "") or await _create(
            graph, organization, report, page, tag
        )
        await mails.note(organization.id, day, "sending")
        await _send(graph, mailbox, draft_id)
    await mails.note(organization.id, day, "sent")
    return not has_left


async def _create(
    graph: Graph, organization: Organization, report: Mapping[str, Any], page: str, tag: str
) -> str:
    language = organization.language
    when = long_date(date.fromisoformat(report["date"]), language)
    return await create_mail(
        graph,
        organization.mailboxes[0],
        tag=tag,
        to=organization.report_to,
        subject=f"{word('title', language)} · {organization.id} · {when}",
        html=_body(report, language, when),
        attachment=(f"{organization.id}-{report['date']}.html", "text/html", page.encode()),
    )


async def _send(graph: Graph, mailbox: str, draft_id: str) -> None:
    try:
        await drafts.send_draft(graph, mailbox, draft_id)
    except NotFound:
        # Sent by an earlier try whose answer was lost, or by a person.
        _log.info("report_draft_gone_before_send")


def _body(report: Mapping[str, Any], language: Language, when: str) -> str:
    """The main figures as a plain table: mail programs show neither charts nor style sheets."""
    summary = report["emailSummary"]
    rows = "".join(
        f"<tr><td>{word(name, language)}</td>"
        f"<td align='right'><b>{decimal(summary[name], language, 0)}</b></td></tr>"
        for name in _SHOWN
    )
    return (
        f"<p>{word('title', language)}: {escape(str(report['organizationId']))}, {when}</p>"
        f"<table cellpadding='4'>{rows}</table><p>{word('attached', language)}</p>"
    )
