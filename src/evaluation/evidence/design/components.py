"""How much units differ and how much of it lasts, estimated from the rates of a data package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.data.package import MIN_REGIONS, Dataset
from evaluation.evidence.design.power import Variance, require
from evaluation.survey import panel

# Values of the standard deviation between units, up to so many times that of the rates, and of the
# autocorrelation, at which the likelihood is worked out.
DEVIATIONS, REACH, CORRELATIONS = 60, 2.5, 101
DRAWS = 100
# The part of the draws that an interval of power or of a component covers.
COVERED = 0.9


@dataclass(frozen=True)
class Components:
    """Intracluster correlation and cluster autocorrelation with their uncertainty.

    Attributes
    ----------
    icc : share of p(1 - p) that lies between units. autocorrelation : share of it that lasts.
    draws : (D, 2) likely pairs of the two. rate : mean rate, in percent.
    level : of the regions they were estimated from, empty where they were declared.
    regions, rates : numbers behind them.
    """

    icc: float
    autocorrelation: float
    draws: tuple[tuple[float, float], ...]
    rate: float
    level: str = ""
    regions: int = 0
    rates: int = 0

    def interval(self, which: int) -> tuple[float, float]:
        """Ends that hold nine tenths of the draws of ``icc`` (0) or ``autocorrelation`` (1)."""
        values = [pair[which] for pair in self.draws]
        low, high = np.quantile(values, [(1 - COVERED) / 2, (1 + COVERED) / 2])
        return float(low), float(high)

    def variance(self, rate: float, design_effect: float, which: int | None = None) -> Variance:
        """Components of a rate in percent; ``which`` takes a draw in place of the estimate."""
        icc, kept = (self.icc, self.autocorrelation) if which is None else self.draws[which]
        return Variance.of_rate(rate, icc, kept, design_effect)


def declared(
    rate: float,
    icc: tuple[float, float, float],
    autocorrelation: tuple[float, float, float],
    seed: int,
    draws: int = DRAWS,
) -> Components:
    """Components that somebody states: of each the value and the ends it is believed to lie in.

    Between the ends every value is taken to be as likely as another.

    Raises
    ------
    KepuError : ends that do not hold the value, or values outside 0 to 1.
    """
    rng, columns = np.random.default_rng(seed), []
    for name, (value, low, high) in (("icc", icc), ("autocorrelation", autocorrelation)):
        told = f"'{name}' is {value:g} in {low:g} to {high:g}; state ends around it within 0 to 1."
        require(0 <= low <= value <= high <= 1, told)
        columns.append(rng.uniform(low, high, draws))
    Variance.of_rate(rate, icc[0], autocorrelation[0])
    pairs = tuple(map(tuple, np.column_stack(columns).tolist()))
    return Components(icc[0], autocorrelation[0], pairs, rate)


def level_with_rates(dataset: Dataset, wanted: str) -> str:
    """The level asked for where enough of its regions were surveyed twice, else the one compared.

    Raises
    ------
    KepuError : neither has enough.
    """
    table = _usable(dataset)
    twice = table.groupby(["kind", "region_code"]).size().ge(2).groupby("kind").sum()
    for level in (wanted, dataset.unit_level):
        if twice.get(level, 0) >= MIN_REGIONS:
            return level
    raise KepuError(
        f"No level has {MIN_REGIONS} regions with two surveyed rates and their sampling error: "
        "the variance between units cannot be estimated. Declare icc and autocorrelation."
    )


def _usable(dataset: Dataset) -> pd.DataFrame:
    table = panel.rates(dataset)
    table = table[table["variance"].notna()]
    return table.assign(kind=table["region_code"].map(dataset.kinds))


def estimated(dataset: Dataset, level: str, seed: int, draws: int = DRAWS) -> Components:
    """Components from all surveyed rates of a level, waves taken out, sampling error known.

    Restricted likelihood on a grid of the standard deviation between units and of the
    autocorrelation, each value of both as likely as another beforehand; the estimate is where the
    likelihood is highest, the draws are pairs in proportion to it.

    Raises
    ------
    KepuError : fewer than ``MIN_REGIONS`` regions, or no region with two rates.
    """
    table = _usable(dataset)
    table = table[table["kind"] == level]
    regions = table["region_code"].nunique()
    told = f"{regions} regions of level '{level}' have rates; {MIN_REGIONS} are needed."
    require(regions >= MIN_REGIONS, told)
    told = f"No region of level '{level}' has two rates: nothing tells how much of a level lasts."
    require(table["region_code"].duplicated().any(), told)
    columns = (table[name] for name in ("rate", "variance", "region_code", "wave"))
    deviations, correlations, fit = _likelihood(*(tuple(column) for column in columns))
    rate = float(table["rate"].mean())
    total = rate * (100 - rate)
    grid = np.stack(np.broadcast_arrays(deviations[:, None] ** 2 / total, correlations), axis=-1)
    grid, weights = grid.reshape(-1, 2), np.exp(fit - fit.max()).ravel()
    taken = np.random.default_rng(seed).choice(len(grid), draws, p=weights / weights.sum())
    best = grid[weights.argmax()]
    pairs = tuple(map(tuple, grid[taken].tolist()))
    return Components(float(best[0]), float(best[1]), pairs, rate, level, regions, len(table))


@lru_cache(maxsize=4)
def _likelihood(*columns: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See :func:`likelihood`; all regions of a package ask for that of a level or two."""
    return likelihood(*map(np.array, columns))


def likelihood(
    y: np.ndarray, known: np.ndarray, regions: np.ndarray, waves: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Restricted log-likelihood of rates over a grid of two components, up to a constant.

    Parameters
    ----------
    y, known : (N,) rates and their sampling variances. regions, waves : (N,) labels.

    Returns
    -------
    deviations (G,) between units, in the unit of y; correlations (H,); log-likelihood (G, H).
    """
    deviations = np.linspace(0, REACH * y.std(), DEVIATIONS)
    correlations = np.linspace(0, 1, CORRELATIONS)
    tau2 = np.repeat(deviations**2, CORRELATIONS)[:, None, None]
    kept = np.tile(correlations, DEVIATIONS)[:, None, None]
    columns = (waves[:, None] == np.unique(waves)).astype(float)
    inner = squares = logs = 0.0
    for region in np.unique(regions):
        own = np.flatnonzero(regions == region)
        eye = np.eye(len(own))
        v = tau2 * (kept + (1 - kept) * eye) + known[own] * eye
        inverse = np.linalg.inv(v)
        both = np.column_stack([columns[own], y[own]])
        inner = inner + both.T @ inverse @ both
        logs = logs + np.linalg.slogdet(v)[1]
    information, cross, squares = inner[:, :-1, :-1], inner[:, :-1, -1], inner[:, -1, -1]
    explained = (cross * np.linalg.solve(information, cross[..., None])[..., 0]).sum(axis=1)
    value = -0.5 * (logs + np.linalg.slogdet(information)[1] + squares - explained)
    return deviations, correlations, value.reshape(DEVIATIONS, CORRELATIONS)
