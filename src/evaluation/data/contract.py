"""The contract of a data package: what every table must hold, and what figures owe each other.

The program's own schema (``contract.json``, in the terms of Frictionless Table Schema) holds for
every package, and so do the rules across rows and tables. What a package's descriptor declares is
checked as well: it can ask for more, never for less.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import re2

from evaluation.base.errors import DataError, Violation, shown
from evaluation.data.rules import RULES
from evaluation.data.tables import (
    DESCRIPTOR,
    OPTIONAL,
    SIMULATED,
    TABLES,
    Files,
    content_of,
    parse,
    read_descriptor,
    read_files,
)

Field = dict[str, Any]
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.A)
INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.A)
# Finite and in bounds without a closer look.
PLAIN = {"number": r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?", "integer": "[+-]?[0-9]{1,15}"}
UNBOUNDED = re.compile(r"(?i)[+-]?(s?nan|inf(inity)?)")
# Truth values of Frictionless Table Schema where a field does not list its own.
TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")
TYPES = {
    "number": "write a plain decimal number such as 12.5, without unit or thousands separator",
    "integer": "write a whole number",
    "boolean": "write true or false",
    "string": "",
}
NUMERIC = ("minimum", "maximum")
CONSTRAINTS = ("required", "unique", "maxLength", "enum", "pattern", *NUMERIC)
# Columns the program adds to a table itself.
RESERVED = {"facts": ("row", "year")}
# What would make another reader see another table than this program does.
READING = {
    "encoding": ("utf-8", "utf8"),
    "format": ("csv",),
    "dialect": (),
    "missingValues": ([""],),
}
LONGEST_PATTERN = 500
SEPARATORS = {";": "semicolons", "\t": "tabs"}


@cache
def own_schemas() -> dict[str, dict[str, Any]]:
    """The program's schema by table: ``fields``, ``primaryKey`` and ``foreignKeys``."""
    return json.loads(Path(__file__).with_name("contract.json").read_text("utf-8"))


def fields(table: str) -> list[Field]:
    """Columns the program reads of a table, optional ones last."""
    return own_schemas()[table]["fields"]


def schema_faults(resource: Mapping[str, Any]) -> tuple[dict[str, Any], list[Violation]]:
    """The schema a descriptor declares for one table, with what cannot be read of it left out."""
    table, faults = resource["name"], []

    def fault(column: str, rule: str, remedy: str) -> None:
        faults.append(Violation(DESCRIPTOR, None, f"{table}{column}", rule, remedy))

    schema = resource.get("schema")
    listed = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(listed, list):
        fault("", "has no schema with a list of fields", "describe its columns")
        return {"fields": [], "primaryKey": [], "foreignKeys": []}, faults
    for name, known in READING.items():
        value = resource.get(name, schema.get(name, known[0] if known else None))
        if value is not None and value not in known:
            remedy = f"remove {name}, and save the table as CSV UTF-8 with commas"
            fault("", f"asks to be read with another {name}", remedy)
    types = {item["name"]: item["type"] for item in own_schemas().get(table, {}).get("fields", ())}
    kept: dict[str, Field] = {}
    for number, item in enumerate(listed):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            fault(f".fields[{number}]", "has no name", "name the column it describes")
        elif name in kept:
            fault(f".{name}", "is described twice", "remove one of the two")
        else:
            if name in RESERVED.get(table, ()):
                fault(f".{name}", "is a column the program adds itself", "give yours another name")
            kept[name] = _field(item, types.get(name, ""), fault)
    columns = {*types, *kept}
    key = schema.get("primaryKey", [])
    if not set(_names(key)) <= columns or not (_names(key) or key == []):
        fault(".primaryKey", "cannot be read", "name columns of the table")
    references = list(_references(schema, columns, fault))
    keys = {"primaryKey": _names(key), "foreignKeys": references}
    return {**keys, "fields": list(kept.values())}, faults


def _field(item: Field, own: str, fault: Callable[..., None]) -> Field:
    """One column as a descriptor describes it; ``own`` is the type the program gives it."""
    name, kind = item["name"], item.get("type", own or "string")
    if not isinstance(kind, str) or kind not in TYPES or kind != (own or kind):
        fault(f".{name}", f"its type is {kind!r:.60}", f"write {own or ', '.join(TYPES)}")
        kind = own or "string"
    found = item.get("constraints", {})
    listed = found if isinstance(found, dict) else {"constraints": None}
    sound = {key: value for key, value in listed.items() if _sound(key, value, kind)}
    for key in listed.keys() - sound.keys():
        remedy = f"correct it, or use only {', '.join(CONSTRAINTS)}"
        fault(f".{name}", f"its constraint {key!r:.60} cannot be read", remedy)
    field = {**item, "type": kind, "constraints": sound}
    for key in ("trueValues", "falseValues"):
        if key in item and not _texts(item[key]):
            fault(f".{name}", f"its {key} cannot be read", 'write a list of texts such as ["true"]')
            del field[key]
    return field


def _sound(name: str, value: Any, kind: str) -> bool:
    """Whether a constraint can be read: known, of the right type, a pattern that compiles."""
    if name in ("required", "unique"):
        return isinstance(value, bool)
    if name == "maxLength" or name in NUMERIC:
        allowed = ("string",) if name == "maxLength" else ("number", "integer")
        return kind in allowed and type(value) in (int, float) and math.isfinite(value)
    if name == "enum":
        return isinstance(value, list) and all(type(each) in (str, int, float) for each in value)
    if name == "pattern" and isinstance(value, str) and len(value) <= LONGEST_PATTERN:
        try:
            return bool(_pattern(value))
        except (re2.error, UnicodeEncodeError):
            return False
    return False


@cache
def _pattern(text: str) -> Any:
    """A pattern whose time grows with the length of a cell and no faster, whoever wrote it."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


@cache
def _own_patterns() -> frozenset[str]:
    """Patterns of the program's own schema: trusted, and quicker by the standard library."""
    return frozenset(
        field["constraints"]["pattern"]
        for schema in own_schemas().values()
        for field in schema["fields"]
        if "pattern" in field.get("constraints", {})
    )


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value if _texts(value) else []


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _references(
    schema: Mapping[str, Any], columns: set[str], fault: Callable[..., None]
) -> Iterator[dict[str, Any]]:
    found = schema.get("foreignKeys", [])
    for key in found if isinstance(found, list) else [None]:
        reference = key.get("reference") if isinstance(key, dict) else None
        there = reference if isinstance(reference, dict) else {}
        names, others = (
            (_names(each.get("fields")) for each in (key or {}, there)) if there else ([], [])
        )
        paired = names and len(names) == len(others) and set(names) <= columns
        if paired and isinstance(there.get("resource"), str):
            yield {"fields": names, "reference": {"resource": there["resource"], "fields": others}}
        else:
            fault(".foreignKeys", "a reference cannot be read", "name fields, table and its fields")


def added(table: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a declared schema asks of a table beyond the program's own."""
    own = own_schemas()[table]
    known = {field["name"]: field.get("constraints", {}) for field in own["fields"]}

    def beyond(field: Field) -> Field:
        there = known.get(field["name"], {})
        asked = {k: v for k, v in field["constraints"].items() if there.get(k) != v}
        return {**field, "constraints": asked}

    return {
        "fields": [
            beyond(f)
            for f in schema["fields"]
            if f["name"] not in known or beyond(f)["constraints"]
        ],
        "primaryKey": [] if schema["primaryKey"] == own["primaryKey"] else schema["primaryKey"],
        "foreignKeys": [k for k in schema["foreignKeys"] if k not in own.get("foreignKeys", ())],
    }


def _broken(
    table: str, file: str, frame: pd.DataFrame, schema: Mapping[str, Any], tables: Mapping[str, Any]
) -> Iterator[Violation]:
    """Breaches of one schema in one table.

    Parameters
    ----------
    frame : the table as text.
    tables : all tables that could be read, for references; others are passed over, since the fault
        of their file is reported already.
    """
    for described in schema["fields"]:
        if described["name"] in frame:
            yield from _cells(file, frame[described["name"]], described)
    yield from _repeated(file, frame, _names(schema.get("primaryKey", [])))
    for key in schema.get("foreignKeys", ()):
        target = key["reference"]["resource"] or table
        others, names = key["reference"]["fields"], key["fields"]
        if target in tables and set(others) <= set(tables[target]) and set(names) <= set(frame):
            yield from _unknown(file, frame[names], tables[target][others], target)


def _cells(file: str, column: pd.Series, field: Field) -> Iterator[Violation]:
    """Cells of the wrong type or outside their constraints: one breach a cell, the first found."""
    name, left = str(column.name), pd.unique(column.to_numpy(dtype=object)).tolist()
    bad: dict[str, tuple[str, str]] = {}
    # An empty cell is judged by the first test alone.
    filled = [value for value in left if value]
    sound = _accepted(filled, field)
    for breaks, rule, remedy in _tests(field, sound):
        failing = [value for value in left if breaks(value)]
        bad |= {value: (rule.replace("{}", _brief(value)), remedy) for value in failing}
        left = filled = [value for value in filled if value not in bad] if failing else filled
    if bad:
        for number, value in column[column.isin(list(bad))].items():
            yield Violation(file, int(number), name, *bad[value])
    if field.get("constraints", {}).get("unique"):
        yield from _repeated(file, column.to_frame(), [name])


def _accepted(values: list[str], field: Field) -> bool:
    """Whether all texts of a column, seen at once, are of the type and pattern of their field.

    Where it is not so, or cannot be told so, each is looked at.
    """
    form = PLAIN.get(field["type"]) or field.get("constraints", {}).get("pattern")
    # What a negated class takes may reach beyond the end of a cell.
    if form is None or (field["type"] == "string" and form not in _own_patterns()) or "[^" in form:
        return False
    whole = "".join(f"{value}\n" for value in values)
    return _pattern(rf"(?:(?:{form.removeprefix('^').removesuffix('$')})\n)*").fullmatch(whole)


def _brief(value: str) -> str:
    return value if len(value) <= 80 else f"{value[:77]}…"


def _tests(field: Field, sound: bool) -> Iterator[tuple[Callable[[str], bool], str, str]]:
    """What each cell is asked, in order: whether it breaks a rule, the rule, the remedy.

    ``sound`` : whether all are known to be of the type, or of the pattern of a text.
    """
    kind, asked = field["type"], field.get("constraints", {})
    described = field.get("description") or field.get("title") or field["name"]
    # Always first: what is left after it is filled.
    required = asked.get("required", False)
    yield (lambda value: required and not value), "cell is empty", f"fill it in: {described}"
    if kind in PLAIN and not sound:
        remedy = "leave the row out or give the number"
        yield _is_unbounded, "'{}' is not a finite number", remedy
    if kind != "string" and not sound:
        rule = f"'{{}}' is not {'an' if kind == 'integer' else 'a'} {kind}"
        yield (lambda value: not _is(value, field)), rule, TYPES[kind]
    if "enum" in asked:
        allowed = {str(each): None for each in asked["enum"]}
        remedy = f"use one of {', '.join(allowed)}"
        yield (lambda value: value not in allowed), "'{}' is not allowed", remedy
    if "pattern" in asked and not (sound and kind == "string"):
        text = asked["pattern"]
        form = re.compile(text, re.A) if text in _own_patterns() else _pattern(text)
        rule = f"'{{}}' does not match {asked['pattern']}"
        yield (lambda value: not form.fullmatch(value)), rule, f"write it as: {described}"
    if "maxLength" in asked:
        most = asked["maxLength"]
        rule = f"'{{}}' has more than {most} characters"
        yield (lambda value: len(value) > most), rule, "shorten it"
    remedy = f"check the number: {described}"
    if "minimum" in asked:
        least = asked["minimum"]
        yield (lambda value: float(value) < least), f"{{}} is below {least}", remedy
    if "maximum" in asked:
        largest = asked["maximum"]
        yield (lambda value: float(value) > largest), f"{{}} is above {largest}", remedy


def _is_unbounded(value: str) -> bool:
    """Whether a text stands for no finite number: NaN, infinity, or one too large for a float."""
    if NUMBER.fullmatch(value):
        return abs(float(value)) == float("inf")
    return UNBOUNDED.fullmatch(value) is not None


def _is(value: str, field: Field) -> bool:
    """Whether a text is of the type of its field; digits are those of ASCII alone."""
    kind = field["type"]
    if kind == "boolean":
        allowed = (*field.get("trueValues", TRUE), *field.get("falseValues", FALSE))
        return value in allowed
    pattern = {"number": NUMBER, "integer": INTEGER}.get(kind)
    return pattern is None or (len(value) <= 40 and pattern.fullmatch(value) is not None)


def _repeated(file: str, frame: pd.DataFrame, names: list[str]) -> Iterator[Violation]:
    if not names or not set(names) <= set(frame):
        return
    keys = frame[names]
    keys = keys[(keys != "").any(axis=1)]
    again = keys[keys.duplicated()]
    if again.empty:
        return
    first = {
        tuple(key): int(row)
        for row, key in zip(keys.index[::-1], keys.to_numpy()[::-1], strict=True)
    }
    for number, key in zip(again.index, again.to_numpy(), strict=True):
        rule = f"repeats a key: '{', '.join(key)}' stands in row {first[tuple(key)]} already"
        remedy = "give the row a key of its own, or remove the repetition"
        yield Violation(file, int(number), ", ".join(names), rule, remedy)


def _unknown(
    file: str, keys: pd.DataFrame, others: pd.DataFrame, target: str
) -> Iterator[Violation]:
    filled = keys[(keys != "").any(axis=1)]
    known = pd.MultiIndex.from_frame(others)
    bad = filled[~pd.MultiIndex.from_frame(filled).isin(known)] if len(filled) else filled
    for number, key in zip(bad.index, bad.to_numpy(), strict=True):
        value = ", ".join(key)
        remedy = f"correct it, or add a row for {value} to {target}.csv first"
        rule = f"'{value}' is not in {target}.csv"
        yield Violation(file, int(number), ", ".join(map(str, keys.columns)), rule, remedy)


def header_faults(
    file: str, found: list[str], table: str, declared: Iterable[Field]
) -> Iterator[Violation]:
    """Columns that are missing, not described, or there twice; one fault if all are one column."""
    own = fields(table) if table in TABLES else []
    wanted = [field["name"] for field in own if not field.get("optional")]
    described = [field["name"] for field in declared]
    expected = list(dict.fromkeys([*wanted, *described]))
    if not found:
        remedy = f"restore the table with the columns {', '.join(expected)}"
        yield Violation(file, None, "", "is empty", remedy)
        return
    for sign, name in SEPARATORS.items():
        if len(found) == 1 < len(expected) and set(expected) & set(found[0].split(sign)):
            rule = f"columns are separated by {name}, not by commas"
            yield Violation(file, 1, "", rule, "save the file as CSV UTF-8 with commas")
            return
    for column in [name for name in expected if name not in found]:
        yield Violation(file, 1, column, "column is missing", "add the column")
    for column in dict.fromkeys(found):
        if column not in described and column not in [field["name"] for field in own]:
            remedy = f"remove it or describe it in {DESCRIPTOR}"
            yield Violation(file, 1, column, f"column '{column}' is not described", remedy)
        if found.count(column) > 1:
            yield Violation(file, 1, column, "column appears twice", "remove one of the two")


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
        theirs = package.schemas[name]
        # What a table is asked: by the program, and by its descriptor beyond that.
        asked = [own_schemas()[name], added(name, theirs)] if name in TABLES else [theirs]
        for schema in asked:
            broken = _broken(name, package.files[name], table, schema, package.tables)
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
    described = {resource["name"] for resource in descriptor["resources"]}
    for name in set(OPTIONAL) - described:
        columns = [item["name"] for item in fields(name)]
        package.tables[name] = pd.DataFrame(columns=columns, dtype=str)
        package.schemas[name] = {"fields": [], "primaryKey": [], "foreignKeys": []}
        package.files[name] = f"{name}.csv"
    return package


def _dangling(package: Package) -> Iterator[Violation]:
    """References of a descriptor to tables or columns that are nowhere."""
    for table, schema in package.schemas.items():
        for key in schema["foreignKeys"]:
            target, names = key["reference"]["resource"] or table, key["reference"]["fields"]
            own = fields(target) if target in TABLES else []
            there = {f["name"] for f in [*own, *package.schemas.get(target, {}).get("fields", [])]}
            if not there.issuperset(names):
                rule = f"refers to {', '.join(names)} of '{target}', which is not there"
                remedy = "name a table of the package and its columns"
                yield Violation(DESCRIPTOR, None, f"{table}.foreignKeys", rule, remedy)


def _read(files: Files, resource: Mapping[str, Any], package: Package) -> None:
    """Add one table to a package: its text, what is declared of it, its faults."""
    name, file = resource["name"], resource["path"]
    schema, faults = schema_faults(resource)
    package.violations.extend(faults)
    own = fields(name) if name in TABLES else schema["fields"]
    columns = [item["name"] for item in own if not item.get("optional")]
    remedy = f"restore the table with the columns {', '.join(columns)}"
    try:
        text = parse(file, content_of(files, file, remedy))
    except DataError as error:
        package.violations.extend(error.violations)
        return
    package.violations.extend(text.faults)
    header = list(text.frame.columns)
    package.violations.extend(header_faults(file, header, name, schema["fields"]))
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
        if name not in names and name not in OPTIONAL:
            yield Violation(DESCRIPTOR, None, name, f"table {name} is not described", remedy)
    if not isinstance(descriptor.get("simulated"), bool):
        remedy = f'write "{SIMULATED}": false for observed figures, true for generated ones'
        rule = "does not say whether the figures are simulated"
        yield Violation(DESCRIPTOR, None, SIMULATED, rule, remedy)
