"""The fork server: imports everything once, then forks a process for each request.

One thread, so that forking is safe. A connection is a process: it opens with a request, carries
signals, and closes with the exit code. When a client goes away its process is killed; when the
owner goes away, which closes our standard input, every process is.

Protocol, one JSON object a line. From the client: ``{"target", "arguments", "environment",
"folder", "log"}``, then any number of ``{"signal": 2}``. To the client: ``{"pid": 4711}``, then
``{"code": 0}`` (negative: the signal that killed it). Where no process can be had it is told
``{"unprepared": "KeyError: 'a'"}``, what went wrong in the preparation, or ``{"error": "…"}``, why
the system did not fork this time.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

from evaluation.warm import child


@dataclass
class _Connection:
    """A client and, once it has asked, the process made for it."""

    socket: socket.socket
    buffer: bytes = b""
    pid: int = 0
    after: list[dict[str, Any]] = field(default_factory=list)


class Server:
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
    unprepared = _prepare(prepare["target"], prepare["arguments"])
    gc.collect()
    gc.freeze()  # what is here now stays: no collection copies its pages in the forked processes
    address, own = listener.getsockname(), os.getpid()
    request = Server(listener, sys.stdin.fileno(), unprepared).serve()
    if request is not None:
        child.run(resolve, request, own)
    shutil.rmtree(os.path.dirname(address), ignore_errors=True)


def _prepare(target: str, arguments: dict[str, Any]) -> str:
    """Import and load what the processes need; say in one line what went wrong, if anything."""
    try:
        resolve(target)(**arguments)
    except Exception as error:  # noqa: BLE001 - told to whoever asks for a process
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
