"""The linear models: gains on interval effects, levels on region and wave effects.

What they share: known-variance weights, the wild cluster bootstrap, diagnostics, and what stands
beside the interval (CRV3, randomisation inference, the detectable effect).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import (
    GAINS,
    LEVELS,
    Inference,
    Roles,
    checked,
    equation,
    require_repeated,
)
from evaluation.stats.bootstrap import Bootstrap, cluster_codes, romano_wolf, wild_cluster_bootstrap
from evaluation.stats.least_squares import (
    Equation,
    LeastSquares,
    cluster_sums,
    crv1,
    jackknife,
    least_squares,
)
from evaluation.stats.permutation import POWER, randomisation_inference
from evaluation.stats.power import (
    Detectable,
    SimulatedTest,
    minimum_detectable_effect,
    region_correlation,
)

MIN_WAVES = 3
PANELS, PANEL_DRAWS = 500, 199


def minimum_detectable(se: float, clusters: int, level: float) -> float:
    """Approximate minimum detectable effect at 80 % power, (t_{1-α/2} + t_{0.8}) se on G-1."""
    t = stats.t(df=clusters - 1)
    return float((t.ppf((1 + level) / 2) + t.ppf(POWER)) * se)


def diagnostics(fit: LeastSquares, effects: int, codes: np.ndarray) -> dict[str, float]:
    """Collinearity, support and fit of the weighted equation, fixed effects taken out.

    Returns
    -------
    dict with ``condition_number`` (covariates and dose scaled to unit length), ``vif`` of the
    dose, ``support`` and ``effective_observations`` ((Σd²)²/Σd⁴, d the dose less what all other
    columns explain; support is its share of N), ``effective_clusters`` (the same over clusters)
    and ``within_r2``.
    """
    within = fit.q[:, effects:] @ fit.r[effects:, effects:]
    scaled = within / np.linalg.norm(within, axis=0)
    squares = (fit.q[:, -1] * fit.r[-1, -1]) ** 2
    regions = cluster_sums(squares, codes)
    effective = squares.sum() ** 2 / (squares**2).sum()
    rss = float(fit.residuals @ fit.residuals)
    explained = float(((fit.r @ fit.coefficients)[effects:] ** 2).sum())
    return {
        "condition_number": float(np.linalg.cond(scaled)),
        "vif": float((within[:, -1] ** 2).sum() / squares.sum()),
        "support": float(effective / len(squares)),
        "effective_observations": float(effective),
        "effective_clusters": float(regions.sum() ** 2 / (regions**2).sum()),
        "within_r2": explained / (explained + rss),
    }


def _coefficients(
    fit: LeastSquares, made: Equation, codes: np.ndarray, tests: Sequence[Bootstrap]
) -> tuple[dict, ...]:
    """Doses first, with their tests, then covariates, then effects that are not the clusters'."""
    se = np.sqrt(np.diag(crv1(fit, codes, made.uncounted)))
    last = len(fit.names) - made.doses
    order = [*reversed(range(last, len(fit.names)))]
    order += [*range(made.effects, last), *range(made.nested, made.effects)]
    rows = [
        {"term": fit.names[i], "estimate": float(fit.coefficients[i]), "se": float(se[i])}
        for i in order
    ]
    for row, test in zip(rows, tests, strict=False):
        row |= {"low": test.low, "high": test.high, "p": test.p}
    return tuple(rows)


def _details(made: Equation, bootstrap: Bootstrap, sigma2: float | None) -> dict[str, Any]:
    return {
        "sigma2": None if sigma2 is None else max(0.0, sigma2),
        "sigma2_unfloored": sigma2,
        "weighting": "none" if sigma2 is None else "1/(v + sigma2)",
        "dropped": made.dropped,
        "singletons": made.singletons,
        "mde_approximate": minimum_detectable(bootstrap.se, bootstrap.clusters, bootstrap.level),
        "bootstrap_weights": bootstrap.weights,
        "draws": bootstrap.draws,
        "enumerated": bootstrap.enumerated,
        "connected": bootstrap.connected,
    }


def estimate(name: str, made: Equation, roles: Roles, inference: Inference, unit: str) -> Result:
    """Fit an equation by known-variance FGLS and wrap it with its wild cluster bootstrap.

    The weights are held fixed in the bootstrap. See :func:`diagnostics` for the details kept, and
    :func:`companions` for those added beside them.
    """
    weights, sigma2 = made.known_variance_weights()
    fit = least_squares(made.y, made.X, weights)
    codes, clusters = cluster_codes(made.clusters, len(made.y))
    tests = [
        wild_cluster_bootstrap(
            made, made.X.shape[1] - 1 - i, inference.draws,
            seed=inference.seed, level=inference.level, 
            observation_weights=weights,
        )
        for i in range(made.doses)
    ]  # fmt: skip
    first, measured = tests[0], diagnostics(fit, made.effects, codes)
    details = _details(made, first, sigma2) | {"seed": inference.seed} | measured
    if inference.companions:
        details |= companions(made, roles, fit, weights, inference)
    return Result(
        model=name,
        outcome=roles.outcome,
        term=roles.dose,
        estimate=first.estimate,
        se=first.se,
        low=first.low,
        high=first.high,
        level=inference.level,
        p=first.p,
        inference=first.description,
        clusters=clusters,
        observations=len(made.y),
        unit=unit,
        coefficients=_coefficients(fit, made, codes, tests),
        draws=first.draws,
        support=measured["support"],
        details=details,
    )


def fit_gains(panel: pd.DataFrame, roles: Roles, inference: Inference) -> Result:
    """Regress the annualised gain g on the dose by known-variance FGLS.

    g_it = β dose_it + γ'x_it + θ_t + e_it with x the opening level and covariates and
    Var(e_it) = v_it + σ²; weights 1/(v_it + σ̂²); interval and p by wild cluster bootstrap. The
    outcome is in percentage points per year, one row a region and interval.

    Raises
    ------
    ModelError : see :func:`evaluation.models.columns.checked` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap`.

    Notes
    -----
    Sampling error of the opening rate enters the gain with the opposite sign, so the coefficient
    of an opening level is biased towards regression to the mean; it is a control, not a finding.

    Source
    ------
    Lewis & Linzer (2005), Political Analysis 13:345-364.
    """
    checked(panel, roles, waves=1)
    made = equation(GAINS, panel, roles)
    return estimate(GAINS, made, roles, inference, "percentage_point_per_year")


def fit_levels(panel: pd.DataFrame, roles: Roles, inference: Inference) -> Result:
    """Regress the rate on the dose with region and wave effects.

    p_it = β dose_it + γ'x_it + α_i + θ_t + e_it; with a known variance v the weights are
    1/(v + σ̂²) (Lewis & Linzer 2005). Regions seen in one wave only carry nothing and are left out
    and counted (``details["singletons"]``). Interval and p by wild cluster bootstrap over regions;
    region effects take no degree of freedom in the CRV1 factor, being nested in the clusters.

    Raises
    ------
    ModelError : fewer than 3 waves or 10 regions, a dose constant within regions, and what
        :func:`evaluation.models.columns.checked` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.
    """
    checked(panel, roles)
    made = equation(LEVELS, panel, roles)
    require_repeated(len(set(made.clusters)), made.singletons)
    waves = len(set(made.periods))
    if waves < MIN_WAVES:
        raise ModelError(
            f"The panel has {waves} waves; two-way fixed effects need at least {MIN_WAVES}."
        )
    return estimate(LEVELS, made, roles, inference, "percentage_point")


def _randomised(made: Equation, weights: np.ndarray | None, inference: Inference) -> dict[str, Any]:
    """Randomisation inference, or the reason why it says nothing here."""
    try:
        test = randomisation_inference(
            made, made.X.shape[1] - 1, inference.draws,
            seed=inference.seed, observation_weights=weights,
        )  # fmt: skip
    except ModelError as error:
        return {"reason": str(error)}
    kept = {"smallest_p": test.smallest_p, "draws": test.draws, "moved": test.moved}
    if test.smallest_p > 1 - inference.level:
        return kept | {"reason": "too few distinct dealings of the dose to reject anything"}
    return {"p": test.p} | kept


def _stepped(
    made: Equation, roles: Roles, weights: np.ndarray | None, inference: Inference
) -> dict[str, float]:
    """Romano-Wolf p-values of the doses of one model, by name."""
    fits = []
    for dose in roles.doses:
        others = [name for name in made.X.columns if name != dose]
        fits.append((least_squares(made.y, made.X[[*others, dose]], weights), made.clusters))
    adjusted = romano_wolf(fits, inference.draws, seed=inference.seed)
    return dict(zip(roles.doses, map(float, adjusted), strict=True))


def _detectable(
    made: Equation, fit: LeastSquares, weights: np.ndarray | None, inference: Inference
) -> Detectable:
    """Minimum detectable effect at the regions, waves and gaps of the design."""
    rss = float(fit.residuals @ fit.residuals)
    test = SimulatedTest(
        fit,
        made.codes,
        # Variance of the errors of the weighted equation: known, or that of the residuals.
        scale=rss / fit.free if weights is None else float(1 / weights.mean()),
        correlation=region_correlation(fit, made.codes, made.nested),
        nested=made.nested,
        panels=PANELS,
        draws=PANEL_DRAWS,
        seed=inference.seed,
        level=inference.level,
    )
    return minimum_detectable_effect(test)


def companions(
    made: Equation,
    roles: Roles,
    fit: LeastSquares,
    weights: np.ndarray | None,
    inference: Inference,
) -> dict[str, Any]:
    """Details ``crv3``, ``ri``, ``mde``, ``mde_simulation``; of several doses ``romano_wolf``."""
    power = _detectable(made, fit, weights, inference)
    details = {
        "crv3": asdict(jackknife(fit, made.codes, made.nested, inference.level)),
        "ri": _randomised(made, weights, inference),
        "mde": power.effect,
        "mde_simulation": asdict(power),
    }
    if made.doses > 1:
        details["romano_wolf"] = _stepped(made, roles, weights, inference)
    return details
