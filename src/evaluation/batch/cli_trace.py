"""Commands that follow a figure, ``kepu verify``, ``trace``, ``diff``, ``export``; headlines."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import FAILED, KepuError, shown
from evaluation.batch.options import DATA, JSON, project, show_json
from evaluation.batch.options import dataset as dataset_of

DOCUMENTS = Annotated[Path, typer.Option(help="Folder of the documents.")]
ALL = Annotated[bool, typer.Option("--all", help="List the facts that were found as well.")]


def verify(documents: DOCUMENTS, data: DATA = None, all_: ALL = False, json_: JSON = False) -> None:
    """Look each fact up in its document, at its place; exit with 1 where one is not found."""
    from evaluation.data.office import documents as looking

    dataset = dataset_of(data, complete=True)
    verdicts = looking.verify(dataset.facts, dataset.sources, documents)
    if json_:
        show_json([verdict.record() for verdict in verdicts])
    else:
        for verdict in verdicts:
            if all_ or verdict.status != looking.FOUND:
                typer.echo(str(verdict))
        typer.echo(_counted(verdicts, looking.STATUSES))
        for name in looking.unnamed(dataset.sources, documents):
            typer.echo(f"{name}: no source names this file", err=True)
    if any(verdict.status == looking.MISSING for verdict in verdicts):
        raise typer.Exit(FAILED)


REPORT = Annotated[Path | None, typer.Option(help="A page of a report.")]
OUT = Annotated[Path | None, typer.Option(help="Folder of reports.  [default: reports/out]")]


def trace(
    number: Annotated[str, typer.Argument(help="A fact, a result's key, a number as shown.")],
    report: REPORT = None,
    out: OUT = None,
    data: DATA = None,
    json_: JSON = False,
) -> None:
    """Follow a figure: to its facts, sources and computation, and to the pages that use it."""
    from evaluation.batch import pages
    from evaluation.batch.trace import Tracer, told

    if report is not None:
        searched = [pages.read(report)]
    else:
        try:
            folder = out or project() / "reports" / "out"
        except KepuError:  # data given, and no project to be found from here
            folder = None
        made = out or (folder is not None and (folder / "manifest.json").is_file())
        searched = pages.edition(folder)[1] if made else []
    found = Tracer(dataset_of(data, complete=True), searched).trace(number)
    if json_:
        show_json(found)
        return
    for record in found:
        for line in told(record):
            typer.echo(line)


OLD = Annotated[Path, typer.Argument(help="The earlier data package or folder of reports.")]
NEW = Annotated[Path, typer.Argument(help="The later one.")]
MARKDOWN = Annotated[bool, typer.Option("--markdown", help="Print a section for a document.")]


def diff(old: OLD, new: NEW, markdown: MARKDOWN = False, json_: JSON = False) -> None:
    """Say what changed between two data packages, or between two editions of a batch."""
    from evaluation.data.tables import DESCRIPTOR

    if all((folder / DESCRIPTOR).is_file() for folder in (old, new)):
        record, lines = _package_changes(old, new)
    elif all((folder / "manifest.json").is_file() for folder in (old, new)):
        from evaluation.batch import pages

        found = pages.compare(old, new)
        record, lines = dataclasses.asdict(found), list(pages.lines(found))
    else:
        raise KepuError(
            f"{shown(old)} and {shown(new)} are neither two data packages ({DESCRIPTOR}) nor two "
            "folders of reports (manifest.json) — name two of a kind"
        )
    if json_:
        show_json(record)
        return
    if markdown:
        typer.echo("## What changed since the last edition\n")
        lines = [f"  {line}" if line.startswith(" ") else f"- {line}" for line in lines]
    for line in lines:
        typer.echo(line)


def _package_changes(old: Path, new: Path) -> tuple[Any, list[str]]:
    """Changes between two packages as a record and as lines, how many first."""
    from evaluation.data import package
    from evaluation.data.office import differences

    changes = differences.compare(*(package.load(path, complete=True) for path in (old, new)))
    counts = differences.counted(changes)
    told = [
        f"{table}: " + ", ".join(f"{count:,} {what}" for what, count in of.items() if count)
        for table, of in counts.items()
    ]
    record = {"counts": counts, "changes": [change.record() for change in changes]}
    return record, [*(told or ["the packages hold the same"]), *map(str, changes)]


FOLDER = Annotated[Path, typer.Argument(help="Folder to write into.")]
PACKAGE = "package-xlsx"
FORM = Annotated[
    str,
    typer.Option(
        "--format", help="csv, sdmx-csv, tidy-xlsx, or package-xlsx, which kepu import takes again."
    ),
]
THRESHOLD = Annotated[
    float | None,
    typer.Option(min=2, help="Withhold counts of people under it.  [default: the package's own]"),
]


def export(
    folder: FOLDER, format_: FORM = "csv", threshold: THRESHOLD = None, data: DATA = None
) -> None:
    """Write the facts for other programs, small numbers of people withheld where asked."""
    from evaluation.data.office import protect, workbook
    from evaluation.data.office.export import export as write

    dataset = dataset_of(data, complete=True)
    least = protect.threshold_of(dataset, threshold)
    if format_ == PACKAGE:
        if least is not None:
            raise KepuError("a package with figures withheld is none — choose another format")
        typer.echo(shown(workbook.save(dataset.root, folder / "package.xlsx")))
        return
    for path in write(dataset, folder, format_, least):
        typer.echo(shown(path))
    if least is not None:
        typer.echo(f"counts of people under {least:g} are withheld, and what would tell them")


REGIONS = Annotated[
    list[str] | None,
    typer.Argument(help="Codes of regions or names of sets; none: the regions that are compared."),
]


def headlines(regions: REGIONS = None, data: DATA = None, date: str = "") -> None:
    """Print headline and recommendations of each region's brief, in both languages."""
    from evaluation import report
    from evaluation.base.text import LANGUAGES
    from evaluation.batch.run import today
    from evaluation.report import brief
    from evaluation.study import load_study

    dataset = dataset_of(data, complete=True)
    sets = dataset.region_sets.groupby("set")["code"].agg(list)
    named = [sets.get(name, [name]) for name in regions or []] or [dataset.model_regions]
    codes = dict.fromkeys(code for of in named for code in of)
    study = load_study(dataset)
    for code in codes:
        for language in LANGUAGES:
            page = report.open_report(study, code, language, date=date or today().isoformat())
            first, *asked = brief.lines(page)
            typer.echo(f"{code} {language} {first}")
            for line in asked:
                typer.echo(f"    {line}")


def _counted(verdicts: list[Any], statuses: tuple[str, ...]) -> str:
    """How many facts of how many documents ended in which way."""
    counts = Counter(verdict.status for verdict in verdicts)
    told = ", ".join(f"{counts[status]:,} {status}" for status in statuses if counts[status])
    files = len({verdict.file for verdict in verdicts})
    nouns = ["" if number == 1 else "s" for number in (len(verdicts), files)]
    return f"{len(verdicts):,} fact{nouns[0]} of {files} document{nouns[1]}: {told or 'none'}"


def register(app: typer.Typer) -> None:
    """Add the commands of this file to ``kepu``."""
    for command in (verify, trace, diff, export, headlines):
        app.command()(command)
