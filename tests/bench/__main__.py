"""`make bench`: one line per figure. `python -m tests.bench NAME…` runs only those benches."""

from __future__ import annotations

import importlib
import sys
import time

# Each is a module of this package with `figures()`: an iterator of lines, each printed as it is had.
BENCHES = ("ingest", "end_to_end", "graph_limits", "schedule_jobs", "broker_figures", "llm_figures")


def main(wanted: list[str]) -> int:
    """Run these benches, or all; returns 2 for a name that is none."""
    if unknown := [name for name in wanted if name not in BENCHES]:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in wanted or BENCHES:
        started = time.monotonic()
        for line in importlib.import_module(f"tests.bench.{name}").figures():
            print(line, flush=True)
        print(f"({name} took {time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
