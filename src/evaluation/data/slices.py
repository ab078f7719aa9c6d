"""The part of a data package one report rests on; pure.

A report is drawn from its slice alone: nothing outside can enter it, and it needs to be made
again only when the slice changes. Of the provinces what is compared between regions is kept, of a
region and those it belongs to everything, of all others the surveyed rates.
"""

from __future__ import annotations

import hashlib
import numbers
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.data.package import INDEX, ITEMS, PEOPLE, SAMPLE, Dataset
from evaluation.data.tables import TABLES

NAMED = re.compile(r"F[0-9]+", re.A)  # facts in a list or a comparison


def compared(dataset: Dataset) -> frozenset[str]:
    """Indicators that estimates compare between regions."""
    doses = dataset.doses
    inputs = {*doses["indicator"], *doses["denominator"], *dataset.conditions}
    return frozenset({dataset.outcome, SAMPLE, *inputs, *ITEMS, INDEX, PEOPLE})


def of_study(dataset: Dataset) -> Dataset:
    """What the estimates rest on: the regions of the panel and the nation."""
    return Slicer(dataset).of_study()


def of_region(dataset: Dataset, region: str | int) -> Dataset:
    """What the report of a region rests on; a province's leaves the units below provinces out.

    Raises
    ------
    KepuError : see :func:`code_of`.
    """
    return Slicer(dataset).of_region(code_of(dataset, region))


def of_set(dataset: Dataset, region_set: str) -> Dataset:
    """What the overview of a region set rests on: also every surveyed rate."""
    return Slicer(dataset).of_set(region_set)


def lineage(dataset: Dataset, region: str) -> list[str]:
    """A region, the one it belongs to, and so on; ends with the whole."""
    parents = dataset.regions.set_index("code")["parent_code"]
    found = [region]
    while parents.get(found[-1], ""):
        found.append(parents[found[-1]])
    return found if dataset.whole in found else [*found, dataset.whole]


def code_of(dataset: Dataset, region: str | int) -> str:
    """The code of a region, checked.

    A whole number means the one code that is this number, leading zeros aside: papermill, like
    other tools that read parameters, makes a number of digits that are not quoted.

    Raises
    ------
    KepuError : no such region, or a number that fits several codes.
    """
    codes = dataset.regions["code"]
    if isinstance(region, str) and region in set(codes):
        return region
    if isinstance(region, numbers.Integral) and not isinstance(region, bool):
        same = [c for c in codes if c.isascii() and c.isdigit() and int(c) == region]
        if len(same) == 1:
            return same[0]
        if same:
            raise KepuError(
                f"Region {region} may be {' or '.join(same)}; give the code as text, to papermill "
                f"with `-r region {same[0]}`."
            )
    raise KepuError(f"Region '{region}' is not in regions.csv; 'kepu list regions' shows all.")


class Slicer:
    """Cuts many slices out of one package: what they have in common is found once."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self._others: dict[str, Slicer] = {}

    def of_study(self) -> Dataset:
        """See :func:`of_study`."""
        return self._slice([self.dataset.whole])

    def of_region(self, region: str) -> Dataset:
        """See :func:`of_region`."""
        other = self._at([region])
        if other is not self:
            return other.of_region(region)
        inside = region in self._panel_regions
        return self._slice(lineage(self.dataset, region), rates=not inside)

    def of_set(self, region_set: str) -> Dataset:
        """See :func:`of_set`; sets of one level rest on the same."""
        sets = self.dataset.region_sets
        other = self._at(sets.loc[sets["set"] == region_set, "code"])
        return other._slice([other.dataset.whole], rates=True)

    def _at(self, regions: Iterable[str]) -> Slicer:
        """The slicer of the level that these regions are compared at; this one where it is that."""
        dataset = self.dataset.compared(regions)
        if dataset is self.dataset:
            return self
        return self._others.setdefault(dataset.unit_level, Slicer(dataset))

    @cached_property
    def _panel_regions(self) -> frozenset[str]:
        return frozenset(self.dataset.model_regions)

    @cached_property
    def _codes(self) -> tuple[np.ndarray, pd.Index]:
        """The region of each fact as a number, and what the numbers mean."""
        return pd.factorize(self.dataset.facts["region_code"])

    @cached_property
    def _rates(self) -> np.ndarray:
        return self.dataset.facts["indicator"].isin({self.dataset.outcome, SAMPLE}).to_numpy()

    @cached_property
    def _panel(self) -> np.ndarray:
        facts = self.dataset.facts
        inside = facts["region_code"].isin(self._panel_regions)
        kept = (inside & facts["indicator"].isin(compared(self.dataset))).to_numpy()
        # Declared programmes are compared at a level of their own.
        kinds = self.dataset.kinds
        levels = kinds.reindex(self.dataset.events["region_code"]).unique()
        reached = facts["region_code"].isin(kinds.index[kinds.isin(levels)]).to_numpy()
        return kept | (reached & self._rates)

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        """A 64-bit hash of each row of each table; line numbers of the files do not count."""
        tables = {name: getattr(self.dataset, name) for name in TABLES}
        plain = {n: table.drop(columns="row", errors="ignore") for n, table in tables.items()}
        hashed = pd.util.hash_pandas_object
        return {n: hashed(table, index=False).to_numpy() for n, table in plain.items()}

    def _slice(self, whole: Iterable[str], rates: bool = False) -> Dataset:
        dataset, whole = self.dataset, set(whole)
        contradictions = dataset.contradictions
        # A raised target is known by the table of contradictions, in every region compared.
        told = contradictions["region_code"].isin(whole)
        told |= contradictions["kind"] == "target_raised"
        checks = dataset.claims.loc[dataset.claims["region_code"].isin(whole), "checks"]
        named = [*contradictions.loc[told, "fact_ids"], *checks]
        kept = {
            "facts": self._facts(whole, rates, named),
            "contradictions": told.to_numpy(),
        } | {
            name: getattr(dataset, name)["region_code"].isin(whole).to_numpy()
            for name in ("measures", "programmes", "claims")
        }
        part = replace(dataset, **{n: getattr(dataset, n)[rows] for n, rows in kept.items()})
        kept["sources"] = dataset.sources["source_id"].isin(_cited(part)).to_numpy()
        return replace(part, sources=dataset.sources[kept["sources"]], hash=self._digest(kept))

    def _facts(self, whole: set[str], rates: bool, named: Iterable[str]) -> np.ndarray:
        numbers, codes = self._codes
        kept = self._panel | np.isin(numbers, codes.get_indexer(codes.intersection(list(whole))))
        if rates:
            kept = kept | self._rates
        ids = {fact for text in named for fact in NAMED.findall(text)}
        return kept | self.dataset.facts["fact_id"].isin(ids).to_numpy() if ids else kept

    def _digest(self, kept: dict[str, np.ndarray]) -> str:
        """SHA-256, in hexadecimal, over the rows kept of all tables."""
        total = hashlib.sha256(str(self.dataset.simulated).encode())
        for name in TABLES:
            rows = self._rows[name][kept[name]] if name in kept else self._rows[name]
            columns = ",".join(getattr(self.dataset, name).columns)
            total.update(f"{name}\0{columns}\0{len(rows)}\0".encode() + rows.tobytes())
        return total.hexdigest()


def _cited(dataset: Dataset) -> set[str]:
    tables = (getattr(dataset, name) for name in TABLES if name != "sources")
    columns = [table["source_id"] for table in tables if "source_id" in table]
    return {source for column in columns for ids in column.unique() for source in ids.split(";")}
