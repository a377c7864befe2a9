"""Weekly exports: the files that the job `weekly_export` leaves in the data directory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
from aiohttp import web

from api import routes
from api.caller import CALLER
from api.envelope import answer
from api.refusals import not_found
from api.routes import NOTHING, Answer, Routes
from api.schemas.reports import Export, ExportFile, ExportList, ReportsQuery
from api.visibility import narrowed
from api.wiring import SETTINGS
from workers.export.week_files import CSV, JSONL, MANIFEST

EXPORTS = Routes("reports")
_WEEK = re.compile(r"\d{4}-W\d{2}")
_MEDIA = {JSONL: "application/gzip", CSV: "text/csv; charset=utf-8", MANIFEST: "application/json"}
_MOST = 1000


@EXPORTS.add(
    "GET",
    "/exports",
    takes=routes.query(ReportsQuery),
    uses_redis=False,
    needs="read",
    answers={200: Answer("Newest first.", ExportList)},
    refusals=(404,),
)
async def list_exports(request: web.Request, asked: ReportsQuery) -> web.Response:
    """List the weekly exports in the data directory, newest first. Those of a bucket are not here."""
    wanted = narrowed(request, asked.organization_id)
    exports = await asyncio.to_thread(_exports, _folder(request), wanted)
    return answer(ExportList(exports=exports, count=len(exports)))


@EXPORTS.add(
    "GET",
    "/exports/{organizationId}/{week}/{file}",
    takes=NOTHING,
    uses_redis=False,
    needs="read",
    answers={
        200: Answer("The file.", media="*/*"),
        206: Answer("The range of it that was asked for.", media="*/*"),
        304: Answer("Unchanged."),
        412: Answer("Changed."),
        416: Answer("It has no such range."),
    },
    refusals=(404,),
)
async def read_export(request: web.Request, _: None) -> web.FileResponse:
    """Hand out a file of an export: ledger.jsonl.gz, ledger.csv or manifest.json."""
    organization, week, name = (request.match_info[part] for part in ("organizationId", "week", "file"))
    weeks = await asyncio.to_thread(lambda: list(_weeks(_folder(request), frozenset({organization}))))
    if (
        not request[CALLER].may_see(organization)
        or week not in {path.name for path in weeks}
        or name not in _MEDIA
    ):
        raise not_found("no such export")
    path = _folder(request) / organization / week / name
    if not await asyncio.to_thread(path.is_file):
        raise not_found("no such export")
    headers = {
        "Content-Type": _MEDIA[name],
        "Content-Disposition": f'attachment; filename="{organization}-{week}-{name}"',
    }
    return web.FileResponse(path, headers=headers)


def _folder(request: web.Request) -> Path:
    return request.app[SETTINGS].data_dir / "exports"


def _weeks(folder: Path, wanted: frozenset[str] | None) -> Iterator[Path]:
    """Folders of weeks, found by listing: what a caller names never becomes part of a path."""
    for organization in folder.glob("*"):
        if wanted is None or organization.name in wanted:
            yield from (path for path in organization.glob("*") if _WEEK.fullmatch(path.name))


def _exports(folder: Path, wanted: frozenset[str] | None) -> list[Export]:
    newest = sorted(_weeks(folder, wanted), key=lambda path: (path.name, path), reverse=True)
    return [export for path in newest[:_MOST] if (export := _export(path)) is not None]


def _export(week: Path) -> Export | None:
    """By its manifest, which is written last; None while there is none."""
    try:
        manifest = orjson.loads((week / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return Export(
        organization_id=week.parent.name,
        week=week.name,
        from_=manifest["from"],
        until=manifest["until"],
        records=manifest["records"],
        files=[
            ExportFile(name=file["name"], size_bytes=file["bytes"], sha256=file["sha256"])
            for file in manifest["files"]
        ],
    )
