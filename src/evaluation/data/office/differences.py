"""What changed between two data packages: rows added, removed and changed, each cell old and new.

Rows are the same by the key of their table. Facts that got new numbers are the same by what they
say of whom, when and from where, so that a package imported anew is not told as all new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evaluation.data.contract import own_schemas
from evaluation.data.package import Dataset
from evaluation.data.tables import TABLES

IDENTITY = (
    "region_code", "indicator", "series", "group", "period_start", "period_end", "kind",
    "source_id",
)  # fmt: skip
ADDED_BY_PROGRAM = ("row", "year")


@dataclass(frozen=True)
class Cell:
    """A cell that differs: of which column, what it was and what it is."""

    column: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Change:
    """A row that was ``added``, ``removed`` or ``changed`` (``cells``, where changed).

    ``row`` holds the row as it is, or as it was where it was removed; ``key`` names it.
    """

    table: str
    what: str
    key: str
    row: Mapping[str, Any]
    cells: tuple[Cell, ...] = ()

    def record(self) -> dict[str, Any]:
        """The change as plain JSON values."""
        cells = {cell.column: [cell.old, cell.new] for cell in self.cells}
        return {"table": self.table, "what": self.what, "key": self.key, "row": dict(self.row),
                "cells": cells}  # fmt: skip

    def __str__(self) -> str:
        cells = ", ".join(f"{c.column} {_told(c.old)} → {_told(c.new)}" for c in self.cells)
        if not cells:
            cells = ", ".join(f"{name} {_told(value)}" for name, value in self.row.items() if value)
            cells = cells if len(cells) <= 160 else f"{cells[:159]}…"
        return f"{self.table} {self.key} {self.what}: {cells}"


def _told(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value) if value != "" else "empty"


def compare(old: Dataset, new: Dataset) -> list[Change]:
    """Changes from one package to another, table by table.

    Columns only one package has are empty in the other.
    """
    return [change for table in TABLES for change in _table(table, old, new)]


def _table(table: str, old: Dataset, new: Dataset) -> Iterator[Change]:
    before, after = (_plain(getattr(each, table)) for each in (old, new))
    columns = list(dict.fromkeys([*after.columns, *before.columns]))
    before, after = (frame.reindex(columns=columns) for frame in (before, after))
    names = own_schemas()[table].get("primaryKey") or columns
    pairs, removed, added = _matched(before, after, names, table)
    first, second = (frame.to_dict("records") for frame in (before, after))
    for i, j in pairs:
        told = ((name, _json(first[i][name]), _json(second[j][name])) for name in columns)
        if cells := tuple(Cell(*each) for each in told if each[1] != each[2]):
            yield Change(table, "changed", _key(second[j], names), _filled(second[j]), cells)
    yield from (Change(table, "removed", _key(first[i], names), _filled(first[i])) for i in removed)
    yield from (Change(table, "added", _key(second[j], names), _filled(second[j])) for j in added)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """A table as it stands in its file, missing cells as None."""
    kept = frame.drop(columns=[name for name in ADDED_BY_PROGRAM if name in frame])
    return kept.astype(object).where(kept.notna(), None)


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, cell in row.items() if (value := _json(cell)) != ""}


def _json(value: Any) -> Any:
    """A cell as JSON holds it, ``""`` where it is empty."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return value.item() if hasattr(value, "item") else value


def _key(row: Mapping[str, Any], names: list[str]) -> str:
    return "/".join(str(row[name]) for name in names)


def _matched(
    before: pd.DataFrame, after: pd.DataFrame, names: list[str], table: str
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Places of rows that are the same, and of those only one table has."""
    keys = [names]
    left, right = range(len(before)), range(len(after))
    pairs: list[tuple[int, int]] = []
    if table == "facts":  # an identifier that was given to another fact is no match
        keys = [[*names, *IDENTITY[:-1]], [*IDENTITY, "value"], list(IDENTITY), names]
    for columns in keys:
        places = _numbered(before, left, columns), _numbered(after, right, columns)
        pairs += [(i, places[1][key]) for key, i in places[0].items() if key in places[1]]
        taken = {i for i, _ in pairs}, {j for _, j in pairs}
        left = [i for i in left if i not in taken[0]]
        right = [j for j in right if j not in taken[1]]
    return sorted(pairs), list(left), list(right)


def _numbered(frame: pd.DataFrame, places: Any, columns: list[str]) -> dict[tuple, int]:
    """Rows by key; of several with one key the first, second, … are told apart."""
    seen: Counter[tuple] = Counter()
    found = {}
    rows = frame.iloc[list(places)][columns].itertuples(index=False, name=None)
    for place, key in zip(places, rows, strict=True):
        found[(*key, seen[key])] = place
        seen[key] += 1
    return found


def counted(changes: list[Change]) -> dict[str, dict[str, int]]:
    """Number of rows added, removed and changed by table, of tables with changes."""
    found: dict[str, dict[str, int]] = {}
    for change in changes:
        of = found.setdefault(change.table, {"added": 0, "removed": 0, "changed": 0})
        of[change.what] += 1
    return found
