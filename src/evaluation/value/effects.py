"""Draws of the effects: from the tests that made the intervals, so that the two agree.

A wild bootstrap test of every null gives a confidence distribution: at a null below the estimate
half its p-value, above it one less half. Its quantiles at 2.5 and 97.5 % are the printed interval.

Source
------
Schweder & Hjort (2016), Confidence, Likelihood, Probability, Cambridge, chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.columns import GAINS, Inference, Roles, equation
from evaluation.stats.bootstrap import WEBB_BELOW, WildTest, cluster_codes, weight_batches
from evaluation.stats.least_squares import (
    LeastSquares,
    cluster_sums,
    crv1,
    root_weights,
    small_sample,
)

# Nulls at which the confidence distribution is read, in standard errors from the estimate.
NULLS = np.concatenate([[0.0], np.linspace(0.02, 6, 150), np.geomspace(6.1, 20, 12)])


@dataclass(frozen=True, eq=False)
class Joint:
    """Several doses estimated together, with their joint uncertainty.

    Attributes
    ----------
    names : K doses. estimate : (K,). draws : (D, K) around the estimate, unrestricted wild cluster
        bootstrap. covariance : (K, K), CRV1. null, null_covariance : (D, K) and (D, K, K), both
        redrawn as if no dose mattered. condition : condition number of the doses scaled to unit
        length. vif : largest variance inflation factor.
    observations, clusters : used.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    draws: np.ndarray
    covariance: np.ndarray
    null: np.ndarray
    null_covariance: np.ndarray
    condition: float
    vif: float
    observations: int
    clusters: int


def _weights(clusters: int) -> str:
    return "webb" if clusters < WEBB_BELOW else "rademacher"


def confidence_draws(
    panel: pd.DataFrame, roles: Roles, inference: Inference, *, size: int = 2000, seed: int
) -> np.ndarray:
    """Draws (size,) of the effect of one dose from its confidence distribution, in random order.

    Parameters
    ----------
    panel : gains. roles : with one dose. inference : of the test that made the interval.
    seed : of the order of the draws only.

    Raises
    ------
    ModelError : the test rejects no null far from the estimate: the interval has no end.
    """
    made = equation(GAINS, panel, roles)
    fit = made.fit()
    codes, count = cluster_codes(made.clusters, len(made.y))
    batches = weight_batches(_weights(count), count, inference.draws, inference.seed)
    test = WildTest(fit, codes, batches)
    se = float(np.sqrt(crv1(fit, codes, made.uncounted)[-1, -1]))
    below, above = ([test.p(side * x) / 2 for x in NULLS * se] for side in (1, -1))
    if min(below) > 0.005 or min(above) > 0.005:
        raise ModelError("The interval of the effect has no end; its distribution has no draws.")
    # Between draws the p-value is a step; sorted, it is a distribution.
    left, right = (np.minimum.accumulate(side) for side in (below, above))
    chance = np.concatenate([left[::-1], 1 - right[1:]])
    nulls = fit.coefficients[-1] + se * np.concatenate([-NULLS[::-1], NULLS[1:]])
    u = (np.arange(size) + 0.5) / size
    drawn = np.interp(u, np.maximum.accumulate(chance), nulls)
    return np.random.default_rng(seed).permutation(drawn)


def _coefficients(
    fit: LeastSquares, residuals: np.ndarray, codes: np.ndarray, v: np.ndarray, first: int
) -> np.ndarray:
    """Coefficients (draws, K) of the last columns on cluster-weighted residuals."""
    turned = np.linalg.solve(fit.r, cluster_sums(fit.q * residuals[:, None], codes).T)
    return (turned @ v)[first:].T


def joint(panel: pd.DataFrame, roles: Roles, *, size: int = 1999, seed: int) -> Joint:
    """Estimate several doses in one equation and draw their joint uncertainty.

    Weights are held fixed. Residuals of the draws around the estimate are enlarged by the CRV1
    factor, for least squares leaves them too small; those of the null draws come from the equation
    without any of the doses, and each null draw gets its own CRV1 covariance.
    """
    # The doses stand last in the order they are named in.
    made = equation(GAINS, panel, replace(roles, doses=roles.doses[::-1]))
    fit = made.fit()
    codes, count = cluster_codes(made.clusters, len(made.y))
    root = root_weights(made.known_variance_weights()[0], len(made.y))
    v = np.concatenate(list(weight_batches("rademacher", count, size, seed)), axis=1)
    factor, first = small_sample(count, *fit.q.shape), len(made.names) - made.doses
    q0 = fit.q[:, :first]
    y = made.y * root
    restricted = y - q0 @ (q0.T @ y)
    own = made.matrix[:, first:] * root[:, None]
    unit = own - q0 @ (q0.T @ own)
    unit = unit / np.sqrt((unit**2).sum(axis=0))
    around = np.sqrt(factor) * _coefficients(fit, fit.residuals, codes, v, first)
    return Joint(
        names=roles.doses,
        estimate=fit.coefficients[first:],
        draws=fit.coefficients[first:] + around,
        covariance=crv1(fit, codes)[first:, first:],
        null=_coefficients(fit, restricted, codes, v, first),
        null_covariance=_null_covariance(fit, restricted, codes, v, first),
        condition=float(np.linalg.cond(unit)),
        vif=float(np.diag(np.linalg.inv(unit.T @ unit)).max()),
        observations=len(made.y),
        clusters=count,
    )


def _null_covariance(
    fit: LeastSquares, restricted: np.ndarray, codes: np.ndarray, v: np.ndarray, first: int
) -> np.ndarray:
    """CRV1 covariances (D, K, K) of the last columns in each null draw."""
    drawn = restricted[:, None] * v[codes]
    left = drawn - fit.q @ (fit.q.T @ drawn)
    turned = np.linalg.solve(fit.r, fit.q.T)[first:].T  # (N, K)
    scores = cluster_sums(turned[:, :, None] * left[:, None, :], codes)  # (G, K, D)
    n, k = fit.q.shape
    return small_sample(len(scores), n, k) * np.einsum("gkd,gld->dkl", scores, scores)


def composite_slope(panel: pd.DataFrame, parts: Sequence[str]) -> float:
    """Units the composite rises when every part doubles.

    The composite is the standardised mean of standardised logs to base two, see
    :func:`evaluation.doses.composite`; its slope is the same at every level.
    """
    columns = panel[[f"log2_{name}" for name in parts]]
    spread = columns.std()
    mean = ((columns - columns.mean()) / spread).mean(axis=1, skipna=False)
    return float((1 / spread).mean() / mean.std())
