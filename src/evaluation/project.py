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

from evaluation import files, store
from evaluation.errors import KepuError
from evaluation.parameters import Parameter

NAME = "kepu-evaluation"


def here() -> Path:
    """The working folder.

    Raises
    ------
    KepuError : it was deleted or may not be read.
    """
    try:
        return Path.cwd()
    except OSError as error:
        raise KepuError(
            f"the working folder cannot be reached ({error.strerror}) — change into one that is "
            "there"
        ) from None


def find_root(start: Path | None = None) -> Path:
    """Give the project folder at or above ``start``: the one whose pyproject.toml bears our name.

    Parameters
    ----------
    start : by default the working folder.

    Raises
    ------
    KepuError : when no such folder is found.
    """
    begin, unread = (start or here()).resolve(), []
    for folder in (begin, *begin.parents):
        file = folder / "pyproject.toml"
        if not os.path.lexists(file):
            continue
        try:
            project = tomllib.loads(files.read_text(file, files.MEGABYTE)).get("project")
        except (KepuError, ValueError, RecursionError):  # another's, which is not ours to mend
            unread.append(str(file))
            continue
        if isinstance(project, dict) and project.get("name") == NAME:
            return folder
    beside = f" ({', '.join(unread)} cannot be read)" if unread else ""
    raise KepuError(
        f"no kepu-evaluation project here or in any folder above{beside} — change into the project "
        "folder, or name the folders with --notebooks, --data and --out"
    )


def batch_path(given: Path) -> Path:
    """The batch file a person means: a path, or the name of one of the project's."""
    if given.suffix or os.path.exists(given):
        return given
    return find_root() / "reports" / "batches" / f"{given}.yml"


def read_batch(path: Path) -> dict[str, Any]:
    """Read a batch file into the mapping it holds."""
    found = files.read_yaml(path, absent="`kepu list batches` shows the batches")
    if not isinstance(found, dict):
        raise KepuError(f"{path} holds no keys — write it as `key: value` lines")
    return found


def read_notebooks(folder: Path) -> dict[str, dict[str, Parameter]]:
    """Read the declared parameters of every notebook with a cell tagged ``parameters``."""
    if not folder.is_dir():
        raise KepuError(f"{folder} is no folder — name the notebooks' folder with --notebooks")
    found, most = {}, files.LARGEST["notebook"]
    for path in sorted(folder.glob("*.ipynb")):
        content = hashlib.sha256(files.read_text(path, most).encode()).hexdigest()
        inspect = partial(_inspect, path)
        records = store.remembered("notebooks", content, inspect, __name__)
        if records:
            found[path.stem] = {k: Parameter.from_papermill(r) for k, r in records.items()}
    return found


def _inspect(path: Path) -> dict[str, dict[str, str]]:
    import papermill  # slow to import, and each notebook is inspected once
    from papermill.exceptions import PapermillException

    files.read_notebook(path)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        return papermill.inspect_notebook(files.literal(path))
    except (ValueError, LookupError, AttributeError, RecursionError, PapermillException) as error:
        detail = " ".join(str(error).split())[:200]
        raise KepuError(
            f"{path} cannot be read ({detail}) — open it in JupyterLab and save it"
        ) from None


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
