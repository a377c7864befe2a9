"""`--chaos`: a mix of all that goes wrong on Graph's worst day, often enough to show in a short demo."""

from __future__ import annotations

from typing import Any

from workers.sandbox.service import Sandbox

_SENDS = r"/send$"
_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after_s": 1, "share": 0.03},
    {"kind": "status", "status": 429, "share": 0.01},
    {"kind": "status", "status": 503, "share": 0.02},
    {"kind": "status", "status": 500, "share": 0.01},
    {"kind": "status", "status": 401, "share": 0.005},
    {"kind": "status", "status": 412, "method": "PATCH", "share": 0.02},
    {"kind": "status", "status": 410, "path": "deltatoken", "share": 0.02},
    {"kind": "status", "status": 504, "path": _SENDS, "share": 0.05, "after_effect": True},
    {"kind": "reset_after", "path": _SENDS, "share": 0.1},
    {"kind": "reset_after", "method": "POST", "share": 0.02},
    {"kind": "reset_before", "share": 0.01},
    {"kind": "truncate", "method": "GET", "share": 0.01},
    {"kind": "slow", "delay_ms": 1500, "share": 0.02},
)
_BEHAVIOUR: dict[str, Any] = {
    "latency_ms": 20,
    "sent_copy_lag_s": 2.0,
    "sent_copy_changes_id": True,
    "delta_empty_page_share": 0.1,
    "delta_replay_share": 0.1,
    "notification_lost_share": 0.1,
    "notification_doubled_share": 0.05,
    "notification_late_share": 0.3,
    "notification_late_max_s": 5.0,
    "notification_forged_share": 0.03,
    "notification_reordered": True,
}


def bring_chaos(sandbox: Sandbox) -> None:
    """Let all of it happen from now on; the same seed plays the same chaos."""
    for fault in _FAULTS:
        sandbox.faults.add(fault)
    sandbox.behaviour.change(_BEHAVIOUR)
