"""Sampling error carried through an estimate: draws, error in the opening level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evaluation.base.errors import KepuError, ModelError
from evaluation.evidence.checks import Estimated, check, numbers, reading
from evaluation.models.columns import Roles, equation
from evaluation.stats.least_squares import Equation, cluster_sums, crv1_many, solve_many


def draw_rates(rates_table: pd.DataFrame, draws: int, seed: int) -> np.ndarray:
    """Draw each published rate from its sampling distribution.

    A beta distribution with the mean p and the variance v of the rate: its two parameters follow
    from m = p(1 - p)/v - 1, the effective sample less one, and no draw leaves (0, 100). A
    normal on the logit scale would need p away from 0 and has not p as its mean.

    Parameters
    ----------
    rates_table : columns ``rate`` (percent) and ``variance`` (squared percentage points).
    draws : number of draws. seed : of the generator.

    Returns
    -------
    (draws, rows) in percent; a rate of 0, of 100 or with variance 0 stays as it is.

    Raises
    ------
    KepuError : a rate or variance missing or out of range, or too large for a beta distribution.
    """
    p = rates_table["rate"].to_numpy(dtype=float) / 100
    v = rates_table["variance"].to_numpy(dtype=float) / 1e4
    if not np.all((p >= 0) & (p <= 1) & (v >= 0)):
        raise KepuError("Rates must lie in 0 to 100 with a variance of at least 0, none missing.")
    uncertain = (v > 0) & (p > 0) & (p < 1)
    if np.any(v[uncertain] >= p[uncertain] * (1 - p[uncertain])):
        raise KepuError("A sampling variance is not below p(1 - p): no sample is that small.")
    if draws < 1:
        raise KepuError(f"'draws' must be at least 1; it is {draws}.")
    result = np.broadcast_to(p, (draws, len(p))).copy()
    m = p[uncertain] * (1 - p[uncertain]) / v[uncertain] - 1
    shape = (draws, int(uncertain.sum()))
    rng = np.random.default_rng(seed)
    result[:, uncertain] = rng.beta(p[uncertain] * m, (1 - p[uncertain]) * m, size=shape)
    return 100 * result


def rate_rows(rates_table: pd.DataFrame, regions: Any, waves: Any) -> np.ndarray:
    """Positions in the rate table of the given regions and waves.

    Raises
    ------
    KepuError : a rate the table does not hold, or holds twice.
    """
    index = pd.MultiIndex.from_frame(rates_table[["region_code", "wave"]])
    if index.has_duplicates:
        raise KepuError("The rate table holds a region and wave twice.")
    wanted = pd.MultiIndex.from_arrays([regions, waves])
    rows = index.get_indexer(wanted)
    if (rows < 0).any():
        region, wave = wanted[int(np.argmin(rows))]
        raise KepuError(f"No rate of {region} in {wave} in the rate table.")
    return rows


def gains_of(
    rate_draws: np.ndarray, rates_table: pd.DataFrame, panel: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Drawn columns of a panel: ``opening, gain, annual`` of gains, or ``rate`` of levels.

    Parameters
    ----------
    rate_draws : (draws, rows of ``rates_table``), percent.
    panel : with ``region_code, wave_from, wave_to, years`` (gains) or ``region_code, wave``.

    Returns
    -------
    dict of (draws, rows of ``panel``). A rate that closes one gain and opens the next is one draw.
    """
    if "wave_from" not in panel.columns:
        return {"rate": rate_draws[:, rate_rows(rates_table, panel["region_code"], panel["wave"])]}
    before, after = (
        rate_draws[:, rate_rows(rates_table, panel["region_code"], panel[end])]
        for end in ("wave_from", "wave_to")
    )
    gain = after - before
    return {"opening": before, "gain": gain, "annual": gain / panel["years"].to_numpy(dtype=float)}


def refit(
    model: str, panel: pd.DataFrame, drawn: Mapping[str, np.ndarray], roles: Roles
) -> tuple[np.ndarray, np.ndarray]:
    """Refit a linear model on every drawn panel.

    The weights stay those of the observed panel: they are known variances, not outcomes.

    Parameters
    ----------
    model : its name. panel : the observed panel. drawn : columns that vary, (draws, rows of
        ``panel``) each, as from :func:`gains_of`; those the model does not use are ignored.

    Returns
    -------
    Estimates and their CRV1 standard errors, (doses, draws) each, the doses as in ``roles``.

    Raises
    ------
    ModelError : a model that is not linear, or one that uses none of the drawn columns.
    """
    made = equation(model, panel, roles)
    used = {roles.outcome, *roles.covariates, *roles.doses} & set(drawn)
    if not used:
        raise ModelError(f"The model uses none of the drawn columns {', '.join(drawn)}.")
    y, X, weights = made.y, made.matrix, made.weights[None, :]
    if roles.outcome in used:
        y = drawn[roles.outcome][:, made.rows]
    for name in used - {roles.outcome}:
        values = drawn[name][:, made.rows]
        if X.ndim == 2:
            X = np.broadcast_to(X, (len(values), *X.shape)).copy()
        X[:, :, made.names.index(name)] = values
    fits = solve_many(y, X, weights)
    # The first dose is the last column.
    estimates, se = fits.coefficients[:, -made.doses :], crv1_many(made, X, weights, fits)
    return estimates.T[::-1], se.T[::-1]


# Known-variance errors-in-variables correction for the observed opening level as a control.
OPENING = "opening"


@dataclass(frozen=True)
class Corrected:
    """One dose coefficient with the error of the opening level taken out.

    Attributes
    ----------
    naive : coefficient with the observed opening level.
    estimate, se, low, high : corrected; se cluster-robust, interval by t on G - 1, for information.
    reliability : share of the opening level's variance, given all other columns, that is not
        sampling error. factor : share of the known error taken out, 1 unless the data refuse it.
    """

    naive: float
    estimate: float
    se: float
    low: float
    high: float
    reliability: float
    factor: float


def _residuals(eqs: Equation, weights: np.ndarray, j: int) -> np.ndarray:
    """Outcome and opening level less what the other columns explain, weighted, (N, 2)."""
    root = np.sqrt(weights)[:, None]
    others = np.delete(eqs.matrix, j, axis=1) * root
    both = np.column_stack([eqs.y, eqs.matrix[:, j]]) * root
    return both - others @ np.linalg.lstsq(others, both, rcond=None)[0]


def _factor(moments: np.ndarray, errors: np.ndarray, size: int) -> float:
    """Fuller's limit: the known error may not exceed what the data scatter.

    λ is the least root of |moments - λ errors| = 0; the factor is 1 while λ > 1 + 1/N, and
    λ - 1/N below, which keeps the corrected moments positive definite.
    """
    root = float(np.linalg.eigvals(np.linalg.solve(errors, moments)).real.min())
    return 1.0 if root > 1 + 1 / size else max(0.0, root - 1 / size)


def corrected(
    model: str, panel: pd.DataFrame, rates_table: pd.DataFrame, roles: Roles, level: float = 0.95
) -> Corrected:
    """Correct the first dose of a gain regression for sampling error in the opening level.

    Moment estimator with known error variances: b = (X'WX - f Σw V)⁻¹ (X'Wy - f Σw c), with
    V = v0 at the opening level, c = -v0/T (the covariance of the two errors) and weights as in the
    model. The standard error is the sandwich of its estimating equations, clustered by region.

    Parameters
    ----------
    model : name of the linear model. panel : gains with ``region_code, wave_from, years,
        opening``. rates_table : ``region_code, wave, rate, variance``. level : of the interval.

    Raises
    ------
    ModelError : a model without the control ``opening`` or without known variance, an outcome
        other than ``annual`` or ``gain``, or opening rates without sampling error.

    Source
    ------
    Fuller (1987), Measurement Error Models, sections 2.2, 2.5 and 3.1.
    """
    if OPENING not in roles.covariates or roles.outcome not in ("annual", "gain"):
        raise ModelError("The correction needs a gain as outcome and 'opening' as a covariate.")
    eqs = equation(model, panel, roles)
    if eqs.variance is None:
        raise ModelError("The correction needs the sampling variance of the gain.")
    rows = panel.iloc[eqs.rows]
    opening = rate_rows(rates_table, rows["region_code"], rows["wave_from"])
    v0 = rates_table["variance"].to_numpy(dtype=float)[opening]
    if not np.all(v0 > 0):
        raise ModelError("Every opening rate needs a sampling variance above 0.")
    years = rows["years"].to_numpy(dtype=float) if roles.outcome == "annual" else 1.0
    return _solve(eqs, v0, -v0 / years, level)


def _solve(eqs: Equation, v0: np.ndarray, c: np.ndarray, level: float) -> Corrected:
    w, j, k = eqs.weights, eqs.names.index(OPENING), len(eqs.names) - 1
    rest = _residuals(eqs, w, j)
    moments = rest.T @ rest
    known = np.array([[w @ eqs.variance, w @ c], [w @ c, w @ v0]])
    f = _factor(moments, known, len(w))
    gram, right = (eqs.matrix.T * w) @ eqs.matrix, (eqs.matrix.T * w) @ eqs.y
    naive = np.linalg.solve(gram, right)[k]
    gram[j, j] -= f * (w @ v0)
    right[j] -= f * (w @ c)
    b = np.linalg.solve(gram, right)
    scores = eqs.matrix * (w * (eqs.y - eqs.matrix @ b))[:, None]
    scores[:, j] -= f * w * (c - v0 * b[j])
    sums = cluster_sums(scores, eqs.codes)
    pull = sums @ np.linalg.inv(gram)[:, k]
    clusters = len(sums)
    se = float(np.sqrt(clusters / (clusters - 1) * (pull @ pull)))
    half = float(stats.t.ppf((1 + level) / 2, clusters - 1)) * se
    return Corrected(
        naive=float(naive),
        estimate=float(b[k]),
        se=se,
        low=float(b[k] - half),
        high=float(b[k] + half),
        reliability=float(1 - (w @ v0) / moments[1, 1]),
        factor=f,
    )


def _rates(context: Estimated) -> pd.DataFrame:
    if context.rates is None:
        raise ModelError("No published rates with their variances were given.")
    return context.rates[context.rates["variance"].notna()].reset_index(drop=True)


@check("measurement_error", linear=True)
def measurement_error(context: Estimated):
    """Draw every rate from its sampling distribution and refit; it informs and cannot fail.

    The published rates hold one sampling error already; the draws add a second one of the same
    size. ``shift`` is how far that moves the mean of the refitted estimates (the first error has
    moved the estimate about as far already), ``widening`` their median standard error over its
    own (both CRV1), ``sign_share`` the share of draws with the other sign.
    """
    first, rates, seed = context.result, _rates(context), context.inference.seed
    panels = gains_of(draw_rates(rates, context.draws, seed), rates, context.panel)
    estimates, se = (part[0] for part in refit(first.model, context.panel, panels, context.roles))
    tail = (1 - first.level) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    values = {
        "estimate": float(first.estimate),
        "mean": float(estimates.mean()),
        "sd": float(estimates.std(ddof=1)),
        "low": float(low),
        "high": float(high),
        "shift": float(estimates.mean() - first.estimate),
        "widening": float(np.median(se) / first.se),
        "sign_share": float(np.mean(np.sign(estimates) != np.sign(first.estimate))),
        "draws": len(estimates),
    }
    return None, values, [values]


@check("opening_error", linear=True)
def opening_error(context: Estimated):
    """Take the known sampling error out of the opening level used as a control.

    Fails if the corrected estimate has the other sign or its interval reads differently (holds
    zero where the headline does not, or the reverse).
    """
    first = context.result
    other = corrected(first.model, context.panel, _rates(context), context.roles, first.level)
    same = reading(other.low, other.high) == first.verdict
    values = numbers(other, ("naive", "estimate", "se", "low", "high", "reliability", "factor"))
    return same and bool(np.sign(other.estimate) == np.sign(first.estimate)), values, [values]
