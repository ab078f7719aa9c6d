"""The fork server: kernels and reports forked from a prepared process."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import logging
import os
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.base import cache, files
from evaluation.base.errors import KepuError

if TYPE_CHECKING:
    from evaluation.study import Study

# ------------------------------------------------------------------------------------------
# What a forked process does before and after its work.


_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def run(request: dict[str, Any], parent: int) -> None:
    """Become the process a request asks for, forked by ``parent``; does not return.

    Ends without tearing the interpreter down, which would copy every page shared with the server.
    """
    code = 1
    try:
        _settle(request, parent)
        atexit._clear()  # what the server registered is the server's
        resolve(request["target"])(**request["arguments"])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - the last frame of a process: tell and end
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _settle(request: dict[str, Any], parent: int) -> None:
    """Take the session, signals, streams, folder and environment of a process of its own."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)  # ours was the server's lifeline
    os.close(empty)
    if request.get("log"):
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)
    if request.get("environment") is not None:
        os.environ.clear()
        os.environ.update(request["environment"])
    if request.get("folder"):
        os.chdir(request["folder"])


def kernel(argv: list[str]) -> None:
    """Run an IPython kernel as ``python -m ipykernel_launcher`` would."""
    from ipykernel.kernelapp import IPKernelApp

    # Where the system does not end us with the server, the kernel watches for its end itself.
    argv = [*argv, f"--IPKernelApp.parent_handle={os.getppid()}"]
    sys.argv = ["ipykernel_launcher", *argv]
    IPKernelApp.launch_instance(argv=argv)


# ------------------------------------------------------------------------------------------
# Start a fork server and ask it for processes.


ADDRESS = "KEPU_WARM_SERVER"
FILES = 256  # a report opens about 80 files at once
SHORT = 64  # bytes of a folder sockets lie in the folders of: a whole path has at most 103
START = 300.0  # seconds a fork server may take until it forks
# Of servers and kernels alike. A fork takes no threads along; the backend is read when Matplotlib
# is imported, which a forked process no longer does itself.
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
ENVIRONMENT = {f"{name}_NUM_THREADS": "1" for name in THREADS} | {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def unsafe() -> str:
    """Say why processes cannot be forked here, ``""`` where they can.

    Windows has no fork. On macOS Apple's Accelerate, behind NumPy there, keeps threads that a
    forked process waits for in vain, and system libraries end a forked process that uses them.
    """
    if not hasattr(os, "fork"):
        return "this system cannot fork processes"
    if sys.platform == "darwin":
        return "on macOS a forked process hangs in Accelerate"
    return ""


class Unprepared(KepuError):
    """A fork server cannot be prepared, for a cause that another try meets again."""


@contextlib.contextmanager
def socket_folder(prefix: str) -> Iterator[Path]:
    """Give a private folder whose path is short enough for sockets in it; remove it at the end.

    Where the folder for temporary files is too far down, another place is taken.

    Raises
    ------
    KepuError : no place can be used; the message says why.
    """
    with contextlib.ExitStack() as stack:
        yield _short_folder(prefix, stack)


def _short_folder(prefix: str, stack: contextlib.ExitStack) -> Path:
    reason = ""
    for base in _short_bases():
        if len(os.fsencode(base)) > SHORT:
            continue
        try:
            return stack.enter_context(files.folder(prefix, base))
        except (OSError, KepuError) as error:
            reason = reason or f" ({error})"
    raise KepuError(
        f"no folder for sockets can be used{reason} — set TMPDIR to a folder that can be written, "
        f"whose path has fewer than {SHORT - 16} characters"
    )


def _short_bases() -> Iterator[Path]:
    user = os.getuid() if hasattr(os, "getuid") else ""
    with contextlib.suppress(FileNotFoundError):  # none can be written: the next ones may
        yield Path(tempfile.gettempdir(), f"kepu-{user}").resolve()
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        yield runtime / "kepu"
    yield Path("/tmp").resolve() / f"kepu-{user}"


def allow_files() -> None:
    """Let this process and those it starts open enough files at once.

    Raises
    ------
    KepuError : the system allows fewer than a report needs.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise KepuError(
            f"only {hard} files may be open at once here, a report needs {FILES} — raise the limit "
            f"with `ulimit -n {FILES}` or ask for more (EMFILE: too many open files)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


class Server:
    """A fork server that lives as long as this process, or until it is closed.

    Parameters
    ----------
    target : ``module:function`` that prepares the server: imports and loads what its processes
        will need. It runs once, before the first process is forked.
    arguments : of ``target``.
    environment : of the server, beside this process's own and ``ENVIRONMENT``.
    """

    def __init__(
        self,
        target: str = "evaluation.batch.kernels:kernels",
        arguments: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        self._folder = contextlib.ExitStack()
        self.address = str(self._folder.enter_context(socket_folder("warm-")) / "socket")
        prepare = {"target": target, "arguments": dict(arguments or {})}
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(128)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "evaluation.batch.kernels", str(listener.fileno()),
                 json.dumps(prepare)],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
                env={**os.environ, **ENVIRONMENT, **(environment or {})},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Number of the server's process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._process.poll() is None

    def close(self, patience: float = 10.0) -> int:
        """End the server and every process it made, by force after ``patience`` seconds.

        Returns
        -------
        int : its exit code, negative for the signal that ended it.
        """
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.close()
        return self._process.returncode

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Process:
    """A process forked by the server at ``address``; has what a ``subprocess.Popen`` offers.

    Parameters
    ----------
    address : socket of the server.
    target : ``module:function`` the process runs; it ends with code 0 when that returns.
    arguments : of ``target``; anything JSON can hold.
    environment : the whole environment of the process; ``None`` keeps the server's.
    folder : its working directory.
    log : file its standard output and error are added to; ``""`` keeps the server's.
    patience : seconds to wait until the server has prepared itself and forked.

    Raises
    ------
    OSError : the server is gone, or does not answer (``TimeoutError``).
    Unprepared : the server could not be prepared; the message says why.
    """

    stdin = stdout = stderr = None

    def __init__(
        self,
        address: str,
        target: str,
        arguments: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        folder: str = "",
        log: str = "",
        patience: float = START,
    ):
        self.returncode: int | None = None
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX)
        request = {"target": target, "arguments": arguments, "environment": environment,
                   "folder": folder, "log": log}  # fmt: skip
        try:
            self.pid: int = self._asked(address, request, patience)
        except BaseException:
            self._socket.close()
            raise

    def _asked(self, address: str, request: Mapping[str, Any], patience: float) -> int:
        """Ask the server for the process and give its number."""
        self._socket.settimeout(patience)
        try:
            self._socket.connect(address)
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            first = self._message(patience)
        except TimeoutError:
            raise TimeoutError(f"the fork server did not answer within {patience:g} s") from None
        self._socket.settimeout(None)
        if first is None:
            raise ConnectionError("the fork server ended before it made the process")
        if "unprepared" in first:
            raise Unprepared(f"the reports could not be prepared ({first['unprepared']})")
        if "error" in first:
            raise BlockingIOError(first["error"])
        return first["pid"]

    def poll(self) -> int | None:
        """Give the exit code, ``None`` while the process runs."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and give the exit code.

        Raises
        ------
        subprocess.TimeoutExpired : after ``timeout`` seconds.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Signal the process and those it started."""
        if self.returncode is None:
            with contextlib.suppress(OSError):  # the server is gone, and its processes with it
                self._socket.sendall(json.dumps({"signal": int(number)}).encode() + b"\n")

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            try:
                last = self._message(timeout)
            except TimeoutError:
                return None
            # A server that died took its processes with it.
            self.returncode = -signal.SIGKILL if last is None else last["code"]
            self._socket.close()
        return self.returncode

    def _message(self, timeout: float | None) -> dict[str, Any] | None:
        """Read the next message; ``None`` when the server is gone."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            if not select.select([self._socket], [], [], left)[0]:
                raise TimeoutError
            try:
                received = self._socket.recv(4096)
            except ConnectionError:
                received = b""
            if not received:
                return None
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)


# ------------------------------------------------------------------------------------------
# What a fork server imports and loads, so that its processes need not.


# What a kernel itself consists of; all of it late imports of ipykernel.
KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.display",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
)
# What a person's notebooks import.
NOTEBOOKS = (
    "pandas",
    "seaborn",
    "scipy.stats",
    "sklearn.linear_model",
    "statsmodels.api",
    "statsmodels.formula.api",
    "ipywidgets",
    "evaluation.report.explorer",
    "evaluation.report",
    "evaluation.study",
    "evaluation.report.page",
)
# What runs the cells of a report and turns the executed notebook into its files.
REPORTS = (
    "papermill",
    "papermill.translators",
    "evaluation.batch.shell",
    "nbconvert.exporters.html",
    "evaluation.batch.worker",
    "evaluation.report.html",
    "evaluation.batch.cells",
)
# Compiles the grammar of addresses for a second when jsonschema finds it, which does without; no
# part of a notebook is checked by it.
NEEDLESS = "rfc3987_syntax"
# At import this package connects Matplotlib to the running kernel: each kernel must do so itself.
OWN = "matplotlib_inline"


def kernels() -> None:
    """Import what kernels and a person's notebooks need."""
    _imported(*KERNEL, *NOTEBOOKS)


def reports(
    data: str,
    data_hash: str,
    studies: list[list[int]],
    modules: list[str],
    writers: Sequence[str] = (),
) -> None:
    """Import and load what the processes of a batch need.

    Parameters
    ----------
    data : folder of the data package.
    data_hash : its hash, as it was checked.
    studies : draws and seed of each study the reports rest on.
    modules : what their notebooks import of this package.
    writers : modules of the formats they are written in, each with a function ``ready``.
    """
    cache.whole()  # before anything is imported: processes know what they are made of
    sys.modules.setdefault(NEEDLESS, None)  # type: ignore[arg-type]
    _imported(*REPORTS, *modules, *writers)
    if sys.modules[NEEDLESS] is None:
        del sys.modules[NEEDLESS]
    for name in writers:
        resolve(f"{name}:ready")()
    if not studies:
        return
    from evaluation import study
    from evaluation.data import package

    dataset = package.load(data, data_hash)
    package.hold(dataset)
    for draws, seed in studies:
        try:
            study.hold(dataset, draws=draws, seed=seed)
            _rehearse(study.load_study(dataset, draws=draws, seed=seed))
        except Exception as error:  # noqa: BLE001 - each report meets it again and tells it
            log = "not ready for studies of %d draws with seed %d: %r"
            logging.getLogger(__name__).info(log, draws, seed, error)


def _imported(*names: str) -> None:
    for name in names:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
        del sys.modules[name]


def _rehearse(study: Study) -> None:
    """Make a page and drop it: fonts, templates, late imports and what all share stay.

    In every language but the first only the section whose figures all provinces share.
    """
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    from evaluation import report
    from evaluation.base.text import LANGUAGES
    from evaluation.batch import cells as summary
    from evaluation.report import quality
    from evaluation.report.html import write

    region, (first, *others) = study.dataset.model_regions[0], LANGUAGES
    for language in (first, *others):
        context = report.open_report(study, region, language, date="2025-01-01")
        chosen = report.SECTIONS if language == first else ("findings", "effect")
        parts = [report.title(context), *(report.SECTIONS[name](context) for name in chosen)]
        shown = [part._repr_mimebundle_() for part in parts]
        shown.append({"text/html": str(quality.record(context))})
        cells = [new_code_cell(outputs=[new_output("display_data", data)]) for data in shown]
        made = write(new_notebook(cells=cells), language, ("html",))
        summary.read(made["html"].decode())


# ------------------------------------------------------------------------------------------
# The fork server: imports everything once, then forks a process for each request.


@dataclass
class _Connection:
    """A client and, once it has asked, the process made for it."""

    socket: socket.socket
    buffer: bytes = b""
    pid: int = 0


class ForkLoop:
    """Accept requests on ``listener`` until ``lifeline`` reaches its end.

    ``unprepared`` says why no process can be made, ``""`` where they can.
    """

    def __init__(self, listener: socket.socket, lifeline: int, unprepared: str = ""):
        self._listener, self._lifeline, self._unprepared = listener, lifeline, unprepared
        self._connections: dict[int, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = os.pipe()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        for source in (listener, lifeline, self._wake):
            self._selector.register(source, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any] | None:
        """Serve until the owner is gone; in a forked process, give its request instead."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj == self._wake:
                    self._reap()
                elif key.fileobj == self._lifeline:
                    if not os.read(self._lifeline, 512):
                        self._end()
                        return None
                elif key.data.socket.fileno() >= 0:
                    request = self._heard(key.data)
                    if request is not None:
                        return request

    def _accept(self) -> None:
        connected, _ = self._listener.accept()
        connected.setblocking(False)
        self._selector.register(connected, selectors.EVENT_READ, _Connection(connected))

    def _heard(self, connection: _Connection) -> dict[str, Any] | None:
        """Read what a client sent; only in a forked process the answer is not ``None``."""
        try:
            received = connection.socket.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionError:
            received = b""
        if not received:
            self._close(connection)
            return None
        *lines, connection.buffer = (connection.buffer + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "signal" in message:
                self._signal(connection, message["signal"])
            elif self._unprepared:
                self._tell(connection, {"unprepared": self._unprepared})
            elif self._fork(connection):
                return message
        return None

    def _fork(self, connection: _Connection) -> bool:
        """Fork; true in the new process, which has let go of everything that is the server's."""
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, too little memory
            self._tell(connection, {"error": f"{error.strerror}: no process could be forked"})
            return False
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            for each in (*self._connections.values(), connection):
                each.socket.close()
            self._listener.close()
            os.close(self._wake)
            os.close(self._woken)
            return True
        connection.pid = pid
        self._connections[pid] = connection
        self._tell(connection, {"pid": pid})
        return False

    def _tell(self, connection: _Connection, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the client went away; its closing is heard next
            connection.socket.sendall(json.dumps(message).encode() + b"\n")

    def _signal(self, connection: _Connection, number: int) -> None:
        """Signal the whole group of a process; its number is ours until it is reaped."""
        if connection.pid:
            try:
                os.killpg(connection.pid, number)
            except ProcessLookupError:  # forked an instant ago, not yet a group of its own
                os.kill(connection.pid, number)

    def _close(self, connection: _Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._signal(connection, signal.SIGKILL)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 512)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self._connections.pop(pid, None)
            if connection is not None:
                connection.pid = 0
                self._tell(connection, {"code": os.waitstatus_to_exitcode(status)})

    def _end(self) -> None:
        for connection in self._connections.values():
            self._signal(connection, signal.SIGKILL)


def main() -> None:
    """Serve on the socket whose descriptor is the first argument, after the preparation named."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    prepare = json.loads(sys.argv[2])
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner answers Ctrl-C, and ends us
    gc.disable()  # what is imported stays
    unprepared = _prepare(prepare["target"], prepare["arguments"])
    gc.enable()
    gc.collect()
    gc.freeze()  # what is here now stays: no collection copies its pages in the forked processes
    address, own = listener.getsockname(), os.getpid()
    request = ForkLoop(listener, sys.stdin.fileno(), unprepared).serve()
    if request is not None:
        run(request, own)
    shutil.rmtree(os.path.dirname(address), ignore_errors=True)


def _prepare(target: str, arguments: dict[str, Any]) -> str:
    """Import and load what the processes need; say in one line what went wrong, if anything."""
    try:
        resolve(target)(**arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - told to whoever asks for a process
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{told}, in {os.path.basename(last.filename)}, line {last.lineno}"
    return ""


def resolve(name: str) -> Any:
    """Give the function a ``module:function`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
