"""From declared events to panels: which regions a programme reached in which survey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from evaluation.data.package import Dataset

FIRST = "first"  # column of the panel: year of the start, 0 for regions never reached
# A survey that fewer of the regions took part in tells nothing of how they differ.
LEAST_SURVEYED = 0.5


@dataclass(frozen=True, eq=False)
class Rollout:
    """One declared programme with the rates of the regions it could have reached.

    Attributes
    ----------
    programme : its key. names : what it is called, by language.
    assignment : ``randomised``, ``phased_in`` or ``chosen``.
    level : of the regions. regions : those it reached or could have reached: the ones with a row
        where some row has no start, else all regions of the level.
    events : its rows of ``events.csv`` with ``year``, that of the start, 0 without one.
    panel : ``region_code, wave, rate, variance, first``, one row a region and survey, ``first``
        being 0 for regions that are never reached. Rates after a programme ended are left out.
    neighbours : ``region_code, neighbour_code``, each pair in both orders.
    breaks : surveys within the panel before which the method of the survey changed.
    """

    programme: str
    names: Mapping[str, str]
    assignment: str
    level: str
    regions: tuple[str, ...]
    events: pd.DataFrame
    panel: pd.DataFrame
    neighbours: pd.DataFrame
    breaks: tuple[int, ...]

    @property
    def waves(self) -> list[int]:
        """The surveys of the panel, in order."""
        return sorted(self.panel["wave"].unique().tolist())

    @cached_property
    def cohorts(self) -> pd.Series:
        """First survey taken in or after the year of the start, by region; 0 where there is none.

        The survey before it is the last that the programme had no part in: a programme that
        begins between two surveys counts from the second, never from the first.
        """
        waves = self.waves
        years = self.panel.groupby("region_code")[FIRST].first()
        return years.map(lambda year: next((w for w in waves if year and w >= year), 0))

    @property
    def strata(self) -> pd.Series:
        """Group within which each region was drawn, by region; ``""`` where it was one lot."""
        known = self.events.set_index("region_code")["stratum"]
        return known.reindex(list(self.regions)).fillna("")


def rollouts(dataset: Dataset, rates: pd.DataFrame) -> tuple[Rollout, ...]:
    """Every programme of ``events.csv`` with the rates of the level its regions are of.

    Parameters
    ----------
    rates : those of :func:`evaluation.panel.panel.rates`, of any level.
    """
    known = rates[rates["variance"].notna()]
    return tuple(
        _rollout(dataset, known, rows.reset_index(drop=True))
        for _, rows in dataset.events.groupby("programme", sort=False)
    )


def _rollout(dataset: Dataset, rates: pd.DataFrame, events: pd.DataFrame) -> Rollout:
    kinds, first = dataset.kinds, events.iloc[0]
    level = kinds.reindex(events["region_code"]).mode().iloc[0]
    events = events[events["region_code"].map(kinds) == level]
    year = pd.to_numeric(events["start"].str[:4]).fillna(0).astype(int)
    events = events.assign(year=year).sort_values(["year", "start", "region_code"])
    listed = bool((year == 0).any())  # who could have been reached is said row by row
    regions = tuple(events["region_code"] if listed else kinds.index[kinds == level])
    panel = _panel(rates[rates["region_code"].isin(regions)], events)
    waves = panel["wave"]
    changed = dataset.waves.loc[dataset.waves["break_before"], "wave"]
    within = changed[(changed > waves.min()) & (changed <= waves.max())]
    return Rollout(
        programme=str(first["programme"]),
        names={language: str(first[f"programme_{language}"]) for language in ("zh", "en")},
        assignment=str(first["assignment"]),
        level=str(level),
        regions=regions,
        events=events.reset_index(drop=True),
        panel=panel,
        neighbours=_both_ways(dataset.neighbours, regions),
        breaks=tuple(int(wave) for wave in within),
    )


def _panel(rates: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Rates in the surveys that at least half of the surveyed regions took part in."""
    counts = rates.groupby("wave")["region_code"].nunique()
    kept = counts.index[counts >= LEAST_SURVEYED * rates["region_code"].nunique()]
    own = events.set_index("region_code")
    first = rates["region_code"].map(own["year"]).fillna(0).astype(int)
    # A treatment that has ended is none of the two states compared.
    ends = pd.to_numeric(own["end"].str[:4].where(own["end"] != ""))
    ended = rates["wave"] > rates["region_code"].map(ends).fillna(float("inf"))
    frame = rates.assign(**{FIRST: first})[rates["wave"].isin(kept) & ~ended]
    columns = ["region_code", "wave", "rate", "variance", FIRST]
    return frame[columns].sort_values(columns[:2], ignore_index=True)


def _both_ways(pairs: pd.DataFrame, regions: tuple[str, ...]) -> pd.DataFrame:
    """Pairs of neighbours among ``regions``, each in both orders."""
    pairs = pairs[["region_code", "neighbour_code"]]
    turned = pairs.set_axis(["neighbour_code", "region_code"], axis=1)
    both = pd.concat([pairs, turned], ignore_index=True)
    inside = both["region_code"].isin(regions) & both["neighbour_code"].isin(regions)
    return both[inside].reset_index(drop=True)
