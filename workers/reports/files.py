"""Where reports lie (see the package), written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import orjson

NAME = "daily_report"
Form = Literal["json", "html"]


@dataclass(frozen=True)
class ReportFile:
    """One report of one organization and day, in one form."""

    organization_id: str
    day: date
    form: Form
    path: Path


def path_of(data_dir: Path, organization_id: str, day: date, form: Form) -> Path:
    return data_dir / "reports" / organization_id / day.isoformat() / f"{NAME}.{form}"


def write(data_dir: Path, organization_id: str, day: date, form: Form, content: bytes) -> Path:
    """Write a report in place of any former one; a reader sees the old or the new, never half of it."""
    path = path_of(data_dir, organization_id, day, form)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path


def read(data_dir: Path, organization_id: str, day: date) -> dict[str, Any] | None:
    """The JSON report of a day, or None where there is none."""
    try:
        report: dict[str, Any] = orjson.loads(path_of(data_dir, organization_id, day, "json").read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return report


def all_reports(data_dir: Path) -> Iterator[ReportFile]:
    """Every report there is, in no order."""
    for form in ("json", "html"):
        for path in (data_dir / "reports").glob(f"*/*/{NAME}.{form}"):
            try:
                day = date.fromisoformat(path.parent.name)
            except ValueError:
                continue
            yield ReportFile(path.parent.parent.name, day, form, path)
