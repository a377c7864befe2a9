"""Fitting one head of the linear model: multinomial logistic regression with partial labels and a prior.

With far fewer mails than hashed features the solution lies in the span of the mails, so the hashed part is
solved in
the coordinates of the Cholesky factor of their Gram matrix: seconds instead of minutes, and the same optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Mails as features: `hashed` is sparse (mails x rows of the table), `dense` the named ones.

    `gram` holds the products of the hashed part of every two mails.
    """

    hashed: csr_matrix
    dense: Matrix
    gram: Matrix

    @classmethod
    def of(cls, hashed: csr_matrix, dense: Matrix) -> Dataset:
        return cls(hashed, dense, np.asarray((hashed @ hashed.T).todense(), dtype=np.float64))

    def take(self, which: NDArray[np.int64]) -> Dataset:
        return Dataset(self.hashed[which], self.dense[which], self.gram[np.ix_(which, which)])


@dataclass(frozen=True, slots=True)
class Labels:
    """`allowed[i, k]`: mail i may be of class k (one for a known label, several for a partial one)."""

    allowed: NDArray[np.bool_]
    weights: Matrix

    def take(self, which: NDArray[np.int64]) -> Labels:
        return Labels(self.allowed[which], self.weights[which])


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of one head; the last row of `dense` is the bias."""

    hashed: Matrix
    dense: Matrix

    def scores(self, mails: Dataset) -> Matrix:
        seen: Matrix = mails.hashed @ self.hashed
        scores: Matrix = seen + mails.dense @ self.dense[:-1] + self.dense[-1]
        return scores


@dataclass(frozen=True, slots=True)
class Penalty:
    """Strength of the pull to zero (hashed) and to the prior (dense)."""

    hashed: float = 0.1
    dense: float = 0.2


def fit_head(mails: Dataset, labels: Labels, prior: Matrix, penalty: Penalty, iterations: int = 120) -> Head:
    """Fit by L-BFGS from zero: the same data give the same weights. `prior` has the shape of Head.dense."""
    count, classes = labels.allowed.shape
    factor = np.linalg.cholesky(mails.gram + 1e-6 * np.eye(count))
    dense = np.hstack([mails.dense, np.ones((count, 1))])
    # The bias is hardly pulled at all.
    scale = np.full(dense.shape[1], penalty.dense**-0.5)
    scale[-1] = 3.0
    # Single precision halves the time of what is little else than these two products.
    columns = np.hstack([factor * penalty.hashed**-0.5, dense * scale]).astype(np.float32)
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
    in_span = solve_triangular(factor.T, weights[:count] * penalty.hashed**-0.5, lower=False)
    return Head(np.asarray(mails.hashed.T @ in_span), weights[count:] * scale[:, None] + prior)


def best_temperature(scores: Matrix, truth: NDArray[np.int64]) -> float:
    """The number that scores have to be divided by for probabilities to mean what they say."""
    candidates = np.geomspace(0.5, 3.0, 60)
    losses = [_log_loss(scores / candidate, truth) for candidate in candidates]
    return float(candidates[int(np.argmin(losses))])


def _log_loss(scores: Matrix, truth: NDArray[np.int64]) -> float:
    shifted = _shifted(scores)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(truth)), truth].mean())


def _shifted(scores: Matrix) -> Matrix:
    # Not below -700: the exponential stays above zero, so that its logarithm exists.
    shifted: Matrix = np.maximum(scores - scores.max(axis=1, keepdims=True), -700.0)
    return shifted
