"""Read the organizations file; what is wrong in it is named with its field and the fix."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from workers.errors import SettingsError
from workers.job_tables import JobTable
from workers.organizations.directory import Organizations
from workers.organizations.organization import Organization
from workers.organizations.rules import Identifier

_JOBS: TypeAdapter[dict[Identifier, JobTable]] = TypeAdapter(dict[Identifier, JobTable])


def load_organizations(path: Path | None) -> Organizations:
    """Read and check the organizations file; raises SettingsError that names the field and the fix."""
    if path is None:
        return Organizations(())
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise SettingsError(f"ECONEURA_ORGANIZATIONS: cannot read {path}: {unreadable.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as malformed:
        raise SettingsError(f"{path}: not valid TOML: {malformed}") from None
    if unknown := sorted(set(raw) - {"organizations", "jobs"}):
        raise SettingsError(
            f"{path}: unknown table {', '.join(unknown)}; organizations go under [organizations.ID]"
        )
    tables = raw.get("organizations", {})
    if not isinstance(tables, dict):
        raise SettingsError(f"{path}: organizations must be a table: [organizations.ID]")
    organizations = Organizations(
        tuple(_organization(path, identifier, table) for identifier, table in tables.items()),
        base_dir=path.parent,
        jobs=_jobs(path, raw.get("jobs", {})),
    )
    for organization in organizations:
        # A file of examples that cannot be used is to be told now, not with the first mail.
        organizations.own_examples(organization)
    return organizations


def _jobs(path: Path, tables: Any) -> dict[str, JobTable]:
    try:
        return _JOBS.validate_python(tables)
    except ValidationError as invalid:
        raise SettingsError(f"{path}: {_problems(invalid, 'jobs')}") from None


def _organization(path: Path, identifier: str, table: Any) -> Organization:
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: organizations.{identifier} must be a table")
    try:
        return Organization.model_validate({"id": identifier, **table})
    except ValidationError as invalid:
        raise SettingsError(f"{path}: {_problems(invalid, 'organizations', identifier)}") from None


def _problems(invalid: ValidationError, *table: str) -> str:
    problems = []
    for error in invalid.errors():
        where = ".".join(str(part) for part in (*table, *error["loc"]))
        text = "unknown setting" if error["type"] == "extra_forbidden" else error["msg"]
        problems.append(f"{where}: {text.removeprefix('Value error, ')}")
    return "; ".join(problems)
