"""Read the files of a data package as text: descriptor, tables and the hash of the whole."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.errors import DataError, Violation

DESCRIPTOR = "datapackage.json"
# Generated panels live beside the facts and are never part of the package.
SIMULATED = "simulated"
HEADER_ROW = 1
TABLES = (
    "facts",
    "sources",
    "indicators",
    "regions",
    "region_sets",
    "measures",
    "units",
    "organisations",
    "waves",
    "assumptions",
    "contradictions",
    "doses",
    "part_whole",
)


def read_descriptor(root: Path) -> dict[str, Any]:
    """Parse ``datapackage.json`` of the package at ``root``.

    Raises
    ------
    DataError
        If the folder or the descriptor is missing, or the descriptor is not a JSON object that
        lists resources.
    """
    if not root.is_dir():
        remedy = "give the path of a data package: a folder with datapackage.json and its tables"
        raise DataError([Violation(root.as_posix(), None, "", "folder is missing", remedy)])
    path = root / DESCRIPTOR
    if not path.is_file():
        remedy = f"copy {DESCRIPTOR} from the data folder of the project and describe your tables"
        raise DataError([Violation(DESCRIPTOR, None, "", "file is missing", remedy)])
    try:
        descriptor = json.loads(path.read_text(encoding="utf-8-sig"))
        names = [
            (item["name"], item["path"], item["schema"]["fields"]) for item in _items(descriptor)
        ]
    except (ValueError, KeyError, TypeError) as error:
        rule = f"is not a readable package descriptor ({type(error).__name__}: {error})"
        remedy = "restore the file; every resource needs a name, a path and a schema with fields"
        raise DataError([Violation(DESCRIPTOR, None, "", rule, remedy)]) from error
    if not names:
        rule = "describes no table"
        raise DataError([Violation(DESCRIPTOR, None, "resources", rule, "describe every table")])
    return descriptor


def _items(descriptor: Any) -> list[dict[str, Any]]:
    return list(descriptor["resources"])


def field_names(resource: dict[str, Any]) -> list[str]:
    """Column names a resource declares, in order."""
    return [field["name"] for field in resource["schema"]["fields"]]


def read_table(path: Path) -> pd.DataFrame:
    """Read one CSV as text, whatever it holds.

    Cells stay strings (``""`` for empty), short rows are filled up and long rows cut, so that a
    malformed file can still be judged. The index is the row number in the file (header = 1);
    blank lines are left out but counted.

    Raises
    ------
    UnicodeDecodeError
        If the file is not UTF-8.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.reader(stream))
    header = lines[0] if lines else []
    width = len(header)
    rows = {
        number: line if len(line) == width else (line + [""] * width)[:width]
        for number, line in enumerate(lines[1:], start=HEADER_ROW + 1)
        if line
    }
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=str)


def package_files(root: Path) -> list[Path]:
    """The descriptor and every CSV of the package, sorted; hidden and generated ones left out."""
    found = [path for path in root.rglob("*.csv") if path.is_file()]
    found += [path for path in [root / DESCRIPTOR] if path.is_file()]
    return sorted(path for path in found if not _excluded(path.relative_to(root)))


def _excluded(relative: Path) -> bool:
    return relative.parts[0] == SIMULATED or any(part.startswith(".") for part in relative.parts)


def package_hash(root: Path) -> str:
    """SHA-256, in hexadecimal, over names, lengths and bytes of all files of the package."""
    digest = hashlib.sha256()
    for path in package_files(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
