"""What a forked process does before and after its work."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def run(resolve: Callable[[str], Callable[..., Any]], request: dict[str, Any], parent: int) -> None:
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
