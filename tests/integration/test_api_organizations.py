"""Organizations and mailboxes through the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.wiring import DIRECTORY
from tests.api_service import ORGANIZATIONS, SALES, SOLO, SUPPORT, Api
from workers.store import NewMessage


async def test_organizations_are_shown_without_their_secrets(api: Api) -> None:
    await api.store.ledger.record("acme", SUPPORT, [NewMessage("m1", {})])
    reply = await api.get("/organizations")
    acme, solo = reply.data["organizations"]
    assert (acme["id"], acme["mailboxes"], acme["mode"]) == ("acme", [SUPPORT, SALES], "act")
    assert acme["rules"] == [{"name": "facturas", "paused": False, "actions": ["categorize"]}]
    assert (acme["unfinished"], solo["unfinished"]) == (1, 0)
    assert solo["rules"], "the default rules are shown where none are written"
    assert b"secret" not in reply.body and b"client-1" not in reply.body


async def test_an_organization_is_paused_and_resumed(api: Api) -> None:
    paused = (await api.post("/organizations/acme/pause")).data["organization"]
    assert (paused["paused"], paused["pausedBy"]) == (True, "operator")
    assert await api.store.switches.paused() == {"acme"}
    resumed = (await api.post("/organizations/acme/resume", {})).data["organization"]
    assert (resumed["paused"], resumed["pausedBy"]) == (False, None)
    assert await api.store.switches.paused() == frozenset()


async def test_a_rule_is_paused_alone(api: Api) -> None:
    organization = (await api.post("/organizations/acme/pause", {"rule": "facturas"})).data["organization"]
    assert organization["paused"] is False
    assert organization["rules"][0]["paused"] is True
    assert await api.store.switches.paused() == {"acme/facturas"}


async def test_what_does_not_exist_cannot_be_paused(api: Api) -> None:
    assert (await api.post("/organizations/nobody/pause")).status == 404
    reply = await api.post("/organizations/acme/pause", {"rule": "nothing"})
    assert (reply.status, reply.fields) == (422, ["rule"])
    assert await api.store.switches.paused() == frozenset()


async def test_a_mailbox_is_looked_at_now(api: Api) -> None:
    reply = await api.post(f"/mailboxes/{SALES.upper()}/sync")
    assert (reply.status, reply.data) == (
        202, {"mailbox": SALES, "organizationId": "acme", "status": "queued"},
    )  # fmt: skip
    assert (await api.post(f"/mailboxes/{SALES}/sync", {"organizationId": "acme"})).status == 202
    (message,) = api.waiting("high")
    assert (message.actor_name, message.kwargs["mailbox"]) == ("sync_mailbox", SALES)


@pytest.mark.parametrize(
    ("mailbox", "organization"), [("nobody@x.example", None), (SOLO, "acme"), (SOLO, "nobody")]
)
async def test_a_mailbox_of_nobody_or_another_is_not_found(
    api: Api, mailbox: str, organization: str | None
) -> None:
    body = None if organization is None else {"organizationId": organization}
    assert (await api.post(f"/mailboxes/{mailbox}/sync", body)).status == 404
    assert api.queued() == {}


async def test_a_changed_file_is_taken_over_and_a_bad_one_is_not(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(ORGANIZATIONS.replace("[organizations.solo]", "[organizations.renamed]"))
    api.app[DIRECTORY].reload()
    file.write_text("[organizations")
    api.app[DIRECTORY].reload()
    ids = [each["id"] for each in (await api.get("/organizations")).data["organizations"]]
    assert ids == ["acme", "renamed"]
