"""`python -m tests.fuzzing --seconds 600`: the long run, by hand. Ends with 1 where anything was found."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzzing.callers import SHARES, caller_of
from tests.fuzzing.scene import a_scene

_GENERATED = re.compile(r"(\d+) generated")
# What is left is too little for another run.
_TOO_SHORT_S = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all callers together (default 600)")
    arguments = parser.parse_args()
    tried, found, began = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as directory, a_scene(Path(directory)) as scene:
        for name, share in SHARES.items():
            caller, until = caller_of(scene, name), time.monotonic() + arguments.seconds * share
            while (left_s := until - time.monotonic()) > _TOO_SHORT_S:
                # A run ends when all of its phases did: the next one makes up others.
                ran = scene.fuzz(caller, seconds=round(left_s))
                print(f"## {name}: {ran.returncode}\n{ran.stdout[-20_000:]}{ran.stderr[-2_000:]}", flush=True)
                tried += sum(map(int, _GENERATED.findall(ran.stdout)))
                found += ran.returncode != 0
        crashes = scene.crashes()
    took_s = time.monotonic() - began
    print(
        f"{tried} requests in {took_s:.0f} s: {found} runs with findings, {len(crashes)} crashes in the log"
    )
    return 1 if found or crashes else 0


if __name__ == "__main__":
    sys.exit(main())
