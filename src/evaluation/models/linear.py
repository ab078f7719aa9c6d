"""What the linear models share: known-variance weights, the bootstrap, diagnostics, the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from evaluation.errors import ModelError
from evaluation.models.beside import beside
from evaluation.models.design import Columns, Design
from evaluation.results import Result
from evaluation.stats.bootstrap import Bootstrap, cluster_codes, wild_cluster_bootstrap
from evaluation.stats.least_squares import (
    LeastSquares,
    cluster_sums,
    crv1,
    excess_variance,
    least_squares,
)

POWER = 0.8


def known_variance_weights(design: Design) -> tuple[np.ndarray | None, float | None]:
    """Weights 1/(v + σ²), σ² after Lewis & Linzer floored at 0, and σ² before the floor.

    ``(None, None)`` where no sampling variance v is known.
    """
    if design.variance is None:
        return None, None
    sigma2 = excess_variance(design.y, design.X, design.variance)
    total = design.variance + max(0.0, sigma2)
    if (total <= 0).any():
        raise ModelError(
            "Some sampling variances are 0 and no further variance was found: those rows would "
            "get infinite weight. Give their variance or leave them out."
        )
    return 1 / total, sigma2


def minimum_detectable(se: float, clusters: int, level: float) -> float:
    """Approximate minimum detectable effect at 80 % power, (t_{1-α/2} + t_{0.8}) se on G-1."""
    t = stats.t(df=clusters - 1)
    return float((t.ppf((1 + level) / 2) + t.ppf(POWER)) * se)


def _within(fit: LeastSquares, effects: int) -> np.ndarray:
    """Weighted covariates and dose with the fixed effects taken out, (N, k - effects)."""
    return fit.q[:, effects:] @ fit.r[effects:, effects:]


def diagnostics(fit: LeastSquares, effects: int, codes: np.ndarray) -> dict[str, float]:
    """Collinearity, support and fit of the weighted equation, fixed effects taken out.

    Returns
    -------
    dict with ``condition_number`` (covariates and dose scaled to unit length), ``vif`` of the
    dose, ``support`` and ``effective_observations`` ((Σd²)²/Σd⁴, d the dose less what all other
    columns explain; support is its share of N), ``effective_clusters`` (the same over clusters)
    and ``within_r2``.
    """
    within = _within(fit, effects)
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
    fit: LeastSquares, design: Design, codes: np.ndarray, tests: Sequence[Bootstrap]
) -> tuple[dict, ...]:
    """Doses first, with their tests, then covariates, then effects that are not the clusters'."""
    se = np.sqrt(np.diag(crv1(fit, codes, design.uncounted)))
    last = len(fit.names) - design.doses
    order = [*reversed(range(last, len(fit.names)))]
    order += [*range(design.effects, last), *range(design.nested, design.effects)]
    rows = [
        {"term": fit.names[i], "estimate": float(fit.coefficients[i]), "se": float(se[i])}
        for i in order
    ]
    for row, test in zip(rows, tests, strict=False):
        row |= {"low": test.low, "high": test.high, "p": test.p}
    return tuple(rows)


def _details(design: Design, bootstrap: Bootstrap, sigma2: float | None) -> dict[str, Any]:
    return {
        "sigma2": None if sigma2 is None else max(0.0, sigma2),
        "sigma2_unfloored": sigma2,
        "weighting": "none" if sigma2 is None else "1/(v + sigma2)",
        "dropped": design.dropped,
        "singletons": design.singletons,
        "mde_approximate": minimum_detectable(bootstrap.se, bootstrap.clusters, bootstrap.level),
        "bootstrap_weights": bootstrap.weights,
        "draws": bootstrap.draws,
        "enumerated": bootstrap.enumerated,
        "connected": bootstrap.connected,
    }


def estimate(
    name: str,
    design: Design,
    roles: Columns,
    *,
    unit: str,
    draws: int,
    seed: int,
    level: float,
    companions: bool,
) -> Result:
    """Fit a design by known-variance FGLS and wrap it with its wild cluster bootstrap.

    The weights are held fixed in the bootstrap. See :func:`diagnostics` for the details kept, and
    :func:`evaluation.models.beside.beside` for those added by ``companions``.
    """
    weights, sigma2 = known_variance_weights(design)
    fit = least_squares(design.y, design.X, weights)
    codes, clusters = cluster_codes(design.clusters, len(design.y))
    options = {"seed": seed, "level": level, "nested": design.uncounted}
    tests = [
        wild_cluster_bootstrap(
            design.y, design.X, design.clusters, design.X.shape[1] - 1 - i, draws,
            observation_weights=weights, **options,
        )
        for i in range(design.doses)
    ]  # fmt: skip
    first, measured = tests[0], diagnostics(fit, design.effects, codes)
    details = _details(design, first, sigma2) | {"seed": seed} | measured
    if companions:
        more = {"draws": draws, "seed": seed, "level": level}
        details |= beside(design, roles, fit, codes, weights, **more)
    return Result(
        model=name,
        outcome=roles.outcome,
        term=roles.dose,
        estimate=first.estimate,
        se=first.se,
        low=first.low,
        high=first.high,
        level=level,
        p=first.p,
        inference=first.description,
        clusters=clusters,
        observations=len(design.y),
        unit=unit,
        coefficients=_coefficients(fit, design, codes, tests),
        draws=first.draws,
        support=measured["support"],
        details=details,
    )
