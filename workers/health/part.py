"""What is said of one part of the service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["healthy", "degraded", "unhealthy"]
_ORDER: tuple[Status, ...] = ("healthy", "degraded", "unhealthy")


@dataclass
class Part:
    """Status, the reasons for it in words, and figures. It gets worse with each `warn` and `fail`."""

    status: Status = "healthy"
    reasons: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def warn(self, reason: str) -> None:
        """It works, but somebody should look."""
        self._add("degraded", reason)

    def fail(self, reason: str) -> None:
        """It does not work."""
        self._add("unhealthy", reason)

    def _add(self, status: Status, reason: str) -> None:
        self.status = worst((self.status, status))
        self.reasons.append(reason)

    def to_json(self) -> dict[str, Any]:
        return {"status": self.status, "reasons": self.reasons, **self.figures}


def worst(statuses: Iterable[Status]) -> Status:
    return max(statuses, key=_ORDER.index, default="healthy")
