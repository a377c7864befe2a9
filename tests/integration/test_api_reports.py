"""Reports and exports: the files that the scheduled jobs leave, to whom they belong and to nobody else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.api_service import Api, serving
from workers.reports import files

DAY = date(2026, 11, 21)
STYLE = "body { color: #111 }"
PAGE = f"<!doctype html><style>{STYLE}</style><svg><path class='a' d='M0 0'/></svg><p>acme</p>"
ODD = [
    "..",
    "%2e%2e",
    "..%2f..%2fsecret",
    "2026-13-40",
    "20261121",
    "2026-11-21%2f..%2f2026-11-21",
    "%00",
    "*",
    "2026-11-2*",
]


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(redis_url, tmp_path) as api:
        yield api


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def write_report(data_dir: Path, organization: str, day: date = DAY, page: str = PAGE) -> None:
    content = {"organizationId": organization, "date": day.isoformat(), "emailSummary": {"received": 3}}
    files.write(data_dir, organization, day, "json", json.dumps(content).encode())
    files.write(data_dir, organization, day, "html", page.encode())


def write_export(data_dir: Path, organization: str, week: str = "2026-W47") -> bytes:
    folder, content = data_dir / "exports" / organization / week, b"\x1f\x8b12345"
    folder.mkdir(parents=True)
    (folder / "ledger.jsonl.gz").write_bytes(content)
    (folder / "ledger.csv").write_bytes(b"a,b\r\n")
    manifest: dict[str, Any] = {
        "from": "2026-11-16T00:00:00+01:00",
        "until": "2026-11-23T00:00:00+01:00",
        "records": 1,
        "files": [{"name": "ledger.jsonl.gz", "bytes": 7, "sha256": sha256(content).hexdigest()}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return content


async def test_without_any_the_lists_are_empty(api: Api) -> None:
    assert (await api.get("/reports")).data == {"reports": [], "count": 0}
    assert (await api.get("/exports")).data == {"exports": [], "count": 0}
    assert (await api.get("/reports/2026-11-22")).status == 404


async def test_reports_are_listed_newest_first(api: Api, data_dir: Path) -> None:
    write_report(data_dir, "acme")
    write_report(data_dir, "acme", date(2026, 11, 22))
    (data_dir / "reports" / "acme" / "notes").mkdir()
    reports = (await api.get("/reports")).data["reports"]
    assert [(item["date"], item["organizationId"]) for item in reports] == [
        ("2026-11-22", "acme"),
        ("2026-11-21", "acme"),
    ]
    assert sorted(reports[0]["formats"]) == ["html", "json"]
    assert (await api.get("/reports?organizationId=solo")).data["count"] == 0


async def test_a_day_is_told_as_json_with_what_the_report_says(api: Api, data_dir: Path) -> None:
    write_report(data_dir, "acme")
    write_report(data_dir, "solo")
    shown = (await api.get("/reports/2026-11-21")).data
    assert [item["organizationId"] for item in shown["reports"]] == ["acme", "solo"]
    (only,) = (await api.get("/reports/2026-11-21?organizationId=solo")).data["reports"]
    assert only["content"]["emailSummary"] == {"received": 3}


@pytest.mark.parametrize(
    ("query", "accept", "media"),
    [
        ("?format=html", "*/*", "text/html"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("?format=json", "text/html", "application/json"),
        ("", "*/*", "application/json"),
        ("", "application/json, text/html;q=0.5", "application/json"),
    ],
)
async def test_the_page_or_the_figures(api: Api, data_dir: Path, query: str, accept: str, media: str) -> None:
    write_report(data_dir, "acme")
    reply = await api.get(f"/reports/2026-11-21{query}", headers={"Accept": accept})
    assert reply.headers["Content-Type"].partition(";")[0] == media
    assert reply.headers["Vary"] == "Accept"


async def test_a_page_shows_its_style_and_runs_nothing(api: Api, data_dir: Path) -> None:
    write_report(data_dir, "acme", page=PAGE + "<script>alert(1)</script>")
    policy = (await api.get("/reports/2026-11-21?format=html")).headers["Content-Security-Policy"]
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "sandbox" in policy
    assert "unsafe" not in policy and "script-src" not in policy


async def test_several_pages_of_a_day_are_told_apart_by_organization(api: Api, data_dir: Path) -> None:
    write_report(data_dir, "acme")
    write_report(data_dir, "solo")
    refused = await api.get("/reports/2026-11-21?format=html")
    assert (refused.status, refused.fields) == (422, ["organizationId"])
    assert (await api.get("/reports/2026-11-21?format=html&organizationId=solo")).status == 200


@pytest.mark.parametrize("name", ODD)
async def test_no_path_leads_out(api: Api, data_dir: Path, name: str) -> None:
    write_report(data_dir, "acme")
    write_export(data_dir, "acme")
    (data_dir / "exports" / "secret").write_text("s")
    for path in (
        f"/reports/{name}",
        f"/exports/acme/{name}/ledger.csv",
        f"/exports/{name}/2026-W47/ledger.csv",
        f"/exports/acme/2026-W47/{name}",
    ):
        assert (await api.get(path)).status in (404, 422), path
    assert (await api.get(f"/reports/2026-11-21?organizationId={name}")).status in (404, 422)


async def test_exports_are_listed_by_their_manifests_and_handed_out(api: Api, data_dir: Path) -> None:
    content = write_export(data_dir, "acme")
    (data_dir / "exports" / "acme" / "2026-W48").mkdir()
    (export,) = (await api.get("/exports?organizationId=acme")).data["exports"]
    assert (export["week"], export["records"], export["files"][0]["sizeBytes"]) == ("2026-W47", 1, 7)
    file = await api.get("/exports/acme/2026-W47/ledger.jsonl.gz")
    assert (file.status, file.body, file.headers["Content-Type"]) == (200, content, "application/gzip")
    assert "Content-Encoding" not in file.headers
    assert file.headers["Content-Disposition"].startswith("attachment")
    ranged = await api.get("/exports/acme/2026-W47/ledger.jsonl.gz", headers={"Range": "bytes=0-1"})
    assert (ranged.status, ranged.body) == (206, content[:2])
    assert (await api.get("/exports/acme/2026-W47/other.txt")).status == 404
