"""A whole data package as a workbook, a sheet a table, and back: no figure changes on the way."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from evaluation.base.errors import DataError, KepuError, Violation
from evaluation.data import contract
from evaluation.data.office import cells, form, write
from evaluation.data.tables import DESCRIPTOR, TABLES, files_of, read_files

PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.([0-9]{1,9}))?")
PIECE = 30_000  # characters of the descriptor in one cell; a cell holds 32,767
KEY = "facts"  # a workbook with this sheet and its key column is a package


@dataclass
class Merged:
    """A package as it would be with the tables of a workbook; ``counts`` says of each table how
    many rows are new, changed and there already."""

    folder: Path
    hash: str
    files: dict[str, bytes]
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def facts(self) -> str:
        """The file of the facts."""
        resources = json.loads(self.files[DESCRIPTOR])["resources"]
        return next(each["path"] for each in resources if each["name"] == KEY)


def save(root: Path, file: Path) -> Path:
    """Write the package at ``root`` to a workbook; returns the file.

    Raises
    ------
    DataError : the package breaks its contract.
    KepuError : the file is there already, or cannot be written.
    """
    form.free(file)
    files = read_files(root)
    package = contract.read(files)
    if faults := contract.breaches(package):
        raise DataError(faults)
    descriptor = files.contents[DESCRIPTOR].decode("utf-8-sig")
    return form.saved(file, lambda book: _sheets(book, package, descriptor), constant_memory=True)


def _sheets(book, package: contract.Package, descriptor: str) -> None:
    head = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
    formats: dict[int, object] = {}
    for name, frame in package.tables.items():
        sheet = book.add_worksheet(name)
        kinds = {
            each["name"]: each["type"]
            for each in contract.own_schemas().get(name, {}).get("fields", ())
        }
        for column, title in enumerate(frame.columns):
            sheet.write_string(0, column, title, head)
        sheet.freeze_panes(1, 1)
        numeric = [kinds.get(title) in ("number", "integer") for title in frame.columns]
        for number, row in enumerate(frame.itertuples(index=False, name=None), 1):
            for column, text in enumerate(row):
                if text:
                    _cell(book, sheet, (number, column), text, numeric[column], formats)
    sheet = book.add_worksheet(DESCRIPTOR.removesuffix(".json"))
    for number in range(0, len(descriptor), PIECE):
        # A mark before each piece: space at its ends is part of it.
        sheet.write_string(number // PIECE, 0, f"|{descriptor[number : number + PIECE]}|")


def _cell(book, sheet, place: tuple[int, int], text: str, numeric: bool, formats: dict) -> None:
    """A number as a number with the decimals it has, where it comes back as the same text."""
    match = PLAIN.fullmatch(text) if numeric else None
    if match is None or len(text) > 15:
        sheet.write_string(*place, text)
        return
    decimals = len(match[1] or "")
    if decimals not in formats:
        code = f"0.{'0' * decimals}" if decimals else "0"
        formats[decimals] = book.add_format({"num_format": code})
    sheet.write_number(*place, float(text), formats[decimals])


def is_package(book: cells.Book) -> bool:
    """Whether a workbook holds the tables of a package and not an office's figures."""
    return any(
        sheet.name == KEY and sheet.rows and "fact_id" in sheet.rows[0] for sheet in book.sheets
    )


def tables(book: cells.Book) -> dict[str, pd.DataFrame]:
    """The tables of a workbook as text; the index is the row of the sheet.

    Raises
    ------
    DataError : a cell that cannot be read, or a column without a name.
    """
    found, faults = {}, []
    for sheet in book.sheets:
        if sheet.name not in TABLES:
            continue
        head = sheet.rows[0] if sheet.rows else []
        place = f"{book.name}, sheet {sheet.name}"
        if "" in head or len(set(head)) < len(head):
            rule = "a column has no name, or one that is there twice"
            faults.append(Violation(place, 1, "", rule, "name each column once"))
            continue
        faults += [
            Violation(
                place,
                row + 1,
                head[column] if column < len(head) else "",
                rule,
                "write the value itself",
            )
            for (row, column), rule in sheet.faults.items()
        ]
        rows = {
            number: [*row, *[""] * (len(head) - len(row))]
            for number, row in enumerate(sheet.rows[1:], 2) if any(row)
        }  # fmt: skip
        faults += [Violation(place, number, "", "has cells beside the table", "remove them")
                   for number, row in rows.items() if len(row) > len(head)]  # fmt: skip
        found[sheet.name] = pd.DataFrame(
            [row[: len(head)] for row in rows.values()], index=list(rows), columns=head, dtype=str
        )
    if faults:
        raise DataError(faults)
    return found


def merge(book: cells.Book, folder: Path) -> Merged:
    """The package at ``folder`` with the rows of a workbook; a new one where there is none.

    Raises
    ------
    DataError : the result would break the contract; a fault of a fact names the sheet and its row.
    """
    own = tables(book)
    if folder.exists() and any(folder.iterdir()):
        files = read_files(folder)
        before, hash_, contents = contract.read(files), files.hash, dict(files.contents)
        names = before.files
    else:
        contents = {DESCRIPTOR: _descriptor(book)}
        before, hash_ = contract.Package(), ""
        names = {r["name"]: r["path"] for r in json.loads(contents[DESCRIPTOR])["resources"]}
    merged = Merged(folder, hash_, contents)
    rows: dict[str, dict[int, int]] = {}
    for name, table in own.items():
        if name not in names:
            continue
        frame, merged.counts[name], rows[names[name]] = _joined(
            before.tables.get(name), table, name
        )
        contents[names[name]] = write.table(frame)
    faults = contract.breaches(contract.read(files_of(folder, contents)))
    if faults:
        raise DataError([_located(fault, book, rows, names) for fault in faults])
    return merged


def _descriptor(book: cells.Book) -> bytes:
    sheet = next((s for s in book.sheets if s.name == DESCRIPTOR.removesuffix(".json")), None)
    text = "".join(row[0][1:-1] for row in sheet.rows if row) if sheet else ""
    try:
        found = json.loads(text)
        listed = isinstance(found["resources"], list)
    except (ValueError, KeyError, TypeError, RecursionError):
        remedy = "keep the sheet datapackage as it was written, or import into a package"
        raise KepuError(f"{book.name}: holds no description of its tables — {remedy}") from None
    if not listed:
        raise KepuError(f"{book.name}: its sheet datapackage lists no tables — keep it as written")
    return (json.dumps(found, ensure_ascii=False, indent=2) + "\n").encode()


def _joined(before: pd.DataFrame | None, table: pd.DataFrame, name: str):
    """A table with the rows of a sheet; counts; the row of the sheet by the line of the file."""
    if before is None:
        lines = dict(enumerate(table.index, 2))
        return table, (len(table), 0, 0), lines
    key = contract.own_schemas()[name].get("primaryKey") or list(before.columns)
    columns = list(before.columns)
    missing = [column for column in table.columns if column not in columns]
    frame = before.assign(**dict.fromkeys(missing, ""))
    columns += missing
    places = {tuple(each): i for i, each in enumerate(frame[key].to_numpy())}
    rows = frame.to_numpy().tolist()
    counts, lines = [0, 0, 0], {}
    given = table.reindex(columns=columns)
    for number, row in zip(given.index, given.to_numpy().tolist(), strict=True):
        place = places.get(tuple(str(row[columns.index(k)]) for k in key))
        old = rows[place] if place is not None else [""] * len(columns)
        new = [text if isinstance(text, str) else old[i] for i, text in enumerate(row)]
        if place is None:
            lines[len(rows) + 2] = number
            rows.append(new)
        else:
            lines[place + 2] = number
            rows[place] = new
        counts[0 if place is None else 2 if new == old else 1] += 1
    return pd.DataFrame(rows, columns=columns, dtype=str), tuple(counts), lines


def _located(fault: Violation, book: cells.Book, rows, names: dict[str, str]) -> Violation:
    """A breach with the sheet and row it comes from, where it comes from the workbook."""
    row = rows.get(fault.file, {}).get(fault.row)
    if row is None:
        return fault
    sheet = next(name for name, file in names.items() if file == fault.file)
    place = f"{book.name}, sheet {sheet}"
    return Violation(place, row, fault.column, fault.rule, fault.remedy)
