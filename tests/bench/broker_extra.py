"""Adds this queue to the peer benchmarks: `run.py throughput --extra .../tests/bench/broker_extra.py`.

Their runner executes this file, with `dram` for a stock dramatiq, and reads SYSTEMS (throughput, latency),
PRIO and E2E.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(sys.argv[sys.argv.index("--extra") + 1]).resolve().parents[2]
_PYTHON = str(_ROOT / ".venv" / "bin" / "python")
os.environ["PYTHONPATH"] = str(_ROOT)


def _ours(threads: int, jobs: tuple[int, int], **env: str) -> dict[str, Any]:
    return {
        "worker": [_PYTHON, "-m", "tests.bench.broker_peer", str(threads)],
        "enq": [_PYTHON, "enq.py", "tests.bench.broker_peer"],
        "env": env,
        "n": jobs,
    }


SYSTEMS = {f"econeura-{threads}": _ours(threads, (40000, 4000)) for threads in (8, 64, 128, 256)} | {
    f"econeura-{threads}-async": _ours(threads, (20000, 8000), ASYNC="1") for threads in (64, 128, 256)
}
# The stock broker as good as it gets without changing it.
SYSTEMS["dramatiq-8-prefetch-128"] = globals()["dram"](8, n=(20000, 2000), dramatiq_queue_prefetch=128)
PRIO = {"econeura": (_ours(8, (0, 0)), "low", "urgent")}
E2E = {f"econeura-{threads}": _ours(threads, (0, 8000), ASYNC="1") for threads in (64, 128, 256, 384)}
