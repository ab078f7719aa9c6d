"""Weighted least squares by QR: coefficients, rank check, cluster-robust and known variances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError

# A column whose part outside the columns before it is below this share of its length is taken as
# their linear combination.
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class LeastSquares:
    """A fit of the weighted equation sqrt(w) y = sqrt(w) X b + e.

    Attributes
    ----------
    names : column names of X. coefficients : (k,). residuals : (N,) of the weighted equation.
    q : (N, k) orthonormal basis of the weighted columns. r : (k, k) upper triangular.
    """

    names: tuple[str, ...]
    coefficients: np.ndarray
    residuals: np.ndarray
    q: np.ndarray
    r: np.ndarray

    @property
    def bread(self) -> np.ndarray:
        """Inverse of X'WX, (k, k)."""
        inverse = np.linalg.solve(self.r, np.eye(len(self.r)))
        return inverse @ inverse.T

    @property
    def free(self) -> int:
        """Residual degrees of freedom, N - k."""
        return len(self.residuals) - len(self.coefficients)


def column_names(X: Any) -> tuple[str, ...]:
    """Names of the columns of a frame, or ``column 0 ...`` for an array."""
    if isinstance(X, pd.DataFrame):
        return tuple(str(name) for name in X.columns)
    return tuple(f"column {i}" for i in range(np.shape(X)[1]))


def root_weights(weights: Any, size: int) -> np.ndarray:
    """Square roots of the observation weights, scaled to mean weight 1; ones for ``None``."""
    if weights is None:
        return np.ones(size)
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (size,) or not np.all((weights > 0) & np.isfinite(weights)):
        raise ModelError(f"Observation weights must be {size} positive finite numbers.")
    return np.sqrt(weights / weights.mean())


def _check(y: np.ndarray, X: np.ndarray, names: tuple[str, ...]) -> None:
    if X.ndim != 2 or y.shape != (len(X),):
        raise ModelError(f"The outcome has {y.size} values and the design {len(X)} rows.")
    if not np.isfinite(y).all():
        raise ModelError("The outcome has missing or infinite values; drop those rows first.")
    bad = [name for name, ok in zip(names, np.isfinite(X).all(axis=0), strict=True) if not ok]
    if bad:
        raise ModelError(f"Missing or infinite values in {', '.join(bad)}; drop those rows first.")
    if len(X) <= X.shape[1]:
        raise ModelError(
            f"{len(X)} observations cannot carry {X.shape[1]} coefficients: use fewer covariates "
            "or more waves."
        )


def _check_rank(r: np.ndarray, lengths: np.ndarray, names: tuple[str, ...]) -> None:
    dependent = np.abs(np.diag(r)) <= RANK_TOLERANCE * lengths
    if dependent.any():
        listed = ", ".join(f"'{name}'" for name, bad in zip(names, dependent, strict=True) if bad)
        raise ModelError(
            f"The design is rank-deficient: {listed} cannot be told apart from the other columns "
            "(constant, or a linear combination of effects and covariates). Leave it out."
        )


def least_squares(y: Any, X: Any, weights: Any = None) -> LeastSquares:
    """Fit y on X with optional observation weights (only their ratios matter).

    Parameters
    ----------
    y : (N,). X : (N, k) array or frame, intercept included. weights : (N,) positive, or None.

    Raises
    ------
    ModelError : missing values, N <= k, weights not positive, or a rank-deficient design; the
        message names the first columns that depend on those before them.
    """
    names = column_names(X)
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    _check(y, X, names)
    root = root_weights(weights, len(y))
    X, y = X * root[:, None], y * root
    q, r = np.linalg.qr(X)
    _check_rank(r, np.linalg.norm(X, axis=0), names)
    coefficients = np.linalg.solve(r, q.T @ y)
    return LeastSquares(names, coefficients, y - q @ (q.T @ y), q, r)


def cluster_sums(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Sum the rows of ``values`` (N, ...) within clusters coded 0 ... G-1; shape (G, ...)."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return np.add.reduceat(values[order], starts, axis=0)


def small_sample(clusters: int, observations: int, columns: int) -> float:
    """CRV1 factor G/(G-1) (N-1)/(N-k); k leaves out fixed effects nested in the clusters."""
    return clusters / (clusters - 1) * (observations - 1) / (observations - columns)


def crv1(fit: LeastSquares, codes: np.ndarray, nested: int = 0) -> np.ndarray:
    """Cluster-robust covariance of the coefficients (CRV1), (k, k).

    ``nested`` counts columns that are effects of the clusters themselves and so take no degree of
    freedom in the factor (the convention of Stata's xtreg, reghdfe and fixest).
    """
    scores = cluster_sums(fit.q * fit.residuals[:, None], codes) @ np.linalg.inv(fit.r).T
    n, k = fit.q.shape
    return small_sample(len(scores), n, k - nested) * scores.T @ scores


def excess_variance(y: Any, X: Any, variance: Any) -> float:
    """Variance σ² of the equation error beyond the known sampling variances ω of the outcome.

    From OLS residuals e: σ² = (Σe² − Σω + tr((X'X)⁻¹ X'ΩX)) / (N − k). Unbiased and not floored:
    below 0 the outcome scatters less than its declared sampling error allows.

    Source
    ------
    Lewis & Linzer (2005), Political Analysis 13:345-364.
    """
    fit = least_squares(y, X)
    variance = np.asarray(variance, dtype=float)
    if not np.all((variance >= 0) & np.isfinite(variance)):
        raise ModelError("Sampling variances must be finite and at least 0.")
    trace = float((fit.q**2 * variance[:, None]).sum())
    excess = (fit.residuals**2).sum() - variance.sum() + trace
    return float(excess / fit.free)
