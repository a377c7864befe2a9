"""The queue and its workers: how much waits, for how long, who works."""

from __future__ import annotations

from workers import metrics
from workers.broker.stats import QueueStats
from workers.health.part import Part

_OLD_S = 300.0


def look_at_queue(stats: QueueStats) -> Part:
    """Sizes and ages, as gauges too; a message that waits for long says that the workers do not keep up."""
    part = Part(figures={**stats.by_status, "workers": stats.workers, "suspects": stats.suspects})
    oldest_s = max(stats.oldest_age_s.values())
    part.figures["oldestAgeSeconds"] = round(oldest_s, 1)
    if oldest_s > _OLD_S:
        part.warn(f"a message waits for {oldest_s:.0f} s")
    for priority, sizes in stats.by_priority.items():
        metrics.OLDEST_JOB_AGE.labels(priority).set(stats.oldest_age_s[priority])
        for status, size in sizes.items():
            metrics.JOB_QUEUE_SIZE.labels(priority, status).set(size)
    for actor, sizes in stats.by_actor.items():
        metrics.DEAD_LETTERS.labels(actor or "unknown").set(sizes["dead"])
    return part
