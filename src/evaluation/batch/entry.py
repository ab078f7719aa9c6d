"""The entry of the command line: whatever ends a command reaches the user as a sentence and a code.

Nothing but the standard library is imported before errors are caught.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TextIO

from evaluation.base.errors import FAILED, INTERNAL, interrupted, tell


def main() -> None:
    """Run the command line and exit with its code; the README says what each means."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and _refuses(stream):
            stream.reconfigure(errors="replace")  # a terminal may lack Chinese
    # Threads for matrices as small as ours wait for one another longer than they work.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    sys.exit(_written(_run()))


def _refuses(stream: TextIO) -> bool:
    """Whether a stream fails on a character it lacks, as it does under the locale C too."""
    if stream.errors != "surrogateescape":
        return stream.errors == "strict"
    return not stream.encoding.lower().startswith("utf")  # of a file's name UTF-8 keeps each byte


def _run() -> int:
    try:
        from evaluation.batch.cli import app

        app(prog_name="kepu")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED
    except KeyboardInterrupt:
        return interrupted()
    except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
        return _unforeseen(error)
    return 0


def _unforeseen(error: Exception) -> int:
    """Say in one sentence what happened and where its traceback is."""
    if isinstance(error, OSError) and error.filename is None and (code := _written(0, "\n")):
        return code  # it was the output that failed
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    log = _log(error)
    kept = f"its traceback is in {log}" if log else "no log of it could be written"
    tell(f"kepu: stopped by an error of the program ({what}); {kept} — report it with that text")
    return INTERNAL


def _log(error: Exception) -> str:
    """Write the traceback into a new private file; give its path, ``""`` where none can be made."""
    told = [
        time.strftime("%Y-%m-%dT%H:%M:%S%z"), f"arguments: {sys.argv[1:]!r}",
        f"Python {platform.python_version()} on {platform.platform()}",
        "".join(traceback.format_exception(error)),
    ]  # fmt: skip
    for folder in _log_folders():
        with contextlib.suppress(OSError):
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, path = tempfile.mkstemp(".log", time.strftime("kepu-%Y%m%d-%H%M%S-"), folder)
            with open(number, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write("\n".join(told))
            return path
    return ""


def _log_folders() -> list[Path | None]:
    """The user's folder of logs where it can be told, then the one for temporary files."""
    try:
        import platformdirs

        found = platformdirs.user_log_path("kepu-evaluation")
    except Exception:  # noqa: BLE001 - a broken installation must not hide its own error
        return [None]
    return [found, None] if found.is_absolute() else [None]


def _written(code: int, probe: str = "") -> int:
    """Flush the output; ``code``, or that of a failure where what was said could not be written."""
    try:
        if sys.stdout is not None:
            print(probe, end="", flush=True)
        return code
    except BrokenPipeError:  # its reader has seen enough
        pass
    except OSError as error:
        tell(f"kepu: the output cannot be written ({error.strerror}) — free space or redirect it")
    with open(os.devnull, "wb") as nowhere:  # else the interpreter tries again as it ends
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return code or FAILED
