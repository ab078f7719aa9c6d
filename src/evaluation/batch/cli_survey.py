"""The command ``kepu survey``: from files of respondents to rates with errors, into a package."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import KepuError, shown

FILES = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Parquet or CSV, or folders.")]
BY = Annotated[list[str] | None, typer.Option(help="Columns: region or region,sex; repeatable.")]
COLUMNS = Annotated[str, typer.Option(help="Names in the files, as score=得分,weight=wt,psu=社区.")]
INTO = Annotated[Path | None, typer.Option(help="Data package that receives the rates.")]
MARGINS = Annotated[list[Path] | None, typer.Option("--margin", help="CSV with column total.")]
TRIM = Annotated[float | None, typer.Option(help="Cut weights at so many times their mean.")]
CUTOFF = Annotated[list[float] | None, typer.Option(help="Points from which one counts.")]
INTERVAL = Annotated[str, typer.Option(help="korn_graubard, wilson or logit.")]
LONELY = Annotated[str, typer.Option(help="Strata of one unit: fail, remove, adjust or average.")]
NESTED = Annotated[bool, typer.Option("--nested", help="Units are numbered in each stratum.")]
PANEL = Annotated[bool, typer.Option("--panel", help="Waves visit the same primary units.")]
SHIFT = Annotated[str, typer.Option(help="Points added to a mode's scores, as web=-1.5.")]
PERIOD = Annotated[str, typer.Option(help="Year of the survey, where no column wave tells it.")]
LITERATE = Annotated[float, typer.Option(help="Cut-off of the rate that enters the package.")]
ORGANISATION = Annotated[str, typer.Option(help="Who ran the survey.")]
PREVIEW = Annotated[bool, typer.Option("--preview", help="Show what would change and stop.")]
DATA = Annotated[Path | None, typer.Option(help="Package whose regions may occur.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]
CSV = Annotated[Path | None, typer.Option(help="New CSV file of the whole table.")]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(survey)


def survey(
    files: FILES,
    by: BY = None,
    columns: COLUMNS = "",
    into: INTO = None,
    margin: MARGINS = None,
    trim: TRIM = None,
    cutoff: CUTOFF = None,
    interval: INTERVAL = "korn_graubard",
    lonely: LONELY = "fail",
    nested: NESTED = False,
    panel: PANEL = False,
    shift: SHIFT = "",
    period: PERIOD = "",
    literate: LITERATE = 70.0,
    organisation: ORGANISATION = "",
    preview: PREVIEW = False,
    data: DATA = None,
    json_: JSON = False,
    csv: CSV = None,
) -> None:
    """Estimate rates with design-based errors from respondents; --into writes them as facts."""
    from evaluation.survey import rates, respondents

    held = None if into is None else _held(into)
    divisions = [[name.strip() for name in each.split(",") if name.strip()] for each in by or [""]]
    asked = rates.Asked(tuple(sorted({*(cutoff or rates.CUTOFFS), literate})), interval)
    plan = respondents.Plan(
        columns=_pairs(columns), regions=_regions(data, held), nested=nested, panel=panel,
        lonely=lonely, shifts={name: float(x) for name, x in _pairs(shift).items()} or None,
        by=sorted({n for names in divisions for n in names} - set(respondents.ROLES)),
    )  # fmt: skip
    with respondents.read(files, plan) as sample:
        weighted = _weighted(sample, margin or [], trim)
        wave = ["wave"] if "wave" in sample.names else []
        tables = [rates.rates(weighted, list(dict.fromkeys([*wave, *d])), asked) for d in divisions]
    for table in tables:
        table["status"] = rates.presentation(table)
    _show(tables, json_=json_, csv=csv)
    if into is not None:
        told = (f"share_{literate:g}", period, organisation)
        _into(held, tables, files, told, preview=preview)


def _pairs(text: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in text.replace("，", ",").split(",") if part.strip()]
    if any(len(pair) != 2 or not all(each.strip() for each in pair) for pair in pairs):
        raise KepuError(f"'{text}' cannot be read — write name=value, separated by commas")
    return {name.strip(): value.strip() for name, value in pairs}


def _held(folder: Path) -> tuple[Path, Any]:
    """A package's folder, and what is in it: read once."""
    from evaluation.batch.cli_import import _package
    from evaluation.data.office import estimates

    own = _package(folder)
    return own, estimates.held_of(own)


def _regions(folder: Path | None, held: tuple[Path, Any] | None) -> list[str]:
    if folder is not None:
        held = _held(folder)
    return [] if held is None else list(held[1][1].tables["regions"]["code"])


def _weighted(sample: Any, margins: list[Path], trim: float | None) -> Any:
    """The sample with weights trimmed and fitted, and what that cost on standard error."""
    import pandas as pd

    from evaluation.survey import weights

    found = sample if trim is None else weights.trim(sample, trim)
    if margins:
        tables = [pd.read_csv(path, dtype=str) for path in margins]
        for path, table in zip(margins, tables, strict=True):
            if "total" not in table:
                raise KepuError(f"{shown(path)}: no column total — give the people in each cell")
            table["total"] = pd.to_numeric(table["total"], errors="coerce")
        found = weights.rake(found, tables)
    if found is not sample:
        before, after = (weights.diagnose(s).iloc[0] for s in (sample, found))
        typer.echo(
            f"weights: effective sample {before['effective']:,.0f} → {after['effective']:,.0f} of "
            f"{after['n']:,.0f}", err=True,
        )  # fmt: skip
    return found


def _show(tables: list[Any], *, json_: bool, csv: Path | None) -> None:
    import pandas as pd

    whole = pd.concat(tables, ignore_index=True)
    if csv is not None:
        if csv.exists():
            raise KepuError(f"{shown(csv)} is there already — name a new file, or remove it")
        from evaluation.base import files

        files.replace(csv, "\ufeff" + whole.to_csv(index=False, lineterminator="\n"))
    if json_:
        records = json.loads(whole.to_json(orient="records", force_ascii=False))
        typer.echo(json.dumps(records, ensure_ascii=False, indent=1, allow_nan=False))
        return
    from evaluation.batch import making

    for table in tables:
        shown_ = table.drop(columns="method")
        making.console().print(making.table(list(shown_.columns), [
            [_cell(name, value, row["measure"]) for name, value in row.items()]
            for row in shown_.to_dict("records")
        ]))  # fmt: skip


def _cell(name: str, value: Any, measure: str) -> str:
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "—"
    if name in ("estimate", "se", "low", "high"):
        return f"{value:.2f}" if measure == "mean" else f"{100 * value:.2f} %"
    return f"{value:,.2f}" if name == "deff" else f"{value:,.0f}"


def _into(held: Any, tables, files: list[Path], told: tuple[str, str, str], *, preview: bool):
    """Write the rates of regions, and of one group in each, into a package."""
    from evaluation.data.office import estimates

    measure, period, organisation = told
    rows = estimates.rows([t[t["measure"] == measure] for t in tables], period)
    digest = _digest(files)
    source = estimates.Source(
        f"F{digest[:8]}", f"respondents: {', '.join(path.name for path in files)}",
        datetime.date.today().isoformat(), organisation, note=f"SHA-256 {digest}",
    )  # fmt: skip
    folder, read = held
    made = estimates.merge(folder, rows, source, read)
    for name, count in made.counts.items():
        typer.echo(f"{count:,} rates {name}", err=True)
    if not preview:
        estimates.apply(made)
        typer.echo(f"{folder}: written", err=True)


def _digest(files: list[Path]) -> str:
    """SHA-256 of all files, whatever their order."""
    inside = [p for path in files for p in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    found = []
    for path in inside:
        if path.is_file():
            with path.open("rb") as stream:
                found.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return hashlib.sha256("".join(sorted(found)).encode()).hexdigest()
