"""The declared part of the data contract: frictionless checks it, this module words it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluation.errors import Violation
from evaluation.tables import DESCRIPTOR

TYPE_REMEDIES = {
    "number": "write a plain decimal number such as 12.5, without unit or thousands separator",
    "integer": "write a whole number",
    "boolean": "write true or false",
}
Field = dict[str, Any]


def declared_breaches(
    root: Path, descriptor: dict[str, Any], resources: list[dict[str, Any]]
) -> list[Violation]:
    """Breaches of types, constraints, keys and references that the descriptor declares.

    ``resources`` are those of the descriptor whose files can be read and have the right header;
    references to any other are left out, since the fault of that file is reported already.
    """
    if not resources:
        return []
    # Imported here: a run on a package checked before need not pay for it.
    from frictionless import FrictionlessException, Package

    known = {resource["name"] for resource in resources} | {""}
    kept = [_with_references_to(resource, known) for resource in resources]
    try:
        package = Package.from_descriptor({**descriptor, "resources": kept}, basepath=str(root))
    except FrictionlessException as exception:
        faults = exception.reasons or [exception.error]
        return [_descriptor_fault(fault.message) for fault in faults]
    report = package.validate(limit_errors=10**9)
    found = [_descriptor_fault(error.message) for error in report.errors]
    for resource, task in zip(kept, report.tasks, strict=False):
        found += _translated(resource, task.errors)
    return found


def _descriptor_fault(message: str) -> Violation:
    return Violation(DESCRIPTOR, None, "", message, f"correct {DESCRIPTOR}")


def _with_references_to(resource: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The resource with only those foreign keys whose target is ``known``."""
    schema = resource["schema"]
    keys = [k for k in schema.get("foreignKeys", ()) if k["reference"]["resource"] in known]
    rest = {name: value for name, value in schema.items() if name != "foreignKeys"}
    return {**resource, "schema": {**rest, "foreignKeys": keys} if keys else rest}


def _translated(resource: dict[str, Any], errors: list[Any]) -> list[Violation]:
    """Errors of one table as violations, one a cell; a malformed row is reported once."""
    malformed: dict[int, Any] = {}
    for error in errors:
        if error.type in ("blank-row", "missing-cell", "extra-cell"):
            malformed.setdefault(error.row_number, error)
    found = [_malformed_row(resource, error) for error in malformed.values()]
    for error in errors:
        row = getattr(error, "row_number", None)
        # An empty key is reported as an empty required cell.
        if row not in malformed and not error.note.endswith('are all "None"'):
            found.append(_worded(resource, error, row))
    return found


def _malformed_row(resource: dict[str, Any], error: Any) -> Violation:
    width = len(resource["schema"]["fields"])
    rules = {
        "blank-row": ("line is empty", "remove it"),
        "missing-cell": (f"row has fewer than {width} cells", "add the missing commas or cells"),
        "extra-cell": (
            f"row has more than {width} cells",
            "put cells that hold a comma into double quotes",
        ),
    }
    rule, remedy = rules[error.type]
    column = getattr(error, "field_name", "") if error.type == "missing-cell" else ""
    return Violation(resource["path"], error.row_number, column, rule, remedy)


def _worded(resource: dict[str, Any], error: Any, row: int | None) -> Violation:
    column, (rule, remedy) = "", (error.message, "correct the cell")
    if error.type in ("type-error", "constraint-error"):
        column = error.field_name
        field = next(f for f in resource["schema"]["fields"] if f["name"] == column)
        rule, remedy = _cell(field, error)
    elif error.type == "foreign-key":
        column = ", ".join(error.field_names)
        rule, remedy = _reference(resource, error)
    elif error.type == "primary-key":
        keys = resource["schema"]["primaryKey"]
        column = keys if isinstance(keys, str) else ", ".join(keys)
        rule = f"repeats a key: {error.note}"
        remedy = "give the row a key of its own, or remove the repetition"
    return Violation(resource["path"], row, column, rule, remedy)


def _cell(field: Field, error: Any) -> tuple[str, str]:
    """Rule and remedy of a cell of the wrong type or outside its constraints."""
    cell = error.cell
    if error.type == "type-error":
        kind = field["type"]
        article = "an" if kind == "integer" else "a"
        return f"'{cell}' is not {article} {kind}", TYPE_REMEDIES.get(kind, f"write a {kind}")
    constraints = field["constraints"]
    described = field.get("description") or field.get("title") or field["name"]
    if 'constraint "required"' in error.note:
        return "cell is empty", f"fill it in: {described}"
    if 'constraint "enum"' in error.note:
        allowed = ", ".join(map(str, constraints["enum"]))
        return f"'{cell}' is not allowed", f"use one of {allowed}"
    if 'constraint "minimum"' in error.note:
        return f"{cell} is below {constraints['minimum']}", f"check the number: {described}"
    if 'constraint "maximum"' in error.note:
        return f"{cell} is above {constraints['maximum']}", f"check the number: {described}"
    if 'constraint "pattern"' in error.note:
        return f"'{cell}' does not match {constraints['pattern']}", f"write it as: {described}"
    return f"'{cell}': {error.note}", f"write it as: {described}"


def _reference(resource: dict[str, Any], error: Any) -> tuple[str, str]:
    """Rule and remedy of a key that its table does not hold."""
    references = {
        tuple(key["fields"]): key["reference"]["resource"] or resource["name"]
        for key in resource["schema"]["foreignKeys"]
    }
    table = references[tuple(error.field_names)]
    value = ", ".join(map(str, error.field_cells))
    remedy = f"correct it, or add a row for {value} to {table}.csv first"
    return f"'{value}' is not in {table}.csv", remedy
