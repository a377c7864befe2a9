"""The command line as its users run it: a process of its own, with settings from the environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAM = [sys.executable, "-m", "workers"]


def environment(**settings: str | Path) -> dict[str, str]:
    """This process' environment without any setting of ours, and then these."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ECONEURA_", "REDIS_", "PROMETHEUS_")) and name not in ("HOST", "PORT")
    }
    return inherited | {name: str(value) for name, value in settings.items()}


def econeura(
    *words: str | Path, env: Mapping[str, str] | None = None, given: str | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*PROGRAM, *map(str, words)],
        env=dict(env if env is not None else environment()),
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
