"""Look into the parts of a spreadsheet file before a library opens it, within bounds.

Nothing is unpacked to disk and no link is followed. What is found: files that would grow beyond
memory, macros, links, formulas without a stored value, and how numbers are shown.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from evaluation.base.errors import KepuError

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
        found[title] = Look() if part is None else _sheet(f"{name}, sheet {title}", part, styles)
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


def _sheet(place: str, content: bytes, styles: dict[int, tuple[int, bool]]) -> Look:
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
                state["row"], state["column"] = int(match[2]) - 1, _column(match[1])
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


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


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
