"""Sampling error carried through an estimate: draws, error in the opening level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evaluation.base.errors import KepuError, ModelError
from evaluation.evidence.checks import MAXIMUM_SHIFT, Estimated, check, numbers
from evaluation.models.columns import Roles, equation
from evaluation.stats.bootstrap import holm
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

    The weights stay those of the observed panel: they are known covariances, not outcomes.

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
    y, X = made.y, made.matrix
    if roles.outcome in used:
        y = drawn[roles.outcome][:, made.rows]
    for name in used - {roles.outcome}:
        values = drawn[name][:, made.rows]
        if X.ndim == 2:
            X = np.broadcast_to(X, (len(values), *X.shape)).copy()
        X[:, :, made.names.index(name)] = values
    y, X = (made.root @ y.T).T, _whitened(made, X)
    fits = solve_many(y, X, np.ones((1, len(made.y))))
    # The first dose is the last column.
    estimates, se = fits.coefficients[:, -made.doses :], crv1_many(made, X, fits)
    return estimates.T[::-1], se.T[::-1]


def _whitened(made: Equation, X: np.ndarray) -> np.ndarray:
    """Designs (N, k) or (draws, N, k) in units in which the sampling covariance is the identity."""
    if X.ndim == 2:
        return made.root @ X
    flat = made.root @ X.transpose(1, 0, 2).reshape(X.shape[1], -1)
    return flat.reshape(X.shape[1], X.shape[0], -1).transpose(1, 0, 2)


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


def _residuals(eqs: Equation, j: int) -> np.ndarray:
    """Outcome and opening level less what the other columns explain, whitened, (N, 2)."""
    white = eqs.white
    others = np.delete(white.matrix, j, axis=1)
    both = np.column_stack([white.y, white.matrix[:, j]])
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

    Moment estimator with known error covariances: b = (X'PX - f tr PU)⁻¹ (X'Py - f tr PC), P the
    inverse of the model's covariance, U that of the errors of the opening levels and C that of
    these with the errors of the gains: -v0/T in the gain that a survey opens, v0/T' in the one it
    closes. The standard error is the sandwich of its estimating equations, clustered by region.

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
    closing = rate_rows(rates_table, rows["region_code"], rows["wave_to"])
    years = rows["years"].to_numpy(dtype=float) if roles.outcome == "annual" else np.ones(len(rows))
    meets = (opening[:, None] == closing[None, :]).astype(float) - np.eye(len(rows))
    return _solve(eqs, v0, v0[:, None] * meets / years[None, :], level)


def _solve(eqs: Equation, v0: np.ndarray, meet: np.ndarray, level: float) -> Corrected:
    j, k = eqs.names.index(OPENING), len(eqs.names) - 1
    P = (eqs.root.T @ eqs.root).toarray()
    # By row, the expected products of the error of the opening level with both errors.
    u, c = np.diag(P) * v0, (P * meet).sum(axis=1)
    rest = _residuals(eqs, j)
    moments = rest.T @ rest
    own = float((eqs.sampling * P).sum())
    known = np.array([[own, c.sum()], [c.sum(), u.sum()]])
    f = _factor(moments, known, len(v0))
    gram, right = eqs.matrix.T @ P @ eqs.matrix, eqs.matrix.T @ P @ eqs.y
    naive = np.linalg.solve(gram, right)[k]
    gram[j, j] -= f * u.sum()
    right[j] -= f * c.sum()
    b = np.linalg.solve(gram, right)
    scores = eqs.matrix * (P @ (eqs.y - eqs.matrix @ b))[:, None]
    scores[:, j] -= f * (c - u * b[j])
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
        reliability=float(1 - u.sum() / moments[1, 1]),
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

    Fails if the estimate moves by more than its standard error.
    """
    first = context.result
    other = corrected(first.model, context.panel, _rates(context), context.roles, first.level)
    values = numbers(other, ("naive", "estimate", "se", "low", "high", "reliability", "factor"))
    return bool(context.shift(other.estimate) <= MAXIMUM_SHIFT), values, [values]


# Do the gains scatter as the declared sampling variances say? Both readings of them are carried.
def variance_factors(y: Any, v: Any, intervals: Any, level: float = 0.95) -> pd.DataFrame:
    """How many times the declared variances the scatter of the gains of each interval is.

    Cochran's Q over its degrees of freedom, with the chi-square interval for a common factor on
    the variances. True differences between regions only add to Q, so a factor below 1 is at most
    what sampling error amounts to; above 1 the two cannot be told apart.

    Parameters
    ----------
    y, v : (N,) gains and their declared variances, above 0. intervals : (N,) labels.

    Returns
    -------
    DataFrame ``interval, regions, q, df, factor, low, high, p``; p, of scatter as small as this
    under the declared variances, is Holm-adjusted over the intervals. One of fewer than three
    regions is left out.
    """
    frame = pd.DataFrame({"interval": intervals, "y": y, "v": v})
    rows, tail = [], (1 - level) / 2
    for name, part in frame.groupby("interval", observed=True):
        if len(part) < 3:
            continue
        w, df = 1 / part["v"], len(part) - 1
        q = float(w @ (part["y"] - w @ part["y"] / w.sum()) ** 2)
        high, low = q / stats.chi2.ppf([tail, 1 - tail], df)
        row = {"interval": str(name), "regions": len(part), "q": q, "df": df, "factor": q / df}
        rows.append(row | {"low": low, "high": high, "p": float(stats.chi2.cdf(q, df))})
    if not rows:
        raise ModelError("No interval has three regions to compare their scatter.")
    table = pd.DataFrame(rows)
    return table.assign(p=holm(table["p"]))


def _floors(context: Estimated, years: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Simple random sampling variance of both surveys of each gain, 0 where no sample is known.

    No survey of the size published is more precise than that unless it is stratified very well.
    """
    rates, panel = _rates(context), context.panel
    if "n_assumed" not in rates.columns:
        return np.zeros(len(panel)), np.zeros(len(panel))
    p = rates["rate"].to_numpy(dtype=float)
    least = np.where(rates["n_assumed"], 0.0, p * (100 - p) / rates["n"].to_numpy(dtype=float))
    ends = (rate_rows(rates, panel["region_code"], panel[w]) for w in ("wave_from", "wave_to"))
    opening, closing = (least[rows] / years**2 for rows in ends)
    return opening, closing


def estimated_variances(context: Estimated, factors: pd.DataFrame) -> pd.DataFrame:
    """The panel with the declared variances multiplied by the factor of their interval.

    Never more than declared, and never less than simple random sampling of a published sample.
    """
    roles, panel = context.roles, context.panel
    if not roles.spans:
        raise ModelError("The panel does not say which surveys its gains lie between.")
    of = factors.set_index("interval")["factor"].clip(upper=1.0)
    factor = panel[roles.wave].astype(str).map(of).fillna(1.0).to_numpy(dtype=float)
    total, part = (panel[name].to_numpy(dtype=float) for name in (roles.variance, roles.spans[2]))
    opening, closing = _floors(context, panel["years"].to_numpy(dtype=float))
    first = np.minimum(part, np.maximum(factor * part, opening))
    second = np.minimum(total - part, np.maximum(factor * (total - part), closing))
    return panel.assign(**{roles.spans[2]: first, roles.variance: first + second})


@check("variance_factor", linear=True)
def variance_factor(context: Estimated):
    """Refit with the variances the scatter of the gains allows, beside the declared ones.

    Fails where gains of an interval lie closer together than the declared sampling errors allow:
    then these are too large, or the published figures were smoothed. The intervals of the estimate
    itself rest on the declared variances.
    """
    roles, used = context.roles, context.panel[context.used()]
    if roles.variance is None:
        raise ModelError("No sampling variance is declared.")
    columns = (used[name] for name in (roles.outcome, roles.variance, roles.wave))
    factors = variance_factors(*columns, context.result.level)
    other = context.refit(estimated_variances(context, factors))
    values = numbers(other, ("estimate", "low", "high")) | {
        "factor_low": float(factors["factor"].min()),
        "factor_high": float(factors["factor"].max()),
        "count": len(factors),
        "p": float(factors["p"].min()),
    }
    return values["p"] > 1 - context.result.level, values, factors.to_dict("records")
