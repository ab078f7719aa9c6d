"""The mean annual gain: a random-effects mean over regions and intervals, no dose in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles, checked
from evaluation.models.linear import minimum_detectable
from evaluation.stats.bootstrap import wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation

NAME = "mean_gain"
TERM = "mean_gain"
# Fewest regions of an interval for a mean of its own.
MIN_ROWS = 3


def random_effects_mean(y: np.ndarray, v: np.ndarray, level: float = 0.95) -> dict[str, float]:
    """Mean of estimates with known variances, τ² by Paule-Mandel, interval by Hartung-Knapp.

    Parameters
    ----------
    y : (K,) independent estimates. v : (K,) their variances, above 0.

    Returns
    -------
    dict with ``estimate, se, low, high`` (t on K - 1), ``tau2``, Cochran's ``q`` with
    ``p_heterogeneity`` (χ² on K - 1), the lower tail ``p_too_similar`` of the same (small: the
    estimates differ less than their variances allow), and ``i2`` = max(0, 1 - (K - 1)/Q).

    Source
    ------
    Paule & Mandel (1982), Journal of Research of the NBS 87:377-385; Hartung & Knapp (2001),
    Statistics in Medicine 20:1771-1782; Higgins & Thompson (2002), ibid. 21:1539-1558.
    """
    found = combine_effects(y, v, method_re="iterated", alpha=1 - level, use_t=True, atol=1e-10)
    tau2 = max(0.0, float(found.tau2))
    w = 1 / (v + tau2)
    mean = float(w @ y / w.sum())
    se = float(np.sqrt(w @ (y - mean) ** 2 / w.sum() / (len(y) - 1)))
    half = float(stats.t.ppf((1 + level) / 2, len(y) - 1)) * se
    q = float(found.q)
    return {
        "estimate": mean,
        "se": se,
        "low": mean - half,
        "high": mean + half,
        "tau2": tau2,
        "q": q,
        "p_heterogeneity": float(stats.chi2.sf(q, len(y) - 1)),
        "p_too_similar": float(stats.chi2.cdf(q, len(y) - 1)),
        "i2": max(0.0, 1 - (len(y) - 1) / q) if q > 0 else 0.0,
    }


def _by_wave(frame: pd.DataFrame, roles: Roles, level: float) -> list[dict[str, Any]]:
    """A mean for each interval with enough regions; its rows are independent over regions."""
    rows = []
    for wave, part in frame.groupby(roles.wave, sort=True):
        if len(part) >= MIN_ROWS:
            y, v = part[roles.outcome].to_numpy(), part[roles.variance].to_numpy()
            found = random_effects_mean(y, v, level)
            rows.append({"wave": str(wave), "regions": len(part)} | found)
    return rows


def _checked(panel: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, int]:
    if roles.doses or roles.covariates:
        raise ModelError("The mean gain takes no dose and no covariate; use the gain regression.")
    if roles.variance is None:
        raise ModelError(
            "The mean gain needs the column 'variance': gains from surveys are not error-free."
        )
    frame, dropped = checked(panel, roles, waves=1, doses=0)
    if (frame[roles.variance] <= 0).any():
        raise ModelError(f"Column '{roles.variance}' must be above 0 for a weighted mean.")
    return frame, dropped


def fit(panel: pd.DataFrame, roles: Roles, inference: Inference) -> Result:
    """Mean annual gain over all regions and intervals observed, and for each interval.

    ``panel`` has one row a region and interval; the outcome is the annualised gain with its
    sampling variance v, above 0. Weights 1/(v + τ²) with τ² by Paule-Mandel. Two gains of a region
    share a survey, so the interval and p of the overall mean come from the wild cluster bootstrap
    over regions; within an interval regions are independent, and ``details["waves"]`` holds
    Hartung-Knapp means. The mean holds what all regions share, so it says nothing of any input.

    Raises
    ------
    ModelError : a dose or covariate named, no variance, and what
        :func:`evaluation.models.columns.checked` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.
    """
    frame, dropped = _checked(panel, roles)
    y, v = (frame[name].to_numpy(dtype=float) for name in (roles.outcome, roles.variance))
    level, seed = inference.level, inference.seed
    pooled = random_effects_mean(y, v, level)
    weights = 1 / (v + pooled["tau2"])
    ones = pd.DataFrame({TERM: np.ones(len(y))})
    boot = wild_cluster_bootstrap(
        Equation(y, ones, frame[roles.region]), 0, inference.draws,
        seed=seed, observation_weights=weights, level=level,
    )  # fmt: skip
    row = {"term": TERM, "estimate": boot.estimate, "se": boot.se}
    row |= {"low": boot.low, "high": boot.high, "p": boot.p}
    return Result(
        model=NAME, outcome=roles.outcome, **row, level=level, inference=boot.description,
        clusters=boot.clusters, observations=len(y), unit="percentage_point_per_year",
        coefficients=(row,), draws=boot.draws,
        support=float(weights.sum() ** 2 / (weights**2).sum() / len(y)),
        details={
            **{key: pooled[key] for key in ("tau2", "q", "p_heterogeneity", "p_too_similar", "i2")},
            "weighting": "1/(v + tau2)",
            "hartung_knapp": {key: pooled[key] for key in ("se", "low", "high")},
            "waves": _by_wave(frame, roles, level),
            "dropped": dropped,
            "mde_approximate": minimum_detectable(boot.se, boot.clusters, level),
            "seed": seed,
        },
    )  # fmt: skip
