"""Bounds how many messages of this process wait for models: the others must go on meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workers.errors import NoAnswer


class Gate:
    """So many places, to be had at once or not at all."""

    def __init__(self, places: int) -> None:
        self._free = places

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; raises NoAnswer "busy" where all are taken."""
        if not self._free:
            raise NoAnswer("too many messages wait for a model", code="busy")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
