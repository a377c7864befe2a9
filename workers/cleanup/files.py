"""Report and export files in the data directory, by the day or week that their folder is named after."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

from workers.cleanup.removed import Removed


def remove_old_reports(data_dir: Path, before: date, *, dry_run: bool) -> Removed:
    """Remove reports/ORGANIZATION/YYYY-MM-DD folders of days before this one."""
    return _remove((data_dir / "reports").glob("*/*"), _day, before, dry_run=dry_run)


def remove_old_exports(data_dir: Path, before: date, *, dry_run: bool) -> Removed:
    """Remove exports/ORGANIZATION/YYYY-Www folders of weeks that began before this day."""
    return _remove((data_dir / "exports").glob("*/*"), _week, before, dry_run=dry_run)


def _remove(
    folders: Iterable[Path], begins: Callable[[str], date | None], before: date, *, dry_run: bool
) -> Removed:
    removed = Removed()
    for folder in list(folders):
        named = begins(folder.name)
        # What is not named so is not ours.
        if folder.is_dir() and named is not None and named < before:
            try:
                sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
                if not dry_run:
                    shutil.rmtree(folder)
            except FileNotFoundError:
                # Another cleanup was there first.
                continue
            removed.add(len(sizes), sum(sizes))
    return removed


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def _week(name: str) -> date | None:
    year, _, week = name.partition("-W")
    try:
        return date.fromisocalendar(int(year), int(week), 1)
    except ValueError:
        return None
