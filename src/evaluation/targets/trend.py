"""Partially pooled trends on the logit scale: fitted by REML, continued as Gaussian paths.

y_it = common path(t) + own deviation_i(t) + shock_t + e_it with known Var(e_it). The share cannot
leave 0 to 100 because the trend runs on the logit scale; regions borrow from each other through the
common path and through the variance of their deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.stats.reml import Reml, reml
from evaluation.targets.kernels import Points, covariance, fixed

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
    series : as from :func:`evaluation.targets.series.logit_rates`. name : of ``CANDIDATES``.
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
