"""Every Redis key of the broker, and what it holds.

All keys of a partition share one hash tag, so that a script may touch them together on a cluster. With one
partition the tag is `{econeura}` (the namespace), with several it is `{econeura:0}`, `{econeura:1}` and so on.

| key (after the tag and `:q:`) | type | holds |
| --- | --- | --- |
| state            | hash   | `number` last message number, `turn` messages asked for (starvation rule), `keeper` and `wake` who wakes for the next delayed message and when, `warden` and `warden_since` who makes room for suspects, `seen` and `ahead` the clock that never goes back |
| ready:urgent ... ready:low | list | waiting messages of one priority, oldest first |
| suspects         | list   | messages whose worker died holding them; they are redelivered apart from others |
| due              | zset   | delayed messages by the time (ms) at which they are due |
| dead             | zset   | ids of dead letters; the id is the time of death in ms, made unique, and its own score |
| letters          | hash   | dead letter by id: header line, JSON line (reason, error, traceback, attempts), message |
| counts           | hash   | sizes: state (w waiting, l later, r running, d dead), priority, actor -> number |
| leases           | zset   | leases of live workers by the time (ms) at which they end |
| bell             | list   | at most one token; an idle worker blocks on it |
| hand:LEASE       | hash   | what a worker holds: delivery id -> message |
| worker:LEASE     | hash   | `sequence` and `refused` of its last call (replay), `bell` the last that waited at the bell, `alone` (how it holds suspects), `since` lease held without gap |
| from:PRODUCER    | string | sequence of a producer's last call (replay), for some minutes |

A message is a header line (see prelude.lua) and, after it, the JSON that dramatiq writes.
"""  # noqa: E501 a table

from __future__ import annotations

from zlib import crc32

PRIORITIES = ("urgent", "high", "normal", "low")
SCRIPT_KEYS = (
    "state",
    *(f"ready:{priority}" for priority in PRIORITIES),
    "suspects",
    "due",
    "dead",
    "letters",
    "counts",
    "leases",
    "bell",
)


class Keys:
    """The keys of one partition of a namespace."""

    def __init__(self, namespace: str, partition: int = 0, partitions: int = 1) -> None:
        tag = namespace if partitions == 1 else f"{namespace}:{partition}"
        self._prefix = f"{{{tag}}}:q:"
        self.base = tuple(self._prefix + name for name in SCRIPT_KEYS)
        """The keys that every script is given first, in this order."""

    def __getitem__(self, name: str) -> str:
        return self._prefix + name

    def of_worker(self, lease: str) -> tuple[str, str]:
        """What the worker holds, and what is known of it."""
        return f"{self._prefix}hand:{lease}", f"{self._prefix}worker:{lease}"

    def of_producer(self, producer: str) -> str:
        return f"{self._prefix}from:{producer}"


def partition_of(partition_key: str, partitions: int) -> int:
    """The partition of everything that has this partition key; stable over processes and versions."""
    return crc32(partition_key.encode()) % partitions
