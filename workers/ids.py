"""Random ids, made by the hundred: asking the system for each costs more than all else about it."""

from __future__ import annotations

import os

_AT_ONCE = 256
_fresh: list[str] = []
# A child process must not hand out what its parent will.
os.register_at_fork(after_in_child=_fresh.clear)


def new_id() -> str:
    """A random UUID (RFC 9562, version 4) as text."""
    while True:
        try:
            return _fresh.pop()
        except IndexError:
            digits = os.urandom(16 * _AT_ONCE).hex()
            _fresh.extend([_uuid(digits[start : start + 32]) for start in range(0, len(digits), 32)])


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
