"""How unequal regions are, within groups and between them, and whether they draw together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import linregress
from scipy.stats import t as student

from evaluation.base.errors import KepuError
from evaluation.data.package import Dataset
from evaluation.targets.index import histories


def gini(x: Sequence[float]) -> float:
    """Mean absolute difference of all pairs over twice the mean; 0 equal.

    Raises
    ------
    KepuError : fewer than two values, a negative or missing one, or none above 0.
    """
    values = np.asarray(x, dtype=float)
    if values.size < 2 or not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
        raise KepuError("A Gini coefficient needs two or more figures of 0 or more, not all 0.")
    return float(_apart(values, values) / (2 * values.mean()))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a[:, None] - b[None, :]).mean())


@dataclass(frozen=True)
class Dagum:
    """A Gini coefficient in parts that add up to it: ``within`` groups, ``between`` them net of
    overlap, and the intensity of ``overlap`` (transvariation)."""

    total: float
    within: float
    between: float
    overlap: float


def dagum(x: Sequence[float], groups: Sequence[str]) -> Dagum:
    """Decompose the Gini coefficient of ``x`` by groups.

    Raises
    ------
    KepuError : see :func:`gini`; values and groups of different length.

    Source
    ------
    Dagum (1997), Empirical Economics 22:515-531.
    """
    values, names = np.asarray(x, dtype=float), np.asarray(groups)
    if values.shape != names.shape:
        raise KepuError("Each figure needs one group — give as many groups as figures.")
    total = gini(values)
    parts = sorted((values[names == g] for g in np.unique(names)), key=lambda a: a.mean())
    n, mean = values.size, values.mean()
    within = between = overlap = 0.0
    for i, high in enumerate(parts):
        within += len(high) ** 2 / n**2 * _apart(high, high) / (2 * mean)
        for low in parts[:i]:
            gaps = high[:, None] - low[None, :]
            more, less = np.maximum(gaps, 0).mean(), np.maximum(-gaps, 0).mean()
            share = len(high) * len(low) / n**2 / mean
            between += share * (more - less)
            overlap += share * 2 * less
    return Dagum(total, within, between, overlap)


@dataclass(frozen=True, eq=False)
class Convergence:
    """Whether regions draw together.

    Attributes
    ----------
    sigma : ``year, cv``: the coefficient of variation of the regions in each year.
    beta, se, p : slope of the yearly log growth on the log of the first figure, its standard error
        and two-sided p-value; below 0 those behind grow faster. Errors of the first figure push it
        down, so it is no proof.
    regions, years : numbers used.
    """

    sigma: pd.DataFrame
    beta: float
    se: float
    p: float
    regions: int
    years: int


def convergence(wide: pd.DataFrame) -> Convergence:
    """Sigma and absolute beta convergence of regions by years, all above 0.

    Raises
    ------
    KepuError : fewer than 3 regions or 2 years, or a figure that is missing or not above 0.

    Source
    ------
    Barro & Sala-i-Martin (1992), Journal of Political Economy 100:223-251.
    """
    table = wide.sort_index(axis=1)
    if len(table) < 3 or table.shape[1] < 2 or not (table > 0).all().all():
        raise KepuError("Convergence needs 3 regions and 2 years with figures above 0.")
    first, last = table.iloc[:, 0], table.iloc[:, -1]
    years = int(table.columns[-1]) - int(table.columns[0])
    fit = linregress(np.log(first), np.log(last / first) / years)
    sigma = (table.std(ddof=1) / table.mean()).rename("cv").rename_axis("year").reset_index()
    return Convergence(sigma, fit.slope, fit.stderr, max(fit.pvalue, 1e-300), len(table), years)


def apart(dataset: Dataset, index: str, regions: Sequence[str], year: int) -> pd.DataFrame:
    """How far regions are apart in each indicator of an index, and whether they drew together.

    Returns
    -------
    DataFrame, an indicator a row: ``indicator, regions, gini, within, between, overlap`` of
    ``year`` by the bands of regions, of those with a figure; ``first, last``, the years of the
    longest span whose ends every region has, ``cv_first, cv_last`` and ``beta, low, high``: the
    slope of :class:`Convergence` in percent a year, with its 95 % interval. Where there is no such
    span these are missing.

    Raises
    ------
    KepuError : no such index, or figures of which there is no Gini coefficient.
    """
    bands, rows = dataset.regions.set_index("code")["band"], []
    for indicator, wide in histories(dataset, index, regions).items():
        x = wide.get(year, pd.Series(dtype=float)).dropna()
        made = dagum(x, bands.reindex(x.index).fillna(""))
        rows.append({
            "indicator": indicator, "regions": len(x), "gini": made.total, "within": made.within,
            "between": made.between, "overlap": made.overlap, **_span(wide),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _span(wide: pd.DataFrame) -> dict[str, float]:
    table = wide.sort_index(axis=1)
    table = table.loc[:, (table > 0).all()]
    if table.shape[1] < 2 or len(table) < 3:
        names = ("first", "last", "cv_first", "cv_last", "beta", "low", "high")
        return dict.fromkeys(names, float("nan"))
    told = convergence(table)
    half = student.ppf(0.975, told.regions - 2) * told.se
    cv, years = told.sigma["cv"], told.sigma["year"]
    return {
        "first": years.iloc[0], "last": years.iloc[-1], "cv_first": cv.iloc[0],
        "cv_last": cv.iloc[-1], "beta": 100 * told.beta, "low": 100 * (told.beta - half),
        "high": 100 * (told.beta + half),
    }  # fmt: skip
