"""Who may call: the holder of the key, once there is one; else programs of this machine alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.app import ROUTE_TABLE, create_app
from tests.api_service import Api, serving
from workers.errors import SettingsError
from workers.settings import load_settings

KEY = "k3y-" + "0123456789abcdef" * 2
ANYWHERE = "0.0.0.0"  # noqa: S104 what a container listens on
OPEN = {"/listen", "/health/live", "/health/ready"}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture
async def api(redis_url: str, tmp_path: Path, key_file: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path, bootstrap_key_file=key_file, host=ANYWHERE) as api:
        yield api


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY}0"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer ñandú"},
    ],
    ids=["none", "no scheme", "other scheme", "shorter", "longer", "empty", "not ASCII"],
)
async def test_nobody_without_the_key(api: Api, headers: dict[str, str]) -> None:
    for path in ("/organizations", "/health", "/metrics", "/openapi.json"):
        reply = await api.get(path, headers=headers)
        assert (reply.status, reply.json["code"]) == (401, "unauthorized")
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert KEY not in reply.body.decode()


async def test_who_has_the_key_by_any_name(api: Api) -> None:
    headers = {"Authorization": f"bearer {KEY}", "Host": "econeura-api.econeura.svc"}
    assert (await api.get("/organizations", headers=headers)).status == 200


async def test_graph_and_probes_without_it(api: Api) -> None:
    assert (await api.post("/listen", {"value": []})).status == 202
    assert (await api.get("/health/live")).status == 200
    assert (await api.get("/health/ready")).status == 200


@pytest.mark.parametrize(
    ("setting", "opened"),
    [
        ("docs_without_key", ["/docs", "/docs/start.js", "/openapi.json"]),
        ("metrics_without_key", ["/metrics"]),
    ],
)
async def test_docs_and_metrics_are_open_where_a_setting_says_so(
    redis_url: str, tmp_path: Path, key_file: Path, setting: str, opened: list[str]
) -> None:
    """A browser cannot send the key for a page, and some Prometheus have none."""
    given: dict[str, Any] = {"bootstrap_key_file": key_file, setting: True}
    async with serving(redis_url, tmp_path, **given) as api:
        found = {
            path: (await api.get(path)).status
            for path in ("/docs", "/docs/start.js", "/openapi.json", "/metrics", "/health", "/organizations")
        }
    assert found == {path: 200 if path in opened else 401 for path in found}


async def test_an_unknown_route_says_no_more_than_that(api: Api) -> None:
    assert (await api.get("/secrets")).status == 404


def test_every_other_route_needs_it() -> None:
    assert {route.path for route in ROUTE_TABLE if route.needs == "nothing"} == OPEN


@pytest.mark.parametrize("key", ["", "short", "x" * 31], ids=len)
def test_a_key_that_can_be_guessed_is_none(tmp_path: Path, key: str) -> None:
    path = tmp_path / "key"
    path.write_text(key)
    with pytest.raises(SettingsError, match=r"ECONEURA_BOOTSTRAP_KEY_FILE: the key in .* can be guessed"):
        create_app(load_settings(bootstrap_key_file=path))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ECONEURA_BOOTSTRAP_KEY_FILE: cannot read"):
        create_app(load_settings(bootstrap_key_file=tmp_path / "nothing"))
