"""Make one report: run its notebook in a kernel of its own, export the page, file both.

Runs inside a worker process of :mod:`evaluation.runner`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.plan import Job
from evaluation.tidy import hide, tidy

KERNEL = "kepu-report"
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
MADE, FAILED = "made", "failed"


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes, and how long one report may take (seconds)."""

    notebooks: Path
    data: Path
    out: Path
    staging: Path
    timeout: float
    hidden: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one job; ``error`` is one line, ``warnings`` what the kernel complained of."""

    id: str
    status: str
    seconds: float
    error: str = ""
    warnings: tuple[str, ...] = ()


def write_kernel(folder: Path) -> None:
    """Write a kernel spec that starts this very interpreter, whatever kernels are installed."""
    spec = folder / "kernels" / KERNEL
    spec.mkdir(parents=True)
    (folder / "runtime").mkdir(mode=0o700)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    argv.append("--HistoryManager.enabled=False")
    env = {f"{name}_NUM_THREADS": "1" for name in THREADS}
    env |= {
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "IPYTHONDIR": str(folder / "ipython"),  # a user's start-up files must not alter a report
    }
    kernel = {"argv": argv, "display_name": "Python", "language": "python", "env": env}
    kernel["metadata"] = {"supported_encryption": ["curve"]}
    (spec / "kernel.json").write_text(json.dumps(kernel), "utf-8")


def start(folder: str) -> None:
    """Prepare a worker process: our kernel spec first on the path, libraries quiet."""
    os.environ["JUPYTER_PATH"] = folder
    os.environ["JUPYTER_RUNTIME_DIR"] = str(Path(folder) / "runtime")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run itself answers Ctrl-C, and ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    warnings.simplefilter("ignore")
    for name in ("papermill", "nbconvert", "traitlets", "asyncio", "root"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def make(job: Job, place: Place) -> Outcome:
    """Run one job; a failure is an outcome, never an exception."""
    begun = time.monotonic()
    notebook = place.staging / f"{job.stem}.ipynb"
    page = place.staging / f"{job.stem}.html"
    try:
        noise = _page(job, place, notebook, page)
        _file(notebook, place.out / "notebooks" / notebook.name)
        _file(page, place.out / page.name)
        (place.out / "failed" / notebook.name).unlink(missing_ok=True)
        return Outcome(job.id, MADE, time.monotonic() - begun, warnings=noise)
    except SystemExit:  # the run was interrupted; the kernel is closed by now, take no other job
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - one region's failure must not stop the others
        with contextlib.suppress(FileNotFoundError):
            tidy(notebook, place.hidden)
            _file(notebook, place.out / "failed" / notebook.name)
        page.unlink(missing_ok=True)
        reason = hide(describe(error, place.timeout), place.hidden)
        return Outcome(job.id, FAILED, time.monotonic() - begun, reason)


def _page(job: Job, place: Place, notebook: Path, page: Path) -> tuple[str, ...]:
    """Execute and export into the staging folder; give the kernel's complaints."""
    import papermill
    from traitlets.config import Config

    from evaluation.export import to_html

    deadline = time.monotonic() + place.timeout
    papermill.execute_notebook(
        str(place.notebooks / f"{job.notebook}.ipynb"),
        str(notebook),
        parameters=_parameters(job, place),
        kernel_name=KERNEL,
        language="python",
        cwd=str(place.notebooks),
        progress_bar=False,
        start_timeout=60,
        timeout_func=lambda cell: max(deadline - time.monotonic(), 0.1),
        shutdown_kernel="immediate",
        config=Config({"KernelManager": _connection(job)}),
    )
    executed = tidy(notebook, place.hidden)
    simulated = job.stem.endswith("_simulated")
    html = to_html(executed, job.language, simulated=simulated)
    page.write_text(html, "utf-8")
    return tuple(
        "".join(output["text"]).strip()[:500]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stderr"
    )


def _connection(job: Job) -> dict[str, str]:
    """Say how to reach the kernel: by sockets that are files, named after the report.

    Processes that start kernels at once can draw the same free TCP ports, and the later kernel
    dies; files of their own cannot collide. Windows has TCP only, encrypted where it can be.
    """
    import zmq

    if os.name == "posix":
        file = Path(os.environ["JUPYTER_RUNTIME_DIR"], f"{job.stem}.json")
        return {"transport": "ipc", "connection_file": str(file)}
    return {"transport_encryption": "auto" if zmq.has("curve") else "disabled"}


def _parameters(job: Job, place: Place) -> dict[str, Any]:
    """Parameters as the kernel needs them: a data folder it can reach from the notebooks."""
    given = dict(job.parameters)
    if "data" in given and (place.notebooks / given["data"]).resolve() != place.data.resolve():
        given["data"] = str(place.data.resolve())
    return given


def describe(error: BaseException, timeout: float) -> str:
    """Say in one line what went wrong: the exception's name and its message."""
    if type(error).__name__ == "CellTimeoutError":
        return f"took longer than {timeout:g} s (--timeout allows more)"
    name = getattr(error, "ename", None) or type(error).__name__
    message = getattr(error, "evalue", None) or str(error)
    line = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())
    return f"{name}: {line[:300]}" if line else name


def _file(source: Path, target: Path) -> None:
    """Move a whole file into place; both lie on one file system, so no reader sees a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
