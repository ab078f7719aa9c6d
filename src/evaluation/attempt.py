"""Try one report in a process of its own, twice where the cause of a failure can pass."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from evaluation import remote
from evaluation.errors import KepuError
from evaluation.warm.client import (
    ADDRESS,
    LOG,
    THREADS,
    Process,
    Server,
    Unprepared,
    allow_files,
    socket_folder,
    unsafe,
)
from evaluation.worker import FAILED, KERNEL, MADE, Outcome, Task

# Beyond the time of a report: to end its kernel and to write its files.
GRACE = 60.0
# Fork servers lost one after the other, without a process made between, before a run gives up.
LOST = 2


class Launcher:
    """Starts the processes of reports: forked from a prepared server, or as fresh interpreters.

    Parameters
    ----------
    folder : for Jupyter's own files; a kernel specification is written there.
    prepare : arguments of :func:`evaluation.warm.preload.reports`.

    Raises
    ------
    KepuError : this machine allows too few open files, or no folder for sockets.
    OSError : ``folder`` cannot be written.
    """

    def __init__(self, folder: Path, prepare: Mapping[str, Any]):
        allow_files()
        self.notice = unsafe()
        self._folder, self._prepare = folder, dict(prepare)
        self._server: Server | None = None
        self._lost, self._unprepared = 0, ""
        self._sockets = contextlib.ExitStack()
        self._running: set[Any] = set()
        self._lock = threading.Lock()
        self.closed = False
        write_kernel(folder, warm=not self.notice)
        self._runtime = str(self._sockets.enter_context(socket_folder("run-")))

    def start(self, task: Task) -> Any:
        """Start a process for ``task``; it has ``wait`` and ``kill`` as a ``Popen`` has.

        Raises
        ------
        OSError : the system did not start one; another try may do better.
        Unprepared : no process can be started, now or later; the message says why.
        """
        environment = {
            **os.environ,
            "JUPYTER_PATH": str(self._folder),
            "JUPYTER_RUNTIME_DIR": self._runtime,
        }
        hidden = (*task.hidden, (self._runtime, "(tmp)"))
        arguments = {"task": asdict(replace(task, hidden=hidden)), "told": str(self.told(task))}
        log = str(self.log(task))
        if self.notice:
            return self._keep(_fresh(arguments, environment, log))
        forked = self._forked(arguments, environment | {LOG: log}, log, task.timeout + GRACE)
        return self._keep(forked)

    def _forked(
        self, arguments: dict[str, Any], environment: dict[str, str], log: str, patience: float
    ) -> Process:
        """Have the server fork a process; one that is gone or does not answer is replaced."""
        while True:
            server = self.server()
            told = environment | {ADDRESS: server.address}
            try:
                process = Process(
                    server.address, "evaluation.worker:main", arguments, environment=told, log=log,
                    patience=patience,
                )  # fmt: skip
            except (ConnectionError, FileNotFoundError, TimeoutError) as error:
                # The sockets of a killed process go before the process does.
                silent = isinstance(error, TimeoutError)
                self._replace(server, f"{error} (--timeout allows more)" if silent else "")
            except Unprepared as error:
                self._unprepared = str(error)
                raise
            else:
                self._lost = 0
                return process

    def server(self) -> Server:
        """The fork server, started again where it was killed."""
        with self._lock:
            if self.closed:
                raise ConnectionError("the run was ended")
            if self._server is not None and not self._server.alive:
                self._end_server()
            if self._unprepared:
                raise Unprepared(self._unprepared)
            if self._server is None:
                self._server = Server(
                    "evaluation.warm.preload:reports", self._prepare, {"PYTHONHASHSEED": "0"}
                )
            return self._server

    def _replace(self, server: Server, silence: str) -> None:
        """End ``server``, unless another thread has; ``silence`` says that it did not answer."""
        with self._lock:
            if self._server is server and not self.closed:
                self._end_server(silence)

    def _end_server(self, silence: str = "") -> None:
        """End the server and count it as lost; too many in a row, and no more are started."""
        code = self._server.close(0.0 if silence else 10.0)
        self._server = None
        self._lost += 1
        if self._lost == LOST:
            reason = silence or f"the fork server {_ended(code)}"
            self._unprepared = f"the reports could not be prepared: {reason}"

    def told(self, task: Task) -> Path:
        """The file a process tells its outcome in; the disk of the reports may be full."""
        return self._folder / f"{task.name}.json"

    def log(self, task: Task) -> Path:
        """What the process of a task wrote to its standard output and error."""
        return self._folder / f"{task.name}.log"

    def _keep(self, process: Any) -> Any:
        self._running.add(process)
        if self.closed:
            process.kill()
        return process

    def done(self, process: Any) -> None:
        """Forget a process that has ended."""
        self._running.discard(process)

    def close(self) -> None:
        """End every process and the server."""
        self.closed = True
        for process in list(self._running):
            process.kill()
        with self._lock:
            if self._server is not None:
                self._server.close()
        self._sockets.close()


def _fresh(arguments: dict[str, Any], environment: dict[str, str], log: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "evaluation.worker", json.dumps(arguments)]
    with open(log, "ab") as stream:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            start_new_session=True,
        )  # fmt: skip


def attempt(task: Task, launcher: Launcher, tries: int = 2) -> Outcome:
    """Make one report in ``task.folder``; try again where the cause of a failure can pass."""
    for number in range(1, tries + 1):
        shutil.rmtree(task.folder, ignore_errors=True)
        outcome = replace(_stored(_try(task, launcher), task), attempts=number)
        if not outcome.passing or launcher.closed:
            break
    return outcome


def _stored(outcome: Outcome, task: Task) -> Outcome:
    """Write a report that was made to the address it is to be kept at."""
    if not task.store or outcome.status != MADE:
        return outcome
    try:
        return remote.put(outcome, Path(task.folder), task.store)
    except KepuError as error:
        return replace(outcome, status=FAILED, error=str(error), passing=True, files={})


def _try(task: Task, launcher: Launcher) -> Outcome:
    begun = time.monotonic()

    def failed(error: str, passing: bool) -> Outcome:
        return Outcome(task.job.id, FAILED, time.monotonic() - begun, error, passing)

    try:
        Path(task.folder).mkdir(parents=True)
        process = launcher.start(task)
    except OSError as error:
        return failed(f"could not be started ({error.strerror or error})", True)
    try:
        code = process.wait(task.timeout + GRACE)
    except subprocess.TimeoutExpired:
        return failed(f"took longer than {task.timeout:g} s (--timeout allows more)", False)
    finally:
        process.kill()
        launcher.done(process)
    try:
        return _read(launcher.told(task), launcher.log(task))
    except FileNotFoundError:
        return failed(_death(code, launcher.log(task)), True)
    finally:
        for path in (launcher.told(task), launcher.log(task)):
            path.unlink(missing_ok=True)


def _read(told: Path, log: Path) -> Outcome:
    """Read an outcome; of a kernel that did not start the cause stands in the log alone."""
    found = json.loads(told.read_text("utf-8"))
    if "Kernel died" in found["error"] and log.exists():
        last = log.read_text("utf-8", errors="replace").strip().rpartition("\n")[2]
        found["error"] += f" ({last[-200:]})" if last else ""
    return Outcome(**{**found, "warnings": tuple(found["warnings"])})


def _death(code: int, log: Path) -> str:
    """Say how a process ended that left no outcome."""
    told = log.read_text("utf-8", errors="replace").split() if log.exists() and code > 0 else []
    return f"its process {_ended(code)}: {' '.join(told)[-300:]}".removesuffix(": ")


def _ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"was ended by {name}, for want of memory or from outside"
    return f"ended with code {code}"


def write_kernel(folder: Path, *, warm: bool) -> None:
    """Write a kernel specification that starts this very interpreter, whatever is installed."""
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
    metadata: dict[str, Any] = {"supported_encryption": ["curve"]}
    if warm:
        metadata["kernel_provisioner"] = {"provisioner_name": "kepu-warm"}
    kernel = {"argv": argv, "display_name": "Python", "language": "python", "env": env}
    (spec / "kernel.json").write_text(json.dumps({**kernel, "metadata": metadata}), "utf-8")
