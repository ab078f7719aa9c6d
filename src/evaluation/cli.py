"""The command ``kepu``: check the data, make reports, list what there is.

Exit codes: 0 done, 1 some reports failed or the output cannot be written, 2 bad input or usage,
70 an error of the program, 130 interrupted.
"""

from __future__ import annotations

from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from evaluation import commands, commands_notebooks, commands_value
from evaluation.entry import FAILED, USAGE, interrupted, main, tell
from evaluation.errors import KepuError

__all__ = ["app", "main"]


class Commands(TyperGroup):
    """Commands whose refusals are messages, not tracebacks."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KepuError as error:
            tell(str(error))
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt:
            raise typer.Exit(interrupted()) from None


class Language(StrEnum):
    """Languages of a single report."""

    zh = "zh"
    en = "en"
    both = "both"


class Kind(StrEnum):
    """What ``kepu list`` lists."""

    regions = "regions"
    sets = "sets"
    indicators = "indicators"
    batches = "batches"


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Evaluate what science popularisation was associated with in China's regions.",
)
DATA = Annotated[Path | None, typer.Option(help="Folder of the data package.")]
OUT = Annotated[Path | None, typer.Option(help="Folder for the reports.")]
NOTEBOOKS = Annotated[Path | None, typer.Option(help="Folder of the report notebooks.")]
WORKERS = Annotated[int | None, typer.Option(min=1, max=256, help="Reports made at once.")]
TIMEOUT = Annotated[float, typer.Option(min=1, help="Seconds one report may take.")]
SET = Annotated[list[str] | None, typer.Option("--set", help="Notebook parameter, key=value.")]
DRY = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]
FORMAT = Annotated[list[str] | None, typer.Option("--format", help="Formats to write.")]
FRESH = Annotated[bool, typer.Option("--fresh", help="Make again what is up to date.")]
EXPLAIN = Annotated[bool, typer.Option("--explain", help="Say why each report is made.")]
QUIET = Annotated[bool, typer.Option("--quiet", help="Say only what failed.")]
SCHEDULER = Annotated[str, typer.Option(help="Dask scheduler whose workers make the reports.")]
BOUNDARIES = Annotated[Path | None, typer.Option(help="GeoJSON of an approved map, by adcode.")]
APPROVAL = Annotated[str, typer.Option(help="Approval number of that map (审图号).")]
STORE = Annotated[str, typer.Option(help="Address the reports are kept at, as s3://bucket/a.")]


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Show the version where asked."""
    if version:
        typer.echo(f"kepu {metadata.version('kepu-evaluation')}")
        raise typer.Exit


@app.command()
def check(data: DATA = None) -> None:
    """Check the data package against its contract; print every violation, then what looks odd."""
    from evaluation import plausible

    dataset = _load(data)
    counts = dataset.counts()
    kind = "simulated data" if dataset.simulated else "data"
    typer.echo(
        f"{kind} {dataset.hash[:12]} keep the contract: "
        f"{len(counts)} tables, {sum(counts.values()):,} rows"
    )
    for line in plausible.listing(plausible.warnings(dataset)):
        typer.echo(line, err=True)


@app.command()
def batch(
    file: Annotated[Path, typer.Argument(help="A batch file, or the name of one.")],
    dry_run: DRY = False,
    only: Annotated[list[str] | None, typer.Option(help="Region codes or notebooks.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Languages to make.")] = None,
    format_: FORMAT = None,
    fresh: FRESH = False,
    explain: EXPLAIN = False,
    quiet: QUIET = False,
    workers: WORKERS = None,
    timeout: TIMEOUT = 300.0,
    scheduler: SCHEDULER = "",
    store: STORE = "",
    boundaries: BOUNDARIES = None,
    approval: APPROVAL = "",
    set_: SET = None,
    data: DATA = None,
    out: OUT = None,
    notebooks: NOTEBOOKS = None,
) -> None:
    """Make the reports of a batch that are not there yet or no longer true."""
    from evaluation import making, parameters, project

    file = project.batch_path(file)
    choice = {
        "file": file.name,
        "only": parameters.parts(only),
        "languages": parameters.parts(language),
        "formats": parameters.parts(format_),
        "overrides": parameters.pairs(set_),
    }
    place = making.folders(data, notebooks, out)
    options = making.Options(
        workers, timeout, fresh, scheduler, store, boundaries, approval, dry_run, explain, quiet
    )
    if not making.make(project.read_batch(file), place, choice, options):
        raise typer.Exit(FAILED)


@app.command()
def report(
    region: Annotated[str, typer.Argument(help="Region code, or overview.")],
    language: Annotated[Language, typer.Option(help="Language of the page.")] = Language.both,
    dry_run: DRY = False,
    format_: FORMAT = None,
    fresh: FRESH = False,
    timeout: TIMEOUT = 300.0,
    set_: SET = None,
    data: DATA = None,
    out: OUT = None,
    notebooks: NOTEBOOKS = None,
) -> None:
    """Make the report of one region, or the overview, unless it is there and still true."""
    from evaluation import making, parameters

    one: dict[str, Any] = {"notebook": "region_report", "regions": [region]}
    if region == "overview":
        title = {"zh": "全国总览", "en": "National overview"}
        one = {"notebook": "overview", "region_set": "provinces", "title": title}
    one["languages"] = ["zh", "en"] if language is Language.both else [language.value]
    choice = {
        "file": f"`kepu report {region}`",
        "formats": parameters.parts(format_),
        "overrides": parameters.pairs(set_),
    }
    place = making.folders(data, notebooks, out)
    options = making.Options(timeout=timeout, fresh=fresh, dry_run=dry_run)
    if not making.make(one, place, choice, options):
        raise typer.Exit(FAILED)


@app.command("list")
def list_(kind: Annotated[Kind, typer.Argument()] = Kind.regions, data: DATA = None) -> None:
    """List regions, sets of regions, indicators or batches."""
    from evaluation import listing, screen

    if kind is Kind.batches:
        rows = listing.batches(_root() / "reports" / "batches")
    else:
        rows = getattr(listing, kind.value)(_load(data))
    screen.console().print(screen.table(*rows))


app.command()(commands.estimate)
app.command()(commands.calibrate)
app.command()(commands.recover)
app.command()(commands_value.scenario)
app.command()(commands_notebooks.notebooks)


def _load(data: Path | None) -> Any:
    from evaluation import data as packages  # pandas is slow to import; --help should not be

    return packages.load(_root() / "data" if data is None else data)


def _root() -> Path:
    from evaluation.project import find_root

    return find_root()
