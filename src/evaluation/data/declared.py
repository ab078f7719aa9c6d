"""The declared part of the contract: types, constraints, keys and references of every table.

The program's own schema (``contract.json``, in the terms of Frictionless Table Schema) holds for
every package. What a package's descriptor declares is checked as well: it can ask for more, never
for less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import re2

from evaluation.data.tables import DESCRIPTOR, TABLES
from evaluation.errors import Violation

Field = dict[str, Any]
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.A)
INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.A)
# Truth values of Frictionless Table Schema where a field does not list its own.
TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")
TYPES = {
    "number": "write a plain decimal number such as 12.5, without unit or thousands separator",
    "integer": "write a whole number",
    "boolean": "write true or false",
    "string": "",
}
CONSTRAINTS = ("required", "unique", "enum", "pattern", "minimum", "maximum")
# What would make another reader see another table than this program does.
READING = {
    "encoding": ("utf-8", "utf8"),
    "format": ("csv",),
    "dialect": (),
    "missingValues": ([""],),
}
LONGEST_PATTERN = 500


@cache
def contract() -> dict[str, dict[str, Any]]:
    """The program's schema by table: ``fields``, ``primaryKey`` and ``foreignKeys``."""
    return json.loads(Path(__file__).with_name("contract.json").read_text("utf-8"))


def fields(table: str) -> list[Field]:
    """Columns the program reads of a table, optional ones last."""
    return contract()[table]["fields"]


def schema_faults(resource: Mapping[str, Any]) -> tuple[dict[str, Any], list[Violation]]:
    """The schema a descriptor declares for one table, with what cannot be read of it left out."""
    table, faults = resource["name"], []

    def fault(column: str, rule: str, remedy: str) -> None:
        faults.append(Violation(DESCRIPTOR, None, f"{table}{column}", rule, remedy))

    schema = resource.get("schema")
    listed = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(listed, list):
        fault("", "has no schema with a list of fields", "describe its columns")
        return {"fields": []}, faults
    for name, known in READING.items():
        value = resource.get(name, schema.get(name, known[0] if known else None))
        if value is not None and value not in known:
            remedy = f"remove {name}, and save the table as CSV UTF-8 with commas"
            fault("", f"asks to be read with another {name}", remedy)
    kept = []
    types = {item["name"]: item["type"] for item in contract().get(table, {}).get("fields", ())}
    for number, item in enumerate(listed):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            fault(f".fields[{number}]", "has no name", "name the column it describes")
            continue
        kind = item.get("type", types.get(name, "string"))
        if not isinstance(kind, str) or kind not in TYPES or kind != types.get(name, kind):
            allowed = types.get(name) or ", ".join(TYPES)
            fault(f".{name}", f"its type is {kind!r:.60}", f"write {allowed}")
            kind = types.get(name, "string")
        found = item.get("constraints", {})
        sound = {k: v for k, v in found.items() if _sound(k, v)} if isinstance(found, dict) else {}
        for each in found if isinstance(found, dict) else ["constraints"]:
            if each not in sound:
                remedy = f"correct it, or use only {', '.join(CONSTRAINTS)}"
                fault(f".{name}", f"its constraint {each!r:.60} cannot be read", remedy)
        kept.append({**item, "type": kind, "constraints": sound})
    keys = {"primaryKey": _names(schema.get("primaryKey", []))}
    return {**keys, "fields": kept, "foreignKeys": list(_references(schema, fault))}, faults


def _sound(name: str, value: Any) -> bool:
    """Whether a constraint can be read: known, of the right type, a pattern that compiles."""
    if name in ("required", "unique"):
        return isinstance(value, bool)
    if name in ("minimum", "maximum"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name == "enum":
        return isinstance(value, list) and all(
            isinstance(each, str | int | float) for each in value
        )
    if name == "pattern" and isinstance(value, str) and len(value) <= LONGEST_PATTERN:
        try:
            return bool(_pattern(value))
        except re2.error:
            return False
    return False


@cache
def _pattern(text: str) -> Any:
    """A pattern whose time grows with the length of a cell and no faster, whoever wrote it."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value if _texts(value) else []


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _references(schema: Mapping[str, Any], fault: Callable[..., None]) -> Iterator[dict[str, Any]]:
    found = schema.get("foreignKeys", [])
    for key in found if isinstance(found, list) else [None]:
        reference = key.get("reference") if isinstance(key, dict) else None
        there = reference if isinstance(reference, dict) else {}
        names, others = (
            (_names(each.get("fields")) for each in (key or {}, there)) if there else ([], [])
        )
        if names and len(names) == len(others) and isinstance(there.get("resource"), str):
            yield {"fields": names, "reference": {"resource": there["resource"], "fields": others}}
        else:
            fault(".foreignKeys", "a reference cannot be read", "name fields, table and its fields")


def breaches(
    table: str, file: str, frame: pd.DataFrame, schema: Mapping[str, Any], tables: Mapping[str, Any]
) -> Iterator[Violation]:
    """Breaches of one schema in one table.

    Parameters
    ----------
    frame : the table as text.
    tables : all tables that could be read, for references; others are passed over, since the fault
        of their file is reported already.
    """
    for field in schema["fields"]:
        if field["name"] in frame:
            yield from _cells(file, frame[field["name"]], field)
    yield from _repeated(file, frame, _names(schema.get("primaryKey", [])))
    for key in schema.get("foreignKeys", ()):
        target = key["reference"]["resource"] or table
        others, names = key["reference"]["fields"], key["fields"]
        if target in tables and set(others) <= set(tables[target]) and set(names) <= set(frame):
            yield from _unknown(file, frame[names], tables[target][others], target)


def _cells(file: str, column: pd.Series, field: Field) -> Iterator[Violation]:
    """Cells of the wrong type or outside their constraints: one breach a cell, the first found."""
    described = field.get("description") or field.get("title") or field["name"]
    constraints = field.get("constraints", {})
    values = pd.Series(column.unique(), dtype=object)
    judged = {value: _fault(value, field, constraints, described) for value in values}
    bad = {value: fault for value, fault in judged.items() if fault}
    if bad:
        rows = column[column.isin(list(bad))]
        for number, value in rows.items():
            yield Violation(file, int(number), str(column.name), *bad[value])
    if constraints.get("unique"):
        yield from _repeated(file, column.to_frame(), [str(column.name)])


def _fault(value: str, field: Field, constraints: Mapping[str, Any], described: str):
    """Rule and remedy a value breaks, or ``None``."""
    if value == "":
        required = constraints.get("required")
        return ("cell is empty", f"fill it in: {described}") if required else None
    shown, kind = value if len(value) <= 80 else f"{value[:77]}…", field["type"]
    if kind in ("number", "integer") and re.fullmatch(r"(?i)[+-]?(s?nan|inf(inity)?)", value):
        return f"'{shown}' is not a finite number", "leave the row out or give the number"
    if not _is(value, field):
        article = "an" if kind == "integer" else "a"
        return f"'{shown}' is not {article} {kind}", TYPES[kind]
    number = float(value) if kind in ("number", "integer") else 0.0
    if abs(number) == float("inf"):
        return f"'{shown}' is not a finite number", "leave the row out or give the number"
    if "enum" in constraints and value not in map(str, constraints["enum"]):
        allowed = ", ".join(map(str, constraints["enum"]))
        return f"'{shown}' is not allowed", f"use one of {allowed}"
    if "pattern" in constraints and not _pattern(constraints["pattern"]).fullmatch(value):
        return f"'{shown}' does not match {constraints['pattern']}", f"write it as: {described}"
    if number < constraints.get("minimum", -float("inf")):
        return f"{shown} is below {constraints['minimum']}", f"check the number: {described}"
    if number > constraints.get("maximum", float("inf")):
        return f"{shown} is above {constraints['maximum']}", f"check the number: {described}"
    return None


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
    """Columns that are missing, not described, or there twice."""
    own = fields(table) if table in TABLES else []
    wanted = [field["name"] for field in own if not field.get("optional")]
    described = [field["name"] for field in declared]
    for column in [name for name in dict.fromkeys([*wanted, *described]) if name not in found]:
        yield Violation(file, 1, column, "column is missing", "add the column")
    for column in dict.fromkeys(found):
        if column not in described and column not in [field["name"] for field in own]:
            remedy = f"remove it or describe it in {DESCRIPTOR}"
            yield Violation(file, 1, column, f"column '{column}' is not described", remedy)
        if found.count(column) > 1:
            yield Violation(file, 1, column, "column appears twice", "remove one of the two")
