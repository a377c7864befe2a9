"""Reading what a neighbouring release may have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any


def known_to(kind: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored fields that this dataclass has: what a newer release knows beyond us is left aside."""
    names = _names(kind)
    return {name: value for name, value in stored.items() if name in names}


@cache
def _names(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))
