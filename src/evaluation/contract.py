"""What the rules of the data contract share: required columns, numbers, lists, breaches."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import pandas as pd

from evaluation.errors import Violation

# Tables of text by name; the index of each is the row number in its file.
Tables = dict[str, pd.DataFrame]
Rule = Callable[[Tables], list[Violation]]

RATE = "science_literacy_rate"
GAIN = "science_literacy_rate_change"
CONFLICT = "conflict"
RECORD = "correct the figure, or record it in contradictions.csv and flag the fact 'conflict'"


def needs(**columns: str) -> Callable[[Rule], Rule]:
    """Run a rule only where its tables have the columns it reads.

    ``columns`` maps a table to column names separated by spaces. A missing table or column is a
    breach of its own and is reported as such.
    """

    def decorate(rule: Rule) -> Rule:
        @wraps(rule)
        def guarded(tables: Tables) -> list[Violation]:
            present = all(
                name in tables and set(wanted.split()) <= set(tables[name].columns)
                for name, wanted in columns.items()
            )
            return rule(tables) if present else []

        return guarded

    return decorate


def breaches(rows: pd.DataFrame, table: str, column: str, rule: str, remedy: str):
    """One violation a row; ``rule`` and ``remedy`` are formats filled from the row's columns."""
    return [
        Violation(f"{table}.csv", int(number), column, rule.format(**row), remedy.format(**row))
        for number, row in zip(rows.index, rows.to_dict("records"), strict=True)
    ]


def number(text: pd.Series) -> pd.Series:
    """Text as float; missing where it is no finite number, which another rule reports."""
    values = pd.to_numeric(text, errors="coerce").astype(float)
    return values.where(values.abs() < float("inf"))


def exploded(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row for each entry of a semicolon-separated column, as the new column ``entry``."""
    entries = frame.assign(entry=frame[column].str.split(";")).explode("entry")
    return entries[(entries[column] != "")]


def flagged(facts: pd.DataFrame, *caveats: str) -> pd.Series:
    """True where a fact carries at least one of ``caveats``."""
    pattern = "|".join(caveats)
    return facts["caveats"].str.contains(rf"(?:^|;)(?:{pattern})(?:;|$)")


def recorded_pairs(tables: Tables) -> list[frozenset[str]]:
    """Sets of fact ids that one row of contradictions.csv names together."""
    table = tables.get("contradictions")
    if table is None or "fact_ids" not in table:
        return []
    return [frozenset(ids.split(";")) for ids in table["fact_ids"]]
