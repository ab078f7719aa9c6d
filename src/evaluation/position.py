"""Where a region stands among others: peers, percentiles and growth within one series."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.doses import COVARIATES


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
