"""How much is in the queue and how old it is, from counters that the scripts keep: no scan at any size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from workers.broker.keys import PRIORITIES, Keys
from workers.broker.scripts import STATS, AsyncClient, Client

STATUSES = {"w": "waiting", "l": "delayed", "r": "running", "d": "dead"}


@dataclass(slots=True)
class QueueStats:
    """Sizes by status (waiting, delayed, running, dead), priority and actor; ages in seconds."""

    sizes: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(status, priority, actor) -> number of messages."""
    oldest_age_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PRIORITIES, 0.0))
    """By priority: for how long its first waiting message could have been taken; 0 if none waits."""
    suspects: int = 0
    """Of those waiting: messages whose worker died."""
    workers: int = 0
    """Worker processes with a lease (the most of any partition)."""

    @property
    def by_status(self) -> dict[str, int]:
        return self._sum(0, STATUSES.values())

    @property
    def by_priority(self) -> dict[str, dict[str, int]]:
        """Priority -> status -> number."""
        result = {priority: dict.fromkeys(STATUSES.values(), 0) for priority in PRIORITIES}
        for (status, priority, _), size in self.sizes.items():
            result[priority][status] += size
        return result

    @property
    def by_actor(self) -> dict[str, dict[str, int]]:
        """Actor -> status -> number, for actors that have any."""
        result: dict[str, dict[str, int]] = {}
        for (status, _, actor), size in self.sizes.items():
            result.setdefault(actor, dict.fromkeys(STATUSES.values(), 0))[status] += size
        return result

    @property
    def waiting(self) -> int:
        return self.by_status["waiting"]

    @property
    def delayed(self) -> int:
        return self.by_status["delayed"]

    @property
    def running(self) -> int:
        return self.by_status["running"]

    @property
    def dead(self) -> int:
        return self.by_status["dead"]

    def _sum(self, part: int, names: Iterable[str]) -> dict[str, int]:
        result = dict.fromkeys(names, 0)
        for key, size in self.sizes.items():
            result[key[part]] += size
        return result


def read_stats(client: Client, partitions: Iterable[Keys]) -> QueueStats:
    """One call for each partition; raises what redis-py raises."""
    stats = QueueStats()
    for keys in partitions:
        now, counts, first, suspects, workers = STATS.run(client, keys.base, ())
        for name, number in zip(counts[::2], counts[1::2], strict=True):
            field_name = name.decode()
            key = (STATUSES[field_name[0]], PRIORITIES[int(field_name[1])], field_name[2:])
            stats.sizes[key] = stats.sizes.get(key, 0) + int(number)
        for priority, ready in zip(PRIORITIES, first, strict=True):
            if ready:
                age_s = max((int(now) - int(ready)) / 1000, 0.0)
                stats.oldest_age_s[priority] = max(stats.oldest_age_s[priority], age_s)
        stats.suspects += suspects
        stats.workers = max(stats.workers, workers)
    return stats


async def read_backlog(client: AsyncClient, partitions: Iterable[Keys]) -> int:
    """How many messages wait, for a worker or for their time; raises what redis-py raises."""
    backlog = 0
    for keys in partitions:
        _, counts, *_ = await STATS.run_async(client, keys.base, ())
        for name, number in zip(counts[::2], counts[1::2], strict=True):
            if name[:1] in (b"w", b"l"):
                backlog += int(number)
    return backlog
