"""What a caller prefers (RFC 7240)."""

from __future__ import annotations

import re

from aiohttp import web

_LONGEST_WAIT_S = 60.0
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)


def asked_wait_s(request: web.Request) -> float | None:
    """Seconds of `Prefer: wait=N` (section 4.3), at most 60; None without it."""
    preferences = request.headers.get("Prefer")
    found = _WAIT.search(preferences) if preferences else None
    return min(float(found.group(1)), _LONGEST_WAIT_S) if found else None
