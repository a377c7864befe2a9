"""`econeura train`: learn the weights of the classifier from the corpus and from what else may be used.

Needs the extra `train`. The result depends on nothing but the mails, their order and SEED.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from workers.analysis.features import BITS, Features, dense_names, read_features
from workers.analysis.fitting import (
    Dataset,
    Head,
    Labels,
    Matrix,
    Penalty,
    best_temperature,
    careful_temperature,
    fit_head,
)
from workers.analysis.mail import mail_from_row
from workers.analysis.model.classifier import COLUMNS, DIRECTORY, HEADS
from workers.analysis.text import read_text
from workers.analysis.train_language import train_language
from workers.analysis.training_data import (
    CORPUS_SOURCE,
    Example,
    bare_examples,
    corpus_examples,
    outside_examples,
)
from workers.analysis.understand import FLOOR

SEED = 7
FOLDS = 5
# Phishing that is missed costs more than mail that a person has to look for among the spam.
SPAM_WEIGHT = 1.6
# What may be acted on (a confidence of FLOOR or more) is to be right so often, in each language.
SURE_PRECISION = 0.96
# Of fewer mails of a language the share of right ones is luck.
_ENOUGH_TO_TELL = 200
# Found by cross-validation on the corpus.
PENALTIES = {"category": Penalty(0.05, 0.6), "urgency": Penalty(0.1, 0.5), "sentiment": Penalty(0.3, 1.0)}
# What is known beforehand (RFCs, practice with mail, the meaning of words); the mails only correct it.
PRIOR: dict[str, dict[str, float]] = {
    "sign.list_unsubscribe": {"newsletter": 1.2, "personal": -1.0, "support": -0.5, "calendar": -0.5},
    "sign.list_id": {"newsletter": 0.8, "general": 0.8, "personal": -1.0},
    "sign.bulk": {"newsletter": 0.8, "personal": -0.8},
    "sign.authentication_failed": {"spam": 1.0},
    "sign.marked_as_spam": {"spam": 2.0},
    "sign.reply_to_differs": {"spam": 0.6},
    "sign.name_hides_address": {"spam": 0.8},
    "sign.calendar_part": {"calendar": 2.5},
    "sign.risky_attachment": {"spam": 1.5},
    "sign.link_to_raw_ip": {"spam": 1.5},
    "sign.link_text_differs": {"spam": 1.0},
    "sign.short_link": {"spam": 0.4},
    "sign.hidden_text": {"spam": 0.4, "newsletter": 0.3},
    "sign.brand_in_name_not_domain": {"spam": 2.5},
    "sign.brand_in_text_not_domain": {"spam": 0.8},
    "sign.look_alike_letters": {"spam": 2.5},
    "sign.false_capitals": {"spam": 1.5},
    "sign.direction_override": {"spam": 2.0},
    "sign.random_sender": {"spam": 0.8},
    "sign.random_domain": {"spam": 1.2},
    "sign.decorated_name": {"spam": 0.8},
    "sign.recipient_in_subject": {"spam": 0.8},
    "sign.importance_high": {"high": 1.2},
    "sign.importance_low": {"low": 1.0},
    "concept.urgent": {"high": 0.8},
    "concept.urgent.occurs": {"high": 0.8},
    "concept.standstill.occurs": {"high": 0.5},
    "concept.no_hurry.occurs": {"low": 0.6},
    "concept.complaint.occurs": {"negative": 0.8},
    "concept.praise.occurs": {"positive": 0.6},
    "concept.refund.occurs": {"finance": 0.6},
    "concept.standstill": {"high": 0.6},
    "concept.deadline_today": {"high": 0.4},
    "concept.no_hurry": {"low": 0.8},
    "concept.praise": {"positive": 1.0},
    "concept.pleasant": {"positive": 1.0},
    "concept.affection": {"positive": 0.5},
    "concept.complaint": {"negative": 1.0},
    "concept.unpleasant": {"negative": 1.0},
    "concept.bad_news": {"negative": 0.6},
    "concept.broken": {"negative": 0.4},
    "concept.cannot": {"negative": 0.3},
    "concept.denied_praise": {"negative": 1.0},
    "concept.denied_complaint": {"positive": 0.2},
}


@dataclass(frozen=True, slots=True)
class Trained:
    """The heads by name, each with the temperature that its scores are divided by."""

    heads: dict[str, Head]
    temperature: dict[str, float]
    examples: int


def train(data: Path | None, output: Path = DIRECTORY) -> Trained:
    """Train on the corpus, and on the allowed rows of `data` if given; write the model to `output`."""
    corpus = list(corpus_examples())
    outside = list(outside_examples(data)) if data else []
    examples = [*corpus, *bare_examples(corpus), *outside]
    # Threads would add up in an order of their own: the last bits would depend on the machine's cores.
    with threadpool_limits(limits=1):
        mails = dataset_of([example.row for example in examples])
        trained = fit(examples, mails)
        write(trained, mails, output, _fingerprint(examples))
        train_language([*corpus, *outside][::7], output)
    return trained


def dataset_of(rows: Sequence[dict[str, Any]]) -> Dataset:
    """Features of mails in the row form."""
    found = [_features_of(row) for row in rows]
    lengths = np.cumsum([0, *(len(features.rows) for features in found)])
    hashed = csr_matrix(
        (
            np.concatenate([features.values for features in found]),
            np.concatenate([features.rows for features in found]),
            lengths,
        ),
        shape=(len(rows), 1 << BITS),
    )
    # Kinds of features share the table: two that meet in one row add up.
    hashed.sum_duplicates()
    return Dataset.of(hashed, np.array([features.dense for features in found], dtype=np.float64))


def fit(examples: Sequence[Example], mails: Dataset) -> Trained:
    """Fit every head on the examples that know its label. `mails` holds them in the same order."""
    labels = {name: labels_of(examples, name) for name in HEADS}
    heads = {name: fit_named(name, mails, known) for name, known in labels.items()}
    temperature = {name: _calibrate(name, examples, mails, known) for name, known in labels.items()}
    return Trained(heads, temperature, len(examples))


def fit_named(name: str, mails: Dataset, labels: Labels) -> Head:
    """Fit one of HEADS with its prior and penalty."""
    return fit_head(mails, labels, _prior(HEADS[name]), PENALTIES[name])


def labels_of(examples: Sequence[Example], head: str) -> Labels:
    """Which examples know something of a head, and what."""
    classes = COLUMNS[HEADS[head]]
    which: list[int] = []
    allowed: list[list[bool]] = []
    for at, example in enumerate(examples):
        label = getattr(example, head)
        if label is not None:
            allowed.append([name == label for name in classes])
        elif head == "category" and example.not_spam:
            allowed.append([name != "spam" for name in classes])
        else:
            continue
        which.append(at)
    matrix = np.array(allowed)
    weights = np.array([examples[at].weight for at in which])
    if head == "category":
        weights[matrix[:, classes.index("spam")] & (matrix.sum(axis=1) == 1)] *= SPAM_WEIGHT
    else:
        weights = weights * _balance(matrix)
    return Labels(np.array(which), matrix, weights)


def _balance(allowed: NDArray[np.bool_]) -> Matrix:
    """All classes count alike: most mail is of medium urgency and neutral, and still the rest matters
    more."""
    per_class = allowed.sum(axis=0)
    weight: Matrix = len(allowed) / len(per_class) / np.maximum(per_class, 1)
    return np.asarray(allowed @ weight)


def _prior(columns: slice) -> Matrix:
    names = dense_names()
    classes = COLUMNS[columns]
    prior = np.zeros((len(names) + 1, len(classes)))
    for feature, effects in PRIOR.items():
        for label, weight in effects.items():
            if label in classes:
                prior[names.index(feature), classes.index(label)] = weight
    return prior


def fold_of(example: Example) -> int:
    """The part of the cross-validation that judges a mail of the corpus, and what is left of it when bare;
    -1 for the mails of others, which only teach."""
    if example.source != CORPUS_SOURCE:
        return -1
    return crc32(f"{SEED} {example.row['id']}".encode()) % FOLDS


def _calibrate(name: str, examples: Sequence[Example], mails: Dataset, labels: Labels) -> float:
    """Temperature by cross-validation over our own mails: outside sources are too alike to tell doubt."""
    known = [examples[at] for at in labels.which]
    folds = np.array([fold_of(example) for example in known])
    ours = np.array([not example.is_bare and getattr(example, name) is not None for example in known])
    ours &= folds >= 0
    scores = np.zeros(labels.allowed.shape)
    for fold in range(FOLDS):
        judged = np.flatnonzero(ours & (folds == fold))
        head = fit_named(name, mails, labels.take(np.flatnonzero(folds != fold)))
        scores[judged] = head.scores(mails, labels.which[judged])
    truth = labels.allowed[ours].argmax(axis=1)
    if name != "category":
        return best_temperature(scores[ours], truth)
    # Mail of other origin than ours is always harder: what may act on it is held to more than our average.
    spoken = np.array([known[at].language for at in np.flatnonzero(ours)])
    groups = [spoken == language for language in sorted(set(spoken))]
    enough = [group for group in groups if group.sum() >= _ENOUGH_TO_TELL]
    return careful_temperature(scores[ours], truth, enough or groups, FLOOR, SURE_PRECISION)


def write(trained: Trained, mails: Dataset, output: Path, fingerprint: str) -> None:
    """Write hashed.npy (one byte a weight), dense.npy and model.json. Numbers and names only."""
    table = np.hstack([mails.table(trained.heads[name].in_span) for name in HEADS])
    dense = np.hstack([trained.heads[name].dense for name in HEADS])
    scales = np.abs(table).max(axis=0) / 127
    np.save(output / "hashed.npy", np.round(table / scales).astype(np.int8))
    np.save(output / "dense.npy", dense.astype(np.float32))
    facts = {
        "version": fingerprint,
        "bits": BITS,
        "columns": list(COLUMNS),
        "dense_names": list(dense_names()),
        "scales": [float(f"{scale:.6g}") for scale in scales],
        "temperature": {name: round(value, 4) for name, value in trained.temperature.items()},
        "examples": trained.examples,
    }
    (output / "model.json").write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def _features_of(row: dict[str, Any]) -> Features:
    mail = mail_from_row(row)
    return read_features(mail, read_text(mail))


def _fingerprint(examples: Sequence[Example]) -> str:
    """Names the training set: the same mails and labels give the same version."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(
            orjson.dumps([example.source, example.row.get("id"), example.category, example.urgency])
        )
    return f"2-{digest.hexdigest()[:10]}"
