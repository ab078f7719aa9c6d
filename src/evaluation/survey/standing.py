"""What surveyed rates say of a region: their error, its rank and peers, progress to targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from evaluation.base.errors import KepuError


def _require(condition: Any, message: str) -> None:
    """Raise ``KepuError(message)`` unless every element of ``condition`` holds (NaN does not)."""
    if not np.all(condition):
        raise KepuError(message)


def _checked(p: Any, n: Any, deff: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, n, deff = (np.asarray(a, dtype=float) for a in (p, n, deff))
    _require((p >= 0) & (p <= 1), "All values in 'p' must lie between 0 and 1.")
    _require((n > 0) & np.isfinite(n), "All values in 'n' must be positive.")
    _require((deff > 0) & np.isfinite(deff), "All values in 'deff' must be positive.")
    return p, n, deff


def _checked_level(level: float) -> float:
    _require(0 < level < 1, f"'level' must lie strictly between 0 and 1; it is {level}.")
    return float(level)


def normal_quantile(level: float) -> float:
    """Half-width, in standard errors, of a two-sided normal interval of coverage ``level``.

    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    return float(ndtri((1 + _checked_level(level)) / 2))


def sampling_variance(p: Any, n: Any, deff: Any) -> np.ndarray:
    """Sampling variance of a share, v = deff p (1 - p) / n.

    Parameters
    ----------
    p : shares, 0 to 1. n : respondents. deff : design effect, above 0. All broadcast.

    Raises
    ------
    KepuError : p outside [0, 1], n or deff not positive, or any of them missing.

    >>> float(sampling_variance(0.5, 2000, 2.0))
    0.00025
    """
    p, n, deff = _checked(p, n, deff)
    return deff * p * (1 - p) / n


def wilson_interval(
    p: Any, n: Any, deff: Any, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a share on the effective sample n / deff.

    Parameters as in :func:`sampling_variance`; ``level`` is the coverage.

    Returns
    -------
    low, high : shares, broadcast shape of the inputs; inside [0, 1] also at p = 0 or 1.

    >>> low, high = wilson_interval(81 / 263, 263, 1)
    >>> round(float(low), 4), round(float(high), 4)
    (0.2553, 0.3662)
    """
    p, n, deff = _checked(p, n, deff)
    effective = n / deff
    p, z = p * effective / effective, -ndtri((1 - _checked_level(level)) / 2)
    # As statsmodels' ``proportion_confint`` to the last digit, which takes a second to import.
    scale = 1 + z**2 / effective
    centre = (p + z**2 / (2 * effective)) / scale
    half = z * np.sqrt(p * (1 - p) / effective + z**2 / (4 * effective**2)) / scale
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def korn_graubard_interval(
    p: Any, n: Any, deff: Any, free: Any, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Korn-Graubard interval of a share: Clopper-Pearson on an effective sample cut for few units.

    The effective sample n / deff is multiplied by (t(n - 1) / t(free))², the squared ratio of the
    quantiles, and at most n.

    Parameters
    ----------
    free : design degrees of freedom, primary sampling units less strata, at least 1. Others as in
        :func:`wilson_interval`.

    Source
    ------
    Korn & Graubard (1998), Survey Methodology 24:193-201; the cut at n as in R's ``survey``
    (``svyciprop``, method ``beta``) and in NCHS, Vital and Health Statistics 2(175), 2017.

    >>> low, high = korn_graubard_interval(0.1, 400, 2.0, 30)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0609, 0.1525)
    """
    # Slow to import, and few packages declare degrees of freedom.
    from scipy import stats
    from statsmodels.stats.proportion import proportion_confint

    p, n, deff = _checked(p, n, deff)
    free, alpha = np.asarray(free, dtype=float), 1 - _checked_level(level)
    _require((free >= 1) & np.isfinite(free), "All values in 'free' must be at least 1.")
    _require(n >= 2, "A Korn-Graubard interval needs at least 2 respondents.")
    ratio = stats.t.ppf(1 - alpha / 2, n - 1) / stats.t.ppf(1 - alpha / 2, free)
    effective = np.minimum(n, n / deff * ratio**2)
    return proportion_confint(p * effective, effective, alpha=alpha, method="beta")


def rate_interval(p: Any, n: Any, deff: Any, free: Any) -> tuple[np.ndarray, np.ndarray]:
    """Korn-Graubard where design degrees of freedom are known, Wilson where they are missing."""
    low, high = wilson_interval(p, n, deff)
    known = np.isfinite(free)
    if known.any():
        values = (np.broadcast_to(x, known.shape)[known] for x in (p, n, deff, free))
        low[known], high[known] = korn_graubard_interval(*values)
    return low, high


def gain(p1: Any, v1: Any, p0: Any, v0: Any, years: Any = 1.0) -> tuple[Any, Any]:
    """Gain between two independent waves and its variance; annualised where ``years`` is given.

    Parameters
    ----------
    p1, v1 : later rate and its sampling variance. p0, v0 : the earlier ones.
    years : years between the waves; 1 leaves the total gain.

    Returns
    -------
    gain, variance : (p1 - p0) / years and (v1 + v0) / years², in the unit of the rates (shares, or
        percent with variances in squared percentage points).

    Raises
    ------
    KepuError : a negative variance or an interval that is not positive.

    >>> gain(14.0, 0.3, 10.0, 0.1, years=2)
    (2.0, 0.1)
    """
    for name, v in (("v1", v1), ("v0", v0)):
        _require(np.asarray(v, dtype=float) >= 0, f"All values in '{name}' must be at least 0.")
    _require(np.asarray(years, dtype=float) > 0, "All values in 'years' must be positive.")
    return (p1 - p0) / years, (v1 + v0) / years**2


def _one_sided(p: np.ndarray, se: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One-sided p-values that others exceed each of ``rows``, then that it exceeds them, (K, 2J).

    No claim (NaN) of a unit over itself; two error-free and equal units get 1.
    """
    difference = p[rows, None] - p[None, :]
    error = np.hypot(se[rows, None], se[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, difference / error, np.sign(difference) * np.inf)
    claims = np.stack([ndtr(-np.where(np.isnan(z), -np.inf, side)) for side in (-z, z)], axis=1)
    claims[np.arange(len(rows)), :, rows] = np.nan
    return claims.reshape(len(rows), -1)


def _holm_rejects(p: np.ndarray, alpha: float) -> np.ndarray:
    """Hypotheses rejected by Holm's step in each row; NaN is no hypothesis.

    All rows at once: ``statsmodels.multipletests`` takes one family and collects garbage in each
    call, seconds for a table of provinces.
    """
    count = np.count_nonzero(~np.isnan(p), axis=1)[:, None]
    ordered = np.sort(p, axis=1)  # NaN last
    remaining = np.maximum(count - np.arange(p.shape[1]), 1)
    steps = np.logical_and.accumulate(ordered <= alpha / remaining, axis=1)
    return p <= np.where(steps, ordered, -1.0).max(axis=1)[:, None]


def rank_interval(
    p: Any, se: Any, level: float = 0.95, only: Sequence[int] | None = None
) -> pd.DataFrame:
    """Marginal confidence interval for the rank of each unit (rank 1 is the highest rate).

    For unit j every difference to another unit is tested in both directions; Holm's step over
    these 2(J - 1) one-sided hypotheses keeps the chance of any false "higher" or "lower" at
    1 - level. Units found higher push the best attainable rank down, units found lower push the
    worst one up. Holm ignores the dependence between the differences, so the interval is
    conservative. Each interval covers its own unit's rank, not all ranks at once.

    Parameters
    ----------
    p : rates, length J >= 2, any unit. se : their standard errors, same unit, independent samples.
    only : positions of the units asked for, by default all; each is compared with all J.

    Returns
    -------
    DataFrame with integer columns ``rank_low`` (best) and ``rank_high`` (worst), the index of
    ``p`` when it is a Series.

    Source
    ------
    Mogstad, Romano, Shaikh & Wilhelm (2024), Review of Economic Studies 91:476-518.
    """
    index = p.index if isinstance(p, pd.Series) else None
    p, se = np.asarray(p, dtype=float), np.asarray(se, dtype=float)
    _require(p.ndim == 1 and p.size >= 2, "Ranks need at least two rates.")
    _require(p.shape == se.shape, "'p' and 'se' must have the same length.")
    _require(np.isfinite(p), "All values in 'p' must be finite.")
    _require((se >= 0) & np.isfinite(se), "All values in 'se' must be finite and at least 0.")
    rows = np.arange(len(p)) if only is None else np.asarray(only, dtype=int)
    rejected = _holm_rejects(_one_sided(p, se, rows), 1 - _checked_level(level))
    higher, lower = rejected[:, : len(p)].sum(axis=1), rejected[:, len(p) :].sum(axis=1)
    ranks = np.column_stack([1 + higher, len(p) - lower])
    index = index if index is None else index[rows]
    return pd.DataFrame(ranks, columns=["rank_low", "rank_high"], index=index)


def nearest(
    profile: pd.DataFrame, code: str, bands: pd.Series, farthest: float, count: int = 5
) -> pd.Series:
    """Distance of at most ``count`` regions most like ``code``, the nearest first.

    Regions of another band are named only where the own band has none near enough.

    Parameters
    ----------
    profile : frame indexed by region code, one column a covariate, rows with missing values are
        left out. bands : band of each region, by code.
    farthest : a region farther away is no peer. The distance is the root mean square difference of
        the z-scores: standard deviations a covariate.
    """
    complete = profile.dropna()
    if code not in complete.index:
        return pd.Series(dtype=float)
    scores = (complete - complete.mean()) / complete.std(ddof=0)
    distance = np.sqrt(((scores - scores.loc[code]) ** 2).mean(axis=1)).drop(code)
    near = distance[distance <= farthest]
    same = near[bands.reindex(near.index).to_numpy() == bands[code]]
    return (near if same.empty else same).nsmallest(count, keep="first")


def profile_of(provinces: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Latest covariates of each region of a gain panel, indexed by region code."""
    latest = provinces.sort_values("wave_from").groupby("region_code").last()
    return latest[list(conditions)]


def percentile(values: pd.Series, code: str) -> float:
    """Share of the other regions below ``code``, in percent, ties counted half."""
    others = values.drop(code)
    below = (others < values[code]).sum() + 0.5 * (others == values[code]).sum()
    return float(100 * below / len(others))


def latest_common_year(values: pd.DataFrame, code: str, share: float = 0.9) -> int | None:
    """Latest year in which ``code`` and at least ``share`` of all regions have a value."""
    table = values.pivot(index="year", columns="region_code", values="value")
    if code not in table:
        return None
    full = table.notna().mean(axis=1) >= share
    years = table.index[full & table[code].notna()]
    return int(years.max()) if len(years) else None


def growth(values: pd.DataFrame, code: str, year: int, span: int = 5) -> dict | None:
    """Mean yearly growth up to ``year`` over at most ``span`` years within one series.

    Returns ``{"from", "to", "rate"}`` (rate in percent a year), ``None`` when the series of
    ``year`` holds no earlier value: a change of definition is not growth.
    """
    rows = values[(values["region_code"] == code) & (values["year"] <= year)]
    last = rows[rows["year"] == year]
    if last.empty:
        return None
    same = rows[(rows["series"] == last["series"].iloc[0]) & (rows["year"] >= year - span)]
    first = same.sort_values("year").iloc[0]
    if first["year"] == year or first["value"] <= 0:
        return None
    years = year - int(first["year"])
    rate = (last["value"].iloc[0] / first["value"]) ** (1 / years) - 1
    return {"from": int(first["year"]), "to": int(year), "rate": 100 * rate}


@dataclass(frozen=True)
class Progress:
    """One target against the surveys.

    ``status``: ``met``, ``missed``, ``on_course``, ``off_course``, ``undecided`` (the interval
    does not tell), ``no_survey`` (no usable rate), ``not_surveyed`` (due, but no survey of the
    due year or later is published) or ``flagged`` (the target is not one to judge by).
    ``required`` and ``observed`` are percentage points a year.
    """

    target: pd.Series
    status: str
    latest: pd.Series | None = None
    required: float = math.nan
    observed: float = math.nan
    observed_low: float = math.nan
    observed_high: float = math.nan


def assess(target: pd.Series, rates: pd.DataFrame, today: int, level: float = 0.95) -> Progress:
    """Compare one target with a region's rates (rows of :func:`evaluation.survey.panel.rates`).

    A target is met or missed when the interval of the deciding survey lies wholly on one side;
    before the due year the yearly gain still required is set against the observed one.
    """
    rates = rates[rates["variance"].notna()].sort_values("wave")
    if target["flagged"]:
        return Progress(target, "flagged", rates.iloc[-1] if len(rates) else None)
    if rates.empty:
        return Progress(target, "no_survey")
    due = rates[rates["wave"] >= target["year"]]
    if len(due):
        return Progress(target, _decided(due.iloc[0], target["value"]), due.iloc[0])
    latest = rates.iloc[-1]
    if latest["low"] >= target["value"]:
        return Progress(target, "met", latest)
    return _ahead(target, rates, latest, today, level)


def _decided(row: pd.Series, value: float) -> str:
    if row["low"] >= value:
        return "met"
    return "missed" if row["high"] < value else "undecided"


def _ahead(target, rates, latest, today, level) -> Progress:
    years = target["year"] - latest["wave"]
    required = (target["value"] - latest["rate"]) / years
    status, observed, low, high = "not_surveyed", math.nan, math.nan, math.nan
    if len(rates) > 1:
        before = rates.iloc[-2]
        span = latest["wave"] - before["wave"]
        observed = (latest["rate"] - before["rate"]) / span
        error = math.sqrt(latest["variance"] + before["variance"]) / span
        half = normal_quantile(level) * error
        low, high = observed - half, observed + half
    if target["year"] >= today or not math.isnan(observed):
        status = _course(required, low, high)
    if target["year"] < today:
        status = "not_surveyed"
    return Progress(target, status, latest, required, observed, low, high)


def _course(required: float, low: float, high: float) -> str:
    if math.isnan(low):
        return "undecided"
    if required <= low:
        return "on_course"
    return "off_course" if required > high else "undecided"
