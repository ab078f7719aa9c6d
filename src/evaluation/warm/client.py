"""Start a fork server and ask it for processes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from evaluation import private
from evaluation.errors import KepuError

ADDRESS = "KEPU_WARM_SERVER"
LOG = "KEPU_WARM_LOG"  # file that kernels add what they say outside their cells to
# Read when Matplotlib is imported, which a forked process no longer does itself.
BACKEND = "module://matplotlib_inline.backend_inline"
FILES = 256  # a report opens about 80 files at once, its kernel as many
SHORT = 64  # bytes of a folder sockets lie in the folders of: a whole path has at most 103
START = 300.0  # seconds a fork server may take until it forks
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")


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
        try:
            return stack.enter_context(private.folder(prefix, base))
        except (OSError, KepuError) as error:
            reason = reason or f" ({error})"
    raise KepuError(
        f"no folder for sockets can be used{reason} — set TMPDIR to a folder that can be written, "
        f"whose path has fewer than {SHORT - 16} characters"
    )


def _short_bases() -> Iterator[Path]:
    user = os.getuid() if hasattr(os, "getuid") else ""
    with contextlib.suppress(FileNotFoundError):  # none can be written: the next ones may
        yield from _fitting(Path(tempfile.gettempdir(), f"kepu-{user}").resolve())
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        yield from _fitting(runtime / "kepu")
    yield from _fitting(Path("/tmp").resolve() / f"kepu-{user}")


def _fitting(base: Path) -> Iterator[Path]:
    if len(os.fsencode(base)) <= SHORT:
        yield base


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
    environment : of the server, beside this process's own; threads of numerical libraries are
        limited to one, because a fork takes no threads along.
    """

    def __init__(
        self,
        target: str = "evaluation.warm.preload:kernels",
        arguments: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        self._folder = contextlib.ExitStack()
        self.address = str(self._folder.enter_context(socket_folder("warm-")) / "socket")
        prepare = {"target": target, "arguments": dict(arguments or {})}
        own = {f"{name}_NUM_THREADS": "1" for name in THREADS}
        own |= {"MPLBACKEND": BACKEND, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen(128)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __package__ + ".server", str(listener.fileno()),
                 json.dumps(prepare)],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
                env={**os.environ, **own, **(environment or {})},
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
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
