"""Exports and reports that hold a correspondent: found and named. Who has copies, people know."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from workers.erasure.erased import FileFound
from workers.erasure.search import Search
from workers.export.week_files import CSV, JSONL
from workers.reports import files as reports
from workers.settings import Settings


@dataclass(frozen=True)
class Row:
    """A row of a week's export: the correspondent's, or (`is_certain` False) only of the same domain."""

    week: Path
    mailbox: str
    message_id: str
    is_certain: bool


def export_folders(settings: Settings) -> tuple[list[Path], list[str]]:
    """Folders in which exports lie, and places that are not looked into (buckets)."""
    folders = [settings.data_dir / "exports", settings.data_dir / "export-work"]
    url = settings.export_url
    if url is None:
        return folders, []
    if "://" in url and not url.startswith("file://"):
        return folders, [url]
    return [Path(url.removeprefix("file://")), *folders], []


def export_rows(folders: Iterable[Path], search: Search) -> list[Row]:
    """Rows that concern the correspondent, and those of the same domain. Blocks."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob(f"*/*/{JSONL}")):
            if search.covers(path.parent.parent.name):
                found += [row for line in _lines(path) if (row := _row(path.parent, line, search))]
    return found


def weeks_with(rows: Iterable[Row]) -> list[FileFound]:
    """The files of the weeks that have such rows."""
    by_week: dict[Path, list[bool]] = {}
    for row in rows:
        by_week.setdefault(row.week, []).append(row.is_certain)
    return [
        FileFound(str(week / name), sum(certain), len(certain) - sum(certain))
        for week, certain in sorted(by_week.items())
        for name in (JSONL, CSV)
    ]


def reports_naming(data_dir: Path, search: Search) -> list[FileFound]:
    """Daily reports with the address in them; they hold counts, so there should be none. Blocks."""
    return [
        FileFound(str(report.path), 1)
        for report in reports.all_reports(data_dir)
        if search.covers(report.organization_id) and search.person.is_named_in(report.path.read_bytes())
    ]


def _row(week: Path, line: bytes, search: Search) -> Row | None:
    told = orjson.loads(line)
    is_certain = search.concerns(line)
    if not is_certain and told.get("fromDomain") != search.person.domain:
        return None
    return Row(week, str(told.get("mailbox")), str(told.get("messageId")), is_certain)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        # One that is being written: what is whole so far was read.
        return
