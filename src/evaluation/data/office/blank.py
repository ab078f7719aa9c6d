"""The filled statistics blank, as :mod:`evaluation.targets.blank` writes it: a figure a row.

A mark in the sheet names region and year; columns are known by their heads in either language, so
that some may be moved, hidden or added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from evaluation.base.text import LANGUAGES, t
from evaluation.data.office.cells import Sheet, place
from evaluation.data.office.layout import Meaning, Raw, Read, Told
from evaluation.data.office.vocabulary import is_missing, normal, period

MARK = "kepu-blank"
PAGE = "completeness"  # in the place of a region: the sheet has no figures to take
NEEDED = ("code", "unit", "value", "source", "grade", "note")
GRADES = ("A", "B", "C")
HEADED = 6  # rows from the top that may hold mark and header


def mark(region: str, year: int | str = "") -> str:
    """The text that says what a sheet is."""
    return f"{MARK} {region} {year}".strip()


def is_blank(sheet: Sheet) -> bool:
    """Whether a sheet is one of a statistics blank."""
    return bool(_mark(sheet))


def _mark(sheet: Sheet) -> list[str]:
    cells = (cell.split() for row in sheet.rows[:HEADED] for cell in row if MARK in cell)
    return next((words for words in cells if words[0] == MARK), [])


def read(sheet: Sheet, meaning: Meaning) -> Read:
    """The figures a person wrote into a sheet; what cannot be taken is refused with its rule."""
    found = Read(sheet)
    words = _mark(sheet)
    if words[1:2] == [PAGE]:
        found.passed.append("the page on completeness has no figures to take")
        return found
    header, columns = _header(sheet)
    region = meaning.find("region", words[1]) if len(words) > 1 else ""
    when = period(words[2]) if len(words) > 2 else None
    for wrong, what in ((region in ("", "ignore"), "region"), (when is None, "year")):
        if wrong:
            remedy = f"write '{MARK}', the code of the region and the year"
            found.refused.append((1, 0, " ".join(words), f"names no {what} that is known", remedy))
    for name in [each for each in NEEDED if each not in columns]:
        head = " / ".join(str(t(f"blank.head.{name}", each)) for each in LANGUAGES)
        rule = f"the column '{head}' is missing"
        found.refused.append((header, 0, name, rule, "make a new blank, and paste values alone"))
    if found.refused:
        return found
    for number, line in enumerate(sheet.rows[header + 1 :], header + 1):
        cells = {name: line[at] if at < len(line) else "" for name, at in columns.items()}
        if (number, columns["value"]) in sheet.faults or not is_missing(cells["value"]):
            _figure(number, cells, columns, (region, when), meaning, found)
        elif cells["value"]:
            found.passed.append(f"row {number + 1}: '{cells['value']}' says that there is none")
    return found


def _header(sheet: Sheet) -> tuple[int, dict[str, int]]:
    """The row with most heads, and the column of each."""
    heads = {normal(str(t(f"blank.head.{name}", each))): name
             for name in NEEDED for each in LANGUAGES}  # fmt: skip
    best: tuple[int, dict[str, int]] = (0, {})
    for number, row in enumerate(sheet.rows[:HEADED]):
        at = {heads[normal(cell)]: column for column, cell in enumerate(row)
              if normal(cell) in heads}  # fmt: skip
        best = max(best, (number, at), key=lambda each: len(each[1]))
    return best


def _figure(number, cells, columns, of, meaning: Meaning, found: Read) -> None:
    """Take one row as a figure, or say which of its cells cannot be."""
    indicator = meaning.names["indicator"].find(cells["code"]) if cells["code"] else ""
    unit = meaning.units.word(cells["unit"])
    faults = list(_faults(number, cells, columns, found.sheet))
    if not indicator:
        rule = f"'{cells['code']}' is the code of no indicator"
        faults.append(("code", rule, "write the code the blank had in this row"))
    if unit is None:
        rule = f"'{cells['unit']}' is no unit that is known"
        faults.append(("unit", rule, "write the unit the blank had in this row"))
    for name, rule, remedy in faults:
        found.refused.append((number, columns[name], cells[name], rule, remedy))
    if faults:
        return
    region, when = of
    raw = Raw(
        number, columns["value"], cells["value"], region, indicator, when, unit, cells["code"],
        cells["note"], _told(number, cells, columns, found.sheet, meaning),
    )  # fmt: skip
    found.raws.append(raw)


def _faults(number, cells, columns, sheet: Sheet) -> Iterator[tuple[str, str, str]]:
    if reason := sheet.faults.get((number, columns["value"])):
        yield "value", reason, "write the number itself"
    if cells["grade"] and cells["grade"] not in GRADES:
        rule = f"'{cells['grade']}' is no grade of a source"
        yield "grade", rule, f"write one of {', '.join(GRADES)}"
    if bool(cells["grade"]) != bool(cells["source"]):
        name, other = ("source", "grade") if cells["grade"] else ("grade", "source")
        rule = f"there is a {other} and no {name}"
        yield name, rule, "write both; or none, and the file itself is the source"


def _told(number, cells, columns, sheet: Sheet, meaning: Meaning) -> Told | None:
    """The document a row cites: one of the package by its id or title, else a new source."""
    if not cells["source"]:
        return None
    form = normal(cells["source"])
    digest = hashlib.sha256(form.encode()).hexdigest()[:8]
    source, title = meaning.sources.get(form, (f"B{digest}", cells["source"]))
    return Told("", "", place(sheet, number, columns["value"]), source, title, cells["grade"])
