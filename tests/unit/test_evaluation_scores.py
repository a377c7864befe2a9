"""The figures of an evaluation, worked out by hand on a few pairs."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from workers.analysis.evaluation.baseline import fallen_behind, write_baseline
from workers.analysis.evaluation.scores import calibration_error, coverage_at, macro_f1, per_label

_PAIRS = [("spam", "spam"), ("spam", "sales"), ("sales", "sales"), ("sales", "sales"), ("general", "spam")]


def test_each_label_is_counted() -> None:
    counts = per_label(_PAIRS)
    assert (counts["spam"].right, counts["spam"].wrong, counts["spam"].missed) == (1, 1, 1)
    assert counts["spam"].precision == counts["spam"].recall == counts["spam"].f1 == 0.5
    assert (counts["sales"].precision, counts["sales"].recall, counts["sales"].f1) == (2 / 3, 1.0, 0.8)
    assert counts["general"].f1 == 0.0


def test_macro_f1_leaves_rare_labels_out_when_told() -> None:
    assert macro_f1(_PAIRS) == pytest.approx((0.5 + 0.8 + 0.0) / 3)
    assert macro_f1(_PAIRS, at_least=2) == pytest.approx((0.5 + 0.8) / 2)
    assert macro_f1([]) == 0.0


def test_calibration_error_is_the_gap_between_said_and_so() -> None:
    assert calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False]) == pytest.approx(0.0)
    assert calibration_error([0.9, 0.9], [False, False]) == pytest.approx(0.9)
    # Too sure in one bin and too modest in another do not cancel out.
    assert calibration_error([0.95, 0.15], [False, True]) == pytest.approx(0.9)


def test_coverage_takes_the_surest_first() -> None:
    confidences = [0.9, 0.8, 0.7, 0.6]
    assert coverage_at(0.95, confidences, [True, True, False, True]) == 0.5
    assert coverage_at(0.75, confidences, [True, True, False, True]) == 1.0
    assert coverage_at(0.95, confidences, [False, False, False, False]) == 0.0


def test_a_figure_may_fall_by_its_tolerance_and_no_further(tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    write_baseline({"corpus.category.es.macro_f1": 0.9, "corpus.legitimate.called_spam": 0.01}, baseline)
    assert fallen_behind({"corpus.category.es.macro_f1": 0.885}, baseline) == []
    assert fallen_behind({"corpus.legitimate.called_spam": 0.0}, baseline) == []
    worse = fallen_behind(
        {"corpus.category.es.macro_f1": 0.87, "corpus.legitimate.called_spam": 0.02}, baseline
    )
    assert [line.partition(":")[0] for line in worse] == [
        "corpus.category.es.macro_f1", "corpus.legitimate.called_spam",
    ]  # fmt: skip


def test_a_new_baseline_keeps_figures_of_other_runs(tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    write_baseline({"data.language.accuracy": 0.99}, baseline)
    write_baseline({"speed.median_ms": 1.0}, baseline)
    assert list(orjson.loads(baseline.read_bytes())) == ["data.language.accuracy", "speed.median_ms"]
