"""Metrics of messages, added up for a moment before they are written: a write costs more than a message."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from typing import NamedTuple

from workers import metrics

_EVERY_S = 0.2


class _Job(NamedTuple):
    actor: str
    status: str
    organization_id: str
    priority: str
    duration_s: float
    waited_s: float


class Tally:
    """Notes from any thread, written by one of its own, at most 0.2 s later."""

    def __init__(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._has_some = threading.Event()
        self._flushing = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(
        self, actor: str, status: str, organization_id: str, priority: str, duration_s: float, waited_s: float
    ) -> None:
        self._jobs.append(_Job(actor, status, organization_id, priority, duration_s, waited_s))
        if not self._has_some.is_set():
            self._has_some.set()
            self._start()

    def flush(self) -> None:
        with self._flushing:
            self._has_some.clear()
            jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
            ended = Counter((job.actor, job.status, job.organization_id) for job in jobs)
            for labels, count in ended.items():
                metrics.JOBS_PROCESSED.labels(*labels).inc(count)
            durations, waits = defaultdict(list), defaultdict(list)
            for job in jobs:
                durations[job.actor, job.status].append(job.duration_s)
                waits[job.priority].append(job.waited_s)
            for (actor, status), found in durations.items():
                metrics.observe_all(metrics.JOB_DURATION.labels(actor, status), found)
            for priority, found in waits.items():
                metrics.observe_all(metrics.PICKUP_LATENCY.labels(priority), found)

    def _start(self) -> None:
        if self._thread is None:
            with self._flushing:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="tally", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while self._has_some.wait():
            threading.Event().wait(_EVERY_S)
            self.flush()
