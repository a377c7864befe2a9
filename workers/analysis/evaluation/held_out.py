"""Judging mails by models that did not learn from them: cross-validation, and one source left out at a time.

Needs the extra `train`. Every model is fitted as `econeura train` fits the one that ships.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.analysis.evaluation.judged import HEADS, LABELS, Judged, Known, known_of
from workers.analysis.fitting import Dataset, Head
from workers.analysis.model import load_classifier
from workers.analysis.model.classifier import softmax
from workers.analysis.train import FOLDS, dataset_of, fit_named, fold_of, labels_of
from workers.analysis.training_data import (
    SOURCES,
    Example,
    bare_examples,
    corpus_examples,
    outside_examples,
    outside_rows,
)
from workers.analysis.understand import FLOOR

CORPUS = "own corpus"


def cross_validated() -> Iterator[Judged]:
    """Every mail of the corpus, judged by a model that learned from the other folds alone."""
    corpus = list(corpus_examples())
    examples = [*corpus, *bare_examples(corpus)]
    mails = dataset_of([example.row for example in examples])
    folds = np.array([fold_of(example) for example in examples])
    for fold in range(FOLDS):
        others = np.flatnonzero(folds != fold)
        inside = np.flatnonzero(folds[: len(corpus)] == fold)
        heads = _fit([examples[at] for at in others], mails, others)
        yield from _judge(heads, mails, inside, [known_of(examples[at].row, CORPUS) for at in inside])


def left_out(data: Path) -> Iterator[Judged]:
    """Every row of a source that the model learns from, judged by a model without that source."""
    corpus = list(corpus_examples())
    corpus += list(bare_examples(corpus))
    outside = [row for row in outside_rows(data) if row["source"] in SOURCES]
    mails = dataset_of([example.row for example in corpus] + outside)
    place = {row["id"]: len(corpus) + at for at, row in enumerate(outside)}
    allowed = list(outside_examples(data))
    for source in sorted({row["source"] for row in outside}):
        others = [example for example in allowed if example.source != source]
        places = [*range(len(corpus)), *(place[example.row["id"]] for example in others)]
        heads = _fit([*corpus, *others], mails, np.array(places))
        judged = [row for row in outside if row["source"] == source]
        which = np.array([place[row["id"]] for row in judged])
        yield from _judge(heads, mails, which, [known_of(row) for row in judged])


def _fit(examples: Sequence[Example], mails: Dataset, places: NDArray[np.int64]) -> dict[str, Head]:
    """Fit all heads on `examples`, which stand in `mails` at `places`."""
    heads = {}
    for name in HEADS:
        labels = labels_of(examples, name)
        heads[name] = fit_named(name, mails, replace(labels, which=places[labels.which]))
    return heads


def _judge(
    heads: dict[str, Head], mails: Dataset, which: NDArray[np.int64], known: Sequence[Known]
) -> Iterator[Judged]:
    # The temperature is that of the model that ships: it was found on the corpus, by cross-validation.
    temperature = load_classifier().temperature
    scores = {name: head.scores(mails, which) / temperature[name] for name, head in heads.items()}
    for at, of_mail in enumerate(known):
        probabilities = softmax(scores["category"][at])
        said = {name: LABELS[name][int(scores[name][at].argmax())] for name in HEADS}
        confidence = float(probabilities.max())
        yield Judged(of_mail, confidence=confidence, abstained=confidence < FLOOR, **said)
