"""The documentation that the API shows."""

from __future__ import annotations

import pytest

from tests.api_service import DOCUMENT, Api


async def test_the_document_is_served(api: Api) -> None:
    reply = await api.get("/openapi.json")
    assert (reply.status, reply.json) == (200, DOCUMENT)


async def test_the_page_takes_everything_from_us_and_runs_no_inline_script(api: Api) -> None:
    page = await api.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    text = page.body.decode()
    assert "http://" not in text and "https://" not in text
    assert text.count("<script") == text.count("<script src=")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy
    for name, media in (
        ("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css"),
        ("start.js", "text/javascript"), ("favicon-32x32.png", "image/png"), ("LICENSE", "text/plain"),
    ):  # fmt: skip
        file = await api.get(f"/docs/{name}")
        assert (file.status, file.headers["Content-Type"]) == (200, media)
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        unchanged = await api.get(f"/docs/{name}", headers={"If-None-Match": file.headers["ETag"]})
        assert unchanged.status == 304


@pytest.mark.parametrize("name", ["index.html", "..", "%2e%2e%2fapp.py", "nothing.js", "swagger-ui.css%00"])
async def test_only_the_files_of_the_page_are_served(api: Api, name: str) -> None:
    assert (await api.get(f"/docs/{name}")).status in (404, 422)
