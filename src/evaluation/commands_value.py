"""``kepu scenario``: what a planned increase would go with, by the estimates."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

DATA = Annotated[Path | None, typer.Option(help="Folder of the data package.")]
# Those of the report notebooks: the answer is the one a report made by default rests on.
DRAWS, START = 9999, 20250101


class Language(StrEnum):
    """Languages of the text."""

    zh = "zh"
    en = "en"


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no sum of money.")
    return value


def _yuan(help_: str) -> Any:
    return typer.Option(min=0, max=1e15, callback=_finite, help=help_)


def scenario(
    region: Annotated[str, typer.Argument(help="Code of a province.")],
    set_: Annotated[
        list[str], typer.Option("--set", help="Change, e.g. facility=+40% or facility=60:84.")
    ],
    budget: Annotated[float, _yuan("Yuan in one year; 0: not stated.")] = 0.0,
    wtp: Annotated[float | None, _yuan("Yuan per additional literate adult.")] = None,
    language: Annotated[Language, typer.Option(help="Language of the text.")] = Language.en,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws.")] = DRAWS,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")] = START,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON in place of a text.")] = False,
    data: DATA = None,
) -> None:
    """Say what a planned increase would go with: gain with interval, cost, strength of evidence."""
    from evaluation.value.scenario import parse
    from evaluation.value.scenario import scenario as outlook

    changes = parse(set_)  # refuses a malformed plan before the data are read
    study = _study(data, draws, seed)
    found = outlook(study, region, changes, budget=budget, wtp=wtp)
    if json_:
        typer.echo(json.dumps(found.record(), ensure_ascii=False, allow_nan=False))
        return
    from evaluation.report.planned import lines

    for line in lines(study, found, language.value):
        typer.echo(line)


def _study(data: Path | None, draws: int, seed: int) -> Any:
    from evaluation import data as packages
    from evaluation.project import find_root
    from evaluation.store import load_study

    dataset = packages.load(find_root() / "data" if data is None else data)
    return load_study(dataset, draws=draws, seed=seed)
