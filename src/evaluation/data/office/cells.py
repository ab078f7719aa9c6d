"""Read an office's file into sheets of text: xlsx, xls, ods, csv and tsv in usual encodings."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from evaluation.base.errors import KepuError, shown
from evaluation.base.files import read_bytes
from evaluation.data.office import parts as inside

ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA")
OLE = b"\xd0\xcf\x11\xe0"
SEPARATORS = (",", "\t", ";", "|")
MOST_SHEETS = 200
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BROKEN = re.compile(r"\s*[\r\n\t\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+\s*")


@dataclass
class Sheet:
    """One sheet as text.

    Attributes
    ----------
    rows : cells as a person sees them, ``""`` where empty; a number is the shortest decimal that
        stands for it, with the decimals its cell shows; a share shown in percent ends with ``%``.
    merged : first and last row and column (from 0) of each merged range.
    faults : why a cell cannot be read, by row and column.
    notes : what a reader of the sheet should know.
    """

    file: str
    name: str
    rows: list[list[str]]
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    faults: dict[tuple[int, int], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Book:
    """The sheets of one file, with the SHA-256 of its bytes; ``hidden`` names sheets left out."""

    name: str
    sha256: str
    sheets: list[Sheet]
    hidden: list[str] = field(default_factory=list)

    @property
    def source_id(self) -> str:
        """Id of the file among the sources of a package: the same file has the same one."""
        return f"F{self.sha256[:8]}"


def file_name(path: Path) -> str:
    """The name of a file as a table may hold it: one line, no control characters."""
    text = unicodedata.normalize("NFC", path.name)
    return "".join(c if c.isprintable() else "?" for c in text).strip()


def read(path: Path) -> Book:
    """Read one file.

    Raises
    ------
    KepuError : missing, too large, of no known kind, protected, with macros, or damaged.
    """
    name = file_name(path)
    content = read_bytes(path, inside.LARGEST)
    digest = hashlib.sha256(content).hexdigest()
    if not content.strip():
        raise KepuError(f"{name}: is empty — name a file with a table")
    if inside.is_zip(content) or content[:4] == OLE:
        return _workbook(name, content, digest)
    return Book(name, digest, [Sheet(name, "", _separated(path, name, content))])


def _workbook(name: str, content: bytes, digest: str) -> Book:
    import python_calamine as calamine

    looks, linked = {}, False
    if inside.is_zip(content):
        members = inside.members(name, content)
        looks, linked = inside.looks(name, members), inside.links(members)
    elif b"_\x00V\x00B\x00A\x00_\x00P\x00R\x00O\x00J\x00E\x00C\x00T\x00" in content:
        raise KepuError(f"{name}: holds macros — save it as a workbook without macros (.xlsx)")
    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            visible = calamine.SheetVisibleEnum.Visible
            kept = [m.name for m in workbook.sheets_metadata if m.visible == visible]
            hidden = [m.name for m in workbook.sheets_metadata if m.visible != visible]
            if len(kept) > MOST_SHEETS:
                raise KepuError(f"{name}: has {len(kept):,} sheets, more than {MOST_SHEETS}")
            sheets = [_sheet(name, title, workbook, looks.get(title)) for title in kept]
    except calamine.PasswordError:
        raise KepuError(f"{name}: is protected by a password — save it without one") from None
    except (calamine.CalamineError, OSError, ValueError, KeyError) as error:
        raise KepuError(
            f"{name}: is no workbook that can be read ({error}) — save it anew"
        ) from None
    if linked:
        note = "links to other workbooks; values are those stored when it was last saved"
        sheets[0].notes.append(note)
    return Book(name, digest, sheets, hidden)


def _sheet(file: str, title: str, workbook, look: inside.Look | None) -> Sheet:
    found = workbook.get_sheet_by_name(title)
    raw = found.to_python(skip_empty_area=False)
    sheet = Sheet(file, title, [])
    formats = look.shown if look else {}
    for number, line in enumerate(raw):
        row = []
        for column, value in enumerate(line):
            row.append(_text(value, formats.get((number, column))))
            if row[-1] in ERRORS:
                sheet.faults[number, column] = f"the formula gives {row[-1]}"
        sheet.rows.append(row)
    sheet.merged = [
        (top, left, bottom, right)
        for (top, left), (bottom, right) in (found.merged_cell_ranges or ())
    ]
    for place, reason in (look.faults if look else {}).items():
        sheet.faults[place] = reason
        _put(sheet.rows, place, "?")
    if look and look.formulas:
        sheet.notes.append(f"{look.formulas:,} formulas; values are those stored in the file")
    return sheet


def _put(rows: list[list[str]], place: tuple[int, int], text: str) -> None:
    row, column = place
    while len(rows) <= row:
        rows.append([])
    rows[row] += [""] * (column + 1 - len(rows[row]))
    rows[row][column] = text


def _text(value: object, look: tuple[int, bool] | None = None) -> str:
    """A value of a cell as a person sees it; ``look``: decimals it is shown with, and percent.

    >>> _text(0.1234, (2, True)), _text(8.7, (2, False)), _text(0.695, (1, False)), _text(12.0)
    ('12.34%', '8.70', '0.695', '12')
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, look)
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time | timedelta):
        return str(value)
    return ""


def clean(text: str) -> str:
    """A text on one line, without space around it and characters that cannot be shown.

    What turns the direction of writing stays: such a cell is not what it looks like, and refused.
    """
    if not text.isprintable():
        text = BROKEN.sub(" ", text)
        unseen = ("Cc", "Cf", "Cs", "Cn")
        text = "".join(c for c in text if c in TURNING or unicodedata.category(c) not in unseen)
    return text.strip()


def _number(value: float, look: tuple[int, bool] | None) -> str:
    number = Decimal(repr(value))
    if not number.is_finite():
        return str(value)
    decimals, percent = look or (-1, False)
    if percent:
        # Fifteen digits are what a spreadsheet keeps of a number.
        number = Decimal(f"{value:.15g}") * 100
    text = format(number.normalize(), "f")
    padded = f"{number:.{decimals}f}" if decimals >= 0 else text
    # Decimals that are shown and say nothing else than the number are how it was written.
    text = padded if Decimal(padded) == number else text
    return f"{text}%" if percent else text


def _separated(path: Path, name: str, content: bytes) -> list[list[str]]:
    """The rows of a text file with separators."""
    text = _decoded(name, content)
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    cells = 0
    try:
        for line in reader:
            cells += len(line)
            if cells > inside.MOST_CELLS:
                raise KepuError(f"{name}: has more than {inside.MOST_CELLS:,} cells — split it")
            # A quoted line break would shift the numbers of the rows after it.
            while len(rows) < reader.line_num - 1:
                rows.append([])
            rows.append([clean(cell) for cell in line])
    except csv.Error as error:
        rule = f"a quotation mark is not closed, or a cell is too long ({error})"
        raise KepuError(f"{name}, row {reader.line_num}: {rule} — correct the file") from None
    return rows


def _decoded(name: str, content: bytes) -> str:
    marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    tried = ("utf-16",) if marked else ("utf-8-sig", "gb18030")
    for encoding in tried:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        # Bytes of another encoding that pass as GB18030 give characters nobody has assigned.
        odd = encoding == "gb18030" and any(
            unicodedata.category(c) in ("Co", "Cn") for c in set(text)
        )
        if not odd:
            return text
    raise KepuError(
        f"{name}: is no text in UTF-8, UTF-16 or GB18030, and no workbook of the kinds xlsx, xls "
        "and ods — save it as CSV UTF-8 or as .xlsx"
    )


def _separator(text: str) -> str:
    """The separator that divides the first rows into most cells."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    counts = {sign: sum(line.count(sign) for line in lines) for sign in SEPARATORS}
    split = {sign: sum(sign in line for line in lines) for sign in SEPARATORS}
    return max(SEPARATORS, key=lambda sign: (split[sign], counts[sign]))


def place(sheet: Sheet, row: int, column: int) -> str:
    """Where a cell is, for messages and locators: ``sheet 科普, cell D7``, ``row 7, column 4``."""
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    cell = f"{letters}{row + 1}"
    return f"sheet {shown(sheet.name)}, cell {cell}" if sheet.name else f"cell {cell}"
