"""The figures that were reached once: a later run must not fall behind them by more than their tolerance."""

from __future__ import annotations

from pathlib import Path

import orjson

BASELINE = Path(__file__).parent / "baseline.json"
_LOWER_IS_BETTER = (
    "called_spam", "archived", "calibration_error", "_ms", "_s", "_mb",
)  # fmt: skip
_TOLERANCE = 0.02
# Few mails stand behind these, or another machine.
_TOLERANCES = {
    "called_spam": 0.005,
    "archived": 0.005,
    "lowest_f1": 0.05,
    "median_ms": 1.5,
    "p99_ms": 6.0,
    "start_s": 0.6,
    "memory_mb": 20.0,
    "hostile_ms": 200.0,
}


def fallen_behind(figures: dict[str, float], baseline: Path = BASELINE) -> list[str]:
    """What got worse than its tolerance allows, one sentence each; figures without a baseline pass."""
    stored: dict[str, list[float]] = orjson.loads(baseline.read_bytes())
    complaints = []
    for name, (before, tolerance) in sorted(stored.items()):
        now = figures.get(name)
        if now is None:
            continue
        loss = now - before if name.endswith(_LOWER_IS_BETTER) else before - now
        if loss > tolerance:
            complaints.append(f"{name}: {now:.3f}, was {before:.3f} (tolerance {tolerance})")
    return complaints


def write_baseline(figures: dict[str, float], baseline: Path = BASELINE) -> None:
    """Store figures with their tolerances; those of runs with other data stay."""
    stored: dict[str, list[float]] = orjson.loads(baseline.read_bytes()) if baseline.exists() else {}
    for name, value in figures.items():
        tolerance = next((t for end, t in _TOLERANCES.items() if name.endswith(end)), _TOLERANCE)
        stored[name] = [round(value, 4), tolerance]
    lines = [f'  "{name}": [{value}, {tolerance}]' for name, (value, tolerance) in sorted(stored.items())]
    baseline.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
