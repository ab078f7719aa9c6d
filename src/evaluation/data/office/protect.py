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
from evaluation.data.rules import SAMPLE

if TYPE_CHECKING:  # the package itself leaves out what is withheld
    from evaluation.data.package import Dataset
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

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


# ------------------------------------------------------------------------------------------
# Withhold small counts, and as many others as keep them from being worked out by subtraction.


PRIMARY, COMPLEMENTARY = "primary", "complementary"
EXACT = 1e-6  # bounds nearer than this to a whole number are that number


@dataclass(frozen=True)
class Group:
    """A total and its parts, labels of cells; a part without a cell is unknown to all.

    What the parts lack of the total in the figures themselves is taken to be known.
    """

    total: str
    parts: tuple[str, ...]


def suppress(
    frame: pd.DataFrame, threshold: float, groups: Iterable[Group], protection: float = 0.0
) -> pd.DataFrame:
    """Withhold cells so that none under ``threshold`` can be told or worked out.

    Parameters
    ----------
    frame : one cell a row, labels as index, with ``value`` and where wanted ``withhold`` (True:
        withheld whatever its size, as a rate on too few respondents) and ``count`` (False: no
        count, its size says nothing).
    threshold : counts from 1 up to under this are withheld; the unit of ``value``.
    groups : how totals are made.
    protection : least width of the interval a withheld cell can be brought into, by default
        ``threshold``.

    Returns
    -------
    a copy with ``value`` missing where withheld and ``suppressed``: primary, complementary, ``""``.

    Raises
    ------
    KepuError : labels that are there twice, a threshold or a protection that is none.
    """
    if not frame.index.is_unique:
        raise KepuError("two cells have the same label — give each its own")
    if not 1 < threshold < float("inf") or not 0 <= protection < float("inf"):
        raise KepuError(
            f"{threshold:g} is no threshold, or {protection:g} no protection — give a threshold "
            "above 1 and a protection of 0 or more"
        )
    values = frame["value"].astype(float)
    counted = frame["count"] if "count" in frame else pd.Series(True, index=frame.index)
    small = counted & (values > 0) & (values < threshold)
    if "withhold" in frame:
        small |= frame["withhold"]
    primary = set(frame.index[small & values.notna()])
    table = Table(values.dropna().to_dict(), tuple(groups))
    hidden = table.protect(primary, protection or threshold)
    state = [PRIMARY if i in primary else COMPLEMENTARY if i in hidden else "" for i in frame.index]
    return frame.assign(value=values.mask(frame.index.isin(hidden)), suppressed=state)


class Table:
    """Cells with their values and the groups they stand in."""

    def __init__(self, values: dict[str, float], groups: Sequence[Group]):
        self.values = values
        self.groups = [group for group in groups if {group.total, *group.parts} & values.keys()]
        self.of: dict[str, list[int]] = {}
        for number, group in enumerate(self.groups):
            for label in (group.total, *group.parts):
                self.of.setdefault(label, []).append(number)

    def protect(self, primary: set[str], width: float) -> set[str]:
        """Labels to withhold: ``primary`` and what must go with them.

        What is withheld in addition is protected as well: whoever worked it out could go on.
        """
        hidden, waiting = set(primary), sorted(primary, key=lambda x: (-self.values[x], x))
        while waiting:
            label = waiting.pop(0)
            if self.is_wide(label, hidden, width):
                continue
            down = min(self.values[label] - self._least(label), width / 2)
            for move in (width - down, -down):
                added = self._moved(label, move, hidden) if move else set()
                hidden |= added
                waiting += sorted(added)
        return hidden

    def _moved(self, label: str, move: float, hidden: set[str]) -> set[str]:
        """The fewest and least cells that must move where one cell does, totals staying true."""
        from scipy.optimize import linprog

        names, matrix, _ = self._equations(self._linked(label, lambda name: True))
        count, place = len(names), names.index(label)
        free = np.array([name in hidden or name not in self.values for name in names])
        size = np.array([abs(self.values.get(name, 0.0)) for name in names])
        # To withhold a cell costs much, a large one a little more; one withheld anyway hardly any.
        cost = np.where(free, 1e-4, 1.0 + 0.01 * np.log1p(size))
        least = [self.values.get(name, 0.0) - self._least(name) for name in names]
        limits = [(0, None)] * count + [(0, None if self._unknown(n) else d)
                                        for n, d in zip(names, least, strict=True)]  # fmt: skip
        aim = np.zeros((1, count))
        aim[0, place] = 1.0
        equal = np.vstack([matrix, aim])
        found = linprog(
            np.concatenate([cost, cost]), A_eq=np.hstack([equal, -equal]),
            b_eq=np.append(np.zeros(len(matrix)), move), bounds=limits, method="highs",
        )  # fmt: skip
        if found.status:
            raise KepuError(f"{label} cannot be protected: nothing can be withheld with it")
        moved = np.abs(found.x[:count] - found.x[count:]) > EXACT
        return {name for name, far, own in zip(names, moved, free, strict=True) if far and not own}

    def is_wide(self, label: str, hidden: set[str], width: float) -> bool:
        """Whether what is shown leaves a cell an interval of at least this width."""
        low, high = self.bounds(label, hidden)
        return high - low >= width - EXACT

    def bounds(self, label: str, hidden: set[str]) -> tuple[float, float]:
        """Least and largest value of a withheld cell that agree with all that is shown."""
        from scipy.optimize import linprog

        names, matrix, right = self._equations(self._reach(label, hidden))
        if not len(matrix):
            return self._least(label), float("inf")
        aim = np.array([1.0 if name == label else 0.0 for name in names])
        limits = [(self._least(name), None) for name in names]
        ends = []
        for sign in (1, -1):
            found = linprog(sign * aim, A_eq=matrix, b_eq=right, bounds=limits, method="highs")
            if found.status == 3:  # no end in this direction
                ends.append(-sign * float("inf"))
            elif found.status == 0:
                ends.append(sign * found.fun)
            else:
                raise KepuError(f"the interval of {label} cannot be computed ({found.message})")
        return ends[0], ends[1]

    def _least(self, label: str) -> float:
        """What everyone knows of a cell: no count is negative."""
        return 0.0 if self.values.get(label, 0.0) >= 0 else -float("inf")

    def _unknown(self, label: str) -> bool:
        """Whether a part of a total has no cell, so that no one knows anything of it."""
        return label not in self.values

    def _equations(self, cells: set[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Cells in order, a row for each total that binds them, and what it says they amount to."""
        names = sorted(cells)
        place = {name: i for i, name in enumerate(names)}
        numbers = sorted({number for name in names for number in self.of.get(name, ())})
        matrix, right = np.zeros((len(numbers), len(names))), np.zeros(len(numbers))
        for row, number in enumerate(numbers):
            for name, sign in self._signed(number):
                if name in place:
                    matrix[row, place[name]] += sign
                    right[row] += sign * self.values.get(name, 0.0)
        return names, matrix, right

    def _signed(self, number: int) -> Iterator[tuple[str, float]]:
        group = self.groups[number]
        yield group.total, -1.0
        yield from ((part, 1.0) for part in group.parts)

    def _reach(self, label: str, hidden: set[str]) -> set[str]:
        """Unknowns that can be exchanged for each other over the groups they share."""
        return self._linked(label, lambda name: name in hidden or self._unknown(name))

    def _linked(self, label: str, counts: Callable[[str], bool]) -> set[str]:
        found, ahead = {label}, [label]
        while ahead:
            for number in self.of.get(ahead.pop(), ()):
                for name, _ in self._signed(number):
                    if name not in found and counts(name):
                        found.add(name)
                        ahead.append(name)
        return found
