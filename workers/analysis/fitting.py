"""Fitting one head of the linear model: multinomial logistic regression with partial labels and a prior.

With far fewer mails than hashed features the solution lies in the span of the mails, so the hashed part is
solved in the coordinates of the Cholesky factor of their Gram matrix: seconds instead of minutes, and the
same optimum. The factor is computed once; every subset of the mails is a subset of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

Matrix = NDArray[np.float64]
# Mails that are nearly the same would make the Gram matrix singular.
_JITTER = 1e-4


@dataclass(frozen=True, slots=True)
class Dataset:
    """Mails as features: `hashed` is sparse (mails x rows of the table), `dense` the named ones.

    `factor` has a row for each mail; the product of two rows is that of the hashed features of the two mails.
    """

    hashed: csr_matrix
    dense: Matrix
    factor: Matrix

    @classmethod
    def of(cls, hashed: csr_matrix, dense: Matrix) -> Dataset:
        gram = np.asarray((hashed @ hashed.T).todense(), dtype=np.float64)
        gram[np.diag_indices_from(gram)] += _JITTER
        return cls(hashed, dense, cholesky(gram, lower=True, overwrite_a=True))

    def table(self, in_span: Matrix) -> Matrix:
        """Weights of the hashed table from weights in the coordinates of `factor`."""
        return np.asarray(self.hashed.T @ solve_triangular(self.factor.T, in_span, lower=False))


@dataclass(frozen=True, slots=True)
class Labels:
    """`allowed[i, k]`: mail `which[i]` may be of class k (one for a known label, several for a partial)."""

    which: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    weights: Matrix

    def take(self, positions: NDArray[np.int64]) -> Labels:
        return Labels(self.which[positions], self.allowed[positions], self.weights[positions])


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of one head: `in_span` for the rows of Dataset.factor, `dense` with the bias as last row."""

    in_span: Matrix
    dense: Matrix

    def scores(self, mails: Dataset, which: NDArray[np.int64]) -> Matrix:
        seen: Matrix = mails.factor[which] @ self.in_span
        scores: Matrix = seen + mails.dense[which] @ self.dense[:-1] + self.dense[-1]
        return scores


@dataclass(frozen=True, slots=True)
class Penalty:
    """Strength of the pull to zero (hashed) and to the prior (dense)."""

    hashed: float = 0.1
    dense: float = 0.2


def fit_head(mails: Dataset, labels: Labels, prior: Matrix, penalty: Penalty, iterations: int = 120) -> Head:
    """Fit by L-BFGS from zero: the same data give the same weights. `prior` has the shape of Head.dense."""
    count, classes = labels.allowed.shape
    # The factor is lower triangular: behind the last mail of them all its columns are zero.
    width = int(labels.which.max()) + 1
    dense = np.hstack([mails.dense[labels.which], np.ones((count, 1))])
    # The bias is hardly pulled at all.
    scale = np.full(dense.shape[1], penalty.dense**-0.5)
    scale[-1] = 3.0
    # Single precision halves the time of what is little else than these two products.
    columns = np.empty((count, width + dense.shape[1]), dtype=np.float32)
    columns[:, :width] = mails.factor[labels.which, :width]
    columns[:, :width] *= penalty.hashed**-0.5
    columns[:, width:] = dense * scale
    offset = dense @ prior
    allowed = labels.allowed.astype(np.float64)

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(-1, classes)
        powers = np.exp(_shifted(columns @ weights.astype(np.float32) + offset))
        total = powers.sum(axis=1, keepdims=True)
        inside = powers * allowed
        inside_total = inside.sum(axis=1, keepdims=True)
        error = (powers / total - inside / inside_total) * labels.weights[:, None]
        value = -(labels.weights * np.log(inside_total / total)[:, 0]).sum() + 0.5 * (weights * weights).sum()
        return float(value), (columns.T @ error.astype(np.float32) + weights).ravel()

    start = np.zeros(columns.shape[1] * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    weights = found.x.reshape(-1, classes)
    in_span = np.zeros((mails.factor.shape[1], classes))
    in_span[:width] = weights[:width] * penalty.hashed**-0.5
    return Head(in_span, weights[width:] * scale[:, None] + prior)


def best_temperature(scores: Matrix, truth: NDArray[np.int64]) -> float:
    """The number that scores have to be divided by for probabilities to mean what they say."""
    candidates = np.geomspace(0.5, 3.0, 60)
    losses = [_log_loss(scores / candidate, truth) for candidate in candidates]
    return float(candidates[int(np.argmin(losses))])


def careful_temperature(
    scores: Matrix,
    truth: NDArray[np.int64],
    groups: Sequence[NDArray[np.bool_]],
    floor: float,
    precision: float,
) -> float:
    """The least number, not below `best_temperature`, at which of the probabilities above `floor` at least
    `precision` are right, in each of `groups` of mails by itself."""
    best = best_temperature(scores, truth)
    for candidate in np.geomspace(best, best * 4, 60):
        shifted = _shifted(scores / candidate)
        sure = 1 / np.exp(shifted).sum(axis=1) >= floor
        right = scores.argmax(axis=1) == truth
        if all(right[group & sure].mean() >= precision for group in groups if (group & sure).any()):
            return float(candidate)
    return best


def _log_loss(scores: Matrix, truth: NDArray[np.int64]) -> float:
    shifted = _shifted(scores)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(truth)), truth].mean())


def _shifted(scores: Matrix) -> Matrix:
    # Not below -700: the exponential stays above zero, so that its logarithm exists.
    shifted: Matrix = np.maximum(scores - scores.max(axis=1, keepdims=True), -700.0)
    return shifted
