"""The part of a data package one report rests on; pure.

A report is drawn from its slice alone: nothing outside can enter it, and it needs to be made
again only when the slice changes. Of the regions compared what is compared is kept, of a region
and those it belongs to everything. Of all others there are the surveyed rates of groups, and for a
region that is not compared the rates of its equals under other units, among which it is placed; an
overview rests on every surveyed rate.
"""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd

from evaluation.base.cache import latest
from evaluation.base.errors import KepuError
from evaluation.data.package import INDEX, ITEMS, PEOPLE, SAMPLE, Dataset
from evaluation.data.rules import NAMED, ancestors
from evaluation.data.tables import TABLES

CUT = ("facts", "contradictions", "measures", "programmes", "claims", "progress")  # by region
NAMES = (("contradictions", "fact_ids"), ("claims", "checks"), ("progress", "fact_ids"))
NONE = np.array([], dtype=int)


def compared(dataset: Dataset) -> frozenset[str]:
    """Indicators that estimates compare between regions."""
    doses = dataset.doses
    inputs = {*doses["indicator"], *doses["denominator"], *dataset.conditions}
    return frozenset({dataset.outcome, SAMPLE, *inputs, *ITEMS, INDEX, PEOPLE})


@latest
def of_study(dataset: Dataset) -> Dataset:
    """What the estimates rest on: the regions of the panel and the nation."""
    return Slicer(dataset).of_study()


@latest
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
    return Slicer(dataset).lineage(region)


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
        self._digests: dict[str, str] = {}

    def of_study(self) -> Dataset:
        """See :func:`of_study`."""
        return self._hashed([self._whole])

    def of_region(self, region: str) -> Dataset:
        """See :func:`of_region`; its hash says of which state it is a slice, see :meth:`key`."""
        other = self._at([region])
        if other is not self:
            return other.of_region(region)
        inside = region in self._panel_regions
        beside = None if inside else self._grouped | self._equals(region)
        name = f"{self.dataset.hash} {self.dataset.unit_level} {region}"
        digest = hashlib.sha256(name.encode()).hexdigest()
        return replace(self._slice(self.lineage(region), beside)[0], hash=digest)

    def of_set(self, region_set: str) -> Dataset:
        """See :func:`of_set`; sets of one level rest on the same."""
        sets = self.dataset.region_sets
        other = self._at(sets.loc[sets["set"] == region_set, "code"])
        return other._hashed([other.dataset.whole], other._rates)

    def key(self, region: str) -> str:
        """SHA-256, in hexadecimal, over the rows of a region's slice and the sources they cite.

        What slices have in common, and what belongs to one region, is hashed once for all of them.
        """
        other = self._at([region])
        if other is not self:
            return other.key(region)
        parts = [self._common, *map(self._own, self.lineage(region))]
        if region not in self._panel_regions:
            parts += [self._of_groups, self._of_equals(region)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def lineage(self, region: str) -> list[str]:
        """See :func:`lineage`."""
        found = [region, *ancestors(self._parents, region)]
        return found if self._whole in found else [*found, self._whole]

    def _at(self, regions: Iterable[str]) -> Slicer:
        """The slicer of the level that these regions are compared at; this one where it is that."""
        regions = list(regions)
        kinds = {self._kinds.get(region) for region in regions}
        if not kinds & self._other_levels:
            return self
        if len(kinds) == 1 and kinds <= self._others.keys():
            return self._others[kinds.pop()]
        dataset = self.dataset.compared(regions)
        if dataset is self.dataset:
            return self
        return self._others.setdefault(dataset.unit_level, Slicer(dataset))

    @cached_property
    def _whole(self) -> str:
        return self.dataset.whole

    @cached_property
    def _parents(self) -> dict[str, str]:
        regions = self.dataset.regions
        return dict(zip(regions["code"], regions["parent_code"], strict=True))

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return self.dataset.kinds.to_dict()

    @cached_property
    def _surveyed_as(self) -> pd.Series:
        return self.dataset.survey_levels

    @cached_property
    def _other_levels(self) -> frozenset[str]:
        return frozenset(self.dataset.unit_levels[1:])

    @cached_property
    def _panel_regions(self) -> frozenset[str]:
        return frozenset(self.dataset.model_regions)

    @cached_property
    def _places(self) -> dict[str, dict[str, np.ndarray]]:
        """Rows of each region in each of the tables that are cut by region."""
        return {name: getattr(self.dataset, name).groupby(self._region(name)).indices
                for name in CUT}  # fmt: skip

    def _region(self, name: str) -> pd.Series:
        """The region of each row of a table; progress is that of a measure or of a target."""
        table, measures, facts = (
            getattr(self.dataset, name),
            self.dataset.measures,
            self.dataset.facts,
        )
        if "region_code" in table:
            return table["region_code"]
        owners = dict(zip(facts["fact_id"], facts["region_code"], strict=True))
        owners |= dict(zip(measures["measure_id"], measures["region_code"], strict=True))
        return table["measure_id"].where(table["measure_id"] != "", table["target_id"]).map(owners)

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
    def _grouped(self) -> np.ndarray:
        """Rates of groups of people: pages say where any are held."""
        return self._rates & (self.dataset.facts["group"] != "").to_numpy()

    def _equals(self, region: str) -> np.ndarray:
        """Rates of the regions surveyed alike under other units, among which it is placed."""
        kinds, parent = self._surveyed_as, self._parents[region] or self._whole
        alike = kinds.index[kinds == kinds[region]]
        beside = [code for code in alike if self._parents[code] != parent]
        found = np.zeros(len(self.dataset.facts), dtype=bool)
        places = self._places["facts"]
        found[np.concatenate([NONE, *(places[code] for code in beside if code in places)])] = True
        return found & self._rates

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        """A 64-bit hash of each row of each table; line numbers of the files do not count."""
        tables = {name: getattr(self.dataset, name) for name in TABLES}
        plain = {n: table.drop(columns="row", errors="ignore") for n, table in tables.items()}
        hashed = pd.util.hash_pandas_object
        return {n: hashed(table, index=False).to_numpy() for n, table in plain.items()}

    @cached_property
    def _sourced(self) -> dict[str, np.ndarray]:
        """``_rows`` with the sources that each row cites; a changed source changes both numbers."""
        own = dict(zip(self.dataset.sources["source_id"], self._rows["sources"], strict=True))
        found = {}
        for name, rows in self._rows.items():
            table = getattr(self.dataset, name)
            found[name] = rows[:, None]
            if "source_id" in table and name != "sources":
                codes, texts = pd.factorize(table["source_id"])
                cited = [sum(int(own.get(i, 0)) for i in ids.split(";")) % 2**64 for ids in texts]
                cited = np.array(cited, dtype=np.uint64)[codes]
                found[name] = np.column_stack([rows, cited])
        return found

    def _sum(self, name: str, rows: np.ndarray) -> bytes:
        """Rows of a table, by mask or place, as bytes that a digest is taken of."""
        chosen = self._sourced[name][rows]
        return f"{name}\0{len(chosen)}\0".encode() + chosen.tobytes()

    @cached_property
    def _common(self) -> str:
        """Digest of what every slice holds."""
        raised = (self.dataset.contradictions["kind"] == "target_raised").to_numpy()
        total = hashlib.sha256(str(self.dataset.simulated).encode())
        for name in TABLES:
            total.update(f"{name}\0{','.join(getattr(self.dataset, name).columns)}\0".encode())
            if name not in (*CUT, "sources"):
                total.update(self._sum(name, np.arange(len(self._rows[name]))))
        total.update(self._sum("facts", self._panel) + self._sum("contradictions", raised))
        return total.hexdigest() + self._of_named(self.dataset.contradictions["fact_ids"][raised])

    def _own(self, region: str) -> str:
        """Digest of all that is held of a region itself."""
        if region not in self._digests:
            places = {name: self._places[name].get(region, NONE) for name in CUT}
            total = hashlib.sha256(b"".join(self._sum(n, rows) for n, rows in places.items()))
            texts = [
                text
                for name, column in NAMES
                for text in getattr(self.dataset, name)[column].to_numpy()[places[name]]
            ]
            self._digests[region] = total.hexdigest() + self._of_named(texts)
        return self._digests[region]

    @cached_property
    def _of_groups(self) -> str:
        return hashlib.sha256(self._sum("facts", self._grouped)).hexdigest()

    def _of_equals(self, region: str) -> str:
        """Digest of :meth:`_equals`, the same for all alike under one unit."""
        place = f"{self._surveyed_as[region]} {self._parents[region] or self._whole}"
        if place not in self._digests:
            rows = self._sum("facts", self._equals(region))
            self._digests[place] = hashlib.sha256(rows).hexdigest()
        return self._digests[place]

    def _of_named(self, texts: Iterable[str]) -> str:
        """Digest of the facts that texts name."""
        ids = {fact for text in texts for fact in NAMED.findall(text)}
        if not ids:
            return ""
        rows = self._sum("facts", self.dataset.facts["fact_id"].isin(ids).to_numpy())
        return hashlib.sha256(rows).hexdigest()

    def _hashed(self, whole: Iterable[str], beside: np.ndarray | None = None) -> Dataset:
        """A slice whose hash is that of its rows, from whatever it was cut."""
        part, kept = self._slice(whole, beside)
        return replace(part, hash=self._digest(kept))

    def _slice(
        self, whole: Iterable[str], beside: np.ndarray | None = None
    ) -> tuple[Dataset, dict[str, np.ndarray]]:
        """The tables cut, and which rows of each were kept; ``beside`` : further facts."""
        dataset, whole = self.dataset, set(whole)
        contradictions = dataset.contradictions
        # A raised target is known by the table of contradictions, in every region compared.
        told = contradictions["region_code"].isin(whole)
        told |= contradictions["kind"] == "target_raised"
        rows = {name: self._region(name).isin(whole).to_numpy() for name in CUT[2:]}
        rows["contradictions"] = told.to_numpy()
        named = [
            each for name, column in NAMES for each in getattr(dataset, name)[column][rows[name]]
        ]
        facts = self._facts(whole, named)
        kept = {"facts": facts if beside is None else facts | beside} | rows
        part = replace(dataset, **{n: getattr(dataset, n)[rows] for n, rows in kept.items()})
        kept["sources"] = dataset.sources["source_id"].isin(_cited(part)).to_numpy()
        return replace(part, sources=dataset.sources[kept["sources"]]), kept

    def _facts(self, whole: set[str], named: Iterable[str]) -> np.ndarray:
        kept, places = self._panel.copy(), self._places["facts"]
        for region in whole:
            kept[places.get(region, NONE)] = True
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
