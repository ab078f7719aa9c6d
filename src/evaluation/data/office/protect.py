"""Which figures of a package are small numbers of people, and what is withheld with them.

Counts of persons under the threshold are withheld, and surveyed rates on fewer respondents than
it. Totals that bind them: the declared ones of ``part_whole.csv``, regions and groups whose figures
add up to the whole, a change and the two rates it lies between, one figure printed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.data.office.suppress import Group, suppress
from evaluation.data.rules import SAMPLE

if TYPE_CHECKING:  # the package itself leaves out what is withheld
    from evaluation.data.package import Dataset

PERSON = "person"  # base unit of counts of persons, a key of units.csv
PARAMETER = "small_number_threshold"
WHEN = ["period_start", "period_end", "kind"]
WHOSE = ["region_code", "group"]
OBSERVED = ("survey", "statistic")  # targets and norms are about no one


def declared(dataset: Dataset) -> float | None:
    """The threshold a package declares in ``assumptions.csv``; None where it declares none."""
    rows = dataset.assumptions
    found = rows.loc[rows["parameter"] == PARAMETER, "value"]
    return None if found.empty else float(found.max())


def protected(dataset: Dataset, threshold: float) -> Dataset:
    """The package without its small numbers and what would tell them.

    Withheld facts stay as rows, with ``value`` missing, empty ``figure_as_written`` and ``note``,
    and a column ``withheld`` that is True; it does not say for which reason.

    Raises
    ------
    KepuError : no threshold above 1; figures that nothing can protect.
    """
    facts = dataset.facts
    cells = _cells(dataset, threshold)
    out = suppress(cells, threshold, list(_groups(dataset, cells, threshold)))
    hidden = facts["fact_id"].map(out["suppressed"] != "")
    texts = {name: facts[name].mask(hidden, "") for name in ("figure_as_written", "note")}
    kept = facts.assign(value=facts["value"].mask(hidden), withheld=hidden, **texts)
    return replace(dataset, facts=kept)


def without(dataset: Dataset) -> Dataset:
    """The package without the facts that its own threshold withholds; itself where it has none.

    What is not there is on no page, in no figure and in no estimate. Contradictions that name such
    a fact go with it.
    """
    threshold = declared(dataset)
    if threshold is None:
        return dataset
    facts = protected(dataset, threshold).facts
    gone = set(facts.loc[facts["withheld"], "fact_id"])
    named = dataset.contradictions["fact_ids"].str.split(";")
    kept = dataset.facts[~dataset.facts["fact_id"].isin(gone)].reset_index(drop=True)
    open_ = dataset.contradictions[named.map(gone.isdisjoint).astype(bool)]
    return replace(dataset, facts=kept, contradictions=open_.reset_index(drop=True))


def _cells(dataset: Dataset, threshold: float) -> pd.DataFrame:
    """Facts as cells of :func:`suppress`, values in base units; those of people are counts."""
    facts, units = dataset.facts, dataset.units.set_index("unit")
    base = facts["unit"].map(units["base_unit"])
    value = facts["value"] * facts["unit"].map(units["factor"])
    people = (base == PERSON) & facts["kind"].isin(OBSERVED)
    frame = pd.DataFrame({"value": value, "count": people, "withhold": _on_few(dataset, threshold)})
    return frame.set_index(facts["fact_id"])


def _on_few(dataset: Dataset, threshold: float) -> pd.Series:
    """Surveyed rates of a region, year and group whose published sample is under the threshold."""
    facts = dataset.facts
    samples = facts[(facts["indicator"] == SAMPLE) & (facts["value"] < threshold)]
    few = pd.MultiIndex.from_frame(samples[[*WHOSE, "period_end"]])
    return dataset.surveyed & pd.MultiIndex.from_frame(facts[[*WHOSE, "period_end"]]).isin(few)


def _groups(dataset: Dataset, cells: pd.DataFrame, threshold: float) -> Iterator[Group]:
    """How totals are made of the facts that are withheld or may tell one that is."""
    few = (cells["value"] > 0) & (cells["value"] < threshold)
    small = cells["withhold"] | (cells["count"] & few)
    facts = dataset.facts.assign(value=cells["value"].to_numpy(), person=cells["count"].to_numpy())
    concerned = _concerned(dataset, set(facts.loc[small.to_numpy(), "indicator"]))
    facts = facts[facts["indicator"].isin(concerned)]
    same = [*WHOSE, "indicator", "value", *WHEN]
    for ids in facts[facts.duplicated(same, keep=False)].groupby(same)["fact_id"].agg(tuple):
        yield from (Group(ids[0], (other,)) for other in ids[1:])
    yield from _of_indicators(dataset, facts)
    yield from _of_sets(dataset, facts)
    yield from _of_regions(dataset, facts[facts["person"]])
    yield from _of_groups(facts[facts["person"]])
    rates = facts[(facts["indicator"] == dataset.outcome) & (facts["kind"] == "survey")]
    at = rates.groupby([*WHOSE, "period_end"])["fact_id"].agg(tuple)
    for row in facts[facts["indicator"] == dataset.change].itertuples():
        ends = [(row.region_code, row.group, year) for year in (row.period_start, row.period_end)]
        if all(end in at.index for end in ends):
            first, last = (at[end] for end in ends)
            yield from (Group(b, (a, row.fact_id)) for a in first for b in last)


def _concerned(dataset: Dataset, indicators: set[str]) -> set[str]:
    """Indicators with a small number, and those that are declared to add up with them."""
    declared = dataset.part_whole[dataset.part_whole["across"] == "indicators"]
    sums = [{row.indicator, *row.parts.split(";")} for row in declared.itertuples()]
    sums.append({dataset.outcome, dataset.change} - {""})
    while more := set().union(*(each for each in sums if each & indicators)) - indicators:
        indicators = indicators | more
    return indicators


def _of_indicators(dataset: Dataset, facts: pd.DataFrame) -> Iterator[Group]:
    """Totals that are other indicators of the same region together, as declared."""
    declared = dataset.part_whole
    for row in declared[declared["across"] == "indicators"].itertuples():
        parts = row.parts.split(";")
        some = facts[facts["indicator"].isin([row.indicator, *parts])]
        for key, rows in some.groupby([*WHOSE, *WHEN]):
            ids = rows.drop_duplicates("indicator").set_index("indicator")["fact_id"]
            if row.indicator in ids:
                name = "/".join(key)
                yield Group(ids[row.indicator], tuple(ids.get(p, f"{p} of {name}") for p in parts))


def _of_sets(dataset: Dataset, facts: pd.DataFrame) -> Iterator[Group]:
    """Totals that are the same indicator in the regions of a set together, as declared."""
    declared, sets = dataset.part_whole, dataset.region_sets
    for row in declared[declared["across"] == "regions"].itertuples():
        codes = list(sets.loc[sets["set"] == row.parts, "code"])
        some = facts[facts["indicator"] == row.indicator]
        for key, rows in some.groupby(["indicator", "series", "group", *WHEN]):
            ids = rows.drop_duplicates("region_code").set_index("region_code")["fact_id"]
            if row.region_code in ids:
                parts = tuple(ids.get(code, f"{code} of {'/'.join(key)}") for code in codes)
                yield Group(ids[row.region_code], parts)


def _of_regions(dataset: Dataset, counted: pd.DataFrame) -> Iterator[Group]:
    """Regions whose figures add up to that of the region they belong to, or are all its parts."""
    regions = dataset.regions.set_index("code")
    parent = counted["region_code"].map(regions["parent_code"])
    size = regions["parts"] if "parts" in regions else pd.Series(dtype=float)
    for _, rows in counted.assign(parent=parent).groupby(["indicator", "series", "group", *WHEN]):
        rows = rows.drop_duplicates("region_code")
        whole = rows.set_index("region_code")
        for code, parts in rows[rows["parent"].isin(whole.index)].groupby("parent"):
            total, number = whole.loc[code], size.get(code)
            complete = pd.notna(number) and len(parts) == number
            if complete or parts["value"].sum() == total["value"]:
                yield Group(total["fact_id"], tuple(parts["fact_id"]))


def _of_groups(counted: pd.DataFrame) -> Iterator[Group]:
    """Groups of one kind, as men and women, whose figures add up to that of all."""
    kind = counted["group"].str.split("=").str[0]
    for _, rows in counted.assign(by=kind).groupby(["region_code", "indicator", "series", *WHEN]):
        whole = rows[rows["group"] == ""]
        for _, parts in rows[rows["by"] != ""].groupby("by"):
            for total in whole.itertuples():
                if len(parts) > 1 and parts["value"].sum() == total.value:
                    yield Group(total.fact_id, tuple(parts["fact_id"]))


def threshold_of(dataset: Dataset, given: float | None) -> float | None:
    """The threshold that holds: the one given, never less than the one declared.

    Raises
    ------
    KepuError : one is given that is under the declared one.
    """
    own = declared(dataset)
    if given is not None and own is not None and given < own:
        raise KepuError(
            f"a threshold of {given:g} is less than {own:g}, which the package declares in "
            "assumptions.csv — give at least that"
        )
    return own if given is None else given
