"""The commands ``kepu new`` and ``kepu import``: from an office's files to a data package."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import FAILED, KepuError, tell
from evaluation.base.text import LANGUAGES

MOST_LINES = 20


class Language(StrEnum):
    """Languages of a workbook."""

    zh = "zh"
    en = "en"
    both = "both"


class Grade(StrEnum):
    """Grades of a source."""

    A = "A"
    B = "B"
    C = "C"


FOLDER = Annotated[Path, typer.Argument(metavar="DIR", help="New folder.")]
WHOLE = Annotated[str, typer.Option(help="The region that holds all: 中文名/English name.")]
LEVEL = Annotated[str, typer.Option(help="Level compared, as league:盟市:league:leagues.")]
REGIONS = Annotated[Path | None, typer.Option(help="File that lists or holds the regions.")]
NATIONAL = Annotated[str, typer.Option(help="Take the regions of this national code.")]
WAVES = Annotated[str, typer.Option(help="Years of the surveys, as 2018,2020,2022.")]
INDICATORS = Annotated[str, typer.Option(help="Indicators, separated by commas.")]
EFFECT = Annotated[float, typer.Option(min=1, max=100, help="Design effect of the surveys.")]
OFFICE = Annotated[str, typer.Option(help="Who declares the package, or made the files.")]
WORKBOOK = Annotated[Path | None, typer.Option(help="Also write an Excel workbook to fill in.")]
LANGUAGE = Annotated[Language, typer.Option(help="Language of workbook and reports.")]
FILES = Annotated[list[Path], typer.Argument(metavar="FILE…", help="xlsx, xls, ods, csv or tsv.")]
INTO = Annotated[Path, typer.Option(help="Folder of the data package, or of its project.")]
MAPPING = Annotated[Path | None, typer.Option(help="Mapping file in place of the package's.")]
PREVIEW = Annotated[bool, typer.Option("--preview", help="Show what would change and stop.")]
YES = Annotated[bool, typer.Option("--yes", help="Write, also where something was refused.")]
ODD = Annotated[bool, typer.Option("--yes-implausible", help="Take implausible figures too.")]
DATE = Annotated[str, typer.Option(help="Date of the files, YYYY-MM-DD.  [default: today]")]
GRADE = Annotated[Grade, typer.Option(help="A: the body that made the figures; B; C: indirect.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("new")(new)
    app.command("import")(import_)


def new(
    folder: FOLDER,
    whole: WHOLE = "",
    level: LEVEL = "",
    regions: REGIONS = None,
    from_national: NATIONAL = "",
    waves: WAVES = "",
    indicators: INDICATORS = "",
    design_effect: EFFECT = 2.0,
    organisation: OFFICE = "",
    workbook: WORKBOOK = None,
    language: LANGUAGE = Language.both,
) -> None:
    """Make a project with a data package of your own, and a workbook to fill in."""
    from evaluation.data.office import form

    if workbook is not None:
        form.free(workbook)
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
        form.write(plan, workbook, language.value)
        typer.echo(f"{workbook}: the workbook to fill in")


def _project(folder: Path, plan: Any, language: Language) -> None:
    """Make the data package and the project around it, or neither."""
    from evaluation.data.office import create, project

    there = folder.exists()
    made = create.create(folder / "data", plan)
    try:
        project.scaffold(folder, LANGUAGES if language is Language.both else (language.value,))
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
    from evaluation.data.office import regions as places

    national = given["national"]
    if bool(national) == (given["regions"] is not None):
        raise KepuError("give the regions: either --regions FILE or --from-national CODE")
    listed = places.national(national) if national else places.listed(given["regions"])
    if not given["whole"] and not national:
        raise KepuError("give the region that holds all others: --whole 中文名/English name")
    return create.Plan(
        whole=places.whole(given["whole"] or national),
        level=places.level(given["level"] or "region"),
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
    into: INTO,
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
    if not (yes or found.certain or _agreed()):
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


def _agreed() -> bool:
    return sys.stdin.isatty() and typer.confirm("Write what was understood and leave out the rest?")


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
    yield from _some([_change(figure) for figure in found.figures if figure.before])
    yield from _some([f"  refused: {each}" for each in found.refused])


def _change(figure: Any) -> str:
    raw = figure.raw
    place = f"{raw.region} {raw.indicator} {raw.period.end}"
    return f"  {place}: {figure.before} → {figure.value.value} ({figure.fact_id})"


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"  … and {more:,} more"]
