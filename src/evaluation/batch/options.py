"""What several commands share: languages, options, how they read a package and print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Language(StrEnum):
    """Languages of the screen and of forms."""

    zh = "zh"
    en = "en"


class Languages(StrEnum):
    """Languages of reports and workbooks."""

    zh = "zh"
    en = "en"
    both = "both"


START = 20250101  # a seed is part of a published number
DATA = Annotated[Path | None, typer.Option(help="Folder of the data package.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON in place of a text.")]
JSON_TABLE = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]


def project() -> Path:
    """The folder of the project, found from here."""
    from evaluation.batch.plan import find_root

    return find_root()


def package_of(data: Path | None) -> Path:
    """The folder of the package: the one given, else that of the project."""
    return project() / "data" if data is None else data


def dataset(data: Any, complete: bool = False) -> Any:
    """The package, checked; ``complete`` for commands that serve the office that made it."""
    from evaluation.data import package  # pandas is slow to import; --help should not be

    return package.load(data if hasattr(data, "contents") else package_of(data), complete=complete)


def show(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    from evaluation.batch import making

    making.console().print(making.table(heads, rows))


def show_json(value: Any) -> None:
    """Print a value as strict JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1))
