"""Gain regression: annualised gain on dose, opening level, covariates and interval effects."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from evaluation.models.design import Columns, Design, build, checked, columns, dummies
from evaluation.models.linear import estimate
from evaluation.results import Result

NAME = "gain_regression"


def design(panel: pd.DataFrame, roles: Columns) -> Design:
    """Interval effects (one a wave pair, no separate intercept), covariates, dose."""
    frame, dropped = checked(panel, roles, waves=1)
    return build(frame, roles, [dummies(frame[roles.wave], drop_first=False)], dropped=dropped)


def fit(
    panel: pd.DataFrame,
    *,
    outcome: str,
    doses: Sequence[str],
    region: str,
    wave: str,
    variance: str | None = None,
    covariates: Sequence[str] = (),
    unit: str = "percentage_point_per_year",
    draws: int = 9999,
    seed: int = 1,
    level: float = 0.95,
    companions: bool = True,
) -> Result:
    """Regress the annualised gain g on the dose by known-variance FGLS.

    g_it = β dose_it + γ'x_it + θ_t + e_it with x the opening level and covariates and
    Var(e_it) = v_it + σ²; weights 1/(v_it + σ̂²); interval and p by wild cluster bootstrap.

    Parameters
    ----------
    panel : one row a region and interval. Other arguments name its columns.
    outcome : annualised gain, percentage points per year. variance : its sampling variance, or
        None where no sampling error is known (unweighted).
    doses : regressors, the first reported. covariates : further columns, the opening level
        among them.
    region : clusters. wave : interval, e.g. ``2015-2018``.
    unit : unit of the estimate, for one unit of the dose. draws, seed, level : of the bootstrap.
    companions : whether CRV3, randomisation inference and the minimum detectable effect are
        computed beside it; refits that only need the estimate do without.

    Raises
    ------
    ModelError : see :mod:`evaluation.models.design` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap`.

    Notes
    -----
    Sampling error of the opening rate enters the gain with the opposite sign, so the coefficient
    of an opening level is biased towards regression to the mean; it is a control, not a finding.

    Source
    ------
    Lewis & Linzer (2005), Political Analysis 13:345-364.
    """
    roles = columns(outcome, doses, covariates, region, wave, variance)
    options = {"unit": unit, "draws": draws, "seed": seed, "level": level}
    return estimate(NAME, design(panel, roles), roles, companions=companions, **options)
