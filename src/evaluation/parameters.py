"""The parameters a notebook declares: their types, and the refusal of values that do not fit."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FILLED = ("region", "region_set", "language", "data", "data_hash", "commit")
TYPES = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict}


@dataclass(frozen=True)
class Problem:
    """One breach of a batch: the key it sits under, the rule, what is allowed and the remedy."""

    key: str
    rule: str
    remedy: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        allowed = f" (allowed: {', '.join(self.allowed)})" if self.allowed else ""
        return f"{self.key}: {self.rule}{allowed} — {self.remedy}"


@dataclass(frozen=True)
class Parameter:
    """A parameter a notebook declares: its name, its type (``None``: any) and its default."""

    name: str
    type: str | None
    default: str = ""

    @classmethod
    def from_papermill(cls, record: Mapping[str, str]) -> Parameter:
        """Read a record of ``papermill.inspect_notebook``; the default's type where no annotation.

        >>> Parameter.from_papermill(
        ...     {"name": "draws", "inferred_type_name": "None", "default": "999", "help": ""}
        ... )
        Parameter(name='draws', type='int', default='999')
        """
        kind = record["inferred_type_name"].split("[")[0].strip()
        if kind == "None":
            try:
                kind = type(ast.literal_eval(record["default"])).__name__
            except (ValueError, SyntaxError):  # a default that is an expression declares no type
                kind = ""
        return cls(record["name"], kind if kind in TYPES else None, record["default"])

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` has the declared type; a truth value is no number."""
        if self.type is None:
            return True
        if isinstance(value, bool):
            return self.type == "bool"
        return isinstance(value, (int, float) if self.type == "float" else TYPES[self.type])


def convert(text: str, kind: str | None) -> Any:
    """Read text as ``kind``; text that does not read stays text, which the type check refuses.

    >>> convert("999", "int"), convert("x", "int"), convert("true", "bool")
    (999, 'x', True)
    """
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "list":
        return [part.strip() for part in text.split(",")]
    try:
        return {"int": int, "float": float}.get(kind, str)(text)
    except ValueError:
        return text


def check_parameters(
    where: str, values: Any, notebook: str, declared: Mapping[str, Parameter]
) -> list[Problem]:
    """Compare the parameters of a block with those its notebook declares, names and types."""
    if not isinstance(values, Mapping):
        return [Problem(where, "holds no parameters", "write `name: value` lines")]
    free = tuple(name for name in declared if name not in FILLED)
    problems = []
    for name, value in values.items():
        key = f"{where}.{name}"
        if name in FILLED:
            problems.append(Problem(key, "is filled in by the run itself", "remove it"))
        elif name not in declared:
            rule = f"name a parameter that {notebook}.ipynb declares"
            problems.append(unknown(key, name, free, rule))
        elif not declared[name].accepts(value):
            kind = declared[name].type
            rule = f"{value!r} is {type(value).__name__}, {notebook}.ipynb declares {kind}"
            problems.append(Problem(key, rule, f"write a value like {declared[name].default}"))
    return problems


def unknown(key: str, value: Any, allowed: tuple[str, ...], remedy: str) -> Problem:
    """Word the refusal of a name that is none of ``allowed``."""
    shown = "nothing" if value is None else repr(value)
    return Problem(key, f"{shown} is unknown", remedy, tuple(map(str, allowed)))
