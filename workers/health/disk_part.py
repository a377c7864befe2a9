"""Room on the disk for reports and exports (and, beside them, a private Redis)."""

from __future__ import annotations

import shutil
from pathlib import Path

from workers.health.part import Part

_LITTLE_BYTES, _TOO_LITTLE_BYTES = 2**30, 100 * 2**20


def look_at_disk(data_dir: Path) -> Part:
    """Free bytes where the data directory is."""
    free = shutil.disk_usage(data_dir).free
    part = Part(figures={"freeBytes": free})
    if free < _TOO_LITTLE_BYTES:
        part.fail("the data directory's disk is full")
    elif free < _LITTLE_BYTES:
        part.warn(f"{free // 2**20} MB are left on the data directory's disk")
    return part
