"""Read the files of a data package, each once: descriptor, tables as text, hash of the whole.

Whatever is wrong with a file becomes a :class:`Violation`; nothing outside the package is read and
no address a descriptor names is opened.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from evaluation.base.errors import DataError, Violation, shown

if TYPE_CHECKING:  # slow to import: what is remembered of a package is found by its hash alone
    import pandas as pd

DESCRIPTOR = "datapackage.json"
# Generated panels live beside the facts and are never part of the package.
SIMULATED = "simulated"
# What an import keeps beside the tables: the meanings of an office's names, and rows it refused.
MAPPING, REFUSED = "import_mapping.csv", "refused.csv"
TABLES = (
    "facts", "sources", "indicators", "regions", "region_sets", "measures", "units",
    "organisations", "waves", "assumptions", "contradictions", "doses", "part_whole", "levels",
    "bands", "covariates", "subject", "programmes", "claims", "events", "neighbours", "composites",
    "progress", "objectives",
)  # fmt: skip
OPTIONAL = (  # without a file they have no rows
    "programmes", "claims", "events", "neighbours", "composites", "progress", "objectives",
)  # fmt: skip
LARGEST = 256_000_000  # bytes of one file; 300,000 facts are about 50 million
LARGEST_DESCRIPTOR = 4_000_000


@dataclass(frozen=True)
class Text:
    """One table as text: ``frame`` (strings, ``""`` for empty, index: line in the file), faults.

    Lines with too few or too many cells are filled up or cut, and named in ``faults``.
    """

    frame: pd.DataFrame
    faults: list[Violation] = field(default_factory=list)


def package_files(root: Path) -> list[Path]:
    """The descriptor and every CSV of the package, sorted; hidden and generated ones left out."""
    found = [path for path in root.rglob("*.csv") if not _excluded(path.relative_to(root))]
    return sorted(path for path in [*found, root / DESCRIPTOR] if _inside(path, root))


def _excluded(relative: Path) -> bool:
    beside = relative.parts[0] in (SIMULATED, MAPPING, REFUSED)
    return beside or any(part.startswith(".") for part in relative.parts)


def _inside(path: Path, root: Path) -> bool:
    """Whether a path is a file of the package and no link that leads out of it."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        return regular and path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # RuntimeError: a loop of links
        return False


@dataclass(frozen=True)
class Files:
    """The files of one package, each read once.

    Attributes
    ----------
    contents : bytes of the descriptor and of every CSV, by name within the package.
    unread : rule and remedy of each that could not be read.
    hash : SHA-256, in hexadecimal, over names, lengths and bytes of all.
    """

    root: Path
    contents: dict[str, bytes]
    unread: dict[str, tuple[str, str]]
    hash: str


def read_files(root: Path) -> Files:
    """Read the package at ``root``.

    Raises
    ------
    DataError : there is no such folder.
    """
    remedy = "give the path of a data package: a folder with datapackage.json and its tables"
    try:
        there = "is no folder" if os.path.lexists(root) else "folder is missing"
        rule = "" if root.is_dir() else there
        paths = [] if rule else package_files(root)
    except OSError as error:
        rule = f"cannot be read ({error.strerror})"
    if rule:
        raise DataError([Violation(shown(root), None, "", rule, remedy)])
    contents, unread, sizes = {}, {}, {}
    for path in paths:
        name = path.relative_to(root).as_posix()
        largest = LARGEST_DESCRIPTOR if name == DESCRIPTOR else LARGEST
        size = ""
        try:
            size = str(path.stat().st_size)
            if int(size) <= largest:
                contents[name] = path.read_bytes()
                size = str(len(contents[name]))
            else:
                rule = f"has {int(size):,} bytes, more than {largest:,}"
                unread[name] = rule, "split the package, or remove what does not belong in it"
        except OSError as error:
            unread[name] = f"cannot be read ({error.strerror})", "make it a readable file"
        sizes[name] = size
    return Files(root, contents, unread, _hash(contents, sizes))


def files_of(root: Path, contents: dict[str, bytes]) -> Files:
    """The files of a package at ``root`` as they would be with these contents; reads nothing."""
    ordered = {path.as_posix(): contents[path.as_posix()] for path in sorted(map(Path, contents))}
    return Files(root, ordered, {}, _hash(ordered, {}))


def _hash(contents: dict[str, bytes], sizes: dict[str, str]) -> str:
    """Hash over all files; ``sizes`` also names those that were not read."""
    digest = hashlib.sha256()
    for name in sizes or contents:
        content = contents.get(name, b"")
        size = sizes.get(name, str(len(content)))
        digest.update(os.fsencode(name) + f"\0{size}\0".encode() + content)
    return digest.hexdigest()


def package_hash(root: Path) -> str:
    """SHA-256, in hexadecimal, over names, lengths and bytes of all files of the package."""
    return read_files(root).hash


def content_of(files: Files, name: str, remedy: str) -> bytes:
    """The bytes of one file of the package; ``remedy`` is that of a missing one.

    Raises
    ------
    DataError : missing, no regular file, a link out of the package, too large, or unreadable.
    """
    key = PurePosixPath(name).as_posix()
    if key in files.contents:
        return files.contents[key]
    rule, remedy = files.unread.get(key) or _why_unread(files.root, key, remedy)
    raise DataError([Violation(shown(name), None, "", rule, remedy)])


def _why_unread(root: Path, name: str, remedy: str) -> tuple[str, str]:
    """Rule and remedy of a file that is not one of the package."""
    path = root / name
    try:
        status = path.stat()
    except FileNotFoundError:
        return "file is missing", remedy
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"cannot be read ({reason})", "make it a readable file"
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file", "put the table in its place"
    if not _inside(path, root):
        return "is a link out of the package", "copy the file into the package"
    rule = f"lies in a hidden place, in {SIMULATED}/ or behind a link, which no package counts"
    return rule, "move the file into the folder of the package"


def read_descriptor(root: Path | Files) -> dict[str, Any]:
    """Parse ``datapackage.json`` of a package: its folder, or its files as they were read.

    Raises
    ------
    DataError
        If the folder or the descriptor is missing, or the descriptor is no JSON object with a list
        of resources, each with a name of its own and the path of a file in the package.
    """
    files = root if isinstance(root, Files) else read_files(root)
    remedy = "restore the file"
    there = DESCRIPTOR in files.contents or os.path.lexists(files.root / DESCRIPTOR)
    if not there:  # contents may be of a package that is yet to be written
        raise DataError([_no_package(files.root)])
    text = _decoded(DESCRIPTOR, content_of(files, DESCRIPTOR, remedy), "save the file as UTF-8")
    try:
        descriptor = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        rule = f"is not a readable package descriptor ({reason})"
        raise DataError([Violation(DESCRIPTOR, None, "", rule, "restore the file")]) from None
    faults = list(_descriptor_faults(descriptor))
    if faults:
        raise DataError(faults)
    return descriptor


def _no_package(root: Path) -> Violation:
    """Say that a folder is no package, and what may have been meant."""
    remedy = (
        f"name a folder that has one, or copy a package's {DESCRIPTOR} and describe your tables"
    )
    if (root / "data" / DESCRIPTOR).is_file():
        remedy = "did you mean its folder data?"
    return Violation(shown(root), None, "", f"is no data package (it has no {DESCRIPTOR})", remedy)


def _descriptor_faults(descriptor: Any) -> Iterable[Violation]:
    def fault(column: str, rule: str, remedy: str) -> Violation:
        return Violation(DESCRIPTOR, None, column, rule, remedy)

    resources = descriptor.get("resources") if isinstance(descriptor, dict) else None
    if not isinstance(resources, list):
        rule = "is not a readable package descriptor (it is no object with a list of resources)"
        yield fault("", rule, "restore the file")
        return
    if not resources:
        yield fault("resources", "describes no table", "describe every table")
    seen: set[str] = set()
    for number, resource in enumerate(resources):
        place = f"resources[{number}]"
        if not isinstance(resource, dict):
            yield fault(place, "is no object", "describe one table in it")
            continue
        name, path = resource.get("name"), resource.get("path")
        if not isinstance(name, str) or not name.isidentifier():
            rule = f"its name is {_brief(name)}, no word of letters, digits and _"
            yield fault(place, rule, "name it after its table")
        elif name in seen:
            yield fault(place, f"table {name} is described twice", "remove one of the two")
        if not isinstance(path, str) or not is_file_name(path):
            rule = f"its path is {_brief(path)}, no CSV file within the package"
            yield fault(place, rule, f"write a relative path such as {name}.csv")
        seen.add(name if isinstance(name, str) else "")


def is_file_name(path: str) -> bool:
    """Whether a path names a CSV file inside a folder: relative, no step up, no drive, no address.

    >>> is_file_name("facts.csv"), is_file_name("../facts.csv"), is_file_name("http://x/a.csv")
    (True, False, False)
    """
    parts = PurePosixPath(path).parts
    odd = not path.isprintable() or any(sign in path for sign in "\\:")
    return path.endswith(".csv") and not odd and not {"/", ".."} & set(parts)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def parse(name: str, content: bytes) -> Text:
    """Parse the bytes of a CSV file.

    Raises
    ------
    DataError : it is no UTF-8, holds a NUL, a quotation mark is not closed, a cell is too long.
    """
    import pandas as pd

    text = _decoded(name, content)
    sound = _sound(text, content)
    if sound is not None:
        return Text(sound)
    rows: dict[int, list[str]] = {}
    faults: list[Violation] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            rows[line] = cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError([_unparsed(name, line, str(error))]) from None
    header = rows.pop(1, [])
    width = len(header)
    for number in [number for number, cells in rows.items() if len(cells) != width]:
        faults.append(_malformed(name, number, rows[number], header))
        if rows[number]:
            rows[number] = (rows[number] + [""] * width)[:width]
        else:
            del rows[number]
    return Text(
        pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=str), faults
    )


CELL = rb'(?:[^",\r\n]*|"(?:[^"\r\n]|"")*")'


def _sound(text: str, content: bytes) -> pd.DataFrame | None:
    """A table whose every line is sound, read as a whole; None where one has to be looked at.

    Texts that occur again are one object, which later passes over a column gain from.
    """
    import pandas as pd

    head, longest = text[: text.find("\n") + 1], max(map(len, content.split(b"\n")))
    # A reader of columns takes a byte order mark for one wherever it begins.
    if len(head) in (0, len(text)) or text[len(head)] == "\ufeff":
        return None
    header = next(csv.reader(io.StringIO(head, newline="")))
    sound = len(header) > 1 and longest <= csv.field_size_limit()
    if not (sound and _rows_of(len(header)).fullmatch(content)):
        return None
    body = io.BytesIO(content[content.index(b"\n") + 1 :])
    frame = pd.read_csv(body, dtype=str, na_filter=False, header=None, low_memory=False)
    frame.columns, frame.index = pd.Index(header, dtype=str), pd.RangeIndex(2, len(frame) + 2)
    return frame


@cache
def _rows_of(width: int) -> Any:
    """The grammar of lines with so many cells, none with a line break in it."""
    import re2

    row = CELL + b"(?:,%s){%d}" % (CELL, width - 1)
    return re2.compile(b"(?:%s\r?\n)*(?:%s)?" % (row, row))


def _decoded(name: str, content: bytes, remedy: str = "save the file as CSV UTF-8") -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        rule = "is UTF-16 text, not UTF-8"
    elif (zero := content.find(0)) >= 0:
        rule = f"holds a NUL character in line {content.count(10, 0, zero) + 1}"
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(10, 0, error.start) + 1
            rule = f"is not UTF-8 text (byte {error.start}, line {line})"
    raise DataError([Violation(name, None, "", rule, remedy)])


def _unparsed(name: str, line: int, reason: str) -> Violation:
    if "field limit" in reason:
        rule = f"a cell is longer than {csv.field_size_limit():,} characters"
        return Violation(name, line, "", rule, "shorten it, or close its quotation mark")
    rule = f"a quotation mark opens in this row and is not closed before a comma ({reason})"
    remedy = "close it; a quotation mark within a cell is written twice"
    return Violation(name, line, "", rule, remedy)


def _malformed(name: str, line: int, cells: list[str], header: list[str]) -> Violation:
    width = len(header)
    if not cells:
        return Violation(name, line, "", "line is empty", "remove it")
    if len(cells) < width:
        rule, remedy = f"row has fewer than {width} cells", "add the missing commas or cells"
        return Violation(name, line, header[len(cells)], rule, remedy)
    remedy = "put cells that hold a comma into double quotes"
    return Violation(name, line, "", f"row has more than {width} cells", remedy)
