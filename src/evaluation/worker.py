"""Make one report: run its notebook in a kernel of its own, write its files, say what became of it.

Runs in a process of its own, see :mod:`evaluation.attempt`; all it leaves lies in one folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import signal
import sys
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluation import fingerprint
from evaluation.plan import Job
from evaluation.tidy import hide, tidy

KERNEL = "kepu-report"
MADE, FAILED, CACHED, REFUSED = "made", "failed", "cached", "refused"
OTHER_CODE = "it has another kepu-evaluation"


@dataclass(frozen=True)
class Task:
    """One report to make in ``folder``, from notebooks and data, within ``timeout`` seconds.

    ``store`` is an address the files are written to once they are whole, ``""`` for none. ``code``
    is the :func:`evaluation.fingerprint.whole` of the only code that may make it, ``""`` for any.
    """

    job: Job
    notebooks: str
    data: str
    folder: str
    timeout: float
    hidden: tuple[tuple[str, str], ...] = ()
    store: str = ""
    code: str = ""

    @property
    def name(self) -> str:
        """Names its files beside those of other runs, in few bytes: paths of sockets are short."""
        return hashlib.sha256(self.folder.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    ``error`` is one line; ``passing`` says that its cause may be gone by another try. ``files``
    holds, by kind (a format, or notebook), the name in the folder of reports and the SHA-256;
    ``summary`` is what the front page shows of the report.
    """

    id: str
    status: str
    seconds: float
    error: str = ""
    passing: bool = False
    attempts: int = 1
    warnings: tuple[str, ...] = ()
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)


def main(task: dict[str, Any], told: str) -> None:
    """Do one task, the mapping of a :class:`Task`, and write its outcome into the file ``told``."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    warnings.simplefilter("ignore")
    for name in ("papermill", "nbconvert", "traitlets", "asyncio", "root"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    outcome = make(Task(**{**task, "job": Job(**task["job"])}))
    part = Path(f"{told}.part")
    part.write_text(json.dumps(asdict(outcome), ensure_ascii=False), "utf-8")
    os.replace(part, told)


def make(task: Task) -> Outcome:
    """Execute and write; a failure is an outcome, never an exception."""
    begun = time.monotonic()
    if task.code and task.code != fingerprint.whole():
        return Outcome(task.job.id, REFUSED, 0.0, OTHER_CODE)
    notebook = Path(task.folder, f"{task.job.stem}.ipynb")
    hidden = tuple((folder, stand_in) for folder, stand_in in task.hidden)
    try:
        executed = _execute(task, notebook, hidden)
        files, told = _write(task, executed, notebook)
        seconds = time.monotonic() - begun
        noise = _complaints(executed)
        return Outcome(task.job.id, MADE, seconds, warnings=noise, files=files, summary=told)
    except Exception as error:  # noqa: BLE001 - one region's failure must not stop the others
        _keep_unfinished(notebook, hidden)
        reason = hide(describe(error, task.timeout), hidden)
        return Outcome(task.job.id, FAILED, time.monotonic() - begun, reason, passing(error))


def _keep_unfinished(notebook: Path, hidden: tuple[tuple[str, str], ...]) -> None:
    """Tidy the notebook of a failed report; one that cannot be rewritten would show paths."""
    try:
        if notebook.exists():
            tidy(notebook, hidden)
    except (OSError, ValueError):
        notebook.unlink()


def _execute(task: Task, notebook: Path, hidden: tuple[tuple[str, str], ...]) -> Any:
    """Run the notebook with papermill; give it back without paths of this machine."""
    import papermill
    from traitlets.config import Config

    from evaluation import engine, files

    deadline = time.monotonic() + task.timeout
    engine.register()
    papermill.execute_notebook(
        files.literal(Path(task.notebooks, f"{task.job.notebook}.ipynb")),
        files.literal(notebook),
        parameters=_parameters(task),
        engine_name=engine.NAME,
        unfinished=str(notebook),
        request_save_on_cell_execute=False,
        kernel_name=KERNEL,
        language="python",
        cwd=task.notebooks,
        progress_bar=False,
        start_timeout=60,
        timeout_func=lambda cell: max(deadline - time.monotonic(), 0.1),
        shutdown_kernel="immediate",
        config=Config({"KernelManager": _connection(task)}),
    )
    return tidy(notebook, hidden)


def _write(
    task: Task, executed: Any, notebook: Path
) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """Write every format; give name and hash of each file, and the summary the page carries."""
    from evaluation.front import summary
    from evaluation.report.html import write

    job, simulated = task.job, task.job.stem.endswith("_simulated")
    # The page is always made: the front page links it and reads its summary.
    written = write(executed, job.language, ("html", *job.formats), simulated=simulated)
    files = {"notebook": _entry(f"notebooks/{notebook.name}", notebook.read_bytes())}
    for kind, content in written.items():
        path = notebook.with_suffix(f".{kind}")
        path.write_bytes(content)
        files[kind] = _entry(path.name, content)
    return files, summary.read(written["html"].decode())


def _entry(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest()}


def _complaints(executed: Any) -> tuple[str, ...]:
    """What the kernel wrote to its standard error, shortened."""
    return tuple(
        "".join(output["text"]).strip()[:500]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stderr"
    )


def _connection(task: Task) -> dict[str, str]:
    """Say how to reach the kernel: by sockets that are files, named after the report.

    Processes that start kernels at once can draw the same free TCP ports, and the later kernel
    dies; files of their own cannot collide. Windows has TCP only, encrypted where it can be.
    """
    import zmq

    if os.name == "posix":
        file = Path(os.environ["JUPYTER_RUNTIME_DIR"], f"{task.name}.json")
        return {"transport": "ipc", "connection_file": str(file)}
    return {"transport_encryption": "auto" if zmq.has("curve") else "disabled"}


def _parameters(task: Task) -> dict[str, Any]:
    """Parameters as the kernel needs them: a data folder it can reach from the notebooks."""
    given = dict(task.job.parameters)
    if "data" in given:
        reached = Path(task.notebooks, given["data"]).resolve()
        if reached != Path(task.data).resolve():
            given["data"] = str(Path(task.data).resolve())
    return given


def describe(error: BaseException, timeout: float) -> str:
    """Say in one line what went wrong: the exception's name and its message."""
    name = getattr(error, "ename", None) or type(error).__name__
    if _silent(error):
        return "its kernel lost a message, for want of memory or of open files (ulimit -n)"
    if name == "CellTimeoutError":
        return f"took longer than {timeout:g} s (--timeout allows more)"
    if name == "DeadKernelError":
        return "its kernel was killed, for want of memory or from outside"
    message = getattr(error, "evalue", None) or str(error)
    line = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())
    return f"{name}: {line[:300]}" if line else name


def passing(error: BaseException) -> bool:
    """Whether the cause may be gone by another try: a killed kernel, a full disk, a slow start."""
    name = type(error).__name__
    if name == "CellTimeoutError":  # an OSError by descent
        return _silent(error)
    return isinstance(error, OSError) or name == "DeadKernelError" or "Kernel died" in str(error)


def _silent(error: BaseException) -> bool:
    """Whether a cell ended whose output never came: no matter of the time a report may take."""
    silence = "Timeout waiting for IOPub output"
    return type(error).__name__ == "CellTimeoutError" and silence in str(error)


if __name__ == "__main__":  # where processes cannot be forked
    main(**json.loads(sys.argv[1]))
