"""The forms that the target and the host of a request may have (RFC 9112, section 3.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

from api.refusals import Refusal

# RFC 3986, section 3.2.2, without names that are escaped; empty where the target has no host (RFC 9110, 7.2).
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=-]*)(?::([0-9]{0,5}))?")
_LONGEST_HOST = 255
_LAST_PORT = 65535


def require_plain_target(request: web.Request) -> None:
    """Refuse (400) a Host header that names no host, and a target with a fragment or of another host.

    A whole URL must be taken (section 3.2.2); what names two hosts may be one thing to who stands before us
    and another to us.
    """
    if not _is_host(request.headers.get("Host", "")):
        raise _malformed("its Host header names no host")
    target = request.raw_path
    if "#" in target:
        raise _malformed("a fragment is never sent")
    if target.startswith("/") or "://" not in target:
        return
    try:
        parts = urlsplit(target)
    except ValueError:
        raise _malformed("its target is no URL") from None
    if (
        parts.scheme not in ("http", "https")
        or parts.netloc.lower() != request.headers.get("Host", "").lower()
    ):
        raise _malformed("its target and its Host header name different hosts")


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text) if len(text) <= _LONGEST_HOST else None
    return found is not None and int(found[1] or 0) <= _LAST_PORT


def _malformed(reason: str) -> Refusal:
    return Refusal(400, "malformed_request", f"this is not a well-formed HTTP request: {reason}")
