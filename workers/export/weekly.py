"""The weekly export of each organization: complete weeks only, those that were left out included."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from workers import logs, metrics
from workers.errors import EconeuraError, Throttled
from workers.export.destination import Destination, destination_of
from workers.export.week import Week
from workers.export.week_files import MANIFEST, ROWS_A_PIECE, WeekFiles, working_folder
from workers.organizations import Organization
from workers.pipeline.context import Context
from workers.pipeline.scheduled_run import Done

_log = logs.get_logger("export")
Entries = list[tuple[str, dict[str, Any]]]


async def export_weeks(context: Context, organizations: Sequence[Organization], due: datetime) -> Done:
    """Export the last complete week before `due` and older ones never exported.

    Exporting a week again puts the same content under the same names. Trouble of one organization stays
    with it. Raises Busy while another run of this host writes the same week.
    """
    destination = await asyncio.to_thread(destination_of, context.settings)
    figures = {"weeks": 0, "records": 0, "bytes": 0}
    problems = []
    for organization in organizations:
        try:
            for week in await _due_weeks(context, organization, destination, due):
                records, size = await export_week(context, organization, destination, week)
                figures["weeks"] += 1
                figures["records"] += records
                figures["bytes"] += size
        except Throttled:
            raise
        except (EconeuraError, OSError) as failed:
            code = failed.code if isinstance(failed, EconeuraError) else type(failed).__name__
            metrics.ERRORS.labels(code, "export", "error").inc()
            _log.error("export_failed", organizationId=organization.id, error=str(failed))
            problems.append(f"{organization.id}: {code}")
    return Done(figures, "; ".join(problems))


async def export_week(
    context: Context, organization: Organization, destination: Destination, week: Week
) -> tuple[int, int]:
    """Write and publish one week; returns its records and bytes. Killed, it goes on where it was."""
    since, until = week.bounds(organization.zone)
    place = f"{organization.id}/{week.name}"
    with working_folder(context.settings.data_dir / "export-work" / place) as folder:
        files = await asyncio.to_thread(WeekFiles, folder)
        resumed = files.rows
        async for piece in _pieces(context, organization, files.last_id, since, until):
            await asyncio.to_thread(files.add, piece)
        facts = {
            "organizationId": organization.id,
            "week": week.name,
            "timezone": organization.timezone,
            "from": since.isoformat(),
            "until": until.isoformat(),
        }
        paths = await asyncio.to_thread(files.finish, facts)
        size = sum(path.stat().st_size for path in paths)
        # The manifest comes last: what it describes is there.
        for path in paths:
            await asyncio.to_thread(destination.put, path, f"{place}/{path.name}")
        await context.store.exports.note_exported(organization.id, until)
        await asyncio.to_thread(_discard, folder)
    _log.info(
        "week_exported", organizationId=organization.id, week=week.name, records=files.rows, resumed=resumed
    )
    return files.rows, size


async def _due_weeks(
    context: Context, organization: Organization, destination: Destination, due: datetime
) -> list[Week]:
    last = Week.last_complete(due, organization.zone)
    first_line = await context.store.exports.first_line_at(organization.id)
    if first_line is None:
        return [last]
    first = min(Week.of(first_line, organization.zone), last)
    return [
        week
        for week in first.until(last)
        if week == last
        or not await asyncio.to_thread(destination.has, f"{organization.id}/{week.name}/{MANIFEST}")
    ]


async def _pieces(
    context: Context, organization: Organization, last_id: str, since: datetime, until: datetime
) -> AsyncIterator[Entries]:
    """The week's journal in pieces of a fixed size, from after `last_id` ("0": the beginning)."""
    piece: Entries = []
    async for entry in context.store.journal.lines(
        organization.id,
        since_ms=int(since.timestamp() * 1000),
        until_ms=int(until.timestamp() * 1000),
        after=last_id,
    ):
        piece.append(entry)
        if len(piece) == ROWS_A_PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _discard(folder: Path) -> None:
    shutil.rmtree(folder)
