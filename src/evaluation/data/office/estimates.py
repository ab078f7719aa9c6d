"""Rates estimated from respondents become facts: with n, standard error, design effect, method.

A published rate that agrees with an estimate to its printed digits keeps its figure and source and
gets the error; another figure for the same thing is never overwritten.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pandas as pd

from evaluation.base.errors import DataError, KepuError, shown
from evaluation.data import contract, rules
from evaluation.data.office import importing, write
from evaluation.data.tables import Files, files_of, package_hash, read_files

ERRORS = ["respondents", "standard_error", "design_effect", "design_freedom", "method"]
NEW, ATTACHED, CHANGED, SAME = "new", "given an error", "changed", "already there"


@dataclass(frozen=True)
class Source:
    """The files estimates come from, as a source of the package."""

    source_id: str
    title: str
    date: str
    publisher: str = ""
    grade: str = "A"
    note: str = ""


@dataclass
class Merge:
    """A package with estimates in it; ``counts`` by what became of them."""

    folder: Path
    hash: str
    files: dict[str, bytes]
    facts: str
    counts: Counter = field(default_factory=Counter)


def merge(
    folder: Path, rates: pd.DataFrame, source: Source,
    held: tuple[Files, contract.Package] | None = None,
) -> Merge:  # fmt: skip
    """Say what estimates would make of a package; writes nothing.

    Parameters
    ----------
    rates : ``region_code, period, group, value`` (percent) and ``ERRORS``, the standard error in
        percentage points; ``caveats`` where there are any. All are of the package's outcome.
    held : the package as it was read, where it was already.

    Raises
    ------
    KepuError : a region the package lacks, or another figure for the same region, period and group.
    DataError : the package would break its contract.
    """
    files, before = held or held_of(folder)
    if faults := [v for v in contract.breaches(before) if v.rule != importing.EMPTY]:
        raise DataError(faults)
    tables = before.tables
    unknown = sorted(set(rates["region_code"]) - set(tables["regions"]["code"]))
    if unknown:
        raise KepuError(f"region {unknown[0]} is not in regions.csv — add it, or correct the files")
    facts = tables["facts"].copy()
    for name in ERRORS:
        if name not in facts:
            facts[name] = ""
    found = Merge(folder, files.hash, {}, before.files["facts"])
    outcome = rules.subject_of(tables, "outcome")
    unit = tables["indicators"].set_index("indicator")["unit"][outcome]
    facts = _taken(facts, rates, (outcome, unit), source, found.counts)
    sources = tables["sources"]
    if source.source_id not in set(sources["source_id"]):
        sources = write.appended(
            sources, [{name: write.guarded(text) for name, text in vars(source).items()}]
        )
    contents = {before.files["facts"]: write.table(facts),
                before.files["sources"]: write.table(sources)}  # fmt: skip
    found.files = {**files.contents, **contents}
    if faults := contract.breaches(contract.read(files_of(files.root, found.files))):
        raise DataError(faults)
    return found


def held_of(folder: Path) -> tuple[Files, contract.Package]:
    """A package's files, and what they hold."""
    files = read_files(folder)
    return files, contract.read(files)


def apply(made: Merge) -> None:
    """Write what :func:`merge` found: all of it, or nothing."""
    if package_hash(made.folder) != made.hash:
        raise KepuError(f"{shown(made.folder)} has changed since it was read — run it again")
    write.replace_all(made.folder, made.files, last=made.facts)


def rows(shares: list[pd.DataFrame], period: str = "") -> pd.DataFrame:
    """Shares of regions as :func:`merge` takes them.

    Parameters
    ----------
    shares : of :func:`evaluation.survey.rates.rates`, by region, wave and at most one group, with
        ``status``; those to be suppressed are left out.
    period : where there is no column ``wave``.

    Raises
    ------
    KepuError : no region, two groups crossed, or no period.
    """
    found = []
    for table in shares:
        labels = list(table.columns[: table.columns.get_loc("measure")])
        groups = [name for name in labels if name not in ("region", "wave")]
        if "region" not in labels or len(groups) > 1:
            raise KepuError(
                "a package holds rates of regions and of one group in each — estimate --by region "
                "or --by region,sex"
            )
        kept = table[table["status"] != "suppress"]
        group = [f"{groups[0]}={value}" for value in kept[groups[0]]] if groups else ""
        found.append(pd.DataFrame({
            "region_code": kept["region"],
            "period": kept["wave"] if "wave" in labels else period, "group": group,
            "value": 100 * kept["estimate"], "standard_error": 100 * kept["se"],
            "respondents": kept["n"], "design_effect": kept["deff"],
            "design_freedom": kept["free"], "method": kept["method"],
        }))  # fmt: skip
    whole = pd.concat(found, ignore_index=True)
    if (whole["period"] == "").any():
        raise KepuError("no column says the year of the survey — give it as --period 2025")
    return whole


def _taken(facts, rates, outcome, source: Source, counts: Counter) -> pd.DataFrame:
    """The facts with the estimates in them; ``counts`` is told what became of each."""
    there = facts[(facts["series"] == outcome[0]) & (facts["kind"] == "survey")]
    place = {(r.region_code, r.period_end, r.group): i for i, r in
             zip(there.index, there.itertuples(), strict=True)}  # fmt: skip
    following = 1 + max(facts["fact_id"].str.removeprefix("F").astype(int), default=0)
    rows, refused = [], []
    for row in rates.to_dict("records"):
        errors = {name: _text(row[name]) for name in ERRORS}
        at = place.get((row["region_code"], row["period"], row["group"]))
        if at is None:
            fact = {"fact_id": f"F{following + len(rows):05d}", "source_id": source.source_id}
            rows.append(fact | _fact(row, outcome) | errors)
            counts[NEW] += 1
            continue
        old = facts.loc[at]
        own = old["source_id"] == source.source_id
        if not own and not _agree(old["value"], row["value"]):
            refused.append(f"{old['fact_id']} ({old['region_code']}, {old['period_end']}, source "
                           f"{old['source_id']}) prints {old['value']}, estimated "
                           f"{row['value']:.4f}")  # fmt: skip
            continue
        new = errors | (_fact(row, outcome) if own else {})
        same = all(facts.at[at, name] == text for name, text in new.items())
        counts[SAME if same else CHANGED if own else ATTACHED] += 1
        for name, text in new.items():
            facts.at[at, name] = text
    if refused:
        raise KepuError("\n".join([
            "the package has other figures, nothing was written — correct one of the two, or "
            "record both in contradictions.csv by hand:", *refused[:10],
            *([f"… and {len(refused) - 10:,} more"] if len(refused) > 10 else []),
        ]))  # fmt: skip
    return write.appended(facts, rows)


def _fact(row: dict, outcome: tuple[str, str]) -> dict[str, str]:
    return {
        "region_code": row["region_code"], "period_start": row["period"],
        "period_end": row["period"], "indicator": outcome[0], "series": outcome[0],
        "group": row["group"], "value": _text(row["value"]), "unit": outcome[1], "kind": "survey",
        "comparator": "=", "corroborated": "1", "note": "",
        "caveats": row.get("caveats", ""),
    }  # fmt: skip


def _agree(printed: str, estimate: float) -> bool:
    """Whether an estimate rounds to what is printed."""
    digits = -min(0, int(Decimal(printed).as_tuple().exponent))
    return abs(float(printed) - estimate) <= 0.5 * 10**-digits + 1e-9


def _text(value: object) -> str:
    """A cell: six digits are more than a survey tells, and the same on every machine."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    return f"{float(value):.6f}".rstrip("0").rstrip(".")
