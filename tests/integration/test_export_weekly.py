"""The weekly export from a real journal: the manifest verifies, repeats and interruptions change nothing."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.generated_day import write_day
from tests.lent_context import ACME, lent
from tests.waiting import wait_for
from workers.errors import Busy, SettingsError
from workers.export import week_files
from workers.export.destination import destination_of
from workers.export.rows import COLUMNS
from workers.export.week_files import ROWS_A_PIECE, WeekFiles, working_folder
from workers.export.weekly import export_weeks
from workers.pipeline.context import Context
from workers.settings import load_settings

SUNDAY = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
MONDAY = date(2026, 11, 9)
WEEK = "2026-W46"


@pytest.fixture
async def context(redis_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path)) as context:
        yield context


async def write_week(context: Context, rows_a_day: int = 700) -> None:
    """The day before the week, its seven days, and the day after."""
    for day in range(-1, 8):
        await write_day(context.store, ACME, MONDAY + timedelta(days=day), rows_a_day)


def folder(context: Context, week: str = WEEK) -> Path:
    return context.settings.data_dir / "exports" / "acme" / week


def manifest(context: Context) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder(context) / "manifest.json").read_text(encoding="utf-8"))
    return content


def contents(context: Context) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder(context).iterdir()}


async def test_a_week_is_whole_and_its_manifest_verifies(context: Context) -> None:
    await write_week(context)
    done = await export_weeks(context, [ACME], SUNDAY)
    # The Sunday before lies in a week of its own, which had never been exported.
    assert done.figures["weeks"] == 2 and not done.problem
    told = manifest(context)
    assert told["records"] == 4900 == sum(told["states"].values()) and told["schemaVersion"] == 1
    for file in told["files"]:
        content = (folder(context) / file["name"]).read_bytes()
        assert len(content) == file["bytes"] and hashlib.sha256(content).hexdigest() == file["sha256"]
    lines = gzip.decompress((folder(context) / "ledger.jsonl.gz").read_bytes()).splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 4900 and {tuple(record) for record in records} == {tuple(records[0])}
    assert min(record["endedAt"] for record in records) >= told["from"]
    assert max(record["endedAt"] for record in records) < told["until"]
    with (folder(context) / "ledger.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS and len(rows) == 4900
    assert [row[COLUMNS.index("messageId")] for row in rows] == [record["messageId"] for record in records]
    assert any(row[COLUMNS.index("subject")].startswith("'=HYPERLINK") for row in rows)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


async def test_again_is_the_same_to_the_byte(context: Context) -> None:
    await write_week(context)
    await export_weeks(context, [ACME], SUNDAY)
    first = contents(context)
    done = await export_weeks(context, [ACME], SUNDAY)
    assert done.figures["weeks"] == 1 and contents(context) == first
    assert set(first) == {"ledger.jsonl.gz", "ledger.csv", "manifest.json"}
    assert not list((context.settings.data_dir / "export-work").rglob("ledger*"))


async def test_an_interrupted_week_goes_on_where_it_was(
    context: Context, redis_url: str, tmp_path: Path
) -> None:
    await write_week(context, rows_a_day=4000)
    await export_weeks(context, [ACME], SUNDAY)
    uninterrupted = contents(context)
    # What a killed run leaves: some pieces behind a checkpoint, and a torn one after it.
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path / "other")) as other:
        since_ms = int(datetime.fromisoformat(manifest(context)["from"]).timestamp() * 1000)
        with working_folder(other.settings.data_dir / "export-work" / "acme" / WEEK) as work:
            files = WeekFiles(work)
            piece: list[tuple[str, dict[str, Any]]] = []
            pieces = 0
            async for entry in other.store.journal.lines("acme", since_ms=since_ms):
                piece.append(entry)
                if len(piece) == ROWS_A_PIECE:
                    files.add(piece)
                    piece, pieces = [], pieces + 1
                if pieces == 12:
                    break
            with (work / week_files.CSV).open("ab") as torn:
                torn.write(b"half a row")
            resumed = WeekFiles(work)
            assert 0 < resumed.rows < 12 * ROWS_A_PIECE, "from the last checkpoint"
        await export_weeks(other, [ACME], SUNDAY)
        assert contents(other) == uninterrupted


async def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_bytes(
    context: Context, redis_url: str, tmp_path: Path
) -> None:
    today = datetime.now(ACME.zone).date()
    monday = today - timedelta(days=today.weekday() + 7)
    for day in range(7):
        await write_day(context.store, ACME, monday + timedelta(days=day), 8000)
    data_dir = tmp_path / "killed"
    kill_after_a_checkpoint(redis_url, data_dir)
    assert not (data_dir / "exports").exists(), "nothing is published half"
    async with lent(load_settings(redis_url=redis_url, data_dir=data_dir)) as again:
        assert (await export_weeks(again, [ACME], datetime.now(UTC))).figures["records"] == 56_000
    await export_weeks(context, [ACME], datetime.now(UTC))
    assert len(files_of(data_dir)) == 3 and files_of(data_dir) == files_of(tmp_path)


def kill_after_a_checkpoint(redis_url: str, data_dir: Path) -> None:
    """Begin an export in another process and kill that in the middle."""
    words = ["--part", "export", "--url", redis_url, "--directory", str(data_dir)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.schedule_jobs", *words], stdout=subprocess.DEVNULL
    )
    try:
        work = data_dir / "export-work" / "acme"
        wait_for(lambda: list(work.rglob("checkpoint.json")), timeout_s=60, what="a first checkpoint")
    finally:
        process.kill()
        process.wait()


def files_of(data_dir: Path) -> dict[Path, bytes]:
    exports = data_dir / "exports"
    return {path.relative_to(exports): path.read_bytes() for path in exports.rglob("*") if path.is_file()}


async def test_an_empty_week_is_a_valid_export(context: Context) -> None:
    done = await export_weeks(context, [ACME], SUNDAY)
    assert done.figures == {"weeks": 1, "records": 0, "bytes": sum(map(len, contents(context).values()))}
    assert manifest(context)["records"] == 0 and manifest(context)["states"] == {}
    assert gzip.decompress((folder(context) / "ledger.jsonl.gz").read_bytes()) == b""
    assert (folder(context) / "ledger.csv").read_text(encoding="utf-8").strip() == ",".join(COLUMNS)


async def test_weeks_that_were_left_out_are_exported_too(context: Context) -> None:
    for weeks in (4, 2, 0):
        await write_day(context.store, ACME, MONDAY - timedelta(weeks=weeks), 10)
    done = await export_weeks(context, [ACME], SUNDAY)
    assert done.figures == {**done.figures, "weeks": 5, "records": 30}
    assert folder(context, "2026-W43").exists()
    exported = await context.store.exports.exported_until("acme")
    assert exported == datetime(2026, 11, 15, 23, tzinfo=UTC), "the end of the week in Madrid"


async def test_two_runs_do_not_write_the_same_week(context: Context) -> None:
    with (
        working_folder(context.settings.data_dir / "export-work" / "acme" / WEEK),
        pytest.raises(Busy),
    ):
        await export_weeks(context, [ACME], SUNDAY)


async def test_one_organizations_trouble_stays_with_it(context: Context) -> None:
    blocked = ACME.model_copy(update={"id": "blocked"})
    (context.settings.data_dir / "exports").mkdir()
    (context.settings.data_dir / "exports" / "blocked").write_text("a file where a folder must be")
    done = await export_weeks(context, [blocked, ACME], SUNDAY)
    assert done.problem == "blocked: NotADirectoryError" and manifest(context)["records"] == 0


async def test_a_folder_elsewhere_and_a_bucket_get_the_same_files(
    context: Context, redis_url: str, tmp_path: Path
) -> None:
    await write_week(context, rows_a_day=20)
    await export_weeks(context, [ACME], SUNDAY)
    elsewhere = tmp_path / "elsewhere"
    for url in (str(elsewhere), "memory://bucket/exports"):
        settings = load_settings(redis_url=redis_url, data_dir=tmp_path / "other", export_url=url)
        async with lent(settings) as other:
            assert not (await export_weeks(other, [ACME], SUNDAY)).problem
    bucket = fsspec.filesystem("memory")
    for name, content in contents(context).items():
        assert (elsewhere / "acme" / WEEK / name).read_bytes() == content
        assert bucket.cat(f"/bucket/exports/acme/{WEEK}/{name}") == content


def test_an_unknown_kind_of_bucket_is_named(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, export_url="gopher://bucket")
    with pytest.raises(SettingsError, match="ECONEURA_EXPORT_URL: gopher://"):
        destination_of(settings)
