"""Read an office's file into sheets of text: xlsx, xls, ods, csv and tsv in usual encodings."""

from __future__ import annotations

import csv
import hashlib
import io
import posixpath
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from xml.parsers import expat

from evaluation.base.errors import KepuError, shown
from evaluation.base.files import read_bytes

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
    content = read_bytes(path, LARGEST)
    digest = hashlib.sha256(content).hexdigest()
    if not content.strip():
        raise KepuError(f"{name}: is empty — name a file with a table")
    if is_zip(content) or content[:4] == OLE:
        return _workbook(name, content, digest)
    return Book(name, digest, [Sheet(name, "", _separated(path, name, content))])


def _workbook(name: str, content: bytes, digest: str) -> Book:
    import python_calamine as calamine

    looked, linked = {}, False
    if is_zip(content):
        parts = members(name, content)
        looked, linked = looks(name, parts), links(parts)
    elif b"_\x00V\x00B\x00A\x00_\x00P\x00R\x00O\x00J\x00E\x00C\x00T\x00" in content:
        raise KepuError(f"{name}: holds macros — save it as a workbook without macros (.xlsx)")
    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            visible = calamine.SheetVisibleEnum.Visible
            kept = [m.name for m in workbook.sheets_metadata if m.visible == visible]
            hidden = [m.name for m in workbook.sheets_metadata if m.visible != visible]
            if len(kept) > MOST_SHEETS:
                raise KepuError(f"{name}: has {len(kept):,} sheets, more than {MOST_SHEETS}")
            sheets = [_sheet(name, title, workbook, looked.get(title)) for title in kept]
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


def _sheet(file: str, title: str, workbook, look: Look | None) -> Sheet:
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
            if cells > MOST_CELLS:
                raise KepuError(f"{name}: has more than {MOST_CELLS:,} cells — split it")
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
    """The separator that divides most of the first rows, and them into most cells."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    counts = {sign: [line.count(sign) for line in lines] for sign in SEPARATORS}
    return max(SEPARATORS, key=lambda sign: (sum(map(bool, counts[sign])), sum(counts[sign])))


def place(sheet: Sheet, row: int, column: int) -> str:
    """Where a cell is, for messages and locators: ``sheet 科普, cell D7``, ``row 7, column 4``."""
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    cell = f"{letters}{row + 1}"
    return f"sheet {shown(sheet.name)}, cell {cell}" if sheet.name else f"cell {cell}"


# ------------------------------------------------------------------------------------------
# What the parts of a spreadsheet file say before a library opens it, within bounds: macros, links,
# what would grow beyond memory, formulas without a stored value, how numbers are shown. Nothing is
# unpacked to disk and no link is followed.


LARGEST = 64_000_000  # bytes of a file
UNPACKED = 512_000_000  # bytes of all its parts
MOST_PARTS = 5_000
MOST_CELLS = 6_000_000  # rows × columns of a sheet; 300,000 rows of 20 columns
CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
BUILT_IN = {1: "0", 2: "0.00", 3: "0", 4: "0.00", 9: "0%", 10: "0.00%"}
NO_VALUE = "is a formula whose value was not stored"
DECIMALS = re.compile(r"\.(0+)")


@dataclass
class Look:
    """What the parts of one sheet say beyond its values.

    ``shown`` maps a cell (row, column, from 0) to its decimals and whether it is shown in percent;
    ``faults`` says of a cell why it has no value: an error, a formula whose value is not stored.
    """

    shown: dict[tuple[int, int], tuple[int, bool]] = field(default_factory=dict)
    faults: dict[tuple[int, int], str] = field(default_factory=dict)
    formulas: int = 0


def is_zip(content: bytes) -> bool:
    """Whether bytes begin as those of a zip archive (xlsx, ods)."""
    return content[:4] == b"PK\x03\x04"


def members(name: str, content: bytes) -> dict[str, bytes]:
    """Every part of a spreadsheet file, each unpacked within bounds.

    Raises
    ------
    KepuError : no sound archive, encrypted, too large unpacked, or with macros.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            _bounded(name, listed)
            # A part that is larger than the directory says fails its checksum here.
            return {each.filename: archive.read(each) for each in listed}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise KepuError(f"{name}: is no sound workbook ({error}) — save it anew") from None
    except RuntimeError:  # zipfile says so of a password
        raise KepuError(f"{name}: is protected by a password — save it without one") from None


def _bounded(name: str, listed: list[zipfile.ZipInfo]) -> None:
    size = sum(each.file_size for each in listed)
    if len(listed) > MOST_PARTS or size > UNPACKED:
        raise KepuError(
            f"{name}: would unpack to {size:,} bytes in {len(listed):,} parts, more than "
            f"{UNPACKED:,} bytes or {MOST_PARTS:,} parts — save only the tables that are needed"
        )
    if any(posixpath.basename(each.filename).lower() == "vbaproject.bin" for each in listed):
        raise KepuError(f"{name}: holds macros — save it as a workbook without macros (.xlsx)")


def looks(name: str, parts: dict[str, bytes]) -> dict[str, Look]:
    """What each sheet of an xlsx or ods file says beyond its values, by the name of the sheet.

    Raises
    ------
    KepuError : a sheet of more than ``MOST_CELLS`` cells, or XML that declares entities.
    """
    try:
        if "content.xml" in parts:
            return _ods(name, parts["content.xml"])
        if "xl/workbook.xml" in parts:
            return _xlsx(name, parts)
    except expat.ExpatError as error:
        raise KepuError(f"{name}: holds XML that cannot be read ({error}) — save it anew") from None
    raise KepuError(f"{name}: is no workbook of the kinds xlsx and ods — save it as one of them")


def links(parts: dict[str, bytes]) -> bool:
    """Whether a workbook refers to other workbooks."""
    return any(part.startswith("xl/externalLinks/") for part in parts)


def _parse(content: bytes, start: Callable, end: Callable | None = None) -> None:
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise KepuError("a part of the workbook declares entities — save the workbook anew")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    # Prefixes of names are cut: they differ between programs, and no two names here are alike.
    parser.StartElementHandler = lambda tag, given: start(
        tag.rpartition(":")[2],
        {k.rpartition(":")[2]: v for k, v in given.items()} if ":" in "".join(given) else given,
    )
    if end:
        parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    parser.Parse(content, True)


def _xlsx(name: str, parts: dict[str, bytes]) -> dict[str, Look]:
    sheets: dict[str, str] = {}
    targets: dict[str, str] = {}

    def sheet(tag: str, given: dict[str, str]) -> None:
        if tag == "sheet":
            sheets[given.get("name", "")] = given.get("id", "")

    def relation(tag: str, given: dict[str, str]) -> None:
        if tag == "Relationship":
            target = given.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            targets[given.get("Id", "")] = posixpath.normpath(path)

    _parse(parts["xl/workbook.xml"], sheet)
    if "xl/_rels/workbook.xml.rels" in parts:
        _parse(parts["xl/_rels/workbook.xml.rels"], relation)
    styles = _styles(parts.get("xl/styles.xml", b"<none/>"))
    found = {}
    for title, key in sheets.items():
        part = parts.get(targets.get(key, ""))
        found[title] = (
            Look() if part is None else _sheet_look(f"{name}, sheet {title}", part, styles)
        )
    return found


def _styles(content: bytes) -> dict[int, tuple[int, bool]]:
    """Decimals and percent of each cell style that shows a fixed number of them."""
    codes, styles, within = dict(BUILT_IN), {}, [False, 0]

    def start(tag: str, given: dict[str, str]) -> None:
        if tag == "numFmt":
            codes[int(given["numFmtId"])] = re.sub(
                r'"[^"]*"|\\.|\[[^]]*\]', "", given["formatCode"]
            )
        elif tag == "cellXfs":
            within[0] = True
        elif tag == "xf" and within[0]:
            code = codes.get(int(given.get("numFmtId", 0)), "").split(";")[0]
            decimals = DECIMALS.search(code)
            if "0" in code and "E" not in code and not re.search("[ymdhs?]", code, re.I):
                styles[within[1]] = (len(decimals[1]) if decimals else 0, "%" in code)
            within[1] += 1

    def end(tag: str) -> None:
        if tag == "cellXfs":
            within[0] = False

    _parse(content, start, end)
    return styles


def _sheet_look(place: str, content: bytes, styles: dict[int, tuple[int, bool]]) -> Look:
    """Formats and formulas of a sheet; its extent is bounded."""
    look, state = Look(), {"row": -1, "column": -1, "formula": False, "value": False}
    extent = [0, 0]

    def start(tag: str, given: dict[str, str]) -> None:
        if tag == "row":
            state["row"] = int(given["r"]) - 1 if "r" in given else state["row"] + 1
            state["column"] = -1
        elif tag == "c":
            state["column"] += 1
            if match := CELL.fullmatch(given.get("r", "")):
                number = 0
                for letter in match[1]:
                    number = number * 26 + ord(letter) - 64
                state["row"], state["column"] = int(match[2]) - 1, number - 1
            extent[:] = max(extent[0], state["row"] + 1), max(extent[1], state["column"] + 1)
            if extent[0] * extent[1] > MOST_CELLS:
                raise KepuError(_too_large(place, *extent))
            state["formula"] = state["value"] = False
            if given.get("t") == "e":
                look.faults[state["row"], state["column"]] = "the cell holds an error"
            if (style := styles.get(int(given.get("s", -1)))) and given.get("t", "n") == "n":
                look.shown[state["row"], state["column"]] = style
        elif tag == "f":
            state["formula"] = True
        elif tag in ("v", "is"):
            state["value"] = True

    def end(tag: str) -> None:
        if tag == "c" and state["formula"]:
            look.formulas += 1
            if not state["value"]:
                look.faults[state["row"], state["column"]] = NO_VALUE

    _parse(content, start, end)
    return look


def _too_large(place: str, rows: int, columns: int) -> str:
    return (
        f"{place}: reaches over {rows:,} rows and {columns:,} columns, more than "
        f"{MOST_CELLS:,} cells — remove what lies far from the table"
    )


def _ods(name: str, content: bytes) -> dict[str, Look]:
    """Percent cells and formulas of each table; repetitions of filled cells are bounded."""
    found: dict[str, Look] = {}
    at = {"table": "", "row": 0, "rows": 1, "column": 0, "filled": 0}

    def start(tag: str, given: dict[str, str]) -> None:
        if tag == "table":
            at.update(table=given.get("name", ""), row=0)
            found[at["table"]] = Look()
        elif tag == "table-row":
            at.update(rows=int(given.get("number-rows-repeated", 1)), column=0)
        elif tag in ("table-cell", "covered-table-cell") and at["table"] in found:
            _ods_cell(f"{name}, sheet {at['table']}", found[at["table"]], at, given)

    def end(tag: str) -> None:
        if tag == "table-row":
            at["row"] += at["rows"]

    _parse(content, start, end)
    return found


def _ods_cell(place: str, look: Look, at: dict, given: dict[str, str]) -> None:
    repeated = int(given.get("number-columns-repeated", 1))
    kind = given.get("value-type")
    if kind or "formula" in given:
        at["filled"] += repeated * at["rows"]
        far = (at["row"] + at["rows"]) * (at["column"] + repeated)
        if at["filled"] > MOST_CELLS or far > MOST_CELLS:
            raise KepuError(_too_large(place, at["row"] + at["rows"], at["column"] + repeated))
        spots = [
            (at["row"] + i, at["column"] + j) for i in range(at["rows"]) for j in range(repeated)
        ]
        if kind == "percentage":
            look.shown.update(dict.fromkeys(spots, (-1, True)))
        if "formula" in given:
            look.formulas += len(spots)
            look.faults.update({} if kind else dict.fromkeys(spots, NO_VALUE))
    at["column"] += repeated
