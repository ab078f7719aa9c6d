"""Fractional response: probit or logit quasi-likelihood of the share with regional means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from evaluation.errors import ModelError
from evaluation.models import mundlak
from evaluation.models.design import Design, columns
from evaluation.models.linear import diagnostics, minimum_detectable
from evaluation.models.partial_effects import PartialEffects, tested
from evaluation.models.quasi_likelihood import POINTS, Shares, precision
from evaluation.results import Result

PROBIT, LOGIT = "fractional_probit", "fractional_logit"


def _shares(design: Design, link: str) -> tuple[Shares, float | None]:
    """The percentages as shares with their weights, and the excess variance ρ before its floor."""
    if ((design.y < 0) | (design.y > POINTS)).any() or design.y.max() <= 1:
        raise ModelError(
            f"A fractional {link} takes its outcome in percent, 0 to 100; it found "
            f"{design.y.min():.4g} to {design.y.max():.4g}."
        )
    y = design.y / POINTS
    if design.variance is None:
        return Shares(y, design.X, link), None
    weights, rho = precision(y, design.X, link, design.variance / POINTS**2)
    return Shares(y, design.X, link, weights), rho


def _rest(fit: PartialEffects, design: Design) -> list[dict[str, Any]]:
    """Effects of covariates, then of waves and regional means."""
    last = design.X.shape[1]
    order = [*range(design.effects, last - design.doses), *range(1, design.effects)]
    return [
        {
            "term": str(design.X.columns[i]),
            "estimate": float(fit.effects[i]),
            "se": float(fit.se[i]),
        }
        for i in order
    ]


def estimate(
    panel: pd.DataFrame,
    *,
    link: str,
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
    unbalanced: str = "wave_means",
) -> Result:
    """Average partial effect of a unit of the dose on the share, in percentage points.

    E(p_it | x) = G(β'dose_it + γ'x_it + θ_t + ψ'(regional means) + a) by Bernoulli
    quasi-likelihood, G probit or logit. The regional means stand for what differs between regions
    and does not change; see :func:`evaluation.models.mundlak.design` for regions that were not
    seen in every wave. p and interval come from one test, the wild cluster score bootstrap with
    the null imposed; each end of the interval of β is turned into percentage points at the fit
    that has it imposed, so the interval holds 0 exactly when p > 1 - level.

    Parameters
    ----------
    panel : one row a region and wave. Other arguments name its columns.
    outcome : share in percent, 0 to 100. doses : regressors, the first is reported.
    covariates : further columns. region : clusters. wave : survey wave.
    variance : sampling variance of the percentage, or None. Given, rows weigh
        1/(1/m + ρ), m the effective sample it stands for and ρ the scatter beyond it.
    unit : of the estimate. draws, seed, level : of the bootstrap.
    unbalanced : ``"wave_means"``, ``"wave_counts"`` or ``"ignore"``.

    Raises
    ------
    ModelError : shares outside 0 to 100, no convergence, a dose constant within every region, and
        what :mod:`evaluation.models.design` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.

    Source
    ------
    Papke & Wooldridge (2008), Journal of Econometrics 145:121-133; Wooldridge (2019), Journal of
    Econometrics 211:137-150.
    """
    roles = columns(outcome, doses, covariates, region, wave, variance)
    design, _ = mundlak.design(panel, roles, unbalanced=unbalanced)
    shares, rho = _shares(design, link)
    fit = PartialEffects(shares, design.clusters)
    last = design.X.shape[1] - 1
    rows = [tested(fit, last - i, draws, seed, level) for i in range(design.doses)]
    first = rows[0]
    found = diagnostics(fit.step, design.effects, fit.codes)
    del found["within_r2"]
    kept = ("term", "estimate", "se", "low", "high", "p", "coefficient")
    return Result(
        model=f"fractional_{link}",
        outcome=outcome,
        term=first["term"],
        **{key: first[key] for key in ("estimate", "se", "low", "high", "p")},
        level=level,
        inference=first["inference"],
        clusters=fit.count,
        observations=len(design.y),
        unit=unit,
        coefficients=(
            *({key: row[key] for key in kept} for row in rows),
            *_rest(fit, design),
        ),
        draws=first["draws"],
        support=found["support"],
        details=_details(fit, design, rho, level)
        | {"seed": seed, "unbalanced": unbalanced}
        | found,
    )


def _details(
    fit: PartialEffects, design: Design, rho: float | None, level: float
) -> dict[str, Any]:
    last = len(fit.se) - 1
    return {
        "scale": fit.scale,
        "rho": None if rho is None else max(0.0, rho),
        "rho_unfloored": rho,
        "weighting": "none" if rho is None else "1/(1/m + rho)",
        "dropped": design.dropped,
        "singletons": design.singletons,
        "regional_means": [c for c in design.X.columns if str(c).startswith("mean of ")],
        "mde_approximate": minimum_detectable(float(fit.se[last]), fit.count, level),
    }


fit_probit = partial(estimate, link="probit")
fit_logit = partial(estimate, link="logit")
