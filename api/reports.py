"""Reports and exports: the files that the scheduled jobs leave in the data directory.

reports/ORGANIZATION/DATE/NAME.{json,html} and exports/ORGANIZATION/...
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from aiohttp import web

from api import routes
from api.envelope import answer, moment
from api.refusals import not_found
from api.routes import Answer, Routes
from api.schemas.reports import ExportFile, ExportList, Report, ReportList, ReportsQuery
from api.wiring import SETTINGS

REPORTS = Routes("reports")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FORMATS = ("html", "json")
_MOST = 1000


@REPORTS.add(
    "GET",
    "/reports",
    takes=routes.query(ReportsQuery),
    needs="read",
    answers={200: Answer("Newest first.", ReportList)},
)
async def list_reports(request: web.Request, asked: ReportsQuery) -> web.Response:
    """List the daily reports, newest first."""
    reports = await asyncio.to_thread(_reports, request.app[SETTINGS].data_dir, asked.organization_id, None)
    return answer(ReportList(reports=reports[:_MOST], count=len(reports[:_MOST])))


@REPORTS.add(
    "GET",
    "/reports/{date}",
    takes=routes.query(ReportsQuery),
    needs="read",
    answers={200: Answer("The reports of that day.", ReportList)},
    refusals=(404,),
)
async def list_reports_of_day(request: web.Request, asked: ReportsQuery) -> web.Response:
    """List the reports of one day (YYYY-MM-DD)."""
    date = request.match_info["date"]
    reports = await asyncio.to_thread(_reports, request.app[SETTINGS].data_dir, asked.organization_id, date)
    if not reports:
        raise not_found("no report of that day")
    return answer(ReportList(reports=reports, count=len(reports)))


@REPORTS.add(
    "GET",
    "/exports",
    takes=routes.query(ReportsQuery),
    needs="read",
    answers={200: Answer("Newest first.", ExportList)},
)
async def list_exports(request: web.Request, asked: ReportsQuery) -> web.Response:
    """List the files of the weekly exports, newest first."""
    exports = await asyncio.to_thread(_exports, request.app[SETTINGS].data_dir, asked.organization_id)
    return answer(ExportList(exports=exports[:_MOST], count=len(exports[:_MOST])))


def _reports(data_dir: Path, organization_id: str | None, date: str | None) -> list[Report]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for path in sorted((data_dir / "reports").glob("*/*/*.*")):
        name, form = path.stem, path.suffix[1:]
        day, organization = path.parent.name, path.parent.parent.name
        is_wanted = organization_id in (None, organization) and date in (None, day)
        if is_wanted and form in _FORMATS and _DATE.fullmatch(day):
            found.setdefault((day, organization, name), []).append(form)
    return [
        Report(organization_id=organization, date=day, name=name, formats=formats)
        for (day, organization, name), formats in sorted(found.items(), reverse=True)
    ]


def _exports(data_dir: Path, organization_id: str | None) -> list[ExportFile]:
    base = data_dir / "exports"
    files = []
    for path in base.glob("*/**/*"):
        organization = path.relative_to(base).parts[0]
        if path.is_file() and organization_id in (None, organization):
            facts = path.stat()
            files.append((facts.st_mtime, organization, path.relative_to(base), facts.st_size))
    return [
        ExportFile(
            organization_id=organization,
            name=str(name),
            size_bytes=size,
            written_at=moment(written * 1000) or "",
        )
        for written, organization, name, size in sorted(files, reverse=True)
    ]
