"""The fault matrix as a Markdown table: `python -m tests.faults [ours|stock] [part of a name]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import cast

from tests.faults.matrix import STORIES, Kind, play, scene, sentinel_failover
from tests.faults.traffic import KINDS, Cell


def main(kind: Kind, part: str) -> None:
    print(f"| fault ({kind} broker) | {' | '.join(KINDS)} | recovered after |")
    print("| --- " * (len(KINDS) + 2) + "|")
    for fault, story in STORIES.items():
        if part in fault:
            with (
                tempfile.TemporaryDirectory() as directory,
                scene(Path(directory), kind, failover=story is sentinel_failover) as on,
            ):
                cells = play(on, story)
            recovered_s = max(cell.recovered_s for cell in cells)
            print(f"| {fault} | {' | '.join(map(short, cells))} | {recovered_s:.1f} s |", flush=True)


def short(cell: Cell) -> str:
    problems = {"lost": cell.lost, "stuck": cell.stuck, "twice": cell.twice, "again": cell.excused}
    return ", ".join(f"{count} {what}" for what, count in problems.items() if count) or "ok"


if __name__ == "__main__":
    main(cast("Kind", sys.argv[1] if len(sys.argv) > 1 else "ours"), sys.argv[2] if len(sys.argv) > 2 else "")
