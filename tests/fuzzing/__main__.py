"""`python -m tests.fuzzing --seconds 600`: the long run, by hand. Ends with 1 where anything was found."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzzing.callers import callers_of
from tests.fuzzing.scene import a_scene


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all callers together (default 600)")
    arguments = parser.parse_args()
    found = 0
    with tempfile.TemporaryDirectory() as directory, a_scene(Path(directory)) as scene:
        for caller, share in callers_of(scene):
            ran = scene.fuzz(caller, seconds=max(1, round(arguments.seconds * share)))
            print(
                f"## {caller.name}: {ran.returncode}\n{ran.stdout[-20_000:]}{ran.stderr[-2_000:]}", flush=True
            )
            found += ran.returncode != 0
        crashes = scene.crashes()
    print(f"callers with findings: {found}, crashes in the log: {len(crashes)}")
    return 1 if found or crashes else 0


if __name__ == "__main__":
    sys.exit(main())
