"""Daily reports: the files that the job `daily_reports` leaves in the data directory."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import get_args

from aiohttp import web

from api import routes
from api.envelope import answer
from api.refusals import invalid, not_found
from api.routes import Answer, Routes
from api.schemas.reports import DayQuery, DayReport, DayReports, Format, Report, ReportList, ReportsQuery
from api.visibility import narrowed
from api.wiring import SETTINGS
from workers.reports import files

REPORTS = Routes("reports")
_TO_THE_FIRST = {"read_reports_of_day": {"date": "/reports/0/date"}}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_FORMATS: tuple[Format, ...] = get_args(Format)
_MOST = 1000


@REPORTS.add(
    "GET",
    "/reports",
    takes=routes.query(ReportsQuery),
    uses_redis=False,
    needs="read",
    answers={200: Answer("Newest first.", ReportList, leads_to=_TO_THE_FIRST)},
    refusals=(404,),
)
async def list_reports(request: web.Request, asked: ReportsQuery) -> web.Response:
    """List the daily reports, newest first."""
    wanted = narrowed(request, asked.organization_id)
    reports = await asyncio.to_thread(_reports, request.app[SETTINGS].data_dir, wanted)
    return answer(ReportList(reports=reports, count=len(reports)))


@REPORTS.add(
    "GET",
    "/reports/{date}",
    takes=routes.query(DayQuery),
    uses_redis=False,
    needs="read",
    answers={
        200: Answer("The reports of that day; as a page that of one organization.", DayReports, "text/html")
    },
    refusals=(404,),
)
async def read_reports_of_day(request: web.Request, asked: DayQuery) -> web.Response:
    """Show the reports of one day (YYYY-MM-DD).

    As HTML with `format=html`, or where Accept asks for text/html: then of one organization, which must be
    named where several have one.
    """
    wanted, day = narrowed(request, asked.organization_id), _day(request.match_info["date"])
    data_dir = request.app[SETTINGS].data_dir
    reports = await asyncio.to_thread(_reports_of_day, data_dir, wanted, day)
    if _wants_page(request, asked):
        pages = [report for report in reports if "html" in report.formats]
        if len(pages) > 1:
            raise invalid("organizationId", "needed: several organizations have a report of that day")
        if pages:
            path = files.path_of(data_dir, pages[0].organization_id, day, "html")
            return _page(await asyncio.to_thread(path.read_bytes))
        reports = []
    if not reports:
        raise not_found("no report of that day")
    return answer(DayReports(reports=reports, count=len(reports)), headers={"Vary": "Accept"})


def _reports(data_dir: Path, wanted: frozenset[str] | None) -> list[Report]:
    found: dict[tuple[date, str], list[Format]] = {}
    for file in files.all_reports(data_dir):
        if wanted is None or file.organization_id in wanted:
            found.setdefault((file.day, file.organization_id), []).append(file.form)
    newest = sorted(found, reverse=True)[:_MOST]
    return [
        Report(
            organization_id=organization,
            date=day.isoformat(),
            name=files.NAME,
            formats=found[day, organization],
        )
        for day, organization in newest
    ]


def _reports_of_day(data_dir: Path, wanted: frozenset[str] | None, day: date) -> list[DayReport]:
    """By the folders that are there: what a caller names never becomes part of a path."""
    folders = sorted(path.name for path in (data_dir / "reports").glob("*"))
    shown = []
    for organization in folders:
        formats = [form for form in _FORMATS if files.path_of(data_dir, organization, day, form).is_file()]
        if formats and (wanted is None or organization in wanted):
            shown.append(
                DayReport(
                    organization_id=organization,
                    date=day.isoformat(),
                    name=files.NAME,
                    formats=formats,
                    content=files.read(data_dir, organization, day),
                )
            )
    return shown


def _day(text: str) -> date:
    try:
        # fromisoformat takes other forms as well, such as 20261122.
        return date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError:
        raise not_found("no report of that day: days are written YYYY-MM-DD") from None


def _wants_page(request: web.Request, asked: DayQuery) -> bool:
    if asked.format is not None:
        return asked.format == "html"
    accepted = request.headers.get("Accept", "")
    return "text/html" in accepted and "application/json" not in accepted


def _page(content: bytes) -> web.Response:
    """The page may show its own style sheets and drawings, by their digest, and do nothing at all."""
    styles = (
        " ".join(
            f"'sha256-{b64encode(sha256(style).digest()).decode()}'" for style in _STYLE.findall(content)
        )
        or "'none'"
    )
    policy = (
        f"default-src 'none'; style-src {styles}; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; sandbox"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Vary": "Accept",
    }
    return web.Response(body=content, headers=headers)
