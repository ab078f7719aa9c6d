"""The contract of a data package: what every table must hold, and what figures owe each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from evaluation.base.errors import DataError, Violation, shown
from evaluation.data import declared
from evaluation.data.rules import RULES
from evaluation.data.tables import (
    DESCRIPTOR,
    SIMULATED,
    TABLES,
    Files,
    content_of,
    parse,
    read_descriptor,
    read_files,
)


@dataclass(frozen=True)
class Package:
    """A data package as text, each file read once.

    ``tables`` holds those that could be read, ``schemas`` what the descriptor declares of each
    table, ``violations`` every fault of a file, of its header and of its lines.
    """

    simulated: bool = False
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


def check(root: Path) -> list[Violation]:
    """Every breach of the contract in the data package at ``root``.

    The program's own schema holds for every package, and so do the rules of
    :mod:`evaluation.data.rules`; what a package's descriptor asks for is checked as well.

    Returns
    -------
    list of Violation
        Sorted by file and row; empty when the package keeps the contract.
    """
    try:
        return breaches(read(read_files(Path(root))))
    except DataError as error:
        return error.violations


def breaches(package: Package) -> list[Violation]:
    """Every breach in a package that has been read; see :func:`check`."""
    found = list(package.violations)
    for name, table in package.tables.items():
        named: set[tuple[int | None, str]] = set()
        for schema in _schemas(package, name):
            broken = declared.breaches(name, package.files[name], table, schema, package.tables)
            # A cell the program refuses is not named again for what its descriptor says of it.
            fresh = [v for v in broken if (v.row, v.column) not in named]
            named |= {(v.row, v.column) for v in fresh}
            found += fresh
    # A rule names a table; its file may have another name.
    files = {f"{table}.csv": file for table, file in package.files.items()}
    for rule in RULES:
        found += [replace(v, file=files.get(v.file, v.file)) for v in rule(package.tables)]
    unique = {(v.file, v.row, v.column, v.rule): v for v in reversed(found)}
    return sorted(unique.values(), key=lambda v: (v.file, v.row or 0, v.column, v.rule))


def _schemas(package: Package, table: str) -> list[dict[str, Any]]:
    """What a table is asked: by the program, and by its descriptor beyond that."""
    theirs = package.schemas[table]
    if table not in TABLES:
        return [theirs]
    return [declared.contract()[table], declared.added(table, theirs)]


def read(files: Files) -> Package:
    """The tables of a package as text, with the faults of its files."""
    try:
        descriptor = read_descriptor(files)
    except DataError as error:
        return Package(violations=error.violations)
    package = Package(descriptor.get("simulated") is True)
    package.violations.extend(_undeclared(files, descriptor))
    for resource in descriptor["resources"]:
        _read(files, resource, package)
    package.violations.extend(_dangling(package))
    return package


def _dangling(package: Package) -> Iterator[Violation]:
    """References of a descriptor to tables or columns that are nowhere."""
    for table, schema in package.schemas.items():
        for key in schema["foreignKeys"]:
            target, names = key["reference"]["resource"] or table, key["reference"]["fields"]
            own = declared.fields(target) if target in TABLES else []
            there = {f["name"] for f in [*own, *package.schemas.get(target, {}).get("fields", [])]}
            if not there.issuperset(names):
                rule = f"refers to {', '.join(names)} of '{target}', which is not there"
                remedy = "name a table of the package and its columns"
                yield Violation(DESCRIPTOR, None, f"{table}.foreignKeys", rule, remedy)


def _read(files: Files, resource: Mapping[str, Any], package: Package) -> None:
    """Add one table to a package: its text, what is declared of it, its faults."""
    name, file = resource["name"], resource["path"]
    schema, faults = declared.schema_faults(resource)
    package.violations.extend(faults)
    own = declared.fields(name) if name in TABLES else schema["fields"]
    columns = [item["name"] for item in own if not item.get("optional")]
    remedy = f"restore the table with the columns {', '.join(columns)}"
    try:
        text = parse(file, content_of(files, file, remedy))
    except DataError as error:
        package.violations.extend(error.violations)
        return
    package.violations.extend(text.faults)
    header = list(text.frame.columns)
    package.violations.extend(declared.header_faults(file, header, name, schema["fields"]))
    if header and not text.frame.columns.has_duplicates:
        package.tables[name] = text.frame
        package.schemas[name], package.files[name] = schema, file


def _undeclared(files: Files, descriptor: Mapping[str, Any]) -> Iterator[Violation]:
    """Files without a description, tables without a file, no word on simulation."""
    paths = {PurePosixPath(item["path"]).as_posix() for item in descriptor["resources"]}
    remedy = f"describe the table in {DESCRIPTOR}, or move the file out of the package"
    for name in (*files.contents, *files.unread):
        if name not in paths and name != DESCRIPTOR:
            rule = f"table is not described in {DESCRIPTOR}"
            yield Violation(shown(name), None, "", rule, remedy)
    names = {resource["name"] for resource in descriptor["resources"]}
    remedy = f"describe it in {DESCRIPTOR} as the package of the project does"
    for name in TABLES:
        if name not in names:
            yield Violation(DESCRIPTOR, None, name, f"table {name} is not described", remedy)
    if not isinstance(descriptor.get("simulated"), bool):
        remedy = f'write "{SIMULATED}": false for observed figures, true for generated ones'
        rule = "does not say whether the figures are simulated"
        yield Violation(DESCRIPTOR, None, SIMULATED, rule, remedy)
