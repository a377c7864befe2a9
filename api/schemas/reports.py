"""Reports and exports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.forms import Given, OrganizationId, Shown

Format = Literal["json", "html"]


class ReportsQuery(Given):
    organization_id: OrganizationId | None = None


class DayQuery(ReportsQuery):
    format: Annotated[
        Format | None, Field(description="Left out: html where Accept asks for text/html, else json.")
    ] = None


class Report(Shown):
    """A report of one day, and the formats in which it can be had."""

    organization_id: str
    date: str
    name: str
    formats: list[Format]


class ReportList(Shown):
    reports: list[Report]
    count: int


class DayReport(Report):
    """`content`: emailSummary, learning, jobStatistics, systemHealth and what they are about."""

    content: dict[str, Any] | None


class DayReports(Shown):
    reports: list[DayReport]
    count: int


class ExportFile(Shown):
    name: str
    size_bytes: int
    sha256: str


class Export(Shown):
    """An ISO week of an organization; `from_` and `until` are its bounds in the organization's timezone."""

    organization_id: str
    week: str
    from_: Annotated[str, Field(alias="from")]
    until: str
    records: int
    files: list[ExportFile]


class ExportList(Shown):
    exports: list[Export]
    count: int
