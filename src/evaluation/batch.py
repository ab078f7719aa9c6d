"""The contract of a batch file: which blocks it may hold and what every value may be.

Pure: a batch arrives as the mapping its YAML holds, notebooks as their declared parameters, and
all breaches are gathered before any is reported.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.errors import KepuError
from evaluation.text import LANGUAGES

FORMATS = ("html",)
KEYS = ("title", "notebook", "region_set", "regions", "languages", "formats", "parameters")
INHERITED = ("languages", "formats", "parameters")
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


class BatchError(KepuError):
    """A batch cannot be run; ``problems`` holds everything wrong with it."""

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.file, self.problems = file, tuple(problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        lines = [f"{len(self.problems)} {noun} in {file}; no report was started:"]
        super().__init__("\n  ".join([*lines, *map(str, self.problems)]))


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


@dataclass(frozen=True)
class Block:
    """One checked block of a batch; ``regions`` is ``None`` for a notebook about a whole set."""

    notebook: str
    regions: tuple[str, ...] | None
    region_set: str | None
    languages: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    title: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """What a batch may name: regions, sets of regions, notebooks with their parameters."""

    codes: frozenset[str]
    sets: Mapping[str, tuple[str, ...]]
    notebooks: Mapping[str, Mapping[str, Parameter]]


def split(batch: Mapping[str, Any]) -> tuple[list[tuple[str, Mapping[str, Any]]], list[Problem]]:
    """Give every block of a batch with the key it sits under; ``reports:`` holds several."""
    if not isinstance(batch, Mapping):
        return [], [Problem("(file)", "holds no keys", "write it as `key: value` lines")]
    if "reports" not in batch:
        return [("", batch)], []
    remedy = "move it into a block under reports"
    outer = [k for k in batch if k not in ("title", "reports", *INHERITED)]
    problems = [_unknown(str(k), k, ("title", "reports", *INHERITED), remedy) for k in outer]
    blocks = batch["reports"]
    if not (isinstance(blocks, list) and blocks and all(isinstance(b, Mapping) for b in blocks)):
        return [], [*problems, Problem("reports", "is no list of blocks", "write `- notebook: …`")]
    common = {k: batch[k] for k in INHERITED if k in batch}
    merged = []
    for number, block in enumerate(blocks):
        both = [part.get("parameters", {}) for part in (common, block)]
        joint = {**both[0], **both[1]} if all(isinstance(p, Mapping) for p in both) else both[1]
        merged.append((f"reports[{number}].", {**common, **block, "parameters": joint}))
    return merged, problems


def check_block(
    where: str, raw: Mapping[str, Any], catalogue: Catalogue
) -> tuple[Block | None, list[Problem]]:
    """Check one block; a block with any problem is not given back."""
    problems = [
        _unknown(f"{where}{k}", k, KEYS, "correct or remove the key") for k in raw if k not in KEYS
    ]
    languages = _chosen(where, "languages", raw.get("languages", list(LANGUAGES)), LANGUAGES)
    formats = _chosen(where, "formats", raw.get("formats", list(FORMATS)), FORMATS)
    problems += languages[1] + formats[1]
    regions, region_problems = _regions(where, raw, catalogue)
    problems += region_problems
    title = raw.get("title", {})
    if not isinstance(title, Mapping):
        problems.append(Problem(f"{where}title", "holds no languages", "write `zh: …`, `en: …`"))
    name = raw.get("notebook")
    if not isinstance(name, str) or name not in catalogue.notebooks:
        allowed = tuple(sorted(catalogue.notebooks))
        return None, [*problems, _unknown(f"{where}notebook", name, allowed, "name a notebook")]
    declared = catalogue.notebooks[name]
    problems += check_parameters(f"{where}parameters", raw.get("parameters", {}), name, declared)
    if problems:
        return None, problems
    whole_set = "region" not in declared
    return Block(
        name,
        None if whole_set else regions,
        raw.get("region_set"),
        languages[0],
        dict(raw.get("parameters", {})),
        dict(title),
    ), []


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
            problems.append(_unknown(key, name, free, rule))
        elif not declared[name].accepts(value):
            kind = declared[name].type
            rule = f"{value!r} is {type(value).__name__}, {notebook}.ipynb declares {kind}"
            problems.append(Problem(key, rule, f"write a value like {declared[name].default}"))
    return problems


def _regions(where, raw, catalogue) -> tuple[tuple[str, ...], list[Problem]]:
    given = [key for key in ("region_set", "regions") if key in raw]
    if len(given) != 1:
        rule = "names both region_set and regions" if given else "names no regions"
        remedy = "give either region_set or regions"
        return (), [Problem(where.rstrip(".") or "(file)", rule, remedy)]
    value = raw[given[0]]
    if given == ["region_set"]:
        if isinstance(value, str) and value in catalogue.sets:
            return tuple(catalogue.sets[value]), []
        remedy = "name a set of region_sets.csv"
        return (), [_unknown(f"{where}region_set", value, tuple(catalogue.sets), remedy)]
    if not isinstance(value, list) or not value:
        return (), [Problem(f"{where}regions", "is no list of codes", "write regions: ['150000']")]
    codes = tuple(map(str, value))  # YAML reads an unquoted code as a number
    return codes, [unknown_region(f"{where}regions", c, catalogue) for c in codes
                   if c not in catalogue.codes]  # fmt: skip


def unknown_region(key: str, code: str, catalogue: Catalogue) -> Problem:
    """Word the refusal of a region code, with the codes nearest to it."""
    near = difflib.get_close_matches(code, sorted(catalogue.codes), n=3)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return Problem(key, f"{code!r} is no region code", f"{hint}`kepu list regions` shows them all")


def _chosen(where, key, value, allowed) -> tuple[tuple[str, ...], list[Problem]]:
    if not isinstance(value, list) or not value:
        rule = f"{value!r} is no list"
        return (), [Problem(f"{where}{key}", rule, f"write {key}: [{allowed[0]}]", allowed)]
    wrong = [v for v in value if v not in allowed]
    problems = [_unknown(f"{where}{key}", v, allowed, f"correct {key}") for v in wrong]
    return tuple(value), problems


def _unknown(key: str, value: Any, allowed: tuple[str, ...], remedy: str) -> Problem:
    shown = "nothing" if value is None else repr(value)
    return Problem(key, f"{shown} is unknown", remedy, tuple(map(str, allowed)))
