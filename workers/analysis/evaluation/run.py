"""All measurements, one section after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workers.analysis.evaluation.automatic import automatic_section
from workers.analysis.evaluation.entity_scores import entities_section
from workers.analysis.evaluation.heads import heads_section
from workers.analysis.evaluation.judged import judge
from workers.analysis.evaluation.section import Section
from workers.analysis.evaluation.speed import speed_section
from workers.analysis.training_data import SOURCES, outside_rows, rows_set_apart


def sections(data: Path | None, *, leave_out: bool = False, speed: bool = True) -> Iterator[Section]:
    """Measure. Without `data` on our own mails alone: the corpus by cross-validation, and those set apart.

    With `data`, rows of sources that the model learned from are judged only with `leave_out`, which retrains
    for each of them.
    """
    from workers.analysis.evaluation.held_out import cross_validated, left_out

    yield heads_section("corpus", "Our own corpus, cross-validated", list(cross_validated()))
    yield heads_section(
        "apart", "Mails set apart, that nothing was learned from", list(judge(rows_set_apart()))
    )
    if data:
        unseen = (row for row in outside_rows(data) if row["source"] not in SOURCES)
        yield heads_section("data", "Sources that the model never saw", list(judge(unseen)))
    if data and leave_out:
        title = "Sources that the model learns from, each judged by a model without it"
        yield heads_section("left_out", title, list(left_out(data)))
    yield automatic_section(data)
    yield entities_section(data)
    if speed:
        yield speed_section()
