"""How the starts of slow messages are kept apart."""

from __future__ import annotations

import heapq

from workers.broker.pace import Pace

RUN_S = 0.020


def starts_of(threads: int, until_s: float) -> list[float]:
    """A worker with an endless backlog whose threads all begin in step: when it starts what."""
    pace, now = Pace(threads), 0.0
    ends = [RUN_S] * threads
    starts = [0.0] * threads
    pace.note_full(now)
    free = 0
    while now < until_s:
        if free == 0 or ends[0] <= now:
            now = max(now, heapq.heappop(ends))
            if free == 0:
                pace.note_full(now)
            free += 1
        count = min(free, pace.allows(now, RUN_S))
        if count:
            pace.note_taken(count, now, RUN_S)
            starts += [now] * count
            free -= count
            for _ in range(count):
                heapq.heappush(ends, now + RUN_S)
        elif free and pace.next_at > now and (not ends or pace.next_at < ends[0]):
            now = pace.next_at
    return starts


def test_threads_that_began_in_step_are_soon_spread_over_the_run() -> None:
    for threads in (8, 64):
        late = [start for start in starts_of(threads, 2.0) if start > 1.0]
        most = max(sum(start <= other < start + RUN_S / 20 for other in late) for start in late)
        assert most <= threads // 8
        assert len(late) > 0.95 * threads / RUN_S


def test_what_finds_idle_threads_or_ends_at_once_starts_at_once() -> None:
    pace = Pace(8)
    pace.note_taken(8, 1.0, RUN_S)
    assert pace.allows(1.0, RUN_S) > 1000
    pace.note_full(1.0)
    assert pace.allows(1.0, RUN_S) == 0
    assert pace.allows(1.0, 0.001) > 1000
    assert pace.allows(1.0 + 2 * RUN_S, RUN_S) > 1000
