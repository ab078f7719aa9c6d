"""The linear models: gains on interval effects, levels on two-way effects, the mean gain.

What they share: known-variance weights, the wild cluster bootstrap, diagnostics, and what stands
beside the interval (CRV3, randomisation inference, the detectable effect).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
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
    joined,
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
    paule_mandel,
)
from evaluation.stats.permutation import POWER, randomisation_inference
from evaluation.stats.power import (
    Detectable,
    SimulatedTest,
    minimum_detectable_effect,
    region_correlation,
)

MEAN = "mean_gain"
MIN_WAVES = 3
# Fewest regions of an interval for a mean of its own.
MIN_ROWS = 3
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


def _weighting(made: Equation, beyond: str = "sigma2") -> str:
    if made.variance is None:
        return "none"
    return f"1/(v + {beyond})" if made.covariance is None else f"inverse of (known + {beyond})"


def _details(made: Equation, bootstrap: Bootstrap) -> dict[str, Any]:
    sigma2 = made.excess
    return {
        "sigma2": None if sigma2 is None else max(0.0, sigma2),
        "sigma2_unfloored": sigma2,
        "weighting": _weighting(made),
        "dropped": made.dropped,
        "singletons": made.singletons,
        "mde_approximate": minimum_detectable(bootstrap.se, bootstrap.clusters, bootstrap.level),
        "bootstrap_weights": bootstrap.weights,
        "draws": bootstrap.draws,
        "enumerated": bootstrap.enumerated,
        "connected": bootstrap.connected,
    }


def estimate(name: str, made: Equation, roles: Roles, inference: Inference, unit: str) -> Result:
    """Fit an equation by known-covariance FGLS and wrap it with its wild cluster bootstrap.

    The covariance is held fixed in the bootstrap. See :func:`diagnostics` for the details kept, and
    :func:`companions` for those added beside them.
    """
    fit = made.fit()
    codes, clusters = cluster_codes(made.clusters, len(made.y))
    tests = [
        wild_cluster_bootstrap(
            made, made.X.shape[1] - 1 - i, inference.draws,
            seed=inference.seed, level=inference.level,
        )
        for i in range(made.doses)
    ]  # fmt: skip
    first, measured = tests[0], diagnostics(fit, made.effects, codes)
    details = _details(made, first) | {"seed": inference.seed} | measured
    if inference.companions:
        details |= companions(made, roles, fit, inference)
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
    """Regress the annualised gain g on the dose by known-covariance FGLS.

    g_it = β dose_it + γ'x_it + θ_t + e_it with x the opening level and covariates and
    Var(e) = Ω + σ²I: Ω holds the sampling variances v_it and, with ``roles.spans``, the covariance
    -v/(T T') of two gains over T and T' years that meet in a survey of variance v. Interval and p
    by wild cluster bootstrap. The outcome is in percentage points per year, one row a region and
    interval.

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


def _randomised(made: Equation, inference: Inference) -> dict[str, Any]:
    """Randomisation inference, or the reason why it says nothing here."""
    try:
        test = randomisation_inference(
            made, made.X.shape[1] - 1, inference.draws, seed=inference.seed
        )
    except ModelError as error:
        return {"reason": str(error)}
    kept = {"smallest_p": test.smallest_p, "draws": test.draws, "moved": test.moved}
    if test.smallest_p > 1 - inference.level:
        return kept | {"reason": "too few distinct dealings of the dose to reject anything"}
    return {"p": test.p} | kept


def _detectable(made: Equation, fit: LeastSquares, inference: Inference) -> Detectable:
    """Minimum detectable effect at the regions, waves and gaps of the design."""
    rss = float(fit.residuals @ fit.residuals)
    test = SimulatedTest(
        fit,
        made.codes,
        # Variance of the errors of the whitened equation: 1, or that of the residuals.
        scale=rss / fit.free if made.variance is None else 1.0,
        correlation=region_correlation(fit, made.codes, made.nested),
        nested=made.nested,
        panels=PANELS,
        draws=PANEL_DRAWS,
        seed=inference.seed,
        level=inference.level,
    )
    return minimum_detectable_effect(test)


def companions(
    made: Equation, roles: Roles, fit: LeastSquares, inference: Inference
) -> dict[str, Any]:
    """Details ``crv3``, ``ri``, ``mde``, ``mde_simulation``; of several doses ``romano_wolf``."""
    power = _detectable(made, fit, inference)
    details = {
        "crv3": asdict(jackknife(fit, made.codes, made.nested, inference.level)),
        "ri": _randomised(made, inference),
        "mde": power.effect,
        "mde_simulation": asdict(power),
    }
    if made.doses > 1:
        # Romano-Wolf p-values of the doses of one model, by name.
        fits, white = [], made.white
        for dose in roles.doses:
            others = [name for name in white.X.columns if name != dose]
            fits.append((least_squares(white.y, white.X[[*others, dose]]), made.clusters))
        adjusted = romano_wolf(fits, inference.draws, seed=inference.seed)
        details["romano_wolf"] = dict(zip(roles.doses, map(float, adjusted), strict=True))
    return details


def random_effects_mean(y: np.ndarray, v: np.ndarray, level: float = 0.95) -> dict[str, float]:
    """Mean of independent estimates (K,) with known variances (K,); see :func:`pooled_mean`."""
    ones = pd.DataFrame({MEAN: np.ones(len(y))})
    return pooled_mean(Equation(np.asarray(y), ones, np.arange(len(y)), variance=v), level)


def pooled_mean(made: Equation, level: float = 0.95) -> dict[str, float]:
    """Mean of estimates with known covariance, τ² by Paule-Mandel, interval by Hartung-Knapp.

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
    tau2, free = paule_mandel(made), len(made.y) - 1
    known, fit = (replace(made, sigma2=value).fit() for value in (0.0, tau2))
    q, mean = float(known.residuals @ known.residuals), float(fit.coefficients[0])
    se = float(np.sqrt(fit.bread[0, 0] * (fit.residuals @ fit.residuals) / free))
    half = float(stats.t.ppf((1 + level) / 2, free)) * se
    return {
        "estimate": mean,
        "se": se,
        "low": mean - half,
        "high": mean + half,
        "tau2": tau2,
        "q": q,
        "p_heterogeneity": float(stats.chi2.sf(q, free)),
        "p_too_similar": float(stats.chi2.cdf(q, free)),
        "i2": max(0.0, 1 - free / q) if q > 0 else 0.0,
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


def _mean_rows(panel: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, int]:
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


def fit_mean(panel: pd.DataFrame, roles: Roles, inference: Inference) -> Result:
    """Mean annual gain over all regions and intervals observed, and for each interval.

    ``panel`` has one row a region and interval; the outcome is the annualised gain with its
    sampling variance v, above 0. The mean is weighted by the inverse of Ω + τ²I, Ω as in
    :func:`fit_gains` and τ² by Paule-Mandel; interval and p come from the wild cluster bootstrap
    over regions. Within an interval regions are independent, and ``details["waves"]`` holds
    Hartung-Knapp means. The mean holds what all regions share, so it says nothing of any input.

    Raises
    ------
    ModelError : a dose or covariate named, no variance, and what
        :func:`evaluation.models.columns.checked` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.
    """
    frame, dropped = _mean_rows(panel, roles)
    level, seed = inference.level, inference.seed
    ones = pd.DataFrame({MEAN: np.ones(len(frame))})
    made = joined(frame, roles, ones)
    pooled = pooled_mean(made, level)
    made = replace(made, sigma2=pooled["tau2"])
    boot = wild_cluster_bootstrap(made, 0, inference.draws, seed=seed, level=level)
    weights = made.white.matrix[:, 0] ** 2
    row = {"term": MEAN, "estimate": boot.estimate, "se": boot.se}
    row |= {"low": boot.low, "high": boot.high, "p": boot.p}
    return Result(
        model=MEAN, outcome=roles.outcome, **row, level=level, inference=boot.description,
        clusters=boot.clusters, observations=len(frame), unit="percentage_point_per_year",
        coefficients=(row,), draws=boot.draws,
        support=float(weights.sum() ** 2 / (weights**2).sum() / len(frame)),
        details={
            **{key: pooled[key] for key in ("tau2", "q", "p_heterogeneity", "p_too_similar", "i2")},
            "weighting": _weighting(made, "tau2"),
            "hartung_knapp": {key: pooled[key] for key in ("se", "low", "high")},
            "waves": _by_wave(frame, roles, level),
            "dropped": dropped,
            "mde_approximate": minimum_detectable(boot.se, boot.clusters, level),
            "seed": seed,
        },
    )  # fmt: skip
