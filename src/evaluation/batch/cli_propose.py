"""The command ``kepu propose``: candidate figures of a document, for a person to decide on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import KepuError, shown

BOM = "\ufeff"  # by which spreadsheets know UTF-8
DOCUMENT = Annotated[Path, typer.Argument(help="A txt, md, docx, pdf or html file.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]
DATA = Annotated[Path | None, typer.Option(help="Folder of the data package.")]
DATE = Annotated[str, typer.Option(help="Date of the document, YYYY-MM.  [default: looked for]")]
REGION = Annotated[str, typer.Option(help="Region the figures are of: fills a column of FILE.")]
OUT = Annotated[Path | None, typer.Option(help="New CSV file to mark accept or refuse in.")]


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(propose)


def propose(
    document: DOCUMENT,
    json_: JSON = False,
    data: DATA = None,
    date: DATE = "",
    out: OUT = None,
    region: REGION = "",
) -> None:
    """Propose the figures of a document: value, unit, period, likely indicators, place."""
    from evaluation.batch.plan import find_root
    from evaluation.data.office import propose as proposing

    if out is not None and out.exists():
        raise KepuError(f"{shown(out)} is there already — name a new file, or remove it")
    folder = find_root() / "data" if data is None else data
    found = proposing.proposals(document, folder, date)
    if out is not None:
        _write(out, BOM + found.csv(region))
    if json_:
        typer.echo(json.dumps(found.records(), ensure_ascii=False, indent=1, allow_nan=False))
    elif out is not None:
        typer.echo(f"{len(found.found)} figures written to {shown(out)}: mark accept or refuse")
    else:
        _print(found)


def _write(path: Path, text: str) -> None:
    from evaluation.base import files

    try:
        files.replace(path, text)
    except OSError as error:
        reason = error.strerror or error
        raise KepuError(f"{shown(path)} cannot be written ({reason}) — name another") from None


def _print(found: Any) -> None:
    from evaluation.batch import making

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
    making.console().print(making.table(head, rows))
    typer.echo(f"{len(rows)} figures; document of {found.date or 'unknown date'}")
