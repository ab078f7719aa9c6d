"""Progress of a plan: what each measure and quantified target has come to, and on what evidence."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from evaluation.base.errors import DataError, KepuError
from evaluation.base.text import is_date
from evaluation.data import contract
from evaluation.data.office import write
from evaluation.data.package import Dataset
from evaluation.data.tables import Files, files_of

UNKNOWN = "unknown"  # no entry: neither documents nor the office say anything
STATES = (UNKNOWN, "not_started", "under_way", "done", "given_up")
OPEN = STATES[:3]  # something is still due
COLUMNS = (
    "item", "number", "title_zh", "title_en", "lead_unit_zh", "responsible_units_zh",
    "target_group", "year_due", "source_id", "status", "period", "fact_ids", "evidence_source",
    "place_zh", "place_en", "score", "person", "next_date", "recorded", "overdue", "evidenced",
)  # fmt: skip


def board(dataset: Dataset, region: str, today: str) -> pd.DataFrame:
    """Every measure and quantified target of a region's plan with its last entry, in their order.

    Parameters
    ----------
    today : YYYY-MM-DD; what was recorded later is not seen.

    Returns
    -------
    DataFrame of ``COLUMNS``. ``status`` is ``unknown`` without an entry. ``overdue`` : open though
    its year is over or its next entry was due. ``evidenced`` : the entry names facts or a document.

    Raises
    ------
    KepuError : ``today`` is no day, or the region has no plan in the data.
    """
    if not (is_date(today) and len(today) == 10):
        raise KepuError(f"'{today}' is no day — write it in the form 2026-01-31.")
    rows = pd.concat([_measures(dataset, region), _targets(dataset, region)], ignore_index=True)
    if rows.empty:
        raise KepuError(
            f"No measures or targets of region {region} are in the data — add those of its plan to "
            "measures.csv, one row each, with the document in sources.csv."
        )
    entries = dataset.progress[dataset.progress["recorded"] <= today]
    entries = entries.assign(item=entries["measure_id"].where(entries["measure_id"] != "",
                                                              entries["target_id"]))  # fmt: skip
    last = entries.drop_duplicates("item", keep="last").rename(
        columns={"source_id": "evidence_source"}
    )
    kept = ["item", *(name for name in COLUMNS if name in last and name not in rows)]
    found = rows.merge(last[kept], on="item", how="left")
    texts = [name for name in kept if name != "score"]
    found[texts] = found[texts].fillna("")
    found["status"] = found["status"].replace("", UNKNOWN)
    found["evidenced"] = (found["fact_ids"] != "") | (found["evidence_source"] != "")
    past = (found["year_due"] < int(today[:4])).fillna(False).astype(bool)
    late = (found["next_date"] != "") & (found["next_date"] < today)
    found["overdue"] = found["status"].isin(OPEN) & (past | late)
    return found.reindex(columns=list(COLUMNS))


def _measures(dataset: Dataset, region: str) -> pd.DataFrame:
    rows = dataset.measures[dataset.measures["region_code"] == region]
    return rows.rename(columns={"measure_id": "item", "number_in_document": "number"})


def _targets(dataset: Dataset, region: str) -> pd.DataFrame:
    """Facts of kind target, named by their indicator; those of the outcome a survey decides."""
    facts = dataset.facts[dataset.facts["indicator"] != dataset.outcome]
    rows = facts[(facts["region_code"] == region) & (facts["kind"] == "target")]
    labels = dataset.indicators.set_index("indicator")
    titles = {f"title_{each}": rows["indicator"].map(labels[f"label_{each}"]) for each in
              ("zh", "en")}  # fmt: skip
    rows = rows.rename(columns={"fact_id": "item", "year": "year_due"})
    blank = dict.fromkeys(["number", "lead_unit_zh", "responsible_units_zh", "target_group"], "")
    own = ["item", "year_due", "source_id"]
    return rows[own].assign(**blank, **titles)


def filtered(
    rows: pd.DataFrame, unit: str = "", group: str = "", due: int | None = None
) -> pd.DataFrame:
    """Rows of a board that name a unit as lead or partner, address a group, fall due by a year."""
    kept = rows
    if unit:
        units = kept["lead_unit_zh"] + ";" + kept["responsible_units_zh"]
        kept = kept[[unit in each.split(";") for each in units]]
    if group:
        kept = kept[kept["target_group"] == group]
    if due is not None:
        kept = kept[(kept["year_due"] <= due).fillna(False).astype(bool)]
    return kept


def counts(rows: pd.DataFrame) -> dict[str, int]:
    """How many of a board there are, are of each status, are overdue, and lack evidence."""
    states = rows["status"].value_counts()
    return {
        "items": len(rows), **{str(name): int(n) for name, n in states.items()},
        "overdue": int(rows["overdue"].sum()), "bare": int((~rows["evidenced"]).sum()),
    }  # fmt: skip


def recorded(files: Files, entry: Mapping[str, str]) -> dict[str, bytes]:
    """The contents of a package with one more entry of progress; reads and writes nothing.

    Parameters
    ----------
    entry : columns of ``progress.csv`` but the id; others are left empty.

    Raises
    ------
    KepuError : an unknown column, or the package has no ``progress.csv``.
    DataError : the entry breaks the contract: done without evidence, an unknown measure or fact.
    """
    package = contract.read(files)
    if "progress" not in package.files:
        raise KepuError("The package has no progress.csv — describe it in datapackage.json.")
    table = package.tables["progress"]
    if strange := sorted(set(entry) - set(table.columns)):
        raise KepuError(f"'{strange[0]}' is no column of progress.csv.")
    number = max((int(each[1:]) for each in table["entry_id"]), default=0) + 1
    row = {**dict.fromkeys(table.columns, ""), **entry, "entry_id": f"G{number:04d}"}
    more = pd.concat([table, pd.DataFrame([row], dtype=str)], ignore_index=True)
    contents = {**files.contents, package.files["progress"]: write.table(more)}
    if faults := contract.breaches(contract.read(files_of(files.root, contents))):
        raise DataError(faults)
    return contents
