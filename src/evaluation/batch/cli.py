"""The command ``kepu``.

Exit codes: 0 everything made, 1 some reports failed, 2 bad input or usage.
"""

from __future__ import annotations

import json
import math
import time
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from evaluation.base.errors import FAILED, USAGE, KepuError, interrupted, tell
from evaluation.batch import (
    cli_design,
    cli_import,
    cli_monitoring,
    cli_trace,
)
from evaluation.batch.options import (
    DATA,
    JSON,
    START,
    Language,
    Languages,
    package_of,
    project,
    show,
)
from evaluation.batch.options import dataset as dataset_

# ------------------------------------------------------------------------------------------
# ``kepu estimate``, ``calibrate`` and ``recover``: one estimate, and how far to trust a model.


SEED = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")]
DRAWS = 9999  # as in the notebooks


def estimate(
    model: Annotated[str, typer.Option(help="Name of a model.")] = "gain_regression",
    dose: Annotated[list[str] | None, typer.Option(help="Doses; the first is reported.")] = None,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws.")] = DRAWS,
    seed: SEED = START,
    json_: JSON = False,
    data: DATA = None,
) -> None:
    """Estimate one model on the panel of a data package."""
    from evaluation import models
    from evaluation.models import panels

    entry = models.named(model)  # refuses an unknown model before the data are read
    dataset = dataset_(data)
    doses = _doses(dataset, dose) if dose or entry.doses else []
    result = panels.panels(dataset).fit(model, doses, draws=draws, seed=seed)
    if json_:
        typer.echo(result.to_json())
        return
    show(*_rows(result))
    if dataset.simulated:
        typer.echo("simulated data: nothing here was observed")
    typer.echo(result.summary("en"))
    for line in _beside(result):
        typer.echo(line)


def calibrate(
    design: Annotated[str, typer.Option(help="Regions x waves, e.g. 31x5, or actual.")] = "31x5",
    panels: Annotated[int, typer.Option(min=1, max=1_000_000, help="Simulated panels.")] = 2000,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws in each.")] = 999,
    treated: Annotated[int, typer.Option(min=0, help="Regions with a 0/1 dose.")] = 0,
    dose: Annotated[str, typer.Option(help="Dose of the actual panel.  [default: the first]")] = "",
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
    seed: SEED = START,
    json_: JSON = False,
    data: DATA = None,
) -> None:
    """Count how often interval and p-value are wrong in simulated panels of a design."""
    from evaluation.models import panels as model_panels
    from evaluation.models import recovery

    if design == "actual":
        dataset = dataset_(data)
        dose = dose or dataset.doses["dose"].iloc[0]
        _doses(dataset, [dose])
        scenario = recovery.actual(model_panels.panels(dataset), dose)
    else:
        scenario = recovery.generated(*recovery.parse(design), treated=treated)
    run = {"panels": panels, "draws": draws, "seed": seed, "workers": workers}
    found = recovery.calibrate(scenario, **run)
    if json_:
        typer.echo(json.dumps(found.record(), allow_nan=False))
        return
    typer.echo(
        f"simulated {found.design}: {found.regions} regions, {found.observations} gains, "
        f"{found.panels:,} panels of {found.draws:,} draws, nominal level {found.level:g}"
    )
    if found.rates:
        show(*_shares(found))
    for reason, count in found.refusals.items():
        typer.echo(f"{count:,} of {found.panels:,} panels: {reason}")


def recover(
    model: Annotated[list[str] | None, typer.Option(help="Models; by default all.")] = None,
    panels: Annotated[int, typer.Option(min=2, max=1_000_000, help="Panels for each.")] = 500,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws in each.")] = 199,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
    seed: SEED = START,
) -> None:
    """Print bias and coverage of each model on simulated panels with a known truth."""
    import joblib

    from evaluation.models import recovery

    jobs = [
        joblib.delayed(recovery.recover)(name, panels, seed, draws=draws)
        for name in model or recovery.RUNGS
    ]
    found = joblib.Parallel(n_jobs=workers or -1)(jobs)
    head = ["model", "panels", "refused", "bias", "its error", "coverage", "95 % interval"]
    rows = [
        [
            item.model, f"{item.panels}", f"{item.refused}", f"{item.bias:+.3f}",
            f"{item.bias_error:.3f}", f"{item.coverage:.1%}",
            f"{item.coverage_low:.1%} to {item.coverage_high:.1%}",
        ]
        for item in found
    ]  # fmt: skip
    typer.echo(f"simulated panels, {draws} draws, nominal coverage {found[0].level:.0%}")
    show(head, rows)


def _doses(dataset: Any, chosen: list[str] | None) -> list[str]:
    """The doses asked for, by default the first; an unknown one is refused."""
    known = list(dataset.doses["dose"])
    chosen = chosen or known[:1]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise KepuError(f"Unknown dose '{unknown[0]}'. Known doses: {', '.join(known)}.")
    return chosen


def _rows(result: Any) -> tuple[list[str], list[list[str]]]:
    """The coefficients, numbers rounded to the size of their errors."""
    from evaluation.base.text import chance, rounded

    rows = []
    for row in result.coefficients:
        numbers = [rounded(row[name], row["se"]) for name in ("estimate", "se")]
        tested = [rounded(row[name], row["se"]) for name in ("low", "high") if name in row]
        p = [chance(row["p"]).removeprefix("= ")] if "p" in row else []
        rows.append([row["term"], *numbers, *(tested or ["", ""]), *(p or [""])])
    return ["term", "estimate", "se", "low", "high", "p"], rows


def _shares(found: Any) -> tuple[list[str], list[list[str]]]:
    """Rates in percent with their Monte Carlo intervals."""
    rows = [
        [row["procedure"], row["measure"], f"{row['share']:.1%}",
         f"{row['low']:.1%} to {row['high']:.1%}", f"{row['panels']:,}"]
        for row in found.rates
    ]  # fmt: skip
    return ["procedure", "measure", "share", "Monte Carlo 95%", "panels"], rows


def _beside(result: Any) -> list[str]:
    """One line each for CRV3, randomisation inference and the detectable effect, where known."""
    from evaluation.base.text import chance, rounded

    lines, details = [], result.details
    if "crv3" in details:
        low, high = (rounded(details["crv3"][end], result.se) for end in ("low", "high"))
        lines.append(f"CRV3: {low} to {high}, p {chance(details['crv3']['p'])}")
    if "ri" in details:
        told = details["ri"].get("reason") or f"p {chance(details['ri']['p'])}"
        lines.append(f"randomisation inference: {told}")
    if "mde_simulation" in details:
        power = details["mde_simulation"]
        size, error = (rounded(power[name], result.se) for name in ("effect", "error"))
        lines.append(f"detectable with {power['target']:.0%} power: {size} (± {error})")
    if "romano_wolf" in details:
        adjusted = (f"{dose} p {chance(p)}" for dose, p in details["romano_wolf"].items())
        lines.append(f"Romano-Wolf: {', '.join(adjusted)}")
    return lines


# ------------------------------------------------------------------------------------------
# ``kepu notebooks``: store the outputs of the notebooks again, or say which are out of date.


NAMES = Annotated[
    list[str] | None, typer.Argument(help="Names of notebooks; none: those out of date.")
]
CHECK = Annotated[bool, typer.Option("--check", help="Only say which are out of date; exit 1.")]
ALL = Annotated[bool, typer.Option("--all", help="Run those that are up to date as well.")]


def notebooks(
    names: NAMES = None,
    check: CHECK = False,
    all_: ALL = False,
    kernel: Annotated[str, typer.Option(help="Kernel to run them on.")] = "kepu-warm",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Notebooks run at once.")] = 2,
) -> None:
    """Run notebooks whose cells, code or data have changed and store their outputs."""
    from evaluation.batch import notebooks as stored

    root = project()
    paths = _named(root / "notebooks", names)
    old = stored.stale(paths, root / "data")
    if check:
        for path in old:
            typer.echo(f"out of date: {path.relative_to(root)}; run make notebooks")
        if old:
            raise typer.Exit(1)
        return
    chosen = paths if names or all_ else old
    stored.refresh(chosen, root / "data", kernel=kernel, workers=workers)
    typer.echo(f"{len(chosen)} of {len(paths)} notebooks run and stored")


def _named(folder: Path, names: list[str] | None) -> list[Path]:
    from evaluation.batch import notebooks as stored

    known = {path.stem: path for path in stored.papers(folder)}
    if strange := [name for name in names or [] if name not in known]:
        raise KepuError(f"No notebook {', '.join(strange)}; known: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())


# ------------------------------------------------------------------------------------------
# ``kepu scenario``: what a planned increase would go with, by the estimates.


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no sum of money.")
    return value


def _yuan(help_: str) -> Any:
    return typer.Option(min=0, max=1e15, callback=_finite, help=help_)


def scenario(
    region: Annotated[str, typer.Argument(help="Code of a region that the models compare.")],
    set_: Annotated[
        list[str], typer.Option("--set", help="Change, e.g. facility=+40% or facility=60:84.")
    ],
    budget: Annotated[float, _yuan("Yuan in one year; 0: not stated.")] = 0.0,
    wtp: Annotated[float | None, _yuan("Yuan, worth of an adult year; unset: no verdict.")] = None,
    language: Annotated[Language, typer.Option(help="Language of the text.")] = Language.en,
    draws: Annotated[int, typer.Option(min=99, max=100_000, help="Bootstrap draws.")] = DRAWS,
    seed: SEED = START,
    json_: JSON = False,
    data: DATA = None,
) -> None:
    """Say what a planned increase would go with: gain with interval, cost, strength of evidence."""
    from evaluation.study import load_study
    from evaluation.value.scenario import parse
    from evaluation.value.scenario import scenario as outlook

    changes = parse(set_)  # refuses a malformed plan before the data are read
    study = load_study(dataset_(data), draws=draws, seed=seed)
    found = outlook(study, region, changes, budget=budget, wtp=wtp)
    if json_:
        typer.echo(json.dumps(found.record(), ensure_ascii=False, allow_nan=False))
        return
    from evaluation.report.value import lines

    for line in lines(study, found, language.value):
        typer.echo(line)


# ------------------------------------------------------------------------------------------
# The command ``kepu``: check the data, make reports, list what there is.


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
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Evaluate what science popularisation was associated with, region by region.",
)
OUT = Annotated[Path | None, typer.Option(help="Folder for the reports.")]
NOTEBOOKS = Annotated[Path | None, typer.Option(help="Folder of the report notebooks.")]
WORKERS = Annotated[int | None, typer.Option(min=1, max=256, help="Reports made at once.")]
WEEK = 604_800.0
TIMEOUT = Annotated[float, typer.Option(min=1, max=WEEK, help="Seconds one report may take.")]
SET = Annotated[list[str] | None, typer.Option("--set", help="Notebook parameter, key=value.")]
DRY = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]
FORMAT = Annotated[list[str] | None, typer.Option("--format", help="Formats to write.")]
DEPTH = Annotated[list[str] | None, typer.Option("--depth", help="brief, report, annex.")]
FRESH = Annotated[bool, typer.Option("--fresh", help="Make again what is up to date.")]
EXPLAIN = Annotated[bool, typer.Option("--explain", help="Say why each report is made.")]
QUIET = Annotated[bool, typer.Option("--quiet", help="Say only what failed.")]
SCHEDULER = Annotated[str, typer.Option(help="Dask scheduler whose workers make the reports.")]
BOUNDARIES = Annotated[Path | None, typer.Option(help="GeoJSON of an approved map, by adcode.")]
STORE = Annotated[str, typer.Option(help="Address the reports are kept at, as s3://bucket/a.")]


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Show the version where asked; refuse a date for equal builds that is none."""
    from evaluation.base.files import build_time

    build_time()  # before a library reads the variable in its own way
    if version:
        typer.echo(f"kepu {metadata.version('kepu-evaluation')}")
        raise typer.Exit


@app.command()
def check(data: DATA = None) -> None:
    """Check the data package: every violation, what looks odd, what the models can do with it."""
    from evaluation.base.cache import remembered
    from evaluation.data import plausible

    dataset = dataset_(data)
    counts = dataset.counts()
    kind = "simulated data" if dataset.simulated else "data"
    typer.echo(
        f"{kind} {dataset.hash[:12]} keep the contract: "
        f"{len(counts)} tables, {sum(counts.values()):,} rows"
    )
    for line in plausible.told(dataset)["lines"]:
        typer.echo(line, err=True)

    def ready() -> list[str]:
        from evaluation.models.panels import readiness  # slow to import

        return readiness(dataset).lines(dataset)

    for line in remembered("ready", dataset.hash, ready, "evaluation.models.panels"):
        typer.echo(line)


@app.command()
def batch(
    file: Annotated[Path, typer.Argument(help="A batch file, or the name of one.")],
    dry_run: DRY = False,
    only: Annotated[list[str] | None, typer.Option(help="Region codes or notebooks.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Languages to make.")] = None,
    format_: FORMAT = None,
    depth: DEPTH = None,
    fresh: FRESH = False,
    explain: EXPLAIN = False,
    quiet: QUIET = False,
    workers: WORKERS = None,
    timeout: TIMEOUT = 300.0,
    scheduler: SCHEDULER = "",
    store: STORE = "",
    boundaries: BOUNDARIES = None,
    approval: Annotated[str, typer.Option(help="Approval number of that map (审图号).")] = "",
    set_: SET = None,
    data: DATA = None,
    out: OUT = None,
    notebooks: NOTEBOOKS = None,
) -> None:
    """Make the reports of a batch that are not there yet or no longer true."""
    from evaluation.batch import plan, run

    file = plan.batch_path(file)
    chosen = map(plan.parts, (only, language, format_))
    choice = plan.Choice(file.name, *chosen, plan.pairs(set_), plan.parts(depth))
    settings = {
        "workers": workers, "timeout": timeout, "fresh": fresh, "scheduler": scheduler,
        "store": store, "boundaries": _boundaries(boundaries, approval),
    }  # fmt: skip
    place = _folders(data, notebooks, out)
    shown = {"dry_run": dry_run, "explain": explain, "quiet": quiet}
    _make(run.planned(plan.read_batch(file), choice, place, **settings), **shown)


@app.command()
def report(
    region: Annotated[str, typer.Argument(help="Region code, or overview.")],
    language: Annotated[Languages, typer.Option(help="Language of the page.")] = Languages.both,
    dry_run: DRY = False,
    format_: FORMAT = None,
    depth: DEPTH = None,
    fresh: FRESH = False,
    timeout: TIMEOUT = 300.0,
    set_: SET = None,
    data: DATA = None,
    out: OUT = None,
    notebooks: NOTEBOOKS = None,
) -> None:
    """Make the report of one region, or the overview, unless it is there and still true."""
    from evaluation.batch import plan, run

    place = _folders(data, notebooks, out)
    one: dict[str, Any] = {"notebook": "region_report", "regions": [region]}
    if region == "overview":
        one = _overview(dataset_(place["data"]))
    one["languages"] = ["zh", "en"] if language is Languages.both else [language.value]
    formats, overrides = plan.parts(format_), plan.pairs(set_)
    told = {"formats": formats, "overrides": overrides, "depths": plan.parts(depth)}
    choice = plan.Choice(f"`kepu report {region}`", **told)
    _make(run.planned(one, choice, place, timeout=timeout, fresh=fresh), dry_run=dry_run)


def _overview(dataset: Any) -> dict[str, Any]:
    """A batch of one overview: of the set of regions that are compared, else of the first set."""
    sets = dataset.region_sets.groupby("set", sort=False)["code"].agg(set)
    if sets.empty:
        raise KepuError("No overview: region_sets.csv has no row. Add one for each region in it.")
    compared = sets.index[sets == set(dataset.model_regions)]
    whole = {language: dataset.words(language)["whole"] for language in ("zh", "en")}
    title = {"zh": f"{whole['zh']}总览", "en": f"Overview: {whole['en']}"}
    return {"notebook": "overview", "region_set": [*compared, *sets.index][0], "title": title}


def _folders(data: Path | None, notebooks: Path | None, out: Path | None) -> dict[str, Path]:
    """Complete the folders a person gave by those of the project found from here."""
    given = {"data": data, "notebooks": notebooks, "out": out}
    root = Path() if None not in given.values() else project()
    usual = {name: root / name for name in given} | {"out": root / "reports" / "out"}
    return {name: own or usual[name] for name, own in given.items()}


def _boundaries(path: Path | None, approval: str) -> Any:
    """Read a user's own map; regions are matched by ``adcode``."""
    from evaluation.base import files
    from evaluation.batch import maps

    if path is None:
        return None
    found = files.read_json(path, files.LARGEST["map"], "GeoJSON file")
    return maps.boundaries(found, approval=approval)


def _make(
    planned: Any, *, dry_run: bool = False, explain: bool = False, quiet: bool = False
) -> None:
    """Show or make the reports of a plan and say how that ended; exit with 1 where one failed."""
    from evaluation.batch import making, run

    jobs, how = planned
    console = making.console()
    if explain:
        console.print(making.explanation(jobs, run.reasons(jobs, how)))
    elif dry_run:
        console.print(making.plan_table(jobs))
    if dry_run:
        return
    begun = time.monotonic()
    with making.progress(console, len(jobs), quiet=quiet) as watch:
        outcomes = run.run(jobs, how, watch)
    making.summary(console, outcomes, how.out, time.monotonic() - begun, quiet=quiet)
    if how.state.implausible and not quiet:
        typer.echo(
            f"{how.state.implausible:,} figures look implausible and nobody has confirmed them — "
            "`kepu check` names them",
            err=True,
        )
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(FAILED)


@app.command("list")
def list_(kind: Annotated[Kind, typer.Argument()] = Kind.regions, data: DATA = None) -> None:
    """List regions, sets of regions, indicators or batches."""
    from evaluation.batch import making

    if kind is Kind.batches:
        rows = making.batches(project() / "reports" / "batches")
    else:
        from evaluation.base.cache import remembered
        from evaluation.data.tables import read_files

        files = read_files(package_of(data))
        make = lambda: getattr(making, kind.value)(dataset_(files))  # noqa: E731
        rows = remembered(f"list_{kind.value}", files.hash, make, making.__name__)
    show(*rows)


for command in (estimate, calibrate, recover, scenario, notebooks):
    app.command()(command)


cli_design.register(app)
cli_import.register(app)
cli_monitoring.register(app)
cli_trace.register(app)
