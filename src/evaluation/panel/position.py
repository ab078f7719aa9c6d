"""Where a region stands: peers, bands, progress to its own targets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.data.package import COVARIATES
from evaluation.panel.survey import normal_quantile

# ------------------------------------------------------------------------------------------
# Where a region stands among others: peers, percentiles and growth within one series.


def nearest(profile: pd.DataFrame, code: str, count: int = 5) -> list[str]:
    """The ``count`` regions most like ``code`` on standardised covariates.

    Parameters
    ----------
    profile : frame indexed by region code, one column a covariate, rows with missing values are
        left out; the distance is Euclidean on z-scores.
    """
    complete = profile.dropna()
    if code not in complete.index:
        return []
    scores = (complete - complete.mean()) / complete.std(ddof=0)
    distance = np.sqrt(((scores - scores.loc[code]) ** 2).sum(axis=1)).drop(code)
    return distance.nsmallest(count, keep="first").index.tolist()


def profile_of(provinces: pd.DataFrame) -> pd.DataFrame:
    """Latest covariates of each region of a gain panel, indexed by region code."""
    latest = provinces.sort_values("wave_from").groupby("region_code").last()
    return latest[list(COVARIATES)]


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


# ------------------------------------------------------------------------------------------
# Progress to targets: what the published waves allow one to say, and no more.


@dataclass(frozen=True)
class Progress:
    """One target against the surveys.

    ``status``: ``met``, ``missed``, ``on_course``, ``off_course``, ``undecided`` (the interval
    does not tell), ``no_survey`` (no usable rate) or ``not_surveyed`` (due, but no survey of the
    due year or later is published). ``required`` and ``observed`` are percentage points a year.
    """

    target: pd.Series
    status: str
    latest: pd.Series | None = None
    required: float = math.nan
    observed: float = math.nan
    observed_low: float = math.nan
    observed_high: float = math.nan


def assess(target: pd.Series, rates: pd.DataFrame, today: int, level: float = 0.95) -> Progress:
    """Compare one target with a region's rates (rows of :func:`evaluation.panel.panel.rates`).

    A target is met or missed when the interval of the deciding survey lies wholly on one side;
    before the due year the yearly gain still required is set against the observed one.
    """
    rates = rates[rates["variance"].notna()].sort_values("wave")
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
