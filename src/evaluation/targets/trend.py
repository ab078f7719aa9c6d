"""Trends of rates on the logit scale and their kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from evaluation.base.errors import KepuError, ModelError
from evaluation.stats.reml import Reml, reml

# Covariances of the parts of a trend between two sets of observations.
ORIGIN = 2015  # year in which slopes turn and distances are counted as 1
DECADE = 10.0


class Points(NamedTuple):
    """Where a trend is observed or asked for: region, year, and whether it deviates on its own."""

    region: np.ndarray
    year: np.ndarray
    own: np.ndarray


def _decades(a: Points, start: float = ORIGIN) -> np.ndarray:
    return (a.year - start) / DECADE


def covariance(
    name: str, a: Points, b: Points, start: float, life: float, breaks: Sequence[int]
) -> np.ndarray:
    """Covariance (n, m) of one component at unit variance.

    ``level``, ``slope``, ``walk`` : a region's own level, slope and random walk. ``distance`` : its
    distance from the common path, falling by a factor e in ``life`` years. ``step`` : its own jump
    at each change of instrument. ``wave`` : a shock of one year common to all. ``shift`` : a jump
    common to all at each change of instrument. ``common_walk``, ``common_slope`` : random walk of
    the common path, and of its slope (a cubic smoothing spline). Walks run from ``start``.
    """
    u, w = _decades(a, start)[:, None], _decades(b, start)[None, :]
    same = (a.region[:, None] == b.region[None, :]) & a.own[:, None] & b.own[None, :]
    low, high = np.minimum(u, w), np.maximum(u, w)
    made = {
        "level": lambda: same.astype(float),
        "slope": lambda: same * np.outer(_decades(a), _decades(b)),
        "distance": lambda: same * np.outer(*(np.exp(-(p.year - ORIGIN) / life) for p in (a, b))),
        "walk": lambda: same * low,
        "step": lambda: same * _jumps(a, b, breaks),
        "wave": lambda: (u == w).astype(float),
        "shift": lambda: _jumps(a, b, breaks),
        "common_walk": lambda: low,
        "common_slope": lambda: low**2 * (3 * high - low) / 6,
    }
    return made[name]()


def _jumps(a: Points, b: Points, breaks: Sequence[int]) -> np.ndarray:
    """How many changes of instrument lie behind both points."""
    return sum(np.outer(a.year >= year, b.year >= year).astype(float) for year in breaks)


def fixed(a: Points) -> np.ndarray:
    """Columns of the mean: intercept, decades, and the whole's distance from its parts' mean."""
    return np.column_stack([np.ones(len(a.year)), _decades(a), (~a.own).astype(float)])


# Partially pooled trends on the logit scale: fitted by REML, continued as Gaussian paths.
# The declared trends. Each also has the jumps at changes of instrument that its waves span.
CANDIDATES: dict[str, tuple[str, ...]] = {
    # Random walk with one drift for all.
    "drift": ("level", "walk", "common_walk", "wave"),
    # Local linear common path; each region's slope pooled towards it.
    "slopes": ("level", "slope", "walk", "common_slope", "wave"),
    # Local linear common path; each region's distance from it shrinks at one pace.
    "converging": ("distance", "walk", "common_slope", "wave"),
}
JUMPS = ("shift", "step")
LIVES = (15.0, 20.0, 25.0, 30.0, 40.0, 60.0)
MINIMUM_WAVES, MINIMUM_REGIONS = 3, 5


@dataclass(frozen=True, eq=False)
class Trend:
    """A fitted trend.

    Attributes
    ----------
    name : of the candidate. variances : by component, logits², walks per decade. life : years in
        which a distance falls by a factor e (``converging`` only). fit : the REML fit.
    points, y, known : the series. start, breaks : first year; years of new instruments.
    """

    name: str
    variances: dict[str, float]
    life: float
    fit: Reml
    points: Points
    y: np.ndarray
    known: np.ndarray
    start: float
    breaks: tuple[int, ...]

    def _sum(self, a: Points, b: Points) -> np.ndarray:
        return sum(
            theta * covariance(name, a, b, self.start, self.life, self.breaks)
            for name, theta in self.variances.items()
        )

    def given(self, rows: pd.DataFrame) -> Trend:
        """The same trend with further rows (of a region outside the panel), not fitted again."""
        more = points_of(rows)
        points = Points(*(np.concatenate(pair) for pair in zip(self.points, more, strict=True)))
        y, known = np.append(self.y, rows["y"]), np.append(self.known, rows["v"])
        X, V = fixed(points), self._sum(points, points) + np.diag(known)
        L = np.linalg.cholesky(V)
        Xw, yw = np.linalg.solve(L, X), np.linalg.solve(L, y)
        spread = np.linalg.inv(Xw.T @ Xw)
        fit = replace(self.fit, coefficients=spread @ Xw.T @ yw, covariance=spread, factor=L)
        return replace(self, fit=fit, points=points, y=y, known=known)

    def predict(self, at: Points) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n,) and covariance (n, n) of the logit shares at points.

        The best linear unbiased prediction and its error, coefficients estimated; the variances
        and the pace of convergence are taken as known.
        """
        X, b = fixed(self.points), self.fit.coefficients
        K = self._sum(at, self.points)
        white = self.fit.whiten(np.column_stack([K.T, X, self.y]))
        n = len(at.year)
        Kw, Xw, yw = white[:, :n], white[:, n:-1], white[:, -1]
        rest = fixed(at) - Kw.T @ Xw
        mean = fixed(at) @ b + Kw.T @ (yw - Xw @ b)
        return mean, self._sum(at, at) - Kw.T @ Kw + rest @ self.fit.covariance @ rest.T


def points_of(series: pd.DataFrame) -> Points:
    """Regions and years of the rows of a series."""
    regions, years = series["region_code"].to_numpy(str), series["wave"].to_numpy(float)
    return Points(regions, years, series["own"].to_numpy(bool))


def _checked(series: pd.DataFrame) -> None:
    waves, regions = series["wave"].nunique(), series.loc[series["own"], "region_code"].nunique()
    if waves < MINIMUM_WAVES or regions < MINIMUM_REGIONS:
        raise ModelError(
            f"A pooled trend needs {MINIMUM_WAVES} waves and {MINIMUM_REGIONS} regions with a "
            f"sampling error; there are {waves} and {regions}."
        )
    if series["own"].all():
        raise ModelError("A pooled trend needs the rates of the whole its regions are parts of.")
    if (series[series["own"]].groupby("region_code")["wave"].nunique() > 1).sum() < 2:
        raise ModelError("A pooled trend needs two regions seen in more than one wave.")


def fit_trend(series: pd.DataFrame, name: str, breaks: Sequence[int] = ()) -> Trend:
    """Fit one candidate by REML.

    Parameters
    ----------
    series : as from :func:`evaluation.targets.trend.logit_rates`. name : of ``CANDIDATES``.
    breaks : years of a new instrument, used by the components ``step`` and ``shift``.

    Raises
    ------
    ModelError : an unknown candidate, too few waves or regions, or parts the waves cannot tell
        apart.
    """
    if name not in CANDIDATES:
        raise ModelError(f"Unknown trend '{name}'; known: {', '.join(CANDIDATES)}.")
    _checked(series)
    points = points_of(series)
    start = points.year.min()
    seen = tuple(year for year in breaks if start < year <= points.year.max())
    names = CANDIDATES[name] + (JUMPS if seen else ())
    y, known = series["y"].to_numpy(), series["v"].to_numpy()
    best: Trend | None = None
    starts: list = [0.1]
    for life in LIVES if "distance" in names else LIVES[:1]:
        parts = {part: covariance(part, points, points, start, life, seen) for part in names}
        try:
            fit = reml(y, fixed(points), known, parts, tested=False, starts=starts, tolerance=1e-5)
        except np.linalg.LinAlgError as error:
            raise ModelError(
                f"The waves from {start:.0f} to {points.year.max():.0f} cannot tell the parts of "
                f"the trend '{name}' apart; it needs more waves."
            ) from error
        if best is not None and fit.loglike < best.fit.loglike:
            break
        best = Trend(name, fit.variances, life, fit, points, y, known, start, seen)
        # The optimum moves little from one pace to the next: climb on from a little above it.
        starts = [np.array(list(fit.variances.values())) / np.var(y) + 1e-3]
    return best


# Published rates on the logit scale with their sampling variances.
COLUMNS = ("region_code", "wave", "rate", "variance")


def logit_rates(rates: pd.DataFrame, waves: pd.DataFrame, common: frozenset[str]) -> pd.DataFrame:
    """Empirical logits of rates whose sampling error is known.

    With m = p(1 - p)/v the effective sample, the logit is log((mp + ½)/(m(1 - p) + ½)) and its
    variance 1/(mp + ½) + 1/(m(1 - p) + ½): finite and nearly unbiased where a sample held only
    one or two literate respondents. A wave whose frame was the nation as one unit is left out: its
    sample was not drawn to speak of the regions that the trend is pooled over.

    Parameters
    ----------
    rates : ``region_code, wave, rate`` (percent) and ``variance`` (squared percentage points).
    waves : ``wave, frame``. common : codes of the whole of which the regions are parts (the
        nation): they follow the common path without a deviation of their own.

    Returns
    -------
    DataFrame ``region_code, wave, rate, y, v, own``; ``own`` is False for codes in ``common``.

    Raises
    ------
    KepuError : a column is missing, or a rate is outside 0 to 100.

    Source
    ------
    Gart & Zweifel (1967), Biometrika 54:181-187.
    """
    lacking = [name for name in COLUMNS if name not in rates]
    if lacking:
        raise KepuError(f"The rates lack {', '.join(lacking)}; panel.rates gives all columns.")
    whole = set(waves.loc[waves["frame"] == "nation", "wave"])
    kept = rates[(rates["variance"] > 0) & ~rates["wave"].isin(whole)]
    p = kept["rate"].to_numpy(dtype=float) / 100
    if not ((p > 0) & (p < 1)).all():
        raise KepuError("Rates on the logit scale must lie strictly between 0 and 100.")
    m = p * (1 - p) / (kept["variance"].to_numpy(dtype=float) / 1e4)
    with_, without = m * p + 0.5, m * (1 - p) + 0.5
    frame = kept[["region_code", "wave", "rate"]].assign(
        y=np.log(with_ / without),
        v=1 / with_ + 1 / without,
        own=~kept["region_code"].isin(common),
    )
    return frame.sort_values(["region_code", "wave"], ignore_index=True)


def percent(y: np.ndarray) -> np.ndarray:
    """Logits back to percent."""
    return 100 * expit(y)


def to_logit(rate: np.ndarray | float) -> np.ndarray:
    """Percent to logits."""
    return logit(np.asarray(rate, dtype=float) / 100)
