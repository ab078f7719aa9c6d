"""Quantified targets other than the literacy share, with the last published value."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from evaluation.data.rules import GAIN, RATE
from evaluation.observations import has_caveat

# Which published figure tells how far a target has come, where its name differs from the target's.
KNOWN_BY = {
    "county_science_museum_coverage_target": "science_museums_banner_level_and_above",
    "kepu_bases_target": "kepu_education_bases_total",
    "kepu_base_visits_per_year_target": "kepu_venue_visits",
}


@dataclass(frozen=True)
class Tracked:
    """One target and what is known of it.

    ``status``: ``reached``, ``short`` (a usable value of the due year or later is below), ``below``
    (the last value is below, the due year is still to come or not covered), ``flagged`` (the last
    value may not be judged by), ``unknown`` (no value is published). ``last`` is the row of the
    last value, if there is one.
    """

    target: pd.Series
    status: str
    last: pd.Series | None = None


def track(facts: pd.DataFrame, region: str) -> list[Tracked]:
    """Every quantified target of a region that is not a literacy rate, by due year.

    Parameters
    ----------
    facts : the table of facts. region : code.
    """
    own = facts[facts["region_code"] == region]
    goals = own[(own["kind"] == "target") & ~own["indicator"].isin((RATE, GAIN))]
    goals = goals.sort_values(["period_end", "fact_id"])
    return [_tracked(goal, own) for _, goal in goals.iterrows()]


def _tracked(goal: pd.Series, own: pd.DataFrame) -> Tracked:
    name = KNOWN_BY.get(goal["indicator"], goal["indicator"])
    known = own[(own["indicator"] == name) & (own["kind"] == "statistic")]
    known = known[known["unit"].isin({goal["unit"], *_alike(goal["unit"])})]
    if known.empty:
        return Tracked(goal, "unknown")
    last = known.sort_values(["period_end", "fact_id"]).iloc[-1]
    if bool(has_caveat(known.loc[[last.name]]).iloc[0]):
        return Tracked(goal, "flagged", last)
    if last["value"] >= goal["value"]:
        return Tracked(goal, "reached", last)
    due = str(last["period_end"])[:4] >= str(goal["period_end"])[:4]
    return Tracked(goal, "short" if due else "below", last)


def _alike(unit: str) -> set[str]:
    """The unit of a yearly count printed for one year: visits and visits a year."""
    return {unit.removesuffix("_per_year")}
