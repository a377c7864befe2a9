"""Words and ids in the same place of a path are told apart, whatever the method."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api_service import serving


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("DELETE", "/dead-letters/retry", 405, "POST"),
        ("OPTIONS", "/dead-letters/%72etry", 405, "POST"),
        ("GET", "/emails/process", 405, "POST"),
        ("DELETE", "/jobs/stats", 405, "GET"),
        ("DELETE", "/dead-letters/retry1", 404, None),
        ("DELETE", "/dead-letters/re", 404, None),
        ("GET", "/jobs/stats2", 404, None),
        ("GET", "/jobs/stats", 200, None),
    ],
)
async def test_a_word_is_no_id(
    redis_url: str, tmp_path: Path, method: str, path: str, status: int, allow: str | None
) -> None:
    async with serving(redis_url, tmp_path) as api:
        reply = await api.request(method, path)
        assert (reply.status, reply.headers.get("Allow")) == (status, allow)
