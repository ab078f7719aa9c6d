"""Weighted least squares: coefficients, covariances, many fits at once, one design."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evaluation.base.errors import ModelError

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


# Singular values of a leave-one-cluster-out cross-product below this share of 1 are taken as 0.
SINGULAR = 1e-9


@dataclass(frozen=True)
class Jackknife:
    """CRV3 inference of the last coefficient.

    Attributes
    ----------
    se : standard error. t : estimate / se. p : two-sided on t(G - 1).
    low, high : interval on t(G - 1). clusters : G. All missing where leaving out one cluster
        leaves the coefficient without a value.
    """

    se: float
    t: float
    p: float
    low: float
    high: float
    clusters: int


def leave_one_out(fit: LeastSquares, codes: np.ndarray, nested: int = 0) -> np.ndarray:
    """Change of each coefficient when one cluster is left out, b(-g) - b, (G, k - nested).

    In the basis Q of the weighted columns b(-g) - b = -R⁻¹ (I - Qg'Qg)⁻¹ Qg'eg, e the residuals.
    A column the other clusters do not have (a wave one region alone was surveyed in) makes the
    inverse a generalised one; coefficients that then have no value are missing.

    Parameters
    ----------
    fit : of the full sample. codes : clusters 0 ... G-1.
    nested : number of leading columns that are effects of the clusters; they are left out of the
        answer, since leaving out a cluster leaves out its effect.

    Source
    ------
    MacKinnon, Nielsen & Webb (2023), Journal of Applied Econometrics 38:671-694.
    """
    q, r = fit.q[:, nested:], fit.r[nested:, nested:]
    scores = cluster_sums(q * fit.residuals[:, None], codes)
    shares = cluster_sums(q[:, :, None] * q[:, None, :], codes)
    values, vectors = np.linalg.eigh(np.eye(len(r)) - shares)
    kept = values > SINGULAR
    scaled = np.einsum("gij,gi->gj", vectors, scores) * kept / np.where(kept, values, 1.0)
    inverse = np.linalg.inv(r)
    change = -np.einsum("gij,gj->gi", vectors, scaled) @ inverse.T
    lost = np.einsum("ki,gij->gkj", inverse, vectors) * ~kept[:, None, :]
    size = np.linalg.norm(inverse, axis=1)[None, :]
    change[np.abs(lost).max(axis=2) > 1e-6 * size] = np.nan
    return change


def crv3(fit: LeastSquares, codes: np.ndarray, nested: int = 0) -> np.ndarray:
    """Covariance (G-1)/G Σ (b(-g) - b)(b(-g) - b)' of the coefficients not nested, (k, k)."""
    change = leave_one_out(fit, codes, nested)
    return (len(change) - 1) / len(change) * change.T @ change


def jackknife(
    fit: LeastSquares, codes: np.ndarray, nested: int = 0, level: float = 0.95
) -> Jackknife:
    """CRV3 standard error of the last coefficient with t(G - 1) interval and p-value."""
    change = leave_one_out(fit, codes, nested)[:, -1]
    clusters, estimate = len(change), float(fit.coefficients[-1])
    se = float(np.sqrt((clusters - 1) / clusters * (change @ change)))
    reference = stats.t(df=clusters - 1)
    half = float(reference.ppf((1 + level) / 2)) * se
    t = estimate / se
    p = float(2 * reference.sf(abs(t)))
    return Jackknife(se, t, p, estimate - half, estimate + half, clusters)


# Eigenvalues of the scaled normal equations below this share of the largest are taken as zero.
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Equation:
    """y = X b + e of one panel: effects, covariates, further doses, the dose reported last.

    Attributes
    ----------
    y : (N,). X : (N, k) frame or array. effects : number of leading columns that are fixed effects.
    nested : how many of those are effects of the clusters. clusters, periods : (N,) labels.
    variance : (N,) known sampling variances of y, or None. doses : number of trailing columns
        that are doses. rows : (N,) positions in the panel. dropped : rows left out for missing
        values. singletons : clusters left out because they were seen in one period only.
    """

    y: np.ndarray
    X: pd.DataFrame
    clusters: np.ndarray
    periods: np.ndarray | None = None
    variance: np.ndarray | None = None
    effects: int = 0
    nested: int = 0
    doses: int = 1
    rows: np.ndarray | None = None
    dropped: int = 0
    singletons: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Column names of X."""
        return column_names(self.X)

    @property
    def uncounted(self) -> int:
        """Columns that take no degree of freedom in CRV1: the nested effects less the constant."""
        return max(0, self.nested - 1)

    @property
    def codes(self) -> np.ndarray:
        """Clusters as 0 ... G-1, (N,)."""
        return np.unique(self.clusters, return_inverse=True)[1]

    @cached_property
    def matrix(self) -> np.ndarray:
        """X as an array, (N, k)."""
        return self.X.to_numpy()

    def known_variance_weights(self) -> tuple[np.ndarray | None, float | None]:
        """Weights 1/(v + σ²), σ² after Lewis & Linzer floored at 0, and σ² before the floor.

        ``(None, None)`` where no sampling variance v is known.

        Raises
        ------
        ModelError : a rank-deficient design, or a row whose variance would be 0.
        """
        if self.variance is None:
            return None, None
        sigma2 = excess_variance(self.y, self.X, self.variance)
        total = self.variance + max(0.0, sigma2)
        if (total <= 0).any():
            raise ModelError(
                "Some sampling variances are 0 and no further variance was found: those rows would "
                "get infinite weight. Give their variance or leave them out."
            )
        return 1 / total, sigma2

    @property
    def weights(self) -> np.ndarray:
        """The weights of the models, (N,); ones where no variance is known."""
        weights, _ = self.known_variance_weights()
        if weights is None:
            least_squares(self.y, self.X)  # refuses a rank-deficient design by name
            return np.ones(len(self.y))
        return weights

    def fit(self) -> LeastSquares:
        """Known-variance generalised least squares."""
        return least_squares(self.y, self.X, self.known_variance_weights()[0])


@dataclass(frozen=True, eq=False)
class Fits:
    """M fits at once.

    coefficients : (M, k), missing where a coefficient is not identified.
    residuals : (M, N). inverse : of X'WX, (M, k, k), and rank, (M,); one where all fits share it.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    inverse: np.ndarray
    rank: np.ndarray


def solve_many(y: np.ndarray, X: np.ndarray, weights: np.ndarray) -> Fits:
    """Weighted least squares for M outcomes, designs or weights at once, by normal equations.

    Columns are scaled to unit length first, so that these lose no digits that matter.

    Parameters
    ----------
    y : (N,) or (M, N). X : (N, k) or (M, N, k). weights : (M, N), 0 for rows left out, or
        (1, N) where all fits share them: with one X that is one matrix product for all.
    """
    scale = np.sqrt((X**2).mean(axis=-2, keepdims=True))
    scale = np.where(scale > 0, scale, 1.0)
    Z, y = X / scale, np.atleast_2d(y)
    count = Z.shape[-1]
    if Z.ndim == 2:
        pairs = (Z[:, :, None] * Z[:, None, :]).reshape(len(Z), -1)
        gram = (weights @ pairs).reshape(-1, count, count)
        right = (weights * y) @ Z
    else:
        turned = Z.swapaxes(1, 2) * weights[:, None, :]
        gram, right = turned @ Z, (turned @ y[:, :, None])[:, :, 0]
    inverse = np.linalg.pinv(gram, rcond=TOLERANCE, hermitian=True)
    b = (inverse @ right[:, :, None])[:, :, 0]
    fitted = b @ Z.T if Z.ndim == 2 else (Z @ b[:, :, None])[:, :, 0]
    own = np.einsum("mkl,mlk->mk", inverse, gram)
    b = np.where(np.abs(own - 1) < 1e-6, b, np.nan)
    flat = scale.reshape(-1, count)  # (1, k) or (M, k)
    return Fits(
        coefficients=b / flat,
        residuals=y - fitted,
        inverse=inverse / (flat[:, :, None] * flat[:, None, :]),
        rank=own.sum(axis=1),
    )


def fgls_many(equation: Equation, masks: np.ndarray) -> np.ndarray:
    """Coefficients (M, k) of the known-variance FGLS on M subsets of rows, masks (M, N).

    A coefficient the subset does not identify is missing.
    """
    masks = masks.astype(float)
    if equation.variance is None:
        return solve_many(equation.y, equation.matrix, masks).coefficients
    first, v = solve_many(equation.y, equation.matrix, masks), equation.variance
    leverage = ((equation.matrix @ first.inverse) * equation.matrix).sum(axis=2)
    excess = masks * (first.residuals**2 - v + leverage * v)
    free = np.maximum(masks.sum(axis=1) - first.rank, 1e-9)
    sigma2 = np.maximum(0.0, excess.sum(axis=1) / free)
    return solve_many(equation.y, equation.matrix, masks / (v + sigma2[:, None])).coefficients


def crv1_many(equation: Equation, X: np.ndarray, weights: np.ndarray, fits: Fits) -> np.ndarray:
    """CRV1 standard errors (M, doses) of the doses."""
    codes = equation.codes
    clusters = int(codes.max()) + 1
    rows = fits.inverse[:, -equation.doses :, :]
    pull = rows @ (X.T if X.ndim == 2 else X.swapaxes(1, 2))
    scores = (pull * (weights * fits.residuals)[:, None, :]) @ np.eye(clusters)[codes]
    factor = small_sample(clusters, len(equation.y), len(equation.names) - equation.uncounted)
    return np.sqrt(factor * (scores**2).sum(axis=2))
