"""Which facts may be used, which series they belong to, what counts as funds."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import pandas as pd

from evaluation.data.package import Dataset
from evaluation.data.rules import BARRED, RATE, flagged

# ------------------------------------------------------------------------------------------
# Indicators of money and of the people it is spent for.


PEOPLE = "population_resident"
INDEX = "consumer_price_index"
# Indicator -> (item, lever the money is spent on; empty where the source does not say).
# An item of the regional statistics is the same item of the national ones.
ITEMS = {
    "funds_raised": ("raised", ""),
    "kepu_fund_raised": ("raised", ""),
    "funds_government": ("government", ""),
    "kepu_fund_government": ("government", ""),
    "funds_special_government": ("earmarked", ""),
    "kepu_fund_earmarked": ("earmarked", ""),
    "funds_used": ("used", ""),
    "special_fund_provincial_level": ("earmarked_provincial", ""),
    "spend_venue_construction": ("venues", "facility"),
    "spend_exhibits_facilities": ("exhibits", "facility"),
    "free_entry_museum_central_subsidy": ("free_opening", "facility"),
    "central_fund_free_museum_opening": ("free_opening_obtained", "facility"),
    "kepu_plus_pilot_fund": ("pilots", "facility"),
    "spend_activities": ("activities", "activity"),
}


# ------------------------------------------------------------------------------------------
# Choose the facts that may enter an estimate: pure selections on the tables of a data package.


SAMPLE = "survey_sample_valid"
COVARIATES = {
    "log2_gdp_per_capita": "gdp_per_capita_derived",
    "college_share": "college_share_6plus",
    "urban_share": "urbanisation_rate",
}


def has_caveat(facts: pd.DataFrame) -> pd.Series:
    """True where a fact carries a caveat that bars it from the estimates."""
    return flagged(facts, *BARRED)


def grade_of(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Best grade (A before B before C) among the sources of each fact."""
    grades = dict(zip(sources["source_id"], sources["grade"], strict=True))
    return facts["source_id"].map(lambda ids: min(grades[i] for i in ids.split(";")))


def usable(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Unflagged facts, one row a (region, series, period, group, kind).

    Where several sources print the same value, the best-graded and best-corroborated row stands
    for all; ``also_printed_by`` lists the others. Returns the columns of ``facts`` and ``grade``.
    """
    kept = facts[~has_caveat(facts)].copy()
    kept["grade"] = grade_of(kept, sources)
    keys = ["region_code", "series", "period_start", "period_end", "group", "kind"]
    kept = kept.sort_values(
        ["grade", "corroborated", "fact_id"], ascending=[True, False, True], kind="stable"
    )
    again = kept.duplicated(keys)
    first = kept[~again]
    if not again.any():
        return first.assign(also_printed_by="").sort_values("fact_id", ignore_index=True)
    # Few facts have a second source: only those are grouped.
    others = kept[again].groupby(keys, as_index=False)["fact_id"].agg(";".join)
    others = others.rename(columns={"fact_id": "also_printed_by"})
    found = first.merge(others, on=keys, how="left").fillna({"also_printed_by": ""})
    return found.sort_values("fact_id", ignore_index=True)


def surveyed_rates(facts: pd.DataFrame, sources: pd.DataFrame, flagged: bool = False):
    """Survey rates of whole regions, in percent; ``flagged=True`` returns the barred ones instead.

    Returns the columns of ``facts``; unflagged rows also carry ``grade`` and ``also_printed_by``.
    """
    rates = facts[
        (facts["indicator"] == RATE) & (facts["kind"] == "survey") & (facts["group"] == "")
    ]
    return rates[has_caveat(rates)] if flagged else usable(rates, sources)


def targets(facts: pd.DataFrame, sources: pd.DataFrame, contradictions: pd.DataFrame):
    """Literacy targets, one row a (region, year); a target raised later replaces the first.

    Returns columns ``region_code, year, value, comparator, fact_id, source_id, grade``.
    """
    rows = facts[(facts["indicator"] == RATE) & (facts["kind"] == "target")]
    # The contradictions table lists a raised target as "first;later".
    raised = contradictions.loc[contradictions["kind"] == "target_raised", "fact_ids"]
    replaced = {ids.split(";")[0] for ids in raised}
    rows = rows[~rows["fact_id"].isin(replaced)].assign(grade=lambda x: grade_of(x, sources))
    rows = rows.sort_values(["grade", "fact_id"]).drop_duplicates(["region_code", "year"])
    columns = ["region_code", "year", "value", "comparator", "fact_id", "source_id", "grade"]
    return rows[columns].sort_values(["region_code", "year"], ignore_index=True)


def by_year(dataset: Dataset, indicator: str) -> pd.DataFrame:
    """One indicator as ``region_code, year, value, series, fact_id``, unflagged facts only.

    A first print gives way to the revised statistic, which carries the plain series name.
    """
    if dataset not in _statistics:
        rows = _statistic_facts(dataset.facts, dataset.sources)
        _statistics[dataset] = rows, rows.groupby("indicator").indices
    rows, places = _statistics[dataset]
    columns = ["region_code", "year", "value", "series", "fact_id"]
    return rows.take(places.get(indicator, []))[columns].reset_index(drop=True)


# A report asks for the same few indicators again and again; sorting them out is most of its work.
_statistics: WeakKeyDictionary[Dataset, tuple[pd.DataFrame, dict]] = WeakKeyDictionary()


def _statistic_facts(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """One unflagged statistic of the whole region for each indicator, region and year."""
    rows = facts[(facts["group"] == "") & (facts["kind"] == "statistic") & facts["year"].notna()]
    rows = usable(rows, sources)
    rows = rows.assign(plain=rows["series"] != rows["indicator"])
    rows = rows.sort_values(["plain", "fact_id"])
    rows = rows.drop_duplicates(["indicator", "region_code", "year"])
    return rows.sort_values(["region_code", "year"], ignore_index=True)
