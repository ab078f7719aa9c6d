"""Stored notebooks: readers on the web see outputs kept in them; here they are made and judged.

A notebook carries, in its metadata, the hash of what its outputs come from: its cells, the code of
this package they use, and the data packages. Another hash today means that it is to be run again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evaluation import files, fingerprint
from evaluation.data.tables import SIMULATED, package_hash
from evaluation.errors import KepuError

NOTE = "kepu"  # our place in a notebook's metadata
MADE_FROM = "made_from"
WARM, STANDARD = "kepu-warm", "python3"
# A view of a widget names a model in a kernel that has ended: readers get what stands beside it.
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"name": STANDARD, "display_name": "Python 3", "language": "python"}
LANGUAGE = {
    "name": "python", "file_extension": ".py", "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}  # fmt: skip


def papers(folder: Path) -> list[Path]:
    """The numbered notebooks, which keep their outputs; templates have none but their reports."""
    return sorted(folder.glob("[0-9]*.ipynb"))


def origin(notebook: Path, data: Path) -> str:
    """SHA-256, in hexadecimal, over what the outputs of a notebook come from.

    Parameters
    ----------
    notebook : path of a notebook. data : folder of the data package it reads by default; the
        simulated package below it counts as well.
    """
    cells, _ = fingerprint.notebook(notebook)
    parts = [cells, fingerprint.code(*fingerprint.modules_of(notebook))]
    parts += [package_hash(folder) for folder in (data, data / SIMULATED) if folder.is_dir()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def stale(notebooks: Iterable[Path], data: Path) -> list[Path]:
    """Those notebooks whose stored outputs come from other cells, code or data than today's.

    Raises
    ------
    KepuError : a file that is no notebook.
    """
    return [path for path in notebooks if _recorded(path) != origin(path, data)]


def _recorded(path: Path) -> str:
    note = files.read_notebook(path).get("metadata", {}).get(NOTE)
    return note.get(MADE_FROM, "") if isinstance(note, dict) else ""


def refresh(notebooks: Iterable[Path], data: Path, *, kernel: str = WARM, workers: int = 2) -> None:
    """Run notebooks in their own folder and store their outputs, several at once.

    Raises
    ------
    KepuError : a cell fails; the notebook keeps what it had, the others are stored.
    """
    from evaluation.warm.client import ADDRESS, Server, unsafe

    paths = list(notebooks)
    if kernel == WARM and not os.environ.get(ADDRESS) and not unsafe():
        with Server() as server:
            os.environ[ADDRESS] = server.address
            try:
                return refresh(paths, data, kernel=kernel, workers=workers)
            finally:
                del os.environ[ADDRESS]
    with ThreadPoolExecutor(workers) as pool:
        failures = list(pool.map(lambda path: _refreshed(path, data, kernel), paths))
    if told := [text for text in failures if text]:
        raise KepuError("\n".join(told))
    return None


def _refreshed(path: Path, data: Path, kernel: str) -> str:
    """Run one notebook; give the reason why it was not stored, or nothing."""
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook, made_from = nbformat.read(path, as_version=4), origin(path, data)
    try:
        run(notebook, path.parent, kernel)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        last = str(error).strip().splitlines()[-1]
        return f"{path.name} was not stored, a cell failed: {last}"
    cleaned(notebook)
    notebook.metadata[NOTE] = {MADE_FROM: made_from}
    _replace(path, nbformat.writes(notebook))
    return ""


def _replace(path: Path, text: str) -> None:
    """Put a new file in the place of another, whole; no link in its way is followed."""
    number, part = tempfile.mkstemp(".part", f".{path.stem}-", path.parent)
    try:
        with open(number, "w", encoding="utf-8") as stream:
            stream.write(text if text.endswith("\n") else f"{text}\n")
        os.chmod(part, path.stat().st_mode)
        os.replace(part, path)
    except OSError as error:
        os.unlink(part)
        raise KepuError(f"{path} cannot be written ({error.strerror}) — free space") from None


def run(notebook: Any, folder: Path, kernel: str = WARM, timeout: float = 300.0) -> None:
    """Execute a notebook in place, in ``folder``, by a kernel that opens no port."""
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory(prefix="kepu-notebook-") as place:
        by_files = {"transport": "ipc", "connection_file": str(Path(place, "kernel.json"))}
        manager = AsyncKernelManager(kernel_name=kernel, **(by_files if os.name == "posix" else {}))
        NotebookClient(
            notebook, km=manager, timeout=timeout, record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        ).execute()  # fmt: skip


def cleaned(notebook: Any) -> None:
    """Take out what differs between runs and machines and says nothing to a reader."""
    notebook.metadata = type(notebook.metadata)(kernelspec=KERNELSPEC, language_info=LANGUAGE)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
