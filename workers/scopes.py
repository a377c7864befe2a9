"""What the holder of a credential may be good for."""

from __future__ import annotations

from typing import Literal, get_args

Scope = Literal["read", "submit", "operate", "admin"]
"""See; hand in mail; change what runs; drop for good. None includes another."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
