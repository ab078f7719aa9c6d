"""Notebooks: warm kernels for every Jupyter client, and outputs kept in them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from evaluation.base import cache, files
from evaluation.base.errors import KepuError
from evaluation.batch.kernels import ADDRESS, Process, Server, socket_folder, unsafe
from evaluation.data.tables import SIMULATED, package_hash

# ------------------------------------------------------------------------------------------
# The kernel provisioner ``kepu-warm``: kernels forked from a process with everything imported.


_lock = threading.Lock()
_own: list[Server] = []


class WarmProvisioner(LocalProvisioner):
    """Launch kernels by forking; all else as ``jupyter_client`` does for local kernels.

    The fork server named by the environment variable ``KEPU_WARM_SERVER`` is used, else one of this
    process's own, started with its first kernel. Where forking is unsafe the kernel is started
    as any other, and the log says so.
    """

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel for ``cmd``: the interpreter, ``-m ipykernel_launcher`` and arguments."""
        reason = unsafe()
        if reason:
            self.log.warning("standard kernel in place of a warm one: %s", reason)
            return await super().launch_kernel(cmd, **kwargs)
        start = {
            "arguments": {"argv": cmd[cmd.index("ipykernel_launcher") + 1 :]},
            "environment": kwargs.get("env"),
            "folder": str(kwargs.get("cwd") or os.getcwd()),
        }
        # Waits for the server's imports the first time: not in the loop of a running JupyterLab.
        self.process = await asyncio.to_thread(
            lambda: Process(_address(), "evaluation.batch.kernels:kernel", **start)
        )
        self.pid = self.process.pid
        self.pgid = None  # signals go by way of the server, which knows whether the process lives
        self.cwd = start["folder"]
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the end; looks often, because forked kernels end within milliseconds."""
        while self.process and self.process.poll() is None:
            await asyncio.sleep(0.005)
        return await super().wait()


def _address() -> str:
    given = os.environ.get(ADDRESS)
    if given:
        return given
    with _lock:
        if not (_own and _own[0].alive):
            _own[:] = [Server()]
        return _own[0].address


# ------------------------------------------------------------------------------------------
# Stored notebooks: readers on the web see outputs kept in them; here they are made and judged.


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
    cells, _ = cache.notebook(notebook)
    parts = [cells, cache.code(*cache.modules_of(notebook))]
    parts += [package_hash(folder) for folder in (data, data / SIMULATED) if folder.is_dir()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def stale(notebooks: Iterable[Path], data: Path) -> list[Path]:
    """Those notebooks whose stored outputs come from other cells, code or data than today's.

    Raises
    ------
    KepuError : a file that is no notebook.
    """
    old = []
    for path in notebooks:
        note = files.read_notebook(path).get("metadata", {}).get(NOTE)
        recorded = note.get(MADE_FROM, "") if isinstance(note, dict) else ""
        old += [] if recorded == origin(path, data) else [path]
    return old


def refresh(notebooks: Iterable[Path], data: Path, *, kernel: str = WARM, workers: int = 2) -> None:
    """Run notebooks in their own folder and store their outputs, several at once.

    Raises
    ------
    KepuError : a cell fails; the notebook keeps what it had, the others are stored.
    """
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
    try:
        mode = path.stat().st_mode
        files.replace(path, nbformat.writes(notebook).rstrip("\n") + "\n")
        path.chmod(mode)
    except OSError as error:
        raise KepuError(f"{path} cannot be written ({error.strerror}) — free space") from None
    return ""


def run(notebook: Any, folder: Path, kernel: str = WARM, timeout: float = 300.0) -> None:
    """Execute a notebook in place, in ``folder``, by a kernel that opens no port."""
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    with socket_folder("notebook-") as place:
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
