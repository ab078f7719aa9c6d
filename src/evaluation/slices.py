"""The part of a data package one report rests on; pure.

A report is drawn from its slice alone: nothing outside can enter it, and it needs to be made
again only when the slice changes. Of the provinces what is compared between regions is kept, of a
region and those it belongs to everything, of all others the surveyed rates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from evaluation.data import Dataset
from evaluation.doses import COVARIATES
from evaluation.observations import RATE, SAMPLE, model_regions
from evaluation.tables import TABLES
from evaluation.value.costs import ITEMS, PEOPLE
from evaluation.value.prices import INDEX

NATION = "100000"
RATES = frozenset({RATE, SAMPLE})


def compared(dataset: Dataset) -> frozenset[str]:
    """Indicators that estimates compare between regions."""
    doses = dataset.doses
    inputs = {*doses["indicator"], *doses["denominator"], *COVARIATES.values()}
    return RATES | inputs | {*ITEMS, INDEX, PEOPLE}


def of_study(dataset: Dataset) -> Dataset:
    """What the estimates rest on: the regions of the panel and the nation."""
    return _slice(dataset, whole=[NATION], rates=[])


def of_region(dataset: Dataset, region: str) -> Dataset:
    """What the report of a region rests on; a province's leaves the units below provinces out."""
    above = lineage(dataset, region)
    others = [] if region in set(model_regions(dataset)) else list(dataset.regions["code"])
    return _slice(dataset, whole=above, rates=others)


def of_set(dataset: Dataset, region_set: str) -> Dataset:
    """What the overview of a region set rests on: also every surveyed rate."""
    return _slice(dataset, whole=[NATION], rates=list(dataset.regions["code"]))


def lineage(dataset: Dataset, region: str) -> list[str]:
    """A region, the one it belongs to, and so on; ends with the nation."""
    parents = dataset.regions.set_index("code")["parent_code"]
    found = [region]
    while parents.get(found[-1], ""):
        found.append(parents[found[-1]])
    return found if NATION in found else [*found, NATION]


def _slice(dataset: Dataset, whole: Iterable[str], rates: Iterable[str]) -> Dataset:
    whole, facts = set(whole), dataset.facts
    region, indicator = facts["region_code"], facts["indicator"]
    panel = region.isin(model_regions(dataset)) & indicator.isin(compared(dataset))
    kept = region.isin(whole) | panel | (region.isin(rates) & indicator.isin(RATES))
    told = dataset.contradictions[dataset.contradictions["region_code"].isin(whole)]
    # A raised target is known by the table of contradictions, in every region that is compared.
    raised = dataset.contradictions[dataset.contradictions["kind"] == "target_raised"]
    told = dataset.contradictions.loc[told.index.union(raised.index)]
    kept |= facts["fact_id"].isin({i for ids in told["fact_ids"] for i in ids.split(";")})
    part = replace(
        dataset,
        facts=facts[kept],
        contradictions=told,
        measures=dataset.measures[dataset.measures["region_code"].isin(whole)],
    )
    part = replace(part, sources=dataset.sources[dataset.sources["source_id"].isin(_cited(part))])
    return replace(part, hash=digest(part))


def _cited(dataset: Dataset) -> set[str]:
    tables = (getattr(dataset, name) for name in TABLES if name != "sources")
    columns = [table["source_id"] for table in tables if "source_id" in table]
    return {source for column in columns for ids in column.unique() for source in ids.split(";")}


def digest(dataset: Dataset) -> str:
    """SHA-256, in hexadecimal, over all tables; line numbers of the files do not count."""
    total = hashlib.sha256(str(dataset.simulated).encode())
    for name in TABLES:
        table = getattr(dataset, name).drop(columns="row", errors="ignore")
        total.update(f"{name}\0{','.join(table.columns)}\0{len(table)}\0".encode())
        total.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return total.hexdigest()
