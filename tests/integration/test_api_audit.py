"""The audit log of the api: every change is in it, with who made it, and nothing that only looked."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from api.app import ROUTE_TABLE
from tests.api_service import SUPPORT, Api, serving
from tests.dead_letters import Killer
from tests.redis_process import RedisProcess
from workers.scopes import SCOPES
from workers.settings import load_settings
from workers.store import Store
from workers.store.api_keys import new_key

Headers = dict[str, str]


async def changes(api: Api, query: str = "", **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"/audit{query}", **options)).data["changes"]
    return found


def test_every_route_that_changes_something_is_audited() -> None:
    silent = {
        f"{route.method} {route.path}" for route in ROUTE_TABLE if route.method != "GET" and not route.changes
    }
    # What these bring about is told of each message, in its trace.
    assert silent == {"POST /emails/process", "POST /emails/process/bulk", "POST /listen"}
    names = [route.changes for route in ROUTE_TABLE if route.changes]
    assert len(names) == len(set(names))


async def test_a_change_is_kept_with_who_made_it(api: Api) -> None:
    named = {"X-Correlation-ID": "c-1"}
    await api.post("/organizations/acme/pause", {"rule": "facturas"}, headers=named)
    await api.request("PUT", "/cron/jobs/cleanup/schedule", json={"schedule": "0 4 * * *"})
    moved, paused = await changes(api)
    assert (paused["what"], paused["by"], paused["organizationId"]) == (
        "organization.paused",
        "local",
        "acme",
    )
    assert (paused["target"], paused["details"]) == ("acme", {"rule": "facturas"})
    assert paused["correlationId"] == "c-1"
    assert (moved["what"], moved["target"], moved["organizationId"]) == ("cron.moved", "cleanup", None)
    assert moved["details"] == {"schedule": "0 4 * * *", "timezone": "UTC"}
    assert moved["at"] >= paused["at"]


async def test_what_was_refused_or_only_looked_at_is_no_change(api: Api, kill: Killer) -> None:
    kill(2, "acme")
    assert (await api.post("/organizations/nobody/pause")).status == 404
    assert (await api.post("/dead-letters/retry", {"dryRun": True})).data["retried"] == 2
    assert (await api.request("DELETE", "/dead-letters?dryRun=true")).data["deleted"] == 2
    await api.get("/organizations")
    assert await changes(api) == []


async def test_dead_letters_sent_again_and_dropped_are_told(api: Api, kill: Killer) -> None:
    kill(3, "acme")
    letter = (await api.get("/dead-letters?limit=1")).data["deadLetters"][0]
    await api.request("DELETE", f"/dead-letters/{letter['id']}")
    await api.post("/dead-letters/retry", {"filter": {"organizationId": "acme"}})
    many, one = await changes(api)
    assert (one["what"], one["target"], one["organizationId"]) == (
        "dead_letter.dropped", letter["id"], "acme",
    )  # fmt: skip
    assert one["details"] == {"actor": "refused", "reason": "access_denied"}
    assert (many["what"], many["organizationId"]) == ("dead_letters.retried", "acme")
    assert many["details"] == {"count": 2}


async def test_a_request_repeated_under_its_name_is_one_change(api: Api) -> None:
    for _ in range(2):
        await api.post("/organizations/acme/pause", headers={"Idempotency-Key": "once"})
    assert len(await changes(api)) == 1


async def test_no_whole_address_is_kept(api: Api) -> None:
    await api.post(f"/mailboxes/{SUPPORT}/sync")
    (asked,) = await changes(api)
    assert (asked["what"], asked["target"]) == ("mailbox.sync_asked", "s***@acme.example")


async def test_who_sees_it(redis_url: str, tmp_path: Path, async_redis: redis.asyncio.Redis) -> None:
    keys = Store.over(async_redis, load_settings()).api_keys

    async def made(*scopes: Any, of: tuple[str, ...]) -> Headers:
        key, text = new_key("test", scopes, organizations=of)
        await keys.add(key)
        return {"Authorization": f"Bearer {text}"}

    boss, acmes = await made(*SCOPES, of=()), await made(*SCOPES, of=("acme",))
    operator = await made("operate", "read", of=())
    async with serving(redis_url, tmp_path) as api:
        await api.post("/organizations/acme/pause", headers=acmes)
        await api.post("/organizations/solo/pause", headers=boss)
        await api.post("/cron/jobs/cleanup/run", headers=boss)
        assert len(await changes(api, headers=boss)) == 3
        (own,) = await changes(api, headers=acmes)
        assert own["by"] == f"key:{acmes['Authorization'].split('_')[1]}"
        assert (await api.get("/audit?organizationId=solo", headers=acmes)).status == 404
        assert (await api.get("/audit", headers=operator)).json["code"] == "missing_scope"


async def test_it_is_read_page_by_page(api: Api) -> None:
    for number in range(5):
        await api.post(f"/organizations/{'acme' if number % 2 else 'solo'}/pause")
    seen, cursor = [], ""
    while True:
        page = (await api.get(f"/audit?limit=2{cursor}")).data
        seen += [change["organizationId"] for change in page["changes"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ["solo", "acme", "solo", "acme", "solo"]
    assert len(await changes(api, "?organizationId=acme")) == 2


@pytest.mark.parametrize("cursor", ["0-0", "00-000", "0-1", "999999999999999-999999999999999"])
async def test_a_cursor_of_nowhere_leads_to_a_page(api: Api, cursor: str) -> None:
    await api.post("/organizations/acme/pause")
    page = await api.get(f"/audit?cursor={cursor}")
    assert (page.status, len(page.data["changes"])) == (200, 1 if cursor.startswith("9") else 0)


async def test_a_change_that_redis_did_not_keep_is_in_the_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = RedisProcess(tmp_path / "redis").start()
    try:
        async with serving(server.url, tmp_path) as api:
            # The stream's name is taken by something else: Redis is there, and refuses.
            await api.store.redis.set(api.store.keys.audit(), "x")
            assert (await api.post("/organizations/acme/pause")).status == 200
    finally:
        server.stop()
    logging.shutdown()
    told = capsys.readouterr()
    assert "change_not_kept" in told.out + told.err and "organization.paused" in told.out + told.err
