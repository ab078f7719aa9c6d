"""Progress to targets: what the published waves allow one to say, and no more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from evaluation.survey import normal_quantile


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
    """Compare one target with a region's rates (rows of :func:`evaluation.panel.rates`).

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
