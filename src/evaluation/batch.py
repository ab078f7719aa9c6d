"""The contract of a batch file: which blocks it may hold and what every value may be.

Pure: a batch arrives as the mapping its YAML holds, notebooks as their declared parameters, and
all breaches are gathered before any is reported.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.errors import KepuError
from evaluation.parameters import Parameter, Problem, check_parameters, unknown
from evaluation.text import LANGUAGES

FORMATS = ("html", "pdf", "docx")
KEYS = ("title", "notebook", "region_set", "regions", "languages", "formats", "parameters")
NAMED = "name a notebook with a cell tagged `parameters`"
INHERITED = ("languages", "formats", "parameters")


class BatchError(KepuError):
    """A batch cannot be run; ``problems`` holds everything wrong with it."""

    def __init__(self, file: str, problems: Iterable[Problem]):
        self.file, self.problems = file, tuple(problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        lines = [f"{len(self.problems)} {noun} in {file}; no report was started:"]
        super().__init__("\n  ".join([*lines, *map(str, self.problems)]))


@dataclass(frozen=True)
class Block:
    """One checked block of a batch; ``regions`` is ``None`` for a notebook about a whole set."""

    notebook: str
    regions: tuple[str, ...] | None
    region_set: str | None
    languages: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    title: dict[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = ("html",)


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
    problems = [unknown(str(k), k, ("title", "reports", *INHERITED), remedy) for k in outer]
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
        unknown(f"{where}{k}", k, KEYS, "correct or remove the key") for k in raw if k not in KEYS
    ]
    languages = _chosen(where, "languages", raw.get("languages", list(LANGUAGES)), LANGUAGES)
    formats = _chosen(where, "formats", raw.get("formats", ["html"]), FORMATS)
    problems += languages[1] + formats[1]
    regions, region_problems = _regions(where, raw, catalogue)
    problems += region_problems
    title = raw.get("title", {})
    if not isinstance(title, Mapping):
        problems.append(Problem(f"{where}title", "holds no languages", "write `zh: …`, `en: …`"))
    name = raw.get("notebook")
    if not isinstance(name, str) or name not in catalogue.notebooks:
        allowed = tuple(sorted(catalogue.notebooks))
        return None, [*problems, unknown(f"{where}notebook", name, allowed, NAMED)]
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
        formats[0],
    ), []


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
        return (), [unknown(f"{where}region_set", value, tuple(catalogue.sets), remedy)]
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
    problems = [unknown(f"{where}{key}", v, allowed, f"correct {key}") for v in wrong]
    return tuple(value), problems
