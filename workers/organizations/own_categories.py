"""Categories of an organization's own, beside the eight: learned from examples and from what people say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import Field

from workers.errors import SettingsError
from workers.organizations.rules import Strict

OwnName = Annotated[str, Field(pattern=r"^\w[\w .&-]{0,63}$")]
MOST_CATEGORIES = 20
_MOST_EXAMPLES = 200
_MOST_BYTES = 4_000_000


class OwnCategory(Strict):
    """What mail belongs to it. `examples` is a file of JSON lines `{subject, body}`, optionally with `from`
    and the other fields of `econeura analyse -`; its path is relative to the organizations file."""

    description: Annotated[str, Field(max_length=1000)] = ""
    examples: str | None = None


@dataclass(frozen=True)
class OwnExamples:
    """Mails that the file gives for each own category; `digest` changes with whatever is said there."""

    mails: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    digest: str = ""


def read_examples(categories: Mapping[str, OwnCategory], *, relative_to: Path) -> OwnExamples:
    """The mails of all categories; a description counts as one. Raises SettingsError that names the field."""
    if not categories:
        return OwnExamples()
    mails: dict[str, tuple[dict[str, Any], ...]] = {}
    for name, category in sorted(categories.items()):
        described = [{"subject": name, "body": category.description}] if category.description else []
        listed = [] if category.examples is None else _read(name, relative_to / category.examples)
        mails[name] = (*described, *listed)
    return OwnExamples(mails, hashlib.sha256(orjson.dumps(mails)).hexdigest()[:12])


def _read(name: str, path: Path) -> list[dict[str, Any]]:
    label = f"categories.{name}.examples"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{label}: {path} is over {_MOST_BYTES // 1_000_000} MB")
        lines = path.read_bytes().splitlines()
    except OSError as unreadable:
        raise SettingsError(f"{label}: cannot read {path}: {unreadable.strerror}") from None
    rows = [_row(label, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not 0 < len(rows) <= _MOST_EXAMPLES:
        raise SettingsError(f"{label}: give 1 to {_MOST_EXAMPLES} mails, one a line; there are {len(rows)}")
    return rows


def _row(label: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        raise SettingsError(f"{label}: line {number} is no JSON: {problem}") from None
    if not isinstance(row, dict) or not (row.get("subject") or row.get("body")):
        raise SettingsError(f"{label}: line {number} is no mail {{subject, body}}")
    return row
