"""``kepu notebooks``: store the outputs of the notebooks again, or say which are out of date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAMES = Annotated[
    list[str] | None, typer.Argument(help="Names of notebooks; none: those out of date.")
]
CHECK = Annotated[bool, typer.Option("--check", help="Only say which are out of date; exit 1.")]
ALL = Annotated[bool, typer.Option("--all", help="Run those that are up to date as well.")]
KERNEL = Annotated[str, typer.Option(help="Kernel to run them on.")]
WORKERS = Annotated[int, typer.Option(min=1, max=256, help="Notebooks run at once.")]


def notebooks(
    names: NAMES = None,
    check: CHECK = False,
    all_: ALL = False,
    kernel: KERNEL = "kepu-warm",
    workers: WORKERS = 2,
) -> None:
    """Run notebooks whose cells, code or data have changed and store their outputs."""
    from evaluation import stored
    from evaluation.project import find_root

    root = find_root()
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
    from evaluation import stored
    from evaluation.errors import KepuError

    known = {path.stem: path for path in stored.papers(folder)}
    if strange := [name for name in names or [] if name not in known]:
        raise KepuError(f"No notebook {', '.join(strange)}; known: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())
