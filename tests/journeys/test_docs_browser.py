"""The Swagger page in a real browser, where there is one: it shows every operation, all of it from us."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from api.app import ROUTE_TABLE
from tests.integration.test_api_serving import running

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,2000")
# The page fetches the document and draws it: so much of its own time it gets (ms).
_BUDGET = "--virtual-time-budget=8000"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


def browse(*words: str, profile: Path) -> subprocess.CompletedProcess[str]:
    """What it prints; on standard error with what pages say to its console."""
    command = [
        str(BROWSER),
        *_OPTIONS,
        _BUDGET,
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


@pytest.mark.soak
def test_the_page_shows_every_operation_and_can_be_photographed(redis_url: str, tmp_path: Path) -> None:
    picture = tmp_path / "docs.png"
    with running(redis_url, tmp_path) as api:
        page = f"http://127.0.0.1:{api.port}/docs"
        shown = browse("--dump-dom", page, profile=tmp_path / "profile")
        browse(f"--screenshot={picture}", page, profile=tmp_path / "profile")
    dom = shown.stdout
    # A script, style or call that the page's own policy refuses is told there.
    assert [line for line in shown.stderr.splitlines() if ":CONSOLE" in line] == []
    assert dom.count('<div class="opblock ') == len(ROUTE_TABLE)
    assert "Failed to load" not in dom and "ECONEURA" in dom
    content = picture.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (1280, 2000)
    # One colour all over, as where nothing was drawn, takes a few kB.
    assert len(content) > 60_000
