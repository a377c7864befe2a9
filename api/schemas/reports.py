"""Reports and exports."""

from __future__ import annotations

from api.schemas.forms import Given, OrganizationId, Shown


class ReportsQuery(Given):
    organization_id: OrganizationId | None = None


class Report(Shown):
    """A report of one day. `formats`: html, json."""

    organization_id: str
    date: str
    name: str
    formats: list[str]


class ReportList(Shown):
    reports: list[Report]
    count: int


class ExportFile(Shown):
    organization_id: str
    name: str
    size_bytes: int
    written_at: str


class ExportList(Shown):
    exports: list[ExportFile]
    count: int
