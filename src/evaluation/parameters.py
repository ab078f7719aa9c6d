"""Options and variables as typed values: parameters notebooks declare, ``--set``, lists, dates."""

from __future__ import annotations

import ast
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evaluation.errors import KepuError

FILLED = ("region", "region_set", "language", "data", "data_hash", "commit")
TYPES = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict}
# Least and most of parameters whose meaning is the same in every notebook.
BOUNDS = {"draws": (99, 100_000), "seed": (0, 2**32 - 1)}
LAST_SECOND = 4_102_444_799  # of 2099: the formats of reports can hold no date after 2107
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?", re.ASCII)


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
        if isinstance(value, float) and not math.isfinite(value):
            return False
        return isinstance(value, (int, float) if self.type == "float" else TYPES[self.type])


def convert(text: str, kind: str | None) -> Any:
    """Read text as ``kind``; text that does not read stays text, which the type check refuses.

    Numbers are written in ASCII digits, without separators, and are finite.

    >>> convert("999", "int"), convert("1_0", "int"), convert("９", "int"), convert("true", "bool")
    (999, '1_0', '９', True)
    """
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "list":
        return [part.strip() for part in text.split(",")]
    forms = {"int": (_WHOLE, int), "float": (_DECIMAL, float)}
    form, read = forms.get(kind, (None, str))
    return read(text) if form is None or form.fullmatch(text) else text


def build_time() -> datetime | None:
    """The time ``SOURCE_DATE_EPOCH`` fixes for equal builds, ``None`` where it is not set.

    Raises
    ------
    KepuError : the variable is no number of seconds between 1970 and 2099.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", fixed, re.ASCII) or int(fixed) > LAST_SECOND:
        raise KepuError(
            f"SOURCE_DATE_EPOCH is {fixed!r:.40}, no number of seconds between 1970 and 2099 — "
            "correct or unset it"
        )
    return datetime.fromtimestamp(int(fixed), UTC)


def parts(values: Iterable[str] | None) -> list[str]:
    """Split repeated options and comma-separated ones alike.

    >>> parts(["110000,150000", "overview"])
    ['110000', '150000', 'overview']
    """
    return [part.strip() for value in values or [] for part in value.split(",")]


def pairs(texts: Iterable[str] | None) -> dict[str, str]:
    """Read ``name=value`` texts.

    Raises
    ------
    KepuError : a text without value or name, or a name given twice.

    >>> pairs(["draws=99"])
    {'draws': '99'}
    """
    found: dict[str, str] = {}
    for text in texts or []:
        name, mark, value = text.partition("=")
        if not mark:
            raise KepuError(f"--set {text} has no value — write --set name=value")
        if not name.isidentifier():
            raise KepuError(f"--set {text} has no name of a parameter — write --set name=value")
        if name in found:
            raise KepuError(f"--set gives {name} twice — keep one")
        found[name] = value
    return found


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
            shown = f"{value!r:.80} is {type(value).__name__}"
            rule = f"{shown}, {notebook}.ipynb declares {kind}"
            problems.append(Problem(key, rule, f"write a value like {declared[name].default}"))
        elif name in BOUNDS and not BOUNDS[name][0] <= value <= BOUNDS[name][1]:
            rule = f"{value} is out of bounds"
            remedy = f"choose {BOUNDS[name][0]:,} to {BOUNDS[name][1]:,}"
            problems.append(Problem(key, rule, remedy))
    return problems


def unknown(key: str, value: Any, allowed: tuple[str, ...], remedy: str) -> Problem:
    """Word the refusal of a name that is none of ``allowed``."""
    shown = "nothing" if value is None else f"{value!r:.80}"
    return Problem(key, f"{shown} is unknown", remedy, tuple(map(str, allowed)))
