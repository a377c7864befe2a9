"""What a step of the cleanup removed, or would remove."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Removed:
    """How many things, and roughly how many bytes."""

    count: int = 0
    bytes: int = 0

    def add(self, count: int, size: int) -> None:
        self.count += count
        self.bytes += size
