"""A minute of made-up requests against the whole service: every answer is one that the document knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing.callers import callers_of
from tests.fuzzing.scene import a_scene

_SECONDS = 60


@pytest.mark.fuzz
@pytest.mark.timeout(600)
def test_no_made_up_request_is_answered_otherwise_than_documented(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        for caller, share in callers_of(scene):
            ran = scene.fuzz(caller, seconds=round(_SECONDS * share))
            assert ran.returncode == 0, f"{caller.name}: {ran.stdout[-8000:]}{ran.stderr[-1000:]}"
        assert scene.crashes() == []
