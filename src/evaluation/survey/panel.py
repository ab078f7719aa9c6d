"""Rates, gains and doses of regions with their variances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.data.package import SAMPLE, Dataset, by_year, surveyed_rates
from evaluation.survey import standing

# ------------------------------------------------------------------------------------------
# Doses and covariates of the panel: per head, read so that none is later than what it explains.


# An opening level may be read up to this many years before the opening wave (no college share was
# published for 2010 and 2020, no museum count for most provinces after 2018).
STALE = 2


def per_capita(dataset: Dataset, dose: pd.Series) -> pd.DataFrame:
    """Yearly per-capita values of one row of ``doses.csv``.

    Returns ``region_code, year, value, series, fact_id, base_fact`` (``base_fact`` is the
    population used, empty where the indicator is per head already).
    """
    table = by_year(dataset, dose["indicator"])
    if not dose["denominator"]:
        return table.assign(base_fact="")
    base = by_year(dataset, dose["denominator"])
    base = base.rename(columns={"value": "base", "fact_id": "base_fact"}).drop(columns="series")
    merged = table.merge(base, on=["region_code", "year"])
    factor = dataset.units.set_index("unit")["factor"]
    unit = dataset.indicators.set_index("indicator")["unit"]
    ratio = factor[unit[dose["indicator"]]] / factor[unit[dose["denominator"]]]
    return merged.assign(value=merged["value"] * ratio / merged["base"] * dose["scale"])


def _opening(values: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Latest value no later than the opening wave and at most ``STALE`` years older.

    Returns ``value, series`` on the rows of ``keys``.
    """
    table = values.set_index(["region_code", "year"])[["value", "series"]]
    result = pd.DataFrame({"value": np.nan, "series": ""}, index=keys.index)
    for lag in range(STALE, -1, -1):
        year = pd.MultiIndex.from_arrays([keys["region_code"], keys["wave_from"] - lag])
        found = table.reindex(year).set_axis(keys.index)
        result = found.where(found["value"].notna(), result)
    return result


NONE = np.array([], dtype=int)


def _mean_flow(values: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Mean of the years in (from, to] of one series, that of the last of them.

    Missing unless at least half of the years are published in that series: two definitions are
    not averaged. Returns ``value, series`` on the rows of ``keys``.
    """
    ordered = values.sort_values(["region_code", "year"])
    place = ordered.groupby("region_code").indices
    years = ordered["year"].to_numpy(dtype=int)
    columns = ordered["value"].to_numpy(dtype=float), ordered["series"].to_numpy(dtype=object)
    rows = []
    for region, start, end in zip(
        keys["region_code"], keys["wave_from"], keys["wave_to"], strict=True
    ):
        own = place.get(region, NONE)
        first, last = (np.searchsorted(years[own], year, "right") for year in (start, end))
        rows.append(_window(*(column[own[first:last]] for column in columns), end - start))
    return pd.DataFrame(rows, columns=["value", "series"], index=keys.index)


def _window(values: np.ndarray, series: np.ndarray, length: int) -> tuple[float, str]:
    """Mean of the figures of the last series in a window of so many years, and that series."""
    if not len(values):
        return np.nan, ""
    same = values[series == series[-1]]
    return (same.sum() / len(same) if 2 * len(same) >= length else np.nan), series[-1]


def attach(dataset: Dataset, keys: pd.DataFrame) -> pd.DataFrame:
    """Add doses (log2, so one unit is a doubling) and opening covariates to gain rows.

    ``keys`` needs ``region_code, wave_from, wave_to``. Returns ``keys`` with ``dose_<name>``,
    ``log2_<name>``, ``series_<name>`` (the definition counted) and the columns of
    :attr:`evaluation.data.package.Dataset.conditions`.
    """
    frame = keys.copy()
    for _, dose in dataset.doses.iterrows():
        name, read = dose["dose"], _opening if dose["timing"] == "stock" else _mean_flow
        found = read(per_capita(dataset, dose), keys)
        if (found["value"] <= 0).any():
            raise ModelError(f"Dose '{name}' has values of 0 or less: a doubling is not defined.")
        frame[f"dose_{name}"] = found["value"].astype(float)
        frame[f"log2_{name}"] = np.log2(frame[f"dose_{name}"])
        frame[f"series_{name}"] = found["series"]
    for name, indicator in dataset.conditions.items():
        table = by_year(dataset, indicator)
        value = _opening(table, keys)["value"].astype(float)
        frame[name] = np.log2(value) if name.startswith("log2_") else value
    return frame


def one_series(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Keep, within each region, the dose values of one definition only; the others go missing.

    The definition kept is the one with most rows, the later of two with as many. A comparison
    within regions would otherwise take a change of definition for a change of dose.
    """
    known = frame[frame[f"log2_{name}"].notna()]
    counts = known.groupby(["region_code", f"series_{name}"])["wave"].agg(["size", "max"])
    ranked = counts.sort_values(["size", "max"]).reset_index()
    kept = ranked.groupby("region_code")[f"series_{name}"].last()
    other = frame[f"series_{name}"] != frame["region_code"].map(kept)
    columns = [f"dose_{name}", f"log2_{name}"]
    return frame.assign(**{column: frame[column].mask(other) for column in columns})


def level_panel(dataset: Dataset, rate_table: pd.DataFrame) -> pd.DataFrame:
    """Rates as levels with the doses and covariates of the year before each survey.

    A stock is read before the survey year, a flow over the three years before it, so that no
    dose is later than the level it is to explain; within a region a dose keeps one definition.
    """
    table = rate_table[rate_table["variance"].notna()]
    keys = pd.DataFrame(
        {
            "region_code": table["region_code"],
            "wave_from": table["wave"] - 1,
            "wave_to": table["wave"] - 1,
        }
    )
    stock = attach(dataset, keys.assign(wave_to=keys["wave_from"]))
    flow = attach(dataset, keys.assign(wave_from=keys["wave_to"] - 3))
    flows = dataset.doses.loc[dataset.doses["timing"] == "flow", "dose"]
    for dose in flows:
        for prefix in ("dose_", "log2_", "series_"):
            stock[prefix + dose] = flow[prefix + dose]
    doses = stock.drop(columns=["region_code", "wave_from", "wave_to"])
    frame = pd.concat([table, doses], axis=1).reset_index(drop=True)
    for name in dataset.doses["dose"]:
        frame = one_series(frame, name)
    return frame


# What a model of gains or of levels takes out before it compares; a unit of the composite is a
# standard deviation of what is left.
COMPARED = {"interval": ("interval",), "wave": ("region_code", "wave")}


def _compared_sd(frame: pd.DataFrame, values: pd.Series) -> float:
    """Standard deviation of what the models of this panel compare, see ``COMPARED``."""
    from evaluation.stats.least_squares import basis  # slow to import; rates need none of it

    parts = next((COMPARED[name] for name in COMPARED if name in frame), ())
    known = values.dropna()
    ones = pd.Series(1.0, known.index, name="one")
    labels = [pd.get_dummies(frame.loc[known.index, part].astype(str)) for part in parts]
    q = basis(pd.concat([ones, *labels], axis=1).to_numpy(dtype=float))
    rest = known.to_numpy() - q @ (q.T @ known.to_numpy())
    free = len(known) - q.shape[1]
    return float(np.sqrt(rest @ rest / free)) if free > 0 else float("nan")


def composite(frame: pd.DataFrame, names: list[str], coverage: float = 0.9) -> pd.Series:
    """One index of collinear doses: the mean of their standardised log2 values.

    Its unit is one standard deviation of what the models of the panel compare: between the regions
    of one interval, of gains; of what changes within a region beyond what all share, of levels. An
    estimate for one unit so never lies outside what identifies it. Only doses known in at least
    ``coverage`` of the rows with any dose take part, and a row lacking one of them has no index:
    an index whose parts change from row to row would compare unlike with like.

    Returns
    -------
    Series on the index of ``frame``, mean 0; ``attrs["doses"]`` lists the doses that take part,
    ``attrs["unit"]`` is the unit in means of standard scores.

    Raises
    ------
    ModelError : fewer than two doses are known in enough rows, or nothing is left to compare.
    """
    columns = [f"log2_{name}" for name in names]
    seen = frame.loc[frame[columns].notna().any(axis=1), columns]
    taken = [column for column in columns if seen[column].notna().mean() >= coverage]
    if len(taken) < 2:
        raise ModelError(
            f"A composite needs two doses known in {coverage:.0%} of the rows with any; there "
            f"{'is' if len(taken) == 1 else 'are'} {len(taken)}."
        )
    scores = (frame[taken] - frame[taken].mean()) / frame[taken].std()
    index = scores.mean(axis=1, skipna=False)
    unit = _compared_sd(frame, index)
    if not unit > 0:
        raise ModelError("The composite differs nowhere within what the models compare.")
    index = (index - index.mean()) / unit
    index.attrs |= {"doses": [column.removeprefix("log2_") for column in taken], "unit": unit}
    return index


# ------------------------------------------------------------------------------------------
# From facts to the panel: literacy rates and gains with their sampling variances.


@dataclass(frozen=True)
class Assumed:
    """Declared survey assumptions: the design effect and a factor on every assumed sample."""

    design_effect: float | None = None
    sample_factor: float = 1.0


def sample_sizes(dataset: Dataset, rates: pd.DataFrame, assumed: Assumed) -> pd.DataFrame:
    """Valid respondents behind each rate: its own or published ones, else the declared assumption.

    Returns columns ``n`` (missing where no assumption covers the wave) and ``n_assumed``.
    """
    published = by_year(dataset, SAMPLE)
    published = published.set_index(["region_code", "year"])["value"]
    table = dataset.assumptions[dataset.assumptions["parameter"] == "sample_size"]
    declared = table.set_index(["level", "wave"])["value"] * assumed.sample_factor
    keys = pd.MultiIndex.from_frame(rates[["region_code", "wave"]])
    level_keys = pd.MultiIndex.from_arrays(
        [rates["region_code"].map(dataset.survey_levels), rates["wave"].astype(str)]
    )
    known = rates["respondents"].to_numpy(dtype=float, na_value=np.nan)
    known = np.where(np.isnan(known), published.reindex(keys).to_numpy(dtype=float), known)
    filled = np.where(np.isnan(known), declared.reindex(level_keys).to_numpy(dtype=float), known)
    return pd.DataFrame({"n": filled, "n_assumed": np.isnan(known)}, index=rates.index)


def rates(dataset: Dataset, assumed: Assumed | None = None) -> pd.DataFrame:
    """National-wave literacy rates with Wilson intervals on the effective sample.

    A rate that comes with its standard error has that; others have the declared design effect.
    Where the design degrees of freedom of a survey are known, the interval is that of Korn and
    Graubard. Returns ``region_code, wave, rate, n, n_assumed, variance, se, low, high, fact_id,
    grade, corroborated, also_printed_by``; a rate of a wave without published or assumed sample
    size keeps missing ``n, variance, se, low, high``.
    """
    assumed = assumed or Assumed()
    frame = surveyed_rates(dataset).rename(columns={"value": "rate"})
    frame = frame[frame["year"].isin(dataset.waves["wave"])].assign(
        wave=lambda x: x["year"].astype(int)
    )
    frame = frame.join(sample_sizes(dataset, frame, assumed))
    deff = (
        np.full(len(frame), assumed.design_effect)
        if assumed.design_effect
        else _declared(dataset, frame, "design_effect")
    )
    p, known = frame["rate"].to_numpy() / 100, frame["n"].notna().to_numpy()
    frame["variance"] = frame["low"] = frame["high"] = np.nan
    n, p, part = frame.loc[known, "n"].to_numpy(), p[known], frame[known]
    own, deff = _own_errors(part, p, n, deff[known])
    free = part["design_freedom"].to_numpy(dtype=float, na_value=np.nan)
    free = np.where(free >= 1, free, _declared(dataset, part, "design_degrees_of_freedom"))
    low, high = standing.rate_interval(p, n, deff, free)
    variance = standing.sampling_variance(p, n, deff) * 1e4
    frame.loc[known, "variance"] = np.where(np.isnan(own), variance, own**2)
    frame.loc[known, "low"], frame.loc[known, "high"] = low * 100, high * 100
    frame["se"] = np.sqrt(frame["variance"])
    columns = ["region_code", "wave", "rate", "n", "n_assumed", "variance", "se", "low", "high"]
    columns += ["fact_id", "grade", "corroborated", "also_printed_by"]
    return frame[columns].sort_values(["region_code", "wave"], ignore_index=True)


def _own_errors(rates: pd.DataFrame, p, n, deff) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors that came with rates, in percentage points, and the design effects they mean.

    Nobody or everybody says nothing of a design effect: the one given stays. An error of 0 between
    them is none, and would weigh a rate without bound.
    """
    own = rates["standard_error"].to_numpy(dtype=float)
    own = np.where((own == 0) & (p > 0) & (p < 1), np.nan, own)
    meant = (own / 100) ** 2 * n / np.where(p * (1 - p) > 0, p * (1 - p), np.nan)
    return own, np.where(meant > 0, meant, deff)


def _declared(dataset: Dataset, rates: pd.DataFrame, parameter: str) -> np.ndarray:
    """A parameter of each rate's survey: of its level and wave, its level, its wave, else of all.

    Missing where none is declared.
    """
    table = dataset.assumptions[dataset.assumptions["parameter"] == parameter]
    declared = table.set_index(["level", "wave"])["value"].to_dict()
    levels, waves = rates["region_code"].map(dataset.survey_levels), rates["wave"].astype(str)
    rows = []
    for level, wave in zip(levels, waves, strict=True):
        keys = ((level, wave), (level, ""), ("all", wave), ("all", ""))
        rows.append(next((declared[key] for key in keys if key in declared), np.nan))
    return np.array(rows, dtype=float)


def design_effect(dataset: Dataset) -> float:
    """The declared design effect of surveys without one of their own level or wave."""
    table = dataset.assumptions[dataset.assumptions["parameter"] == "design_effect"]
    return float(table.loc[(table["level"] == "all") & (table["wave"] == ""), "value"].iloc[0])


def gains(rate_table: pd.DataFrame, waves: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Gains between consecutive *observed* waves of each region, with their variances.

    Returns ``region_code, wave_from, wave_to, interval, years, opening, gain, se, low, high,
    annual, annual_variance, annual_opening_variance, crosses_break, fact_from, fact_to``; gain and
    annual gain in percentage points, the opening variance being that part of the annual variance
    which the opening survey has.
    """
    table = rate_table[rate_table["variance"].notna()].sort_values(["region_code", "wave"])
    before = table.groupby("region_code").shift(1)
    rows = before["wave"].notna()
    table, before = table[rows], before[rows]
    years = table["wave"] - before["wave"].astype(int)
    change, variance = standing.gain(
        table["rate"], table["variance"], before["rate"], before["variance"]
    )
    z = standing.normal_quantile(level)
    breaks = waves.loc[waves["break_before"], "wave"].to_numpy()
    start = before["wave"].astype(int)
    spans = zip(start, table["wave"], strict=True)
    crosses = [bool(((breaks > a) & (breaks <= b)).any()) for a, b in spans]
    se = np.sqrt(variance)
    return pd.DataFrame(
        {
            "region_code": table["region_code"],
            "wave_from": start,
            "wave_to": table["wave"],
            "interval": start.astype(str) + "-" + table["wave"].astype(str),
            "years": years,
            "opening": before["rate"],
            "gain": change,
            "se": se,
            "low": change - z * se,
            "high": change + z * se,
            "annual": change / years,
            "annual_variance": variance / years**2,
            "annual_opening_variance": before["variance"] / years**2,
            "crosses_break": crosses,
            "fact_from": before["fact_id"],
            "fact_to": table["fact_id"],
        }
    ).reset_index(drop=True)


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
    rates : those of :func:`evaluation.survey.panel.rates`, of any level.
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
