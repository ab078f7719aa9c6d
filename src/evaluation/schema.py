"""The contract of a data package: what the descriptor declares, and what figures owe each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluation import contract_cross, contract_rows
from evaluation.contract import Tables
from evaluation.contract_declared import declared_breaches
from evaluation.contract_rows import CAVEATS
from evaluation.errors import DataError, Violation
from evaluation.tables import (
    DESCRIPTOR,
    TABLES,
    field_names,
    package_files,
    read_descriptor,
    read_table,
)

__all__ = ["CAVEATS", "check"]

RULES = (*contract_rows.RULES, *contract_cross.RULES)


def check(root: Path) -> list[Violation]:
    """Every breach of the contract in the data package at ``root``.

    Types, required cells, vocabularies, keys and references are declared in ``datapackage.json``
    and checked by frictionless; the rules of :mod:`evaluation.contract_rows` and
    :mod:`evaluation.contract_cross` compare figures.

    Returns
    -------
    list of Violation
        Sorted by file and row; empty when the package keeps the contract.
    """
    root = Path(root)
    try:
        descriptor = read_descriptor(root)
    except DataError as error:
        return error.violations
    found = _undeclared(root, descriptor)
    tables: Tables = {}
    for resource in descriptor["resources"]:
        found += _read(root, resource, tables)
    sound = [r for r in descriptor["resources"] if _has_header(r, tables)]
    found += declared_breaches(root, descriptor, sound)
    for rule in RULES:
        found += rule(tables)
    return sorted(set(found), key=lambda v: (v.file, v.row or 0, v.column, v.rule))


def _undeclared(root: Path, descriptor: dict[str, Any]) -> list[Violation]:
    """Files without a description, tables without a file, no word on simulation."""
    paths = {resource["path"] for resource in descriptor["resources"]}
    names = [path.relative_to(root).as_posix() for path in package_files(root)]
    remedy = f"describe the table in {DESCRIPTOR}, or move the file out of the package"
    found = [
        Violation(name, None, "", f"table is not described in {DESCRIPTOR}", remedy)
        for name in names
        if name.endswith(".csv") and name not in paths
    ]
    names = {resource["name"] for resource in descriptor["resources"]}
    remedy = f"describe it in {DESCRIPTOR} as the package of the project does"
    found += [
        Violation(DESCRIPTOR, None, name, f"table {name} is not described", remedy)
        for name in TABLES
        if name not in names
    ]
    if not isinstance(descriptor.get("simulated"), bool):
        remedy = 'write "simulated": false for observed figures, true for generated ones'
        rule = "does not say whether the figures are simulated"
        found.append(Violation(DESCRIPTOR, None, "simulated", rule, remedy))
    return found


def _read(root: Path, resource: dict[str, Any], tables: Tables) -> list[Violation]:
    """Add one table to ``tables`` as text; return the faults of the file and of its header."""
    file = resource["path"]
    path = root / file
    if not path.is_file():
        remedy = f"restore the table with the columns {', '.join(field_names(resource))}"
        return [Violation(file, None, "", "file is missing", remedy)]
    try:
        table = read_table(path)
    except UnicodeDecodeError as error:
        rule = f"is not UTF-8 text (byte {error.start})"
        return [Violation(file, None, "", rule, "save the file as CSV UTF-8")]
    faults = _header_faults(file, list(table.columns), field_names(resource))
    if not table.columns.has_duplicates:
        tables[resource["name"]] = table
    return faults


def _header_faults(file: str, found: list[str], declared: list[str]) -> list[Violation]:
    def fault(column: str, rule: str, remedy: str) -> Violation:
        return Violation(file, 1, column, rule, remedy)

    faults = [fault(c, "column is missing", "add the column") for c in declared if c not in found]
    faults += [
        fault(c, f"column '{c}' is not described", f"remove it or describe it in {DESCRIPTOR}")
        for c in found
        if c not in declared
    ]
    faults += [
        fault(c, "column appears twice", "remove one of the two")
        for c in sorted({c for c in found if found.count(c) > 1})
    ]
    if not faults and found != declared:
        remedy = f"order the columns as {', '.join(declared)}"
        faults.append(fault("", "columns are in another order", remedy))
    return faults


def _has_header(resource: dict[str, Any], tables: Tables) -> bool:
    table = tables.get(resource["name"])
    return table is not None and list(table.columns) == field_names(resource)
