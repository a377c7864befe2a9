"""Training: the same mails give the same bytes, and confidence keeps what it promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workers.analysis.fitting import best_temperature, careful_temperature
from workers.analysis.model.classifier import HEADS
from workers.analysis.train import FOLDS, dataset_of, fit, fold_of, labels_of, write
from workers.analysis.training_data import bare_examples, corpus_examples, rows_set_apart


def test_the_same_mails_give_the_same_model_to_the_bit(tmp_path: Path) -> None:
    examples = list(corpus_examples())[::48]
    models = []
    for name in ("first", "second"):
        mails = dataset_of([example.row for example in examples])
        (tmp_path / name).mkdir()
        write(fit(examples, mails), mails, tmp_path / name, "test")
        models.append({path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())})
    assert models[0] == models[1]
    assert sorted(models[0]) == ["dense.npy", "hashed.npy", "model.json"]


def test_what_is_known_only_not_to_be_spam_may_be_anything_else() -> None:
    examples = [example for example in corpus_examples() if example.category is None][:3]
    assert len(examples) == 3 and all(example.not_spam for example in examples)
    labels = labels_of(examples, "category")
    assert labels.allowed.sum(axis=1).tolist() == [7, 7, 7]
    assert set(HEADS) == {"category", "urgency", "sentiment"}


def test_nothing_is_learned_from_the_mails_set_apart() -> None:
    learned = {example.row["body"] for example in corpus_examples()}
    apart = list(rows_set_apart())
    assert len(apart) >= 180 and {row["language"] for row in apart} == {"en", "es"}
    assert not learned & {row["body"] for row in apart}


def test_what_is_left_of_a_mail_is_judged_by_none_that_saw_the_whole() -> None:
    whole = {example.row["id"]: example for example in list(corpus_examples())[::50]}
    bare = list(bare_examples(whole.values()))
    assert {fold_of(example) for example in bare} == set(range(FOLDS))
    for after in bare:
        before = whole[after.row["id"]]
        assert fold_of(after) == fold_of(before)
        assert after.is_bare and after.category == before.category != "spam"
        assert after.weight < before.weight and after.row["body"] == before.row["body"]
        assert not (after.row["subject"] and after.row["from"]), "something is missing"


@pytest.mark.parametrize("wanted", [0.9, 0.95, 0.98])
def test_of_what_is_sure_so_many_are_right_in_every_group(wanted: float) -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, 4_000)
    scores = random.normal(size=(4_000, 4)) + 2.2 * np.eye(4)[truth]
    groups = [np.arange(4_000) % 2 == 0, np.arange(4_000) % 2 == 1]
    # The second group is the harder one.
    scores[groups[1]] *= 0.8
    found = careful_temperature(scores, truth, groups, 0.6, wanted)
    powers = np.exp(scores / found)
    sure = powers.max(axis=1) / powers.sum(axis=1) >= 0.6
    right = scores.argmax(axis=1) == truth
    assert found >= best_temperature(scores, truth)
    assert all(right[sure & group].mean() >= wanted for group in groups)
    assert sure.mean() > 0.2, "careful, not mute"
