"""Cluster jackknife (CRV3) standard errors from cluster cross-products, without a refit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from evaluation.least_squares import LeastSquares, cluster_sums

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
