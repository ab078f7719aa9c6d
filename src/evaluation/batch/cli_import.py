"""Commands that bring figures in, ``kepu new``, ``import``, ``propose``, ``survey``; ``lab``."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import importlib.util
import json
import shutil
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import FAILED, KepuError, shown, tell
from evaluation.base.text import LANGUAGES
from evaluation.batch.options import JSON_TABLE, Languages, package_of, show, show_json
from evaluation.batch.options import project as project_folder

MOST_LINES = 20


class Grade(StrEnum):
    """Grades of a source."""

    A = "A"
    B = "B"
    C = "C"


WHOLE = Annotated[str, typer.Option(help="The region that holds all: 中文名/English name.")]
LEVEL = Annotated[str, typer.Option(help="Level compared, as league:盟市:league:leagues.")]
REGIONS = Annotated[Path | None, typer.Option(help="File that lists or holds the regions.")]
NATIONAL = Annotated[str, typer.Option(help="Take the regions of this national code.")]
EFFECT = Annotated[float, typer.Option(min=1, max=100, help="Design effect of the surveys.")]
OFFICE = Annotated[str, typer.Option(help="Who declares the package, or made the files.")]
WORKBOOK = Annotated[Path | None, typer.Option(help="Also write an Excel workbook to fill in.")]
LANGUAGE = Annotated[Languages, typer.Option(help="Language of workbook and reports.")]
FILES = Annotated[list[Path], typer.Argument(metavar="FILE…", help="xlsx, xls, ods, csv or tsv.")]
MAPPING = Annotated[Path | None, typer.Option(help="Mapping file in place of the package's.")]
PREVIEW = Annotated[bool, typer.Option("--preview", help="Show what would change and stop.")]
YES = Annotated[bool, typer.Option("--yes", help="Write, also where something was refused.")]
ODD = Annotated[bool, typer.Option("--yes-implausible", help="Take implausible figures too.")]
DATE = Annotated[str, typer.Option(help="Date of the files, YYYY-MM-DD.  [default: today]")]
GRADE = Annotated[Grade, typer.Option(help="A: the body that made the figures; B; C: indirect.")]


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder.")],
    whole: WHOLE = "",
    level: LEVEL = "",
    regions: REGIONS = None,
    from_national: NATIONAL = "",
    waves: Annotated[str, typer.Option(help="Years of the surveys, as 2018,2020,2022.")] = "",
    indicators: Annotated[str, typer.Option(help="Indicators, separated by commas.")] = "",
    design_effect: EFFECT = 2.0,
    organisation: OFFICE = "",
    workbook: WORKBOOK = None,
    language: LANGUAGE = Languages.both,
) -> None:
    """Make a project with a data package of your own, and a workbook to fill in."""
    from evaluation.data.office import workbook as sheets

    if workbook is not None:
        sheets.free(workbook)
    given = {"whole": whole, "level": level, "regions": regions, "waves": waves}
    plan = _plan(_asked(given | {"national": from_national}), indicators, design_effect)
    plan = dataclasses.replace(plan, organisation=organisation)
    _project(folder, plan, language)
    typer.echo(
        f"{folder / 'data'}: {len(plan.regions)} {plan.level.plural_en} of {plan.whole.name_en}, "
        f"surveys of {', '.join(map(str, plan.waves))}"
    )
    typer.echo(f"assumed: a design effect of {plan.design_effect:g} (assumptions.csv)")
    if workbook is not None:
        sheets.write_form(plan, workbook, language.value)
        typer.echo(f"{workbook}: the workbook to fill in")


def _project(folder: Path, plan: Any, language: Languages) -> None:
    """Make the data package and the project around it, or neither."""
    from evaluation.data.office import create, project

    there = folder.exists()
    made = create.create(folder / "data", plan)
    try:
        project.scaffold(folder, LANGUAGES if language is Languages.both else (language.value,))
    except BaseException:
        shutil.rmtree(made if there else folder, ignore_errors=True)
        raise


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """The options, completed by a dialogue where none was given in a terminal."""
    if any(given.values()) or not sys.stdin.isatty():
        return given
    answers = dict(given)
    answers["whole"] = typer.prompt("The region that holds all others (中文名/English name)")
    answers["level"] = typer.prompt(
        "Level of the regions (league, city, county, state, … )", default="city"
    )
    code = typer.prompt("Take its regions from the national list? Its code, or empty", default="")
    answers["national"] = code
    if not code:
        answers["regions"] = Path(typer.prompt("File that lists the regions"))
    answers["waves"] = typer.prompt("Years of the surveys, separated by commas")
    return answers


def _plan(given: dict[str, Any], indicators: str, design_effect: float) -> Any:
    from evaluation.data.office import create

    national = given["national"]
    if bool(national) == (given["regions"] is not None):
        raise KepuError("give the regions: either --regions FILE or --from-national CODE")
    listed = create.national(national) if national else create.listed(given["regions"])
    if not given["whole"] and not national:
        raise KepuError("give the region that holds all others: --whole 中文名/English name")
    return create.Plan(
        whole=create.whole(given["whole"] or national),
        level=create.level(given["level"] or "region"),
        regions=listed,
        waves=_years(given["waves"]),
        indicators=[part.strip() for part in indicators.split(",") if part.strip()],
        design_effect=design_effect,
    )


def _years(text: str) -> list[int]:
    parts = [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() and len(part) == 4 for part in parts):
        raise KepuError(
            f"'{text}' are no years — give those of the surveys, as --waves 2018,2020,2022"
        )
    return sorted({int(part) for part in parts})


def import_(
    files: FILES,
    into: Annotated[Path, typer.Option(help="Folder of the data package, or of its project.")],
    mapping: MAPPING = None,
    preview: PREVIEW = False,
    yes: YES = False,
    yes_implausible: ODD = False,
    organisation: OFFICE = "",
    date: DATE = "",
    grade: GRADE = Grade.B,
) -> None:
    """Take the figures of an office's files into a data package: preview, then all or nothing."""
    from evaluation.data.office import cells, importing, workbook

    books = [cells.read(file) for file in files]
    if whole := next((book for book in books if workbook.is_package(book)), None):
        if len(books) > 1:
            raise KepuError(f"{whole.name} is a whole package — import it alone")
        _restore(whole, into, preview=preview)
        return
    today = date or datetime.date.today().isoformat()
    options = importing.Options(organisation, today, grade.value, mapping, yes_implausible)
    found = importing.prepare(books, _package(into), options)
    for line in _lines(found):
        typer.echo(line)
    if not preview:
        _write(found, yes=yes)


def _write(found: Any, *, yes: bool) -> None:
    """Write an import where it is certain or a person agrees; else only what it asks."""
    from evaluation.data.office import importing

    if not found.figures:
        importing.remember(found)
        typer.echo("nothing to write: no figure is new")
        raise typer.Exit(0 if found.certain else FAILED)
    question = "Write what was understood and leave out the rest?"
    if not (yes or found.certain or (sys.stdin.isatty() and typer.confirm(question))):
        tell(
            f"nothing was written. Answer the questions in {importing.remember(found)}, see "
            "refused.csv beside it, and import again; or leave out what was refused with --yes"
        )
        raise typer.Exit(FAILED)
    importing.apply(found)
    new, changed = found.count("new"), found.count("changed")
    typer.echo(f"{found.folder}: {new:,} new figures, {changed:,} changed")


def _restore(book: Any, into: Path, *, preview: bool) -> None:
    """Merge the tables of a workbook into a package, or make the package they describe."""
    from evaluation.data.office import workbook, write

    folder = _package(into)
    merged = workbook.merge(book, folder)
    for name, (new, changed, same) in merged.counts.items():
        typer.echo(f"{name}: {new:,} new, {changed:,} changed, {same:,} already there")
    if not preview:
        write.replace_all(folder, merged.files, last=merged.facts)
        typer.echo(f"{folder}: written")


def _package(folder: Path) -> Path:
    """The package a person means: the folder itself, or ``data`` in a project."""
    inner = folder / "data"
    if not (folder / "datapackage.json").exists() and (inner / "datapackage.json").exists():
        return inner
    return folder


def _lines(found: Any) -> Any:
    """The preview, for a terminal."""
    for read in found.reads:
        place = f"{read.sheet.file}{f', sheet {read.sheet.name}' if read.sheet.name else ''}"
        yield f"{place}: {len(read.raws):,} figures"
        for (_, text), means in read.matched.items():
            yield f"  {text} → {means}"
        for name, empty in read.below.items():
            yield f"  {empty} empty cells below {name} → {name}"
        for (kind, text), like in read.asked.items():
            yield f"  {text} → ? {kind}{f' (like {chr(44).join(like)})' if like else ''}"
        yield from _some([f"  left out: {line}" for line in read.passed])
        yield from (f"  note: {note}" for note in read.sheet.notes)
    yield (
        f"new: {found.count('new'):,}, changed: {found.count('changed'):,}, already there: "
        f"{found.same:,}, refused: {len(found.refused):,}"
    )
    if found.tables:
        yield f"also added: {', '.join(found.tables)}"
    yield from _some([
        f"  {figure.raw.region} {figure.raw.indicator} {figure.raw.period.end}: {figure.before} → "
        f"{figure.value.value} ({figure.fact_id})"
        for figure in found.figures if figure.before
    ])  # fmt: skip
    yield from _some([f"  refused: {each}" for each in found.refused])


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"  … and {more:,} more"]


# ------------------------------------------------------------------------------------------
# ``kepu lab`` and ``kepu workbook``: the folder of a project.


FIRST = ("00_welcome.ipynb", "region_report.ipynb")


def workbook(
    folder: Annotated[Path, typer.Argument(help="A folder that is new or holds none of it.")],
) -> None:
    """Copy the national workbook into a folder: data, notebooks, batches."""
    from evaluation.data.office import project

    written = project.workbook(folder)
    typer.echo(f"{len(written)} files written into {shown(folder)}; open them with `kepu lab`")


def lab(context: typer.Context) -> None:
    """Open the project in JupyterLab; its own options are passed on, as --no-browser."""
    root = project_folder()
    with subprocess.Popen(command(root, context.args), cwd=root) as started:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is JupyterLab's to answer
        try:
            code = started.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    if code:
        raise typer.Exit(code if code > 0 else FAILED)


def command(root: Path, options: list[str]) -> list[str]:
    """What starts JupyterLab in a project, on the notebook to begin with where one is there.

    Raises
    ------
    KepuError : JupyterLab is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise KepuError(
            "JupyterLab is not installed beside this kepu — "
            f"install it with `{Path(sys.executable).name} -m pip install jupyterlab`"
        )
    known = [root / "notebooks" / name for name in FIRST]
    opened = [str(path) for path in known if path.is_file()][:1]
    start = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    return [*start, *options, *opened]


# ------------------------------------------------------------------------------------------
# ``kepu propose``: candidate figures of a document, for a person to decide on.


BOM = "\ufeff"  # by which spreadsheets know UTF-8
OF_REGION = Annotated[str, typer.Option(help="Region the figures are of: fills a column of FILE.")]
MARKED = Annotated[Path | None, typer.Option(help="New CSV file to mark accept or refuse in.")]


def propose(
    document: Annotated[Path, typer.Argument(help="A txt, md, docx, pdf or html file.")],
    json_: JSON_TABLE = False,
    data: Annotated[Path | None, typer.Option(help="Folder of the data package.")] = None,
    date: Annotated[
        str, typer.Option(help="Date of the document, YYYY-MM.  [default: looked for]")
    ] = "",
    out: MARKED = None,
    region: OF_REGION = "",
) -> None:
    """Propose the figures of a document: value, unit, period, likely indicators, place."""
    from evaluation.base import files
    from evaluation.data.office import propose as proposing

    if out is not None and out.exists():
        raise KepuError(f"{shown(out)} is there already — name a new file, or remove it")
    found = proposing.proposals(document, package_of(data), date)
    if out is not None:
        with files.written(out):
            files.replace(out, BOM + found.csv(region))
    if json_:
        show_json(found.records())
    elif out is not None:
        typer.echo(f"{len(found.found)} figures written to {shown(out)}: mark accept or refuse")
    else:
        _print_proposals(found)


def _print_proposals(found: Any) -> None:
    rows = [
        [
            each.figure_as_written, f"{each.value:,f}", each.unit, each.comparator,
            "–".join(filter(None, dict.fromkeys((each.period_start, each.period_end)))),
            "; ".join(f"{match.indicator} {match.score:.2f}" for match in each.indicators[:3]),
            each.locator.partition(" (")[0],
        ]
        for each in found.found
    ]  # fmt: skip
    head = ["figure", "value", "unit", "is", "period", "may be", "place"]
    show(head, rows)
    typer.echo(f"{len(rows)} figures; document of {found.date or 'unknown date'}")


# ------------------------------------------------------------------------------------------
# ``kepu survey``: from files of respondents to rates with errors, into a package.


BY = Annotated[list[str] | None, typer.Option(help="Columns: region or region,sex; repeatable.")]
COLUMNS = Annotated[str, typer.Option(help="Names in the files, as score=得分,weight=wt,psu=社区.")]
MARGINS = Annotated[list[Path] | None, typer.Option("--margin", help="CSV with column total.")]
TRIM = Annotated[float | None, typer.Option(help="Cut weights at so many times their mean.")]
CUTOFF = Annotated[list[float] | None, typer.Option(help="Points from which one counts.")]
INTERVAL = Annotated[str, typer.Option(help="korn_graubard, wilson or logit.")]
LONELY = Annotated[str, typer.Option(help="Strata of one unit: fail, remove, adjust or average.")]
NESTED = Annotated[bool, typer.Option("--nested", help="Units are numbered in each stratum.")]
PANEL = Annotated[bool, typer.Option("--panel", help="Waves visit the same primary units.")]
PERIOD = Annotated[str, typer.Option(help="Year of the survey, where no column wave tells it.")]
LITERATE = Annotated[float, typer.Option(help="Cut-off of the rate that enters the package.")]
CSV = Annotated[Path | None, typer.Option(help="New CSV file of the whole table.")]


def survey(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Parquet or CSV, or folders.")
    ],
    by: BY = None,
    columns: COLUMNS = "",
    into: Annotated[Path | None, typer.Option(help="Data package that receives the rates.")] = None,
    margin: MARGINS = None,
    trim: TRIM = None,
    cutoff: CUTOFF = None,
    interval: INTERVAL = "korn_graubard",
    lonely: LONELY = "fail",
    nested: NESTED = False,
    panel: PANEL = False,
    shift: Annotated[str, typer.Option(help="Points added to a mode's scores, as web=-1.5.")] = "",
    period: PERIOD = "",
    literate: LITERATE = 70.0,
    organisation: Annotated[str, typer.Option(help="Who ran the survey.")] = "",
    preview: PREVIEW = False,
    data: Annotated[Path | None, typer.Option(help="Package whose regions may occur.")] = None,
    json_: JSON_TABLE = False,
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

        files.replace(csv, BOM + whole.to_csv(index=False, lineterminator="\n"))
    if json_:
        records = json.loads(whole.to_json(orient="records", force_ascii=False))
        show_json(records)
        return
    for table in tables:
        shown_ = table.drop(columns="method")
        show(list(shown_.columns), [
            [_cell(name, value, row["measure"]) for name, value in row.items()]
            for row in shown_.to_dict("records")
        ])  # fmt: skip


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


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("new")(new)
    app.command("import")(import_)
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=passed_on)(lab)
    for command_ in (workbook, propose, survey):
        app.command()(command_)
