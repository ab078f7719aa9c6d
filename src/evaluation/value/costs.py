"""Costs: programme funds in constant prices, declared costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.data.package import INDEX, ITEMS, PEOPLE, Dataset, by_year, stated, usable


# What the analysis of value takes as given: the declared assumptions and the rule to recommend.
def declared(dataset: Dataset, parameter: str) -> float:
    """The declared value of a parameter of ``assumptions.csv`` that holds for all levels.

    Raises
    ------
    ModelError : the package declares no such value.
    """
    value = stated(dataset, parameter)
    if value is None:
        raise ModelError(
            f"The package declares no '{parameter}'; add a row to assumptions.csv with its reason."
        )
    return value


def adult_years(dataset: Dataset) -> float:
    """Years of one literate adult that an additional one makes up, 1 or more.

    Counted over the declared horizon; each year the declared share of a gain is left of the last.

    Raises
    ------
    ModelError : the package declares no horizon or no durability.
    """
    horizon, left = (declared(dataset, f"gain_{name}") for name in ("horizon", "durability"))
    return float(((left / 100) ** np.arange(round(horizon))).sum())


@dataclass(frozen=True)
class Rule:
    """When a reallocation is recommended.

    Attributes
    ----------
    bound : largest change of an entry of the budget, a share of today's.
    probability : least probability that it beats today's allocation; 1 less this is also the
        level of the test that allows for the choice among allocations.
    locks : least strength of evidence, 0 to 5.
    """

    bound: float
    probability: float
    locks: int

    def failed(self, probability: float, p: float, locks: int, told_apart: bool) -> tuple[str, ...]:
        """What speaks against it, of ``probability, chance, locks, told_apart``.

        Parameters
        ----------
        probability : that it beats today's. p : of the test that allows for the choice. locks : of
            the evidence. told_apart : whether the data can tell the entries' effects apart.
        """
        held = {
            "probability": probability >= self.probability,
            "chance": p <= 1 - self.probability,
            "locks": locks >= self.locks,
            "told_apart": told_apart,
        }
        return tuple(name for name, holds in held.items() if not holds)


def rule(dataset: Dataset) -> Rule:
    """The rule the package declares."""
    return Rule(
        bound=declared(dataset, "reallocation_bound") / 100,
        probability=declared(dataset, "recommend_probability") / 100,
        locks=int(declared(dataset, "recommend_locks")),
    )


# Prices of one year: the national consumer price index as deflator.
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


# What was spent: published funds by region and year, per head, in prices of one year.


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
    """Residents by region and year, persons.

    A region without a figure of its own has the sum of its parts where ``regions.csv`` says how
    many there are and all of them have one.
    """
    table = by_year(dataset, PEOPLE)
    units = dataset.units.set_index("unit")["factor"]
    factor = units[dataset.indicators.set_index("indicator").at["population_resident", "unit"]]
    keys = [table["region_code"], table["year"].astype(int)]
    people = pd.Series(table["value"].to_numpy() * factor, index=pd.MultiIndex.from_arrays(keys))
    regions = dataset.regions
    for code, count in regions[["code", "parts"]].dropna().itertuples(index=False):
        inside = regions.loc[regions["parent_code"] == code, "code"]
        own = people[people.index.get_level_values(0).isin(inside)].groupby(level=1)
        total = own.sum()[own.size() == count]
        total.index = pd.MultiIndex.from_product([[code], total.index])
        people = people.combine_first(total)
    return people


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
    named = rows["indicator"].map(ITEMS)
    rows = rows.assign(
        item=named.str[0], lever=named.str[1], yuan=rows["value"] * factor,
        a_year=rows["value"] * factor / rows["years"],
        order=rows["indicator"].map(list(ITEMS).index),
    )  # fmt: skip
    rows = rows.sort_values("order").drop_duplicates(["region_code", "start", "end", "item"])
    level, people = price_level(dataset), population(dataset)
    # The mean price level of a period; missing where a year of it has no index.
    prices = [
        level.reindex(range(start, end + 1)).mean(skipna=False)
        for start, end in zip(rows["start"], rows["end"], strict=True)
    ]
    keys = pd.MultiIndex.from_frame(rows[["region_code", "end"]])
    rows = rows.assign(real=rows["a_year"] / prices)
    rows["per_head"] = rows["real"] / people.reindex(keys).to_numpy()
    return rows.sort_values(["region_code", "order", "end"])[COLUMNS].reset_index(drop=True)


def lever_shares(table: pd.DataFrame, whole: str) -> tuple[int, pd.Series]:
    """Year and shares of the national funds by lever, from the last year that prints every part.

    Venues and exhibits are facilities. What is left after facilities and activities goes to
    ``personnel``: staff and administration, which no source prints apart. That is an attribution
    by difference, and every page says so.

    Raises
    ------
    ModelError : no year prints the total, venues, exhibits and activities.
    """
    wanted = ["raised", "venues", "exhibits", "activities"]
    single = table[table["years"] == 1]
    nation = single[(single["region_code"] == whole) & single["item"].isin(wanted)]
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
    nation = table[(table["region_code"] == dataset.whole) & (table["item"] == "raised")]
    nation = nation.set_index("end")["per_head"].dropna()
    if nation.empty:
        raise ModelError(
            "No national science popularisation funds per resident: the facts lack the funds, "
            "the residents or a price index."
        )
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
