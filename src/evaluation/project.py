"""Find and read what a run needs from the project folder: notebooks, batches, the commit."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from evaluation import store
from evaluation.errors import KepuError
from evaluation.parameters import Parameter

NAME = "kepu-evaluation"


def find_root(start: Path) -> Path:
    """Give the project folder at or above ``start``: the one whose pyproject.toml bears our name.

    Raises
    ------
    KepuError : when no such folder is found.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        try:
            project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        except FileNotFoundError:
            continue
        if project.get("project", {}).get("name") == NAME:
            return folder
    raise KepuError(
        "no kepu-evaluation project here or in any folder above — change into the project "
        "folder, or name the folders with --notebooks, --data and --out"
    )


def read_batch(path: Path) -> dict[str, Any]:
    """Read a batch file into the mapping it holds."""
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise KepuError(f"{path} does not exist — `kepu list batches` shows the batches") from None
    except OSError as error:
        raise KepuError(f"{path} cannot be read ({error.strerror}) — name a file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise KepuError(f"{path} is no YAML ({detail}) — correct the file") from None


def read_notebooks(folder: Path) -> dict[str, dict[str, Parameter]]:
    """Read the declared parameters of every notebook with a cell tagged ``parameters``."""
    if not folder.is_dir():
        raise KepuError(f"{folder} is no folder — name the notebooks' folder with --notebooks")
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        inspect = partial(_inspect, path)
        records = store.remembered("notebooks", content, inspect, __name__)
        if records:
            found[path.stem] = {k: Parameter.from_papermill(r) for k, r in records.items()}
    return found


def _inspect(path: Path) -> dict[str, dict[str, str]]:
    import papermill  # slow to import, and each notebook is inspected once

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        return papermill.inspect_notebook(path)
    except (ValueError, KeyError) as error:
        raise KepuError(f"{path.name} cannot be read ({error}) — save it from Jupyter") from None


def commit(root: Path) -> str:
    """Give the short commit of ``root`` (``-dirty`` with uncommitted changes), or ``""``."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # a copy without git still makes reports
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def data_label(data: Path, notebooks: Path, root: Path) -> str:
    """Give the data folder as reports record it: relative to the notebooks, never absolute.

    A folder outside the project is recorded by its name alone.
    """
    data, root = data.resolve(), root.resolve()
    if not data.is_relative_to(root) or not notebooks.resolve().is_relative_to(root):
        return data.name
    return Path(os.path.relpath(data, notebooks.resolve())).as_posix()
