"""What was spent: published funds by region and year, per head, in prices of one year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.data import Dataset
from evaluation.errors import ModelError
from evaluation.funds import ITEMS, PEOPLE
from evaluation.observations import by_year, usable
from evaluation.value.declared import declared
from evaluation.value.prices import mean_level, price_level

NATION = "100000"
COLUMNS = [
    "region_code", "start", "end", "years", "item", "lever", "yuan", "a_year", "real",
    "per_head", "fact_id", "source_id",
]  # fmt: skip


def _months(text: str, last: bool) -> float:
    """A year or year and month as a decimal year: its beginning, or its end with ``last``."""
    year, _, month = text.partition("-")
    if not month:
        return float(year) + last
    return float(year) + (float(month[:2]) - 1 + last) / 12


def _windows(rows: pd.DataFrame) -> pd.DataFrame:
    """First and last year and length in years; a period without a beginning has no length."""
    known = (rows["period_start"] != "") & (rows["period_end"] != "")
    start = rows["period_start"].where(known, rows["period_end"])
    years = [
        _months(b, True) - _months(a, False) if yes else np.nan
        for a, b, yes in zip(start, rows["period_end"], known, strict=True)
    ]
    return rows.assign(
        start=start.str[:4].astype(int), end=rows["period_end"].str[:4].astype(int), years=years
    )


def population(dataset: Dataset) -> pd.Series:
    """Residents by region and year, persons; the nation's as the sum of its provinces'."""
    table = by_year(dataset, PEOPLE)
    units = dataset.units.set_index("unit")["factor"]
    factor = units[dataset.indicators.set_index("indicator").at["population_resident", "unit"]]
    keys = [table["region_code"], table["year"].astype(int)]
    people = pd.Series(table["value"].to_numpy() * factor, index=pd.MultiIndex.from_arrays(keys))
    provinces = dataset.regions.loc[dataset.regions["level"] == "province", "code"]
    own = people[people.index.get_level_values(0).isin(provinces)]
    complete = own.groupby(level=1).filter(lambda part: len(part) == len(provinces))
    nation = complete.groupby(level=1).sum()
    nation.index = pd.MultiIndex.from_product([[NATION], nation.index])
    return people.combine_first(nation)


def latest(people: pd.Series, region: str) -> tuple[int, float]:
    """Year and number of residents last published for a region.

    Raises
    ------
    ModelError : none is published.
    """
    if region not in people.index.get_level_values(0):
        raise ModelError(f"No population of {region} is published; no cost per head can be given.")
    own = people.xs(region).sort_index()
    return int(own.index[-1]), float(own.iloc[-1])


def funds(dataset: Dataset) -> pd.DataFrame:
    """Published science popularisation funds, one row a figure.

    Returns
    -------
    DataFrame with ``region_code, start, end`` (years), ``years`` (length of the period, missing
    where its beginning is not stated), ``item, lever``, ``yuan`` (as published), ``a_year`` (yuan a
    year, prices of the time), ``real`` (yuan a year in prices of the last year of the deflator),
    ``per_head`` (the same per resident, missing without population), ``fact_id, source_id``.

    Notes
    -----
    A figure for several years is spread evenly over them. Where one item is printed by two
    indicators with the same value, the first in the order of ``ITEMS`` stands for both.
    """
    rows = usable(dataset.facts[dataset.facts["indicator"].isin(ITEMS)], dataset.sources)
    rows = rows[(rows["kind"] == "statistic") & (rows["period_end"] != "")]
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = _windows(rows)
    factor = rows["unit"].map(dataset.units.set_index("unit")["factor"])
    order = {name: place for place, name in enumerate(ITEMS)}
    named = rows["indicator"].map(ITEMS)
    rows = rows.assign(
        item=named.str[0], lever=named.str[1], yuan=rows["value"] * factor,
        order=rows["indicator"].map(order),
    )  # fmt: skip
    rows = rows.sort_values("order").drop_duplicates(["region_code", "start", "end", "item"])
    rows = rows.assign(a_year=rows["yuan"] / rows["years"])
    level, people = price_level(dataset), population(dataset)
    prices = [mean_level(level, a, b) for a, b in zip(rows["start"], rows["end"], strict=True)]
    keys = pd.MultiIndex.from_frame(rows[["region_code", "end"]])
    rows = rows.assign(real=rows["a_year"] / prices)
    rows["per_head"] = rows["real"] / people.reindex(keys).to_numpy()
    return rows.sort_values(["region_code", "order", "end"])[COLUMNS].reset_index(drop=True)


def lever_shares(table: pd.DataFrame) -> tuple[int, pd.Series]:
    """Year and shares of the national funds by lever, from the last year that prints every part.

    Venues and exhibits are facilities. What is left after facilities and activities goes to
    ``personnel``: staff and administration, which no source prints apart. That is an attribution
    by difference, and every page says so.

    Raises
    ------
    ModelError : no year prints the total, venues, exhibits and activities.
    """
    wanted = ["raised", "venues", "exhibits", "activities"]
    nation = table[(table["region_code"] == NATION) & table["item"].isin(wanted)]
    wide = nation.pivot_table(index="end", columns="item", values="yuan").reindex(columns=wanted)
    wide = wide.dropna()
    if wide.empty:
        raise ModelError("No year prints national funds with their parts; none can be attributed.")
    year, row = int(wide.index[-1]), wide.iloc[-1]
    facility = (row["venues"] + row["exhibits"]) / row["raised"]
    activity = row["activities"] / row["raised"]
    shares = {"facility": facility, "personnel": 1 - facility - activity, "activity": activity}
    return year, pd.Series(shares)


def programme(dataset: Dataset, table: pd.DataFrame, region: str) -> dict[str, float]:
    """Yearly programme funds per resident of a region in constant prices, with a declared range.

    Returns
    -------
    dict with ``per_head, low, high`` (yuan), ``ratio`` (region over nation), ``year`` (of the
    national figure), ``own_year`` (of the region's figure, 0 where it has none).
    """
    nation = table[(table["region_code"] == NATION) & (table["item"] == "raised")]
    nation = nation.set_index("end")["per_head"].dropna()
    if nation.empty:
        raise ModelError("National science popularisation funds are not among the facts.")
    own = table[(table["region_code"] == region) & (table["item"] == "raised")]
    own = own[own["per_head"].notna() & own["end"].isin(nation.index)]
    base = float(nation.iloc[-1])
    ratio, year, spread = 1.0, 0, declared(dataset, "programme_spread")
    if not own.empty:
        last = own.iloc[-1]
        ratio, year = float(last["per_head"] / nation[last["end"]]), int(last["end"])
        spread = declared(dataset, "own_spread")
    middle = base * ratio
    return {
        "per_head": middle, "low": middle / spread, "high": middle * spread, "ratio": ratio,
        "year": float(nation.index[-1]), "own_year": float(year),
    }  # fmt: skip
