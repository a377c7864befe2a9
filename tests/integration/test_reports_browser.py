"""The report in a real browser, where there is one: nothing sticks out at phone width or on A4."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.generated_day import write_day, write_service_day
from tests.lent_context import ACME, lent
from workers.reports import files
from workers.reports.daily import write_daily_reports
from workers.settings import load_settings

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DAY = date(2026, 11, 21)
# What sticks out of the window, or (text in a drawing) out of its drawing.
_LOOK = """
<script>
  const out = [];
  for (const one of document.body.querySelectorAll("*")) {
    const box = one.getBoundingClientRect();
    const drawing = one.closest("svg");
    const edge = drawing ? drawing.getBoundingClientRect() : {left: 0, right: innerWidth};
    if (box.width && (box.right > edge.right + 1 || box.left < edge.left - 1))
      out.push(one.outerHTML.slice(0, 120));
  }
  const letters = text => parseFloat(getComputedStyle(text).fontSize)
    * text.ownerSVGElement.getBoundingClientRect().width / 360;
  const least = Math.min(...[...document.querySelectorAll("svg text")].map(letters));
  const found = {width: innerWidth, out: out.map(escape), least};
  document.body.innerHTML = `<pre id="found">${JSON.stringify(found)}</pre>`;
</script>
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")


@pytest.fixture(params=["es", "en"])
async def page(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> AsyncIterator[Path]:
    """The report of a day of 2,000 messages after seven other days."""
    acme = ACME.model_copy(update={"language": request.param})
    async with lent(load_settings(redis_url=redis_url, data_dir=tmp_path), acme) as context:
        for back in range(7, -1, -1):
            await write_day(context.store, acme, DAY - timedelta(days=back), 2000 if not back else 300)
        await write_service_day(context.store, acme, DAY)
        due = datetime(2026, 11, 22, 6, 0, tzinfo=acme.zone)
        await write_daily_reports(context, [acme], due, owner="q1")
    yield files.path_of(tmp_path, "acme", DAY, "html")


def browse(*words: str, profile: Path) -> str:
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    done = subprocess.run(
        [str(BROWSER), *options, *words], capture_output=True, text=True, timeout=90, check=True
    )
    return done.stdout


@pytest.mark.parametrize("width", [360, 500, 1000])
def test_nothing_sticks_out(page: Path, tmp_path: Path, width: int) -> None:
    looked_at = tmp_path / "looked-at.html"
    # A frame: the browser's own window is never narrower than 500.
    framed = page.read_text(encoding="utf-8").replace("</body>", f"{_LOOK}</body>")
    (tmp_path / "page.html").write_text(framed, encoding="utf-8")
    looked_at.write_text(
        f'<iframe src="page.html" width="{width}" height="900" frameborder="0" id="f"></iframe>'
        "<script>onload = () => document.body.textContent = "
        'f.contentDocument.getElementById("found").textContent</script>',
        encoding="utf-8",
    )
    dom = browse(
        "--allow-file-access-from-files", "--dump-dom", looked_at.as_uri(), profile=tmp_path / "profile"
    )
    found: dict[str, Any] = json.loads(re.search(r"\{.*\}", dom).group(0))  # type: ignore[union-attr]
    assert found["width"] == width and found["out"] == []
    assert found["least"] >= 7.5, "the smallest letters of a chart, in px"


def test_it_prints_on_two_sheets_of_a4(page: Path, tmp_path: Path) -> None:
    printed = tmp_path / "report.pdf"
    browse("--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri(), profile=tmp_path / "profile")
    content = printed.read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2
    (box,) = set(re.findall(rb"/MediaBox\s*\[([^\]]*)\]", content))
    assert [round(float(edge)) for edge in box.split()] in (
        [0, 0, 595, 842],
        [0, 0, 596, 842],
        [0, 0, 595, 841],
    )
