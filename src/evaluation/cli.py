"""The command ``kepu``: check the data, make reports, list what there is.

Exit codes: 0 everything made, 1 some reports failed, 2 bad input or usage.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from evaluation.errors import KepuError

FAILED, USAGE = 1, 2


class Commands(TyperGroup):
    """Commands whose refusals are messages, not tracebacks."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KepuError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(USAGE) from None


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
WORKERS = Annotated[int | None, typer.Option(min=1, help="Reports made at once.")]
TIMEOUT = Annotated[float, typer.Option(min=1, help="Seconds one report may take.")]
SET = Annotated[list[str] | None, typer.Option("--set", help="Notebook parameter, key=value.")]
DRY = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]


@dataclass(frozen=True)
class Folders:
    """The folders of one command; those not given lie in the project found from here."""

    data: Path
    notebooks: Path
    out: Path


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
    """Check the data package against its contract; print every violation."""
    from evaluation.data import load

    dataset = load(_root() / "data" if data is None else data)
    counts = dataset.counts()
    kind = "simulated data" if dataset.simulated else "data"
    typer.echo(
        f"{kind} {dataset.hash[:12]} keep the contract: "
        f"{len(counts)} tables, {sum(counts.values()):,} rows"
    )


@app.command()
def batch(
    file: Annotated[Path, typer.Argument(help="A batch file, or the name of one.")],
    dry_run: DRY = False,
    only: Annotated[list[str] | None, typer.Option(help="Region codes or notebooks.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Languages to make.")] = None,
    workers: WORKERS = None,
    timeout: TIMEOUT = 300.0,
    set_: SET = None,
    data: DATA = None,
    out: OUT = None,
    notebooks: NOTEBOOKS = None,
) -> None:
    """Make every report of a batch."""
    from evaluation.project import read_batch

    if not file.suffix and not file.exists():
        file = _root() / "reports" / "batches" / f"{file}.yml"
    choice = {"file": file.name, "only": _parts(only), "languages": _parts(language)}
    folders = _folders(data, notebooks, out)
    _make(read_batch(file), folders, choice, set_, workers, timeout, dry_run)


@app.command()
def report(
    region: Annotated[str, typer.Argument(help="Region code, or overview.")],
    language: Annotated[Language, typer.Option(help="Language of the page.")] = Language.both,
    dry_run: DRY = False,
    timeout: TIMEOUT = 300.0,
    set_: SET = None,
    data: DATA = None,
    out: OUT = None,
    notebooks: NOTEBOOKS = None,
) -> None:
    """Make the report of one region, or the overview."""
    one: dict[str, Any] = {"notebook": "region_report", "regions": [region]}
    if region == "overview":
        title = {"zh": "全国总览", "en": "National overview"}
        one = {"notebook": "overview", "region_set": "provinces", "title": title}
    one["languages"] = ["zh", "en"] if language is Language.both else [language.value]
    choice = {"file": f"`kepu report {region}`"}
    _make(one, _folders(data, notebooks, out), choice, set_, None, timeout, dry_run)


@app.command("list")
def list_(kind: Annotated[Kind, typer.Argument()] = Kind.regions, data: DATA = None) -> None:
    """List regions, sets of regions, indicators or batches."""
    from evaluation import listing, screen
    from evaluation.data import load

    if kind is Kind.batches:
        rows = listing.batches(_root() / "reports" / "batches")
    else:
        rows = getattr(listing, kind.value)(load(_root() / "data" if data is None else data))
    _console().print(screen.table(*rows))


def _make(raw, folders: Folders, choice, texts, workers, timeout, dry_run) -> None:
    """Plan and, unless this is a dry run, make the reports; exit 1 where one failed."""
    from evaluation import plan, project, runner, screen
    from evaluation.data import load

    dataset = load(folders.data)
    root = folders.notebooks.resolve().parent
    label = project.data_label(folders.data, folders.notebooks, root)
    today = date.today().isoformat()
    state = runner.State(label, dataset.hash, project.commit(root), today, dataset.simulated)
    filled = {key: getattr(state, key) for key in ("data", "data_hash", "commit", "date")}
    jobs = plan.make_plan(
        raw,
        dataset,
        project.read_notebooks(folders.notebooks),
        filled=filled,
        overrides=_pairs(texts or []),
        simulated=dataset.simulated,
        **choice,
    )
    console = _console()
    if dry_run:
        console.print(screen.plan_table(jobs))
        return
    begun = time.monotonic()
    with screen.progress(console, len(jobs)) as done:
        outcomes = runner.run(
            jobs,
            folders.out,
            notebooks=folders.notebooks,
            data=folders.data,
            state=state,
            workers=workers,
            timeout=timeout,
            done=done,
        )
    screen.summary(console, outcomes, folders.out, time.monotonic() - begun)
    if any(outcome.status == runner.FAILED for outcome in outcomes):
        raise typer.Exit(FAILED)


def _root() -> Path:
    from evaluation.project import find_root

    return find_root(Path.cwd())


def _folders(data: Path | None, notebooks: Path | None, out: Path | None) -> Folders:
    given = (data, notebooks, out)
    root = Path() if None not in given else _root()
    defaults = (root / "data", root / "notebooks", root / "reports" / "out")
    return Folders(*(own or default for own, default in zip(given, defaults, strict=True)))


def _parts(values: list[str] | None) -> list[str]:
    """Split repeated options and comma-separated ones alike."""
    return [part for value in values or [] for part in value.split(",")]


def _pairs(texts: list[str]) -> dict[str, str]:
    """Read ``key=value`` texts."""
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise KepuError(f"--set {wrong[0]} has no value — write --set name=value")
    return dict(text.split("=", 1) for text in texts)


def _console() -> Console:
    """Give a console that wraps at the terminal only: piped output keeps its columns."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def main() -> None:
    """Run the command line."""
    app(prog_name="kepu")
