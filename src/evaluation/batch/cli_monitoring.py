"""The commands of an officer's year: ``kepu index``."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evaluation.base.errors import KepuError


class Language(StrEnum):
    """Languages of the screen and of what is written."""

    zh = "zh"
    en = "en"


DATA = Annotated[Path, typer.Option(help="Folder of the data package.")]
LANGUAGE = Annotated[Language, typer.Option(help="Language of what is shown.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]
NAME = Annotated[str, typer.Argument(help="Index of composites.csv.  [default: the first]")]
SET = Annotated[str, typer.Option("--set", help="Region set that is compared.")]
YEAR = Annotated[int, typer.Option(min=0, help="Year.  [default: the last complete one]")]
DRAWS = Annotated[int, typer.Option(min=200, max=100_000, help="Draws of the choices.")]
SEED = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")]
ERROR = Annotated[float, typer.Option(min=0, max=0.99, help="Relative error of a figure.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("index")(index)


def index(
    name: NAME = "",
    regions: SET = "provinces",
    year: YEAR = 0,
    draws: DRAWS = 2000,
    seed: SEED = 20250101,
    error: ERROR = 0.05,
    language: LANGUAGE = Language.en,
    json_: JSON = False,
    data: DATA = Path("data"),
) -> None:
    """Show the range of places each region takes in a composite index, over all ways to make it."""
    from evaluation.base.text import t
    from evaluation.batch import making
    from evaluation.data.package import load
    from evaluation.monitoring import index as composite

    dataset = load(data)
    sets = dataset.region_sets
    codes = sets.loc[sets["set"] == regions, "code"].tolist()
    if not codes:
        raise KepuError(f"Region set '{regions}' is not in region_sets.csv; see 'kepu list sets'.")
    name = name or next(iter(dataset.composites["index"]), "")
    given = composite.figures(dataset, name, codes, year or None)
    found = composite.rank_intervals(given, name, draws=draws, seed=seed, error=error)
    if json_:
        told = {"index": name, "year": found.year, "proxies": found.proxies, "draws": draws,
                "seed": seed, "simulated": dataset.simulated, "left_out": list(given.left),
                "ranks": found.frame.to_dict("records"),
                "sensitivity": found.sensitivity.to_dict("records")}  # fmt: skip
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False))
        return
    if dataset.simulated:
        typer.echo(t("speak.simulated", language.value))
    typer.echo(found.summary(language.value))
    names = dataset.regions.set_index("code")[f"name_{language.value}"]
    rows = [(names[row.region_code], f"{row.rank_low}–{row.rank_high}")
            for row in found.frame.itertuples()]  # fmt: skip
    heads = [
        str(t(f"column.{each}", language.value, level="95%"))
        for each in ("region", "rank_interval")
    ]
    making.console().print(making.table(heads, rows))
