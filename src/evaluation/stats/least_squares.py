"""Least squares, weighted and generalised: coefficients, covariances, many fits, one design."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

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


def basis(X: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the columns, whatever their rank, (N, r)."""
    lengths = np.linalg.norm(X, axis=0)
    left, values, _ = np.linalg.svd(X / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    return left[:, values > RANK_TOLERANCE * max(values.max(initial=0.0), 1e-300)]


def excess_variance(y: Any, X: Any, sampling: Any) -> float:
    """Variance σ² of the equation error beyond the known sampling covariance Ω of the outcome.

    From OLS residuals e = My: σ² = (Σe² − tr MΩ) / (N − k). Unbiased and not floored: below 0 the
    outcome scatters less than its declared sampling error allows.

    Parameters
    ----------
    sampling : (N,) variances, or the (N, N) covariance Ω, dense or sparse.

    Source
    ------
    Lewis & Linzer (2005), Political Analysis 13:345-364, with Ω diagonal.
    """
    y, q = np.asarray(y, dtype=float), basis(np.asarray(X, dtype=float))
    if len(y) <= q.shape[1]:
        raise ModelError(f"{len(y)} observations cannot carry {q.shape[1]} coefficients.")
    full = sparse.diags_array(np.asarray(sampling, float)) if np.ndim(sampling) == 1 else sampling
    variance = full.diagonal()
    if not np.all((variance >= 0) & np.isfinite(variance)):
        raise ModelError("Sampling variances must be finite and at least 0.")
    residuals = y - q @ (q.T @ y)
    trace = variance.sum() - float((q * (full @ q)).sum())
    return float((residuals @ residuals - trace) / (len(y) - q.shape[1]))


def whitening(covariance: sparse.csr_array, codes: np.ndarray) -> sparse.csr_array:
    """Inverse of the lower Cholesky factor of a covariance that is block-diagonal by cluster.

    It mixes no clusters, so what is clustered stays so.

    Parameters
    ----------
    covariance : (N, N), zero between clusters. codes : (N,) clusters 0 ... G-1.

    Raises
    ------
    ModelError : a covariance that is none, such as a variance of 0.
    """
    size = len(codes)
    place = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    rows = np.full((int(codes.max()) + 1, int(place.max()) + 1), -1)
    rows[codes, place] = np.arange(size)
    blocks = np.tile(np.eye(rows.shape[1]), (len(rows), 1, 1))  # identity where no row stands
    entries = covariance.tocoo()
    blocks[codes[entries.row], place[entries.row], place[entries.col]] = entries.data
    blocks[codes, place, place] = covariance.diagonal()
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(blocks))
    except np.linalg.LinAlgError as error:
        raise ModelError(
            "Some sampling variances are 0 and no further variance was found: those rows would "
            "get infinite weight. Give their variance or leave them out."
        ) from error
    cluster, i, j = np.nonzero(inverse)
    kept = (rows[cluster, i] >= 0) & (rows[cluster, j] >= 0)
    cluster, i, j = cluster[kept], i[kept], j[kept]
    where = (rows[cluster, i], rows[cluster, j])
    return sparse.csr_array((inverse[cluster, i, j], where), shape=(size, size))


STEPS = 100
# Of the degrees of freedom: how near Q must come to them.
CONVERGED = 1e-10


def paule_mandel(equation: Equation) -> float:
    """Variance τ² >= 0 beyond the known sampling covariance Ω at which Q(τ²) = N - k.

    Q = r'(Ω + τ²I)⁻¹r, r the residuals of generalised least squares, falls in τ² and is convex.
    Newton's steps from 0 therefore rise to the root and never pass it; that it was reached is
    checked. 0 where Q(0) is no larger than its degrees of freedom.

    Raises
    ------
    ModelError : a variance of 0, or no convergence.

    Source
    ------
    Paule & Mandel (1982), Journal of Research of the NBS 87:377-385; Newton's steps: DerSimonian &
    Kacker (2007), Contemporary Clinical Trials 28:105-114.
    """
    tau2 = 0.0
    for _ in range(STEPS):
        root = equation.rooted(tau2)
        fit = least_squares(root @ equation.y, root @ equation.matrix)
        excess = float(fit.residuals @ fit.residuals) - fit.free
        if excess <= CONVERGED * fit.free:
            return tau2
        pull = root.T @ fit.residuals
        tau2 += excess / float(pull @ pull)
    raise ModelError(f"The variance between estimates was not found in {STEPS} steps.")


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
    from scipy import stats  # slow to import

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
    variance : (N,) known sampling variances of y, or None. covariance : their (N, N) covariance
        where outcomes of a cluster share a survey, or None where they do not. doses : number of
        trailing columns that are doses. rows : (N,) positions in the panel. dropped : rows left
        out for missing values. singletons : clusters left out because they were seen in one
        period only. sigma2 : the variance beyond Ω where it is given, else it is estimated.
    """

    y: np.ndarray
    X: pd.DataFrame
    clusters: np.ndarray
    periods: np.ndarray | None = None
    variance: np.ndarray | None = None
    covariance: sparse.csr_array | None = None
    effects: int = 0
    nested: int = 0
    doses: int = 1
    rows: np.ndarray | None = None
    dropped: int = 0
    singletons: int = 0
    sigma2: float | None = None

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
        return np.asarray(self.X, dtype=float)

    @property
    def sampling(self) -> sparse.csr_array:
        """Known sampling covariance Ω of the outcome, (N, N)."""
        if self.covariance is not None:
            return self.covariance
        return sparse.diags_array(self.variance).tocsr()

    @cached_property
    def excess(self) -> float | None:
        """σ² beyond the sampling covariance before its floor at 0; None where none is known."""
        return None if self.variance is None else excess_variance(self.y, self.X, self.sampling)

    @cached_property
    def root(self) -> sparse.csr_array:
        """W with W'W = (Ω + σ²I)⁻¹, the identity where no sampling variance is known, (N, N)."""
        found = self.excess if self.sigma2 is None else self.sigma2
        return self.rooted(0.0 if found is None else max(0.0, found))

    def rooted(self, sigma2: float) -> sparse.csr_array:
        """:attr:`root` for a given σ²."""
        identity = sparse.eye_array(len(self.y), format="csr")
        if self.variance is None:
            return identity
        total = self.sampling + sigma2 * identity
        if self.covariance is None and (total.diagonal() > 0).all():
            return sparse.diags_array(total.diagonal() ** -0.5).tocsr()
        return whitening(total, self.codes)

    @cached_property
    def white(self) -> Equation:
        """The equation in units in which the covariance of y is the identity."""
        return self.whitened(self.root)

    def whitened(self, root: sparse.csr_array) -> Equation:
        """Outcome and design multiplied by W; columns keep their names."""
        X = pd.DataFrame(root @ np.asarray(self.X, dtype=float), columns=list(self.names))
        return replace(self, y=root @ self.y, X=X, variance=None, covariance=None)

    def subset(self, keep: np.ndarray) -> Equation:
        """The equation on some of its rows, (N,) bool."""
        at = np.flatnonzero(keep)
        part = {
            name: None if getattr(self, name) is None else np.asarray(getattr(self, name))[at]
            for name in ("y", "clusters", "periods", "variance", "rows")
        }
        X = self.X.iloc[at] if isinstance(self.X, pd.DataFrame) else self.X[at]
        both = None if self.covariance is None else self.covariance[at][:, at]
        return replace(self, X=X, covariance=both, **part)

    def fit(self) -> LeastSquares:
        """Generalised least squares with the known covariance of the sampling errors."""
        return least_squares(self.white.y, self.white.X)


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
    """Coefficients (M, k) of the known-covariance FGLS on M subsets of rows, masks (M, N).

    σ² is estimated anew in each. A coefficient the subset does not identify is missing.
    """
    found = np.full((len(masks), len(equation.names)), np.nan)
    for place, mask in enumerate(masks.astype(bool)):
        if mask.sum() <= len(equation.names):
            continue
        part = equation.subset(mask).white
        found[place] = solve_many(part.y, part.matrix, np.ones((1, len(part.y)))).coefficients[0]
    return found


def crv1_many(equation: Equation, X: np.ndarray, fits: Fits) -> np.ndarray:
    """CRV1 standard errors (M, doses) of the doses; X and fits are of the whitened equation."""
    codes = equation.codes
    clusters = int(codes.max()) + 1
    rows = fits.inverse[:, -equation.doses :, :]
    pull = rows @ (X.T if X.ndim == 2 else X.swapaxes(1, 2))
    scores = (pull * fits.residuals[:, None, :]) @ np.eye(clusters)[codes]
    factor = small_sample(clusters, len(equation.y), len(equation.names) - equation.uncounted)
    return np.sqrt(factor * (scores**2).sum(axis=2))
