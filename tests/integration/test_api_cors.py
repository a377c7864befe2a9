"""Pages of other origins: they may call where theirs is listed, and nothing is said to them otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.api_service import SOLO, Api, serving
from workers.errors import SettingsError
from workers.settings import load_settings

DESK, EVIL = "https://desk.acme.example", "https://desk.acme.example.evil.example"
ASKED_FIRST = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
async def listed(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path, cors_origins=f"{DESK}, https://other.acme.example") as api:
        yield api


async def preflight(api: Api, path: str, origin: str) -> tuple[int, dict[str, str]]:
    headers = {"Origin": origin, **ASKED_FIRST}
    async with ClientSession() as client, client.options(api.url + path, headers=headers) as reply:
        return reply.status, dict(reply.headers)


def about_cors(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("Access-Control-")}


async def test_a_page_of_a_listed_origin_may_ask_call_and_read(listed: Api) -> None:
    status, headers = await preflight(listed, "/dead-letters", DESK)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, DESK)
    assert headers["Access-Control-Allow-Methods"] == "DELETE, GET"
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
    body = {"messageId": "m1", "organizationId": "solo", "mailbox": SOLO}
    reply = await listed.post("/emails/process", body, headers={"Origin": DESK})
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (202, DESK)
    assert "Location" in reply.headers["Access-Control-Expose-Headers"]
    refused = await listed.get("/jobs/none", headers={"Origin": DESK})
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (404, DESK)


@pytest.mark.parametrize("origin", [EVIL, "null", "http://desk.acme.example", f"{DESK}:8443", DESK.upper()])
async def test_a_page_of_another_may_not(listed: Api, origin: str) -> None:
    status, headers = await preflight(listed, "/emails/process", origin)
    assert (status, about_cors(headers)) == (405, {})
    reply = await listed.get("/organizations", headers={"Origin": origin})
    assert about_cors(dict(reply.headers)) == {}
    assert reply.headers["Vary"] == "Origin", "caches keep the answers to different origins apart"


@pytest.mark.parametrize("path", ["/no/such", "/emails"])
async def test_there_is_nothing_to_ask_about_what_is_not_there(listed: Api, path: str) -> None:
    assert (await preflight(listed, path, DESK))[0] == 404


async def test_unless_origins_are_listed_nothing_is_said_of_it(redis_url: str, tmp_path: Path) -> None:
    async with serving(redis_url, tmp_path) as api:
        status, headers = await preflight(api, "/emails/process", DESK)
        assert (status, about_cors(headers)) == (405, {})
        reply = await api.get("/health/live", headers={"Origin": DESK})
        assert about_cors(dict(reply.headers)) == {} and "Vary" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.acme.example", f"{DESK}/", f"{DESK}/desk", "desk.acme.example", "https://a@b.example",
     "http://desk.acme.example", "null"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="ECONEURA_CORS_ORIGINS"):
        load_settings(redis_url="redis://127.0.0.1:1", cors_origins=origin)
