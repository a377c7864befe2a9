"""The forms that the target of a request may have (RFC 9112, section 3.2)."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from api.refusals import Refusal


def require_plain_target(request: web.Request) -> None:
    """Refuse (400) a target with a fragment, or one that names another host than the Host header does.

    A whole URL must be taken (section 3.2.2); what names two hosts may be one thing to who stands before us
    and another to us.
    """
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


def _malformed(reason: str) -> Refusal:
    return Refusal(400, "malformed_request", f"this is not a well-formed HTTP request: {reason}")
