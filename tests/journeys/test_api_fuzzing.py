"""Made-up requests against the whole service: every answer is one that the document knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing.callers import SHARES, caller_of
from tests.fuzzing.scene import a_scene

_EXAMPLES = 1


@pytest.mark.parametrize("name", SHARES)
def test_the_same_requests_as_last_time_are_answered_as_documented(tmp_path: Path, name: str) -> None:
    """A minute for all callers. The same each time, so that no chance decides: chance is `make fuzz`."""
    with a_scene(tmp_path) as scene:
        ran = scene.try_the_same(caller_of(scene, name), examples=_EXAMPLES)
        assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-1000:]
        assert scene.crashes() == []
