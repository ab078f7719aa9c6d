"""The command ``kepu lab``: a project opened in JupyterLab."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import typer

from evaluation.base.errors import FAILED, KepuError

FIRST = "00_welcome.ipynb"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=passed_on)(lab)


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
    """What starts JupyterLab in a project, on its first notebook where that is there.

    Raises
    ------
    KepuError : JupyterLab is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise KepuError(
            "JupyterLab is not installed beside this kepu — "
            f"install it with `{Path(sys.executable).name} -m pip install jupyterlab`"
        )
    first = root / "notebooks" / FIRST
    opened = [str(first)] if first.is_file() else []
    start = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    return [*start, *options, *opened]
