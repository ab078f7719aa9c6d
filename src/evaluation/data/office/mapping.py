"""The mapping file of a package: what a person decided about names nobody could be certain of."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from evaluation.base.errors import DataError, KepuError, Violation
from evaluation.base.files import MEGABYTE, read_text
from evaluation.data.office.layout import Read
from evaluation.data.office.vocabulary import Units, normal
from evaluation.data.office.write import guarded, unguarded
from evaluation.data.tables import MAPPING

COLUMNS = ("kind", "sheet", "text", "means", "unit", "how", "suggestions")
KINDS = ("indicator", "region")
IGNORE = "ignore"
REMEDY = "write a key of the package, `ignore`, or leave it empty"


@dataclass(frozen=True)
class Row:
    """One decision, or one question where ``means`` is empty.

    ``sheet`` is empty where it holds for every sheet; ``unit`` is that of a column, where its
    header does not say; ``how`` is ``matched``, ``asked`` or whatever a person writes.
    """

    kind: str
    sheet: str
    text: str
    means: str = ""
    unit: str = ""
    how: str = ""
    suggestions: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.sheet, self.kind, normal(self.text)


def read(path: Path) -> list[Row]:
    """The rows of a mapping file; none where there is no file.

    Raises
    ------
    KepuError : no UTF-8, a column missing, a kind nobody knows.
    """
    if not path.exists():
        return []
    try:
        reader = csv.DictReader(
            io.StringIO(read_text(path, 16 * MEGABYTE), newline=""), strict=True
        )
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        raise KepuError(f"{path.name}: is no CSV ({error}) — correct it") from None
    if missing := [name for name in COLUMNS[:4] if name not in (reader.fieldnames or ())]:
        faults = [Violation(path.name, 1, name, "column is missing", "add it") for name in missing]
        raise DataError(faults)
    rows, faults = [], []
    for number, line in lines:
        row = Row(*(unguarded((line.get(name) or "").strip()) for name in COLUMNS))
        rows.append(row)
        if row.kind not in KINDS:
            rule = f"'{row.kind}' is no kind of name"
            faults.append(Violation(path.name, number, "kind", rule, f"use {' or '.join(KINDS)}"))
    if faults:
        raise DataError(faults)
    return rows


def decided(path: Path, rows: list[Row], known: dict[str, set[str]], units: Units):
    """Meanings and units by (sheet, kind, normal form).

    Raises
    ------
    DataError : a meaning that is no key of the package, or a unit nobody knows.
    """
    meanings, stated, faults = {}, {}, []
    for number, row in enumerate(rows, 2):
        if row.means and row.means != IGNORE and row.means not in known[row.kind]:
            rule = f"'{row.means}' is no {row.kind} of the package"
            faults.append(Violation(path.name, number, "means", rule, REMEDY))
        if row.unit and units.word(row.unit) is None:
            rule = f"'{row.unit}' is no unit that is known"
            faults.append(Violation(path.name, number, "unit", rule, "write it as in 万人 or %"))
        if row.means:
            meanings[row.key] = row.means
        if row.unit:
            stated[row.key] = units.word(row.unit)
    if faults:
        raise DataError(faults)
    return meanings, stated


def completed(rows: list[Row], reads: list[Read]) -> list[Row]:
    """The rows of a mapping with those of an import added: what was matched, what is asked."""
    there = {row.key for row in rows} | {("", row.kind, normal(row.text)) for row in rows}
    added: dict[tuple[str, str, str], Row] = {}
    for read_ in reads:
        found = [Row(kind, "", text, means, "", "matched")
                 for (kind, text), means in read_.matched.items()]  # fmt: skip
        found += [Row(kind, "", text, "", "", "asked", "; ".join(like))
                  for (kind, text), like in read_.asked.items()]  # fmt: skip
        added |= {row.key: row for row in found if row.key not in there and row.text}
    return [*rows, *added.values()]


def text(rows: list[Row]) -> str:
    """A mapping file."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([guarded(getattr(row, name)) for name in COLUMNS] for row in rows)
    return stream.getvalue()


def place(folder: Path) -> Path:
    """The mapping file of a package."""
    return folder / MAPPING
