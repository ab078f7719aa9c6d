"""The yearly gain a target still needs, against the fastest gain of a comparable region."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.stats.least_squares import excess_variance
from evaluation.survey import normal_quantile
from evaluation.targets.series import to_logit

# A province is comparable when the odds of its share at the start of a gain lie within a factor of
# e^½ (about 1.65) of those of the region today, either way: a gain in points depends on the level.
WIDTH = 0.5
MINIMUM = 3


@dataclass(frozen=True)
class Required:
    """Points a year a target needs from the latest survey on, with the survey's interval.

    ``verdict``: ``met`` (the latest interval lies at or above the target), ``seen`` (a comparable
    province gained as much: the need is not above the shrunken fastest gain), ``unseen`` (even the
    upper end of the fastest gain is below the need), ``open`` (in between), ``alone`` (too few
    comparable gains).
    """

    verdict: str
    years: int
    value: float
    low: float
    high: float
    fastest: Fastest | None


@dataclass(frozen=True)
class Fastest:
    """The largest gain of a comparable province, points a year.

    ``value, low, high``: as published, with its interval. ``shrunk``: drawn towards the mean of the
    comparable gains by its sampling error, because the largest of many noisy gains overstates.
    ``count`` comparable gains of ``regions`` provinces.
    """

    region: str
    wave_from: int
    wave_to: int
    value: float
    low: float
    high: float
    shrunk: float
    crosses_break: bool
    count: int
    regions: int


def comparable(gains: pd.DataFrame, rate: float, codes: Collection[str]) -> pd.DataFrame:
    """Gains of the regions ``codes`` that started from odds within ``WIDTH`` of those of ``rate``.

    Parameters
    ----------
    gains : rows of :func:`evaluation.panel.gains`. rate : percent.
    """
    inside = gains[gains["region_code"].isin(codes) & (gains["opening"] > 0)]
    off = to_logit(inside["opening"].to_numpy(dtype=float)) - to_logit(rate)
    return inside[np.abs(off) <= WIDTH]


def fastest(gains: pd.DataFrame, level: float = 0.95) -> Fastest | None:
    """The gain with the largest shrunken value, or ``None`` with fewer than three gains.

    Shrinkage by the normal model with known variances v: m + s²/(s² + v)(g - m), s² beyond
    sampling error by moments (Efron & Morris 1975, JASA 70:311-319).
    """
    if len(gains) < MINIMUM:
        return None
    g, v = gains["annual"].to_numpy(dtype=float), gains["annual_variance"].to_numpy(dtype=float)
    try:
        beyond = max(0.0, excess_variance(g, pd.DataFrame({"mean": np.ones(len(g))}), v))
    except ModelError:
        beyond = 0.0
    mean = np.average(g, weights=1 / (beyond + v))
    shrunk = mean + beyond / (beyond + v) * (g - mean)
    # Where nothing but sampling error tells the gains apart all shrink to one value: take the
    # largest published one of them.
    best = int(np.lexsort((g, shrunk))[-1])
    row, half = gains.iloc[best], normal_quantile(level) * math.sqrt(v[best])
    return Fastest(
        row["region_code"], int(row["wave_from"]), int(row["wave_to"]), float(g[best]),
        float(g[best] - half), float(g[best] + half), float(shrunk[best]),
        bool(row["crosses_break"]), len(gains), gains["region_code"].nunique(),
    )  # fmt: skip


def required(
    target: float, year: int, latest: pd.Series, gains: pd.DataFrame, codes: Collection[str]
) -> Required:
    """Hold the gain a target needs against what comparable provinces ever gained.

    Parameters
    ----------
    target : percent. year : due. latest : the region's last row of :func:`evaluation.panel.rates`.
    gains : all gains. codes : provinces that may serve for comparison.

    Raises
    ------
    ModelError : a due year not after the latest survey, for which no gain is left to ask.
    """
    if latest["low"] >= target:
        return Required("met", 0, 0.0, 0.0, 0.0, None)
    years = int(year - latest["wave"])
    if years <= 0:
        raise ModelError(f"The survey of {latest['wave']} decides a target due in {year}.")
    need = (target - latest["rate"]) / years
    half = normal_quantile(0.95) * float(latest["se"]) / years
    best = fastest(comparable(gains, float(latest["rate"]), codes))
    return Required(_verdict(need, best), years, need, need - half, need + half, best)


def _verdict(need: float, best: Fastest | None) -> str:
    if best is None:
        return "alone"
    if need <= best.shrunk:
        return "seen"
    return "unseen" if need > best.high else "open"
