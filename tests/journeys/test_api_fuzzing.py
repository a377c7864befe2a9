"""Made-up requests against the whole service: every answer is one that the document knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing.callers import callers_of
from tests.fuzzing.scene import Caller, a_scene

_SECONDS = 60
_EXAMPLES = 3


def test_the_same_requests_as_last_time_are_answered_as_documented(tmp_path: Path) -> None:
    """The same each time, so that no chance decides; what chance finds is the next one's to find."""
    with a_scene(tmp_path) as scene:
        ran = scene.try_the_same(Caller("while-no-key-exists"), examples=_EXAMPLES)
        assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-1000:]
        assert scene.crashes() == []


@pytest.mark.fuzz
@pytest.mark.timeout(600)
def test_none_of_a_minute_is_answered_otherwise_than_documented(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        for caller, share in callers_of(scene):
            ran = scene.fuzz(caller, seconds=round(_SECONDS * share))
            assert ran.returncode == 0, f"{caller.name}: {ran.stdout[-8000:]}{ran.stderr[-1000:]}"
        assert scene.crashes() == []
