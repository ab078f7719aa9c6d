"""The commands of a project's folder: ``kepu lab`` and ``kepu workbook``."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from evaluation.base.errors import FAILED, KepuError

FIRST = ("00_welcome.ipynb", "region_report.ipynb")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=passed_on)(lab)
    app.command()(workbook)


def workbook(
    folder: Annotated[Path, typer.Argument(help="A folder that is new or holds none of it.")],
) -> None:
    """Copy the national workbook into a folder: data, notebooks, batches."""
    from evaluation.base.errors import shown
    from evaluation.data.office import project

    written = project.workbook(folder)
    typer.echo(f"{len(written)} files written into {shown(folder)}; open them with `kepu lab`")


def lab(context: typer.Context) -> None:
    """Open the project in JupyterLab; its own options are passed on, as --no-browser."""
    from evaluation.batch.plan import find_root

    root = find_root()
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
