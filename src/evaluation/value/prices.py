"""Prices of one year: the national consumer price index as deflator."""

from __future__ import annotations

import pandas as pd

from evaluation.data import Dataset
from evaluation.errors import ModelError
from evaluation.funds import INDEX
from evaluation.observations import by_year


def price_level(dataset: Dataset) -> pd.Series:
    """Price level by year, the last year with a published index set to 1.

    The facts hold the index of each year with the year before at 100; the level is their chain.

    Raises
    ------
    ModelError : no index published, or a gap in its years.
    """
    table = by_year(dataset, INDEX).drop_duplicates("year")
    if table.empty:
        raise ModelError(f"No '{INDEX}' among the facts; constant prices need a deflator.")
    years = table["year"].astype(int)
    if (years.diff().dropna() != 1).any():
        raise ModelError(f"'{INDEX}' has a gap in its years: a chain cannot cross it.")
    level = pd.Series((table["value"] / 100).cumprod().to_numpy(), index=years.to_numpy())
    # The level of the year before the first index is the base of the chain.
    level.loc[int(years.iloc[0]) - 1] = 1.0
    return (level / level.loc[int(years.iloc[-1])]).sort_index()


def mean_level(level: pd.Series, start: int, end: int) -> float:
    """Mean price level of the years ``start`` to ``end``; missing where one has no index."""
    years = range(start, end + 1)
    return float(level.reindex(years).mean(skipna=False))
