"""Fitting an adjustment to all examples of an organization, from the beginning each time.

Logistic regression on what the classifier left unexplained, pulled to zero, and held in place by ordinary
mail, on which the classifier is to stay as it is. The same examples give the same adjustment; without one of
them it is as if that had never been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.analysis.features import Numbers
from workers.analysis.learning.adjustment import Adjustment, HeadAdjustment, Reach, share_of
from workers.analysis.learning.example import HEADS, OWN, Example, Signature
from workers.analysis.learning.space import Space, Vector, common_space, ordinary_mail
from workers.analysis.model.classifier import Prediction, Scores, load_classifier, softmax
from workers.analysis.result import CATEGORIES, SENTIMENTS, URGENCIES

_CLASSES: dict[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "urgency": URGENCIES,
    "sentiment": SENTIMENTS,
}
# Found on mails kept for the purpose: the pull to zero, and the weight of each ordinary mail.
_PULL = 0.03
_ORDINARY_WEIGHT = 0.2
# How rare a category of their own is, as long as nothing is known of it.
_OWN_SHARE = 0.02
# How far a correction reaches, from mails like it to all that the classifier takes for the same class. The
# least is taken that gets this share of the corrections right when they are held out, or nearly the best one.
_BREADTHS = (0.0, 0.25, 0.5, 0.8)
# What is too far to be reached: what is no nearer than this share of ordinary mail. Again the strictest is
# taken that loses nothing of what the corrections teach about each other.
_FARS = (0.98, 0.9, 0.75, 0.5, 0.25)
# Like mails count fully but for this share of them, those that are least like the others.
_FULLY = 0.15
_LEAST_RAMP = 0.05
_ENOUGH_RIGHT = 0.6
_NEARLY = 0.1
_ENOUGH_TO_JUDGE = 8
_PARTS = 5
_STEPS = 150
_STEPS_TO_JUDGE = 50


@dataclass(frozen=True, slots=True)
class _Task:
    """Examples first, then ordinary mail: likeness to each other, start scores, allowed classes, weights."""

    examples: int
    likeness: Scores
    probabilities: Scores
    start: Scores
    allowed: NDArray[np.bool_]
    weights: Scores

    def take(self, which: NDArray[np.int64]) -> _Task:
        return _Task(
            int((which < self.examples).sum()),
            self.likeness[np.ix_(which, which)],
            self.probabilities[which],
            self.start[which],
            self.allowed[which],
            self.weights[which],
        )

    def alike(self, breadth: float) -> Scores:
        wide: Scores = self.likeness + breadth**2 * (self.probabilities @ self.probabilities.T)
        return wide


def fit(
    examples: Sequence[Example], *, own: Sequence[str] = (), version: int = 0, digest: str = ""
) -> Adjustment:
    """The adjustment that follows from examples; `own` are the organization's own categories.

    `version` and `digest` name what it is made of. Takes some tenths of a second of CPU for 20 examples,
    a second or two for 300.
    """
    space, classifier = common_space(), load_classifier()
    heads = {}
    for name in HEADS:
        known = [example for example in examples if name in example.labels]
        classes = ("", *own) if name == OWN else _CLASSES[name]
        known = [example for example in known if example.labels[name] <= set(classes)]
        if known:
            heads[name] = _fit_head(name, classes, known, space)
    return Adjustment(version, digest, classifier.version, space, heads)


def guesses(adjustment: Adjustment | None, mail: Numbers) -> dict[str, str]:
    """What the classifier, adjusted or not, takes a mail for: head -> class."""
    prediction = load_classifier().predict(mail)
    own = ""
    if adjustment is not None:
        adjusted = adjustment.applied(mail, prediction)
        prediction = adjusted.prediction
        own = max(adjusted.own, key=lambda name: adjusted.own[name], default="")
    return {
        **{name: classes[int(_scores(prediction, name).argmax())] for name, classes in _CLASSES.items()},
        OWN: own,
    }


def _fit_head(
    name: str, classes: tuple[str, ...], examples: Sequence[Example], space: Space
) -> HeadAdjustment:
    mails = [*(example.signature for example in examples), *ordinary_mail()]
    places = np.array([space.vector(mail) for mail in mails])
    task = _task(name, classes, examples, mails, places)
    breadth, far, near = _bounds(task)
    pushes = _solve(task, breadth)
    return HeadAdjustment(
        classes,
        near=(places.T @ pushes).astype(np.float32),
        broad=(breadth**2 * task.probabilities.T @ pushes).astype(np.float32),
        # As they are written: who reads them back gets the same results.
        reach=Reach(places[: len(examples)].astype(np.float16).astype(np.float32), far, near),
        start=task.start[0] if name == OWN else None,
    )


def _task(
    name: str,
    classes: tuple[str, ...],
    examples: Sequence[Example],
    mails: Sequence[Signature],
    places: Vector,
) -> _Task:
    classifier = load_classifier()
    predictions = [classifier.predict(mail) for mail in mails]
    source = "category" if name == OWN else name
    probabilities = np.array([softmax(_scores(prediction, source)) for prediction in predictions])
    if name == OWN:
        shares = [1 - _OWN_SHARE * (len(classes) - 1), *[_OWN_SHARE] * (len(classes) - 1)]
        start = np.tile(np.log(shares), (len(mails), 1))
    else:
        start = np.array([_scores(prediction, name) for prediction in predictions])
    allowed = np.ones(start.shape, dtype=np.bool_)
    for at, example in enumerate(examples):
        allowed[at] = [label in example.labels[name] for label in classes]
    weights = np.full(len(mails), _ORDINARY_WEIGHT)
    weights[: len(examples)] = [example.weight for example in examples]
    return _Task(
        len(examples), (places @ places.T).astype(np.float64), probabilities, start, allowed, weights
    )


def _scores(prediction: Prediction, head: str) -> Scores:
    scores: Scores = getattr(prediction, head)
    return scores


def _bounds(task: _Task) -> tuple[float, float, float]:
    """Breadth, and the bounds of the reach: as narrow as possible, as wide as needed."""
    among, ordinary = _nearness(task)
    if task.examples < _ENOUGH_TO_JUDGE:
        return _BREADTHS[0], *_reach(_FARS[0], among, ordinary)
    moves: dict[float, Scores] = {}
    right: dict[float, float] = {}
    for breadth in _BREADTHS:
        moves[breadth] = _held_out_moves(task, breadth)
        right[breadth] = _share_right(task, moves[breadth])
        if right[breadth] >= _ENOUGH_RIGHT:
            break
    enough = min(_ENOUGH_RIGHT, max(right.values()) - _NEARLY)
    breadth = next(breadth for breadth, share in right.items() if share >= enough)
    for far in _FARS:
        reach = _reach(far, among, ordinary)
        counted = share_of(among, *reach)[:, None] * moves[breadth]
        if _share_right(task, counted) >= right[breadth]:
            return breadth, *reach
    return breadth, *reach


def _nearness(task: _Task) -> tuple[Scores, Scores]:
    """How near each example is to the nearest other one, and each ordinary mail to the nearest example."""
    count = task.examples
    among = task.likeness[:count, :count] - np.diag(np.full(count, np.inf))
    return among.max(axis=1), task.likeness[count:, :count].max(axis=1)


def _reach(far: float, among: Scores, ordinary: Scores) -> tuple[float, float]:
    too_far = float(np.quantile(ordinary, far))
    fully = float(np.quantile(among, _FULLY)) if len(among) > 1 else too_far
    return too_far, max(fully, too_far + _LEAST_RAMP)


def _share_right(task: _Task, moved: Scores) -> float:
    scores = task.start[: task.examples] + moved
    return float(task.allowed[np.arange(task.examples), scores.argmax(axis=1)].mean())


def _held_out_moves(task: _Task, breadth: float) -> Scores:
    """What the other examples add to the scores of each."""
    everything = np.arange(len(task.weights))
    part_of = np.where(everything < task.examples, everything % _PARTS, -1)
    alike = task.alike(breadth)
    moved = np.zeros((task.examples, task.start.shape[1]))
    for part in range(_PARTS):
        inside, outside = np.flatnonzero(part_of != part), np.flatnonzero(part_of == part)
        pushes = _solve(task.take(inside), breadth, steps=_STEPS_TO_JUDGE)
        moved[outside] = alike[np.ix_(outside, inside)] @ pushes
    return moved


def _solve(task: _Task, breadth: float, *, steps: int = _STEPS) -> Scores:
    """How much each mail pushes each class: accelerated gradient (Nesterov) on the penalized log loss."""
    root = np.sqrt(task.weights)[:, None]
    alike = task.alike(breadth)
    weighted = root * alike * root.T
    step = 1 / (np.linalg.eigvalsh(weighted)[-1] * 0.5 + _PULL)
    held = np.zeros_like(task.start)
    ahead, momentum = held, 1.0
    target = softmax_rows(task.start)
    target[: task.examples] = 0
    for _ in range(steps):
        now = softmax_rows(task.start + alike @ (root * ahead))
        inside = now[: task.examples] * task.allowed[: task.examples]
        target[: task.examples] = inside / np.maximum(inside.sum(axis=1, keepdims=True), 1e-300)
        better = ahead + step * (root * (target - now) - _PULL * ahead)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = better + (momentum - 1) / following * (better - held)
        held, momentum = better, following
    return np.asarray(root * held)


def softmax_rows(scores: Scores) -> Scores:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
