"""`econeura analyse`: mails in, one JSON line each out, in order, without any service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from workers.analysis.mail import mail_from_eml, mail_from_row
from workers.analysis.understand import analyse

STANDARD_INPUT = "-"


def analyse_stream(
    sources: Iterable[str], standard_input: BinaryIO, *, now: datetime | None = None, floor: float = 0.6
) -> Iterator[bytes]:
    """Lines (with their line break) for each mail of `sources`: paths of .eml files, or "-" for JSON lines.

    A line or file that cannot be read gives `{"id", "error"}` in its place: output stays in step with input.
    """
    for source in sources:
        if source == STANDARD_INPUT:
            for number, line in enumerate(standard_input, 1):
                if line.strip():
                    yield _from_line(line, number, now, floor)
        else:
            yield _from_file(Path(source), now, floor)


def _from_line(line: bytes, number: int, now: datetime | None, floor: float) -> bytes:
    try:
        row: Any = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        return _line({"id": None, "error": f"line {number} is no JSON: {problem}"})
    if not isinstance(row, dict):
        return _line({"id": None, "error": f"line {number} is no JSON object"})
    return _line(analyse(mail_from_row(row), now=now, floor=floor).to_dict())


def _from_file(path: Path, now: datetime | None, floor: float) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as problem:
        return _line({"id": path.name, "error": str(problem)})
    return _line(analyse(mail_from_eml(raw, mail_id=path.name), now=now, floor=floor).to_dict())


def _line(shape: dict[str, Any]) -> bytes:
    return orjson.dumps(shape, option=orjson.OPT_APPEND_NEWLINE)
