"""Every fault against every kind of traffic, with real processes: `make faults` (some eight minutes)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.matrix import STORIES, play, scene, sentinel_failover


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", STORIES)
def test_a_fault_loses_nothing_leaves_nothing_and_repeats_nothing(fault: str, tmp_path: Path) -> None:
    story = STORIES[fault]
    with scene(tmp_path, failover=story is sentinel_failover) as on:
        cells = play(on, story)
    print(f"\n{fault}", *cells, sep="\n  ")
    assert [cell for cell in cells if not cell.is_good] == []
    assert all(cell.sent > 50 for cell in cells)
