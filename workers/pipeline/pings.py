"""Tells a watcher outside (healthchecks.io and its like) that a job began and how it ended."""

from __future__ import annotations

from typing import Literal

import aiohttp

from workers import logs, metrics

_log = logs.get_logger("schedule")
_TIMEOUT_S = 5.0
_PATHS = {"start": "/start", "success": "", "fail": "/fail"}


async def ping(url: str | None, event: Literal["start", "success", "fail"], text: str = "") -> None:
    """Tell it, once; a watcher that does not answer never holds up the job."""
    if url is None:
        return
    limits = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=limits) as session:
            answer = await session.post(url + _PATHS[event], data=text.encode())
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as failed:
        metrics.ERRORS.labels("ping_failed", "schedule", "warning").inc()
        _log.warning("ping_failed", about=event, reason=type(failed).__name__)
