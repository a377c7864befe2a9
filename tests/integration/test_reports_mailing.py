"""A report is mailed once: whoever repeats it, or was killed before it, finds the copy that there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.graph_access import settings_for
from tests.lent_context import lent
from tests.sandbox_process import SandboxProcess
from workers.graph import drafts, paths
from workers.graph.new_mail import create_mail
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.reports.mailing import mail_report

DAY = date(2026, 11, 21)
PAGE = "<!doctype html><p>Informe</p>"


@pytest.fixture
def organization(sandbox: SandboxProcess, tmp_path: Path) -> Organization:
    secret = tmp_path / "secret"
    secret.write_text(sandbox.run["client_secret"])
    return Organization(
        id="acme",
        tenant_id=sandbox.run["tenant_id"],
        client_id=sandbox.run["client_id"],
        client_secret=f"file:{secret}",
        mailboxes=(sandbox.add_mailbox(f"m{uuid4().hex[:12]}@acme.example"),),
        report_to=("jefa@acme.example", "socio@acme.example"),
    )


@pytest.fixture
async def context(
    sandbox: SandboxProcess, organization: Organization, redis_url: str, tmp_path: Path
) -> AsyncIterator[Context]:
    settings = settings_for(sandbox, redis_url=redis_url, data_dir=tmp_path)
    async with lent(settings, organization) as context:
        yield context


def a_report() -> dict[str, Any]:
    names = ("received", "done", "skipped", "dead", "open", "toReview")
    return {
        "organizationId": "acme",
        "date": DAY.isoformat(),
        "emailSummary": dict.fromkeys(names, 12),
    }


async def mail(context: Context, organization: Organization, owner: str = "run-1") -> bool:
    return await mail_report(context, organization, a_report(), PAGE, owner=owner)


def tag(organization: Organization) -> str:
    return drafts.tag_of(organization.id, DAY.isoformat(), "report")


async def test_it_goes_to_all_it_is_for_with_the_page_attached(
    sandbox: SandboxProcess, context: Context, organization: Organization
) -> None:
    assert await mail(context, organization)
    (sent,) = sandbox.sent(organization.mailboxes[0])
    assert sent["to"] == ["jefa@acme.example", "socio@acme.example"]
    assert sent["subject"] == "Informe diario · acme · sábado, 21 de noviembre de 2026"
    assert "<b>12</b>" in sent["body"]["content"]
    graph = context.graph_of("acme")
    (copy,) = await drafts.find_tagged(graph, organization.mailboxes[0], tag(organization))
    path = f"{paths.message(organization.mailboxes[0], copy.id)}/attachments"
    (attached,) = (await graph.get(path, mailbox=organization.mailboxes[0]))["value"]
    assert attached["name"] == "acme-2026-11-21.html" and attached["contentType"] == "text/html"


async def test_again_or_by_another_run_it_is_not_sent(
    sandbox: SandboxProcess, context: Context, organization: Organization
) -> None:
    assert await mail(context, organization)
    assert not await mail(context, organization)
    assert not await mail(context, organization, owner="run-2")
    assert len(sandbox.sent(organization.mailboxes[0])) == 1


async def test_killed_after_drafting_it_sends_that_draft(
    sandbox: SandboxProcess, context: Context, organization: Organization
) -> None:
    mailbox = organization.mailboxes[0]
    graph, to = context.graph_of("acme"), organization.report_to
    await create_mail(graph, mailbox, tag=tag(organization), to=to, subject="s", html="h")
    assert await mail(context, organization)
    assert len(sandbox.sent(mailbox)) == 1 and sandbox.folder(mailbox, "drafts") == []


async def test_killed_after_sending_it_finds_the_copy(
    sandbox: SandboxProcess, context: Context, organization: Organization
) -> None:
    assert await mail(context, organization)
    await context.store.report_mails.note("acme", DAY, "sending")
    assert not await mail(context, organization)
    await context.store.redis.flushall()
    assert not await mail(context, organization), "even where Redis forgot everything"
    assert len(sandbox.sent(organization.mailboxes[0])) == 1


async def test_a_draft_that_is_gone_was_sent_though_no_copy_is_seen_yet(
    sandbox: SandboxProcess, context: Context, organization: Organization
) -> None:
    await context.store.report_mails.reserve("acme", DAY, "run-1")
    await context.store.report_mails.note("acme", DAY, "sending")
    assert not await mail(context, organization)
    assert sandbox.sent(organization.mailboxes[0]) == []
    assert await context.store.report_mails.state("acme", DAY) == "sent"


@pytest.mark.parametrize("changes", [{"mode": "observe"}, {"mode": "draft"}, {"report_to": ()}])
async def test_nothing_leaves_a_mailbox_that_must_not_send(
    sandbox: SandboxProcess, context: Context, organization: Organization, changes: dict[str, Any]
) -> None:
    assert not await mail(context, organization.model_copy(update=changes))
    assert sandbox.sent(organization.mailboxes[0]) == []
    assert sandbox.folder(organization.mailboxes[0], "drafts") == []
