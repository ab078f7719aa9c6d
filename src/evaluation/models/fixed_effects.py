"""Two-way fixed effects: the rate on dose and covariates with region and wave effects."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.design import (
    MIN_REGIONS,
    Columns,
    Design,
    build,
    checked,
    columns,
    dummies,
)
from evaluation.models.linear import estimate
from evaluation.results import Result

NAME = "two_way_fixed_effects"
MIN_WAVES = 3


def _check_panel(frame: pd.DataFrame, roles: Columns, singletons: int) -> None:
    regions, waves = frame[roles.region].nunique(), frame[roles.wave].nunique()
    if regions < MIN_REGIONS:
        raise ModelError(
            f"{regions} regions have two waves or more ({singletons} have one); at least "
            f"{MIN_REGIONS} are needed."
        )
    if waves < MIN_WAVES:
        raise ModelError(
            f"The panel has {waves} waves; two-way fixed effects need at least {MIN_WAVES}."
        )


def design(panel: pd.DataFrame, roles: Columns) -> Design:
    """Region effects, wave effects less the first, covariates, dose; exact if unbalanced."""
    frame, dropped = checked(panel, roles)
    waves = frame.groupby(roles.region)[roles.wave].transform("size")
    singletons = int((waves == 1).sum())
    frame = frame[waves > 1].reset_index(drop=True)
    _check_panel(frame, roles, singletons)
    regions = dummies(frame[roles.region], drop_first=False)
    effects = [regions, dummies(frame[roles.wave], drop_first=True)]
    counts = {"nested": regions.shape[1], "dropped": dropped, "singletons": singletons}
    return build(frame, roles, effects, **counts)


def fit(
    panel: pd.DataFrame,
    *,
    outcome: str,
    doses: Sequence[str],
    region: str,
    wave: str,
    variance: str | None = None,
    covariates: Sequence[str] = (),
    unit: str = "percentage_point",
    draws: int = 9999,
    seed: int = 1,
    level: float = 0.95,
    companions: bool = True,
) -> Result:
    """Regress the rate on the dose with region and wave effects.

    p_it = β dose_it + γ'x_it + α_i + θ_t + e_it; with ``variance`` the weights are 1/(v + σ̂²)
    (Lewis & Linzer 2005). Regions seen in one wave only carry nothing and are left out and
    counted (``details["singletons"]``). Interval and p by wild cluster bootstrap over regions;
    region effects take no degree of freedom in the CRV1 factor, being nested in the clusters.

    Parameters
    ----------
    panel : one row a region and wave. Other arguments name its columns.
    outcome : rate, percent. doses : regressors, the first reported. covariates : further columns.
    region : clusters and effects. wave : survey wave. variance : sampling variance of the rate.
    unit : unit of the estimate, for one unit of the dose. draws, seed, level : of the bootstrap.
    companions : whether CRV3, randomisation inference and the minimum detectable effect are
        computed beside it; refits that only need the estimate do without.

    Raises
    ------
    ModelError : fewer than 3 waves or 10 regions, a dose constant within regions, and what
        :mod:`evaluation.models.design` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.
    """
    roles = columns(outcome, doses, covariates, region, wave, variance)
    options = {"unit": unit, "draws": draws, "seed": seed, "level": level}
    return estimate(NAME, design(panel, roles), roles, companions=companions, **options)
