"""Make one report: run its notebook in a kernel of its own, export the page, file both.

Runs inside a worker process of :mod:`evaluation.runner`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.plan import Job

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
    except Exception as error:  # noqa: BLE001 - one region's failure must not stop the others
        with contextlib.suppress(FileNotFoundError):
            _tidy(notebook, place)
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
        config=Config({"KernelManager": {"transport_encryption": _encryption()}}),
    )
    executed = _tidy(notebook, place)
    simulated = job.stem.endswith("_simulated")
    html = to_html(executed, job.language, simulated=simulated)
    page.write_text(html, "utf-8")
    return tuple(
        "".join(output["text"]).strip()[:500]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stderr"
    )


def _encryption() -> str:
    """Encrypt what passes between us and the kernel where the libraries can."""
    import zmq

    return "auto" if zmq.has("curve") else "disabled"


def _parameters(job: Job, place: Place) -> dict[str, Any]:
    """Parameters as the kernel needs them: a data folder it can reach from the notebooks."""
    given = dict(job.parameters)
    if "data" in given and (place.notebooks / given["data"]).resolve() != place.data.resolve():
        given["data"] = str(place.data.resolve())
    return given


def _tidy(path: Path, place: Place) -> Any:
    """Rewrite an executed notebook without paths of this machine; give it back."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    run = notebook.metadata.pop("papermill", {})
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
    clean = nbformat.from_dict(_hidden(notebook, place.hidden))
    clean.metadata["kepu"] = _hidden(dict(run.get("parameters", {})), place.hidden)
    nbformat.write(clean, path)
    return clean


def _hidden(value: Any, pairs: tuple[tuple[str, str], ...]) -> Any:
    """Replace paths in every text of a tree, pictures excepted (their base64 must stay whole)."""
    if isinstance(value, str):
        return hide(value, pairs)
    if isinstance(value, list | tuple):
        return [_hidden(item, pairs) for item in value]
    if isinstance(value, dict):
        return {k: v if k.startswith("image/") else _hidden(v, pairs) for k, v in value.items()}
    return value


def hide(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Replace each folder of ``pairs`` by its stand-in, where it stands as a whole path.

    >>> hide("/home/a/x.py, /home/ab, x=/home/a/9 in /home/a.", (("/home/a", "~"),))
    '~/x.py, /home/ab, x=~/9 in ~.'
    """
    for folder, stand_in in pairs:
        text = re.sub(rf"(?<![\w+/.-]){re.escape(folder)}(?![\w-]|\.\w)", stand_in, text)
    return text


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
