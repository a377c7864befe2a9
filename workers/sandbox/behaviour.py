"""What may be changed while the sandbox runs: its latency, its limits and how well it keeps its word."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Behaviour:
    """The present settings; the defaults are Graph's documented ones, and nothing goes wrong."""

    latency_ms: float = 0.0
    token_life_s: int = 3900
    concurrent_per_mailbox: int = 4
    requests_per_10_min: int = 10_000
    # 0 lifts the limit.
    sends_per_min: int = 30
    retry_after_s: int = 1
    sent_copy_lag_s: float = 0.0
    sent_copy_changes_id: bool = False
    # Exchange lists at most this many messages when a delta round is filtered by date.
    delta_filter_cap: int = 5000
    delta_empty_page_share: float = 0.0
    delta_replay_share: float = 0.0
    # Items that hold a few properties only, as updated ones do (microsoft-graph-docs#7776).
    delta_partial_share: float = 0.0
    # Nobody has confirmed that Graph heeds If-Match on a message.
    ignores_if_match: bool = False
    min_subscription_s: float = 45 * 60
    notification_delay_ms: float = 20.0
    notification_batch: int = 50
    notification_backoff_s: float = 1.0
    notification_give_up_s: float = 4 * 3600.0
    notification_lost_share: float = 0.0
    notification_doubled_share: float = 0.0
    notification_late_share: float = 0.0
    notification_late_max_s: float = 10.0
    notification_forged_share: float = 0.0
    notification_reordered: bool = False

    def change(self, changes: dict[str, Any]) -> None:
        """Set fields by name; ValueError names a field that does not exist or a value of the wrong type."""
        kinds: dict[str, type] = {name: type(value) for name, value in asdict(Behaviour()).items()}
        for name, value in changes.items():
            kind = kinds.get(name)
            if kind is None:
                raise ValueError(f"unknown behaviour {name!r}; known: {', '.join(kinds)}")
            if isinstance(value, bool) != (kind is bool) or not isinstance(value, (bool, int, float)):
                raise ValueError(f"{name} needs a {kind.__name__}")
            setattr(self, name, kind(value))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
