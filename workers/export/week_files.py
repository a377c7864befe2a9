"""The files of a week, written piece by piece: flat in memory, and resumed where a killed run left off.

A piece is a fixed number of rows and its own gzip member, so the bytes depend on the rows alone, not on
where a run was interrupted.
"""

from __future__ import annotations

import csv
import fcntl
import gzip
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from workers.errors import Busy
from workers.export.rows import COLUMNS, SCHEMA_VERSION, cells_of, record_of

ROWS_A_PIECE = 2000
JSONL, CSV, MANIFEST = "ledger.jsonl.gz", "ledger.csv", "manifest.json"
_CHECKPOINT = "checkpoint.json"
_PIECES_A_CHECKPOINT = 10
_LOOK_AGAIN_S = 30.0


@dataclass
class _Progress:
    """How far the files are good: sizes in bytes, and the journal entry that they end with."""

    schema: int = SCHEMA_VERSION
    last_id: str = "0"
    rows: int = 0
    jsonl_bytes: int = 0
    csv_bytes: int = 0
    states: dict[str, int] = field(default_factory=dict)


class WeekFiles:
    """JSON lines and CSV of a week in a working folder. Its methods block: call them in threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progress = self._read_checkpoint()
        self._pieces = 0
        for name, size in ((JSONL, self._progress.jsonl_bytes), (CSV, self._progress.csv_bytes)):
            with (folder / name).open("ab") as file:
                file.truncate(size)
        if not self._progress.csv_bytes:
            self._progress.csv_bytes = self._append(CSV, _csv_of([list(COLUMNS)]))

    @property
    def last_id(self) -> str:
        """The journal entry to go on after; "0" for a new week."""
        return self._progress.last_id

    @property
    def rows(self) -> int:
        return self._progress.rows

    def add(self, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Append one piece: ROWS_A_PIECE journal entries, or the last ones of the week."""
        records = [record_of(entry_id, line) for entry_id, line in entries]
        states = Counter(self._progress.states)
        states.update(str(record["state"]) for record in records)
        jsonl = b"".join(orjson.dumps(record) + b"\n" for record in records)
        self._progress = _Progress(
            last_id=entries[-1][0],
            rows=self._progress.rows + len(records),
            # A fixed time in its header: the same rows are the same bytes.
            jsonl_bytes=self._append(JSONL, gzip.compress(jsonl, 6, mtime=0)),
            csv_bytes=self._append(CSV, _csv_of([cells_of(record) for record in records])),
            states=dict(states),
        )
        self._pieces += 1
        if self._pieces % _PIECES_A_CHECKPOINT == 0:
            self._write_checkpoint()

    def finish(self, facts: dict[str, Any]) -> list[Path]:
        """Write the manifest; returns the files in the order in which they are to be published."""
        if not self._progress.rows:
            self._append(JSONL, gzip.compress(b"", 6, mtime=0))
        files = [self._folder / JSONL, self._folder / CSV]
        manifest = {
            "schemaVersion": SCHEMA_VERSION,
            **facts,
            "records": self._progress.rows,
            "states": dict(sorted(self._progress.states.items())),
            "columns": COLUMNS,
            "files": [_described(path) for path in files],
        }
        path = self._folder / MANIFEST
        path.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
        return [*files, path]

    def _append(self, name: str, content: bytes) -> int:
        """Append and return the size of the file."""
        with (self._folder / name).open("ab") as file:
            file.write(content)
            return file.tell()

    def _read_checkpoint(self) -> _Progress:
        try:
            progress = _Progress(**orjson.loads((self._folder / _CHECKPOINT).read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return _Progress()
        files = ((JSONL, progress.jsonl_bytes), (CSV, progress.csv_bytes))
        is_whole = all(
            (self._folder / name).exists() and (self._folder / name).stat().st_size >= size
            for name, size in files
        )
        return progress if is_whole and progress.schema == SCHEMA_VERSION else _Progress()

    def _write_checkpoint(self) -> None:
        for name in (JSONL, CSV):
            with (self._folder / name).open("ab") as file:
                os.fsync(file.fileno())
        fresh = self._folder / f".{_CHECKPOINT}"
        fresh.write_bytes(orjson.dumps(asdict(self._progress)))
        fresh.replace(self._folder / _CHECKPOINT)


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """The folder, for this run alone; raises Busy while another run of this host writes there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another run exports this week", retry_after_s=_LOOK_AGAIN_S) from None
        yield folder


def _csv_of(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}
