"""Subscriptions through the API, in conversation with the sandbox, which validates our webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_service import Api, serving, soon
from tests.redis_process import free_port
from tests.sandbox_process import SandboxProcess
from workers.store import Subscription


@pytest.fixture
async def api(sandbox: SandboxProcess, mailbox: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The API of an organization of the sandbox, and of one whose credential is wrong."""
    run, port = sandbox.run, free_port()
    (tmp_path / "sandbox-secret").write_text(run["client_secret"])
    organizations = f"""
    [organizations.acme]
    tenant_id = "{run["tenant_id"]}"
    client_id = "{run["client_id"]}"
    client_secret = "file:sandbox-secret"
    mailboxes = ["{mailbox}"]
    [organizations.broken]
    tenant_id = "{run["tenant_id"]}"
    client_id = "{run["client_id"]}"
    client_secret = "file:secret"
    mailboxes = ["x@broken.example"]
    """
    async with serving(
        redis_url,
        tmp_path,
        organizations=organizations,
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        graph_url=run["url"],
        login_url=run["login_url"],
        ca_file=Path(run["ca_file"]),
    ) as api:
        yield api


async def test_a_subscription_is_made_listed_and_ended(api: Api, mailbox: str) -> None:
    made = await api.post("/subscriptions", {"mailbox": mailbox.upper()})
    assert made.status == 201
    subscription = made.data["subscription"]
    assert (subscription["organizationId"], subscription["mailbox"]) == ("acme", mailbox)
    assert (subscription["folder"], subscription["health"], subscription["atGraph"]) == ("inbox", "ok", True)
    assert 6 * 86400 < subscription["secondsLeft"] <= 7 * 86400
    assert api.queued() == {"sync_mailbox": 1}, "what arrived before is looked for"
    listed = (await api.get("/subscriptions?organizationId=acme")).data
    assert (listed["count"], listed["subscriptions"][0]["id"]) == (1, subscription["id"])
    ended = await api.request("DELETE", f"/subscriptions/{subscription['id']}")
    assert ended.data == {"id": subscription["id"], "deleted": True}
    assert (await api.get("/subscriptions?organizationId=acme")).data["count"] == 0
    assert (await api.request("DELETE", f"/subscriptions/{subscription['id']}")).status == 404


async def test_asked_for_twice_there_is_one(api: Api, mailbox: str) -> None:
    first = await api.post("/subscriptions", {"mailbox": mailbox})
    second = await api.post("/subscriptions", {"mailbox": mailbox, "organizationId": "acme"})
    assert (first.status, second.status) == (201, 201)
    listed = (await api.get("/subscriptions?organizationId=acme")).data["subscriptions"]
    assert [item["id"] for item in listed] == [second.data["subscription"]["id"]]


async def test_organizations_that_share_an_app_do_not_see_each_others(
    sandbox: SandboxProcess, redis_url: str, tmp_path: Path
) -> None:
    run, port = sandbox.run, free_port()
    (tmp_path / "sandbox-secret").write_text(run["client_secret"])
    mailboxes = {
        name: sandbox.add_mailbox(f"{name}{uuid4().hex[:12]}@acme.example") for name in ("one", "two")
    }
    organizations = "".join(
        f"""
        [organizations.{name}]
        tenant_id = "{run["tenant_id"]}"
        client_id = "{run["client_id"]}"
        client_secret = "file:sandbox-secret"
        mailboxes = ["{mailbox}"]
        """
        for name, mailbox in mailboxes.items()
    )
    async with serving(
        redis_url,
        tmp_path,
        organizations=organizations,
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        graph_url=run["url"],
        login_url=run["login_url"],
        ca_file=Path(run["ca_file"]),
    ) as api:
        for mailbox in mailboxes.values():
            assert (await api.post("/subscriptions", {"mailbox": mailbox})).status == 201
        for name, mailbox in mailboxes.items():
            (only,) = (await api.get(f"/subscriptions?organizationId={name}")).data["subscriptions"]
            assert (only["organizationId"], only["mailbox"]) == (name, mailbox)
        assert (await api.get("/subscriptions")).data["count"] == 2


async def test_a_notification_of_it_is_genuine(api: Api, sandbox: SandboxProcess, mailbox: str) -> None:
    await api.post("/subscriptions", {"mailbox": mailbox})
    await api.store.mailboxes.sync_started(mailbox)
    before = api.queued()["sync_mailbox"]
    sandbox.deliver(mailbox, subject="Hola")
    await soon(lambda: api.queued()["sync_mailbox"] > before)
    assert api.waiting("high")[-1].kwargs["mailbox"] == mailbox


async def test_what_graph_lost_is_shown_as_missing(api: Api, mailbox: str) -> None:
    times = ("2099-01-01T00:00:00+00:00", "2026-11-22T10:00:00+00:00")
    await api.store.subscriptions.save(Subscription("lost", "acme", mailbox, "inbox", "s", *times))
    (lost,) = (await api.get("/subscriptions?organizationId=acme")).data["subscriptions"]
    assert (lost["id"], lost["health"], lost["atGraph"]) == ("lost", "missing_at_graph", False)


async def test_a_broken_credential_hides_no_other_organization(api: Api, mailbox: str) -> None:
    times = ("2020-01-01T00:00:00+00:00", "2019-11-22T10:00:00+00:00")
    stored = Subscription("old", "broken", "x@broken.example", "inbox", "s", *times)
    await api.store.subscriptions.save(stored)
    await api.post("/subscriptions", {"mailbox": mailbox})
    listed = {
        item["organizationId"]: item for item in (await api.get("/subscriptions")).data["subscriptions"]
    }
    assert listed["acme"]["atGraph"] is True
    assert (listed["broken"]["atGraph"], listed["broken"]["health"]) == (None, "expired")
    assert listed["broken"]["secondsLeft"] == 0


async def test_graph_refusing_is_said_without_harm(api: Api) -> None:
    reply = await api.post("/subscriptions", {"mailbox": "x@broken.example"})
    assert reply.status == 502
    assert reply.json["code"] == "access_denied"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mailbox": "nobody@acme.example"}, 404),
        ({"organizationId": "broken"}, 404),
        ({"organizationId": "nobody"}, 404),
        ({"folder": "junkemail"}, 422),
    ],
    ids=str,
)
async def test_only_watched_folders_can_be_subscribed_to(
    api: Api, mailbox: str, change: dict[str, str], status: int
) -> None:
    assert (await api.post("/subscriptions", {"mailbox": mailbox, **change})).status == status
    assert (await api.get("/subscriptions?organizationId=acme")).data["count"] == 0


async def test_without_a_public_url_there_are_none(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as api:
        reply = await api.post("/subscriptions", {"mailbox": "info@solo.example"})
        assert (reply.status, reply.json["code"]) == (409, "no_public_url")
        assert (await api.get("/subscriptions")).data == {"subscriptions": [], "count": 0}
