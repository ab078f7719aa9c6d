"""The contract of a data package: what every table must hold, and what figures owe each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.data import declared
from evaluation.data.rules import RULES
from evaluation.data.tables import (
    DESCRIPTOR,
    SIMULATED,
    TABLES,
    package_files,
    parse,
    read_bytes,
    read_descriptor,
)
from evaluation.errors import DataError, Violation, shown


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
    return breaches(read(Path(root)))


def breaches(package: Package) -> list[Violation]:
    """Every breach in a package that has been read; see :func:`check`."""
    found = list(package.violations)
    for name, table in package.tables.items():
        schemas = [package.schemas[name]]
        if name in TABLES:
            schemas.insert(0, declared.contract()[name])
        for schema in schemas:
            file = package.files[name]
            found += declared.breaches(name, file, table, schema, package.tables)
    for rule in RULES:
        found += rule(package.tables)
    unique = {(v.file, v.row, v.column, v.rule): v for v in reversed(found)}
    return sorted(unique.values(), key=lambda v: (v.file, v.row or 0, v.column, v.rule))


def read(root: Path) -> Package:
    """Read a package as text, with the faults of its files."""
    try:
        descriptor = read_descriptor(root)
    except DataError as error:
        return Package(violations=error.violations)
    package = Package(descriptor.get("simulated") is True)
    package.violations.extend(_undeclared(root, descriptor))
    for resource in descriptor["resources"]:
        _read(root, resource, package)
    return package


def _read(root: Path, resource: Mapping[str, Any], package: Package) -> None:
    """Add one table to a package: its text, what is declared of it, its faults."""
    name, file = resource["name"], resource["path"]
    schema, faults = declared.schema_faults(resource)
    package.violations.extend(faults)
    own = declared.fields(name) if name in TABLES else schema["fields"]
    columns = [item["name"] for item in own if not item.get("optional")]
    try:
        text = parse(
            file, read_bytes(root, file, f"restore the table with the columns {', '.join(columns)}")
        )
    except DataError as error:
        package.violations.extend(error.violations)
        return
    package.violations.extend(text.faults)
    header = list(text.frame.columns)
    package.violations.extend(declared.header_faults(file, header, name, schema["fields"]))
    if not text.frame.columns.has_duplicates:
        package.tables[name] = text.frame
        package.schemas[name], package.files[name] = schema, file


def _undeclared(root: Path, descriptor: Mapping[str, Any]) -> Iterator[Violation]:
    """Files without a description, tables without a file, no word on simulation."""
    paths = {resource["path"] for resource in descriptor["resources"]}
    remedy = f"describe the table in {DESCRIPTOR}, or move the file out of the package"
    for path in package_files(root):
        name = path.relative_to(root).as_posix()
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
