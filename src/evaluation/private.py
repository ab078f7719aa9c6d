"""Temporary folders of this user alone; what a killed process left is removed by the next one."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from evaluation.errors import KepuError


@contextmanager
def folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give an empty folder only this user can read (mode 0700); remove it at the end.

    A lock file beside the folder is held while the process lives. Folders whose lock is free were
    left by a killed process: they are removed here, before the new one is made.

    Parameters
    ----------
    prefix : beginning of the folder's name, such as ``"site-"``.
    parent : where to make it, by default the system's temporary folder.

    Raises
    ------
    KepuError : the common folder of this user is a link or belongs to someone else.
    OSError : it cannot be written.
    """
    base = _base(parent or Path(tempfile.gettempdir()))
    with FileLock(base / ".lock"):  # no folder is seen between its making and its locking
        _remove_stale(base)
        path = base / f"{prefix}{secrets.token_hex(4)}"
        lock = FileLock(_lock(path), thread_local=False)
        lock.acquire(timeout=0)
        path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        lock.release()
        _lock(path).unlink(missing_ok=True)


def _base(parent: Path) -> Path:
    """The folder of this user in ``parent``; a folder another user made there is refused."""
    user = os.getuid() if hasattr(os, "getuid") else ""
    base = parent.resolve() / f"kepu-{user}"
    base.mkdir(mode=0o700, exist_ok=True)
    state = base.lstat()
    ours = stat.S_ISDIR(state.st_mode) and user in ("", state.st_uid)
    if not ours or (user != "" and state.st_mode & 0o077):
        raise KepuError(
            f"{base} is not a private folder of this user — remove it, or set TMPDIR to a folder "
            "of your own"
        )
    return base


def _lock(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _remove_stale(base: Path) -> None:
    """Remove the folders in ``base`` whose process has ended."""
    for path in base.glob("?*.lock"):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):  # in use, or no lock of ours: a link or a folder
            continue
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        path.unlink(missing_ok=True)
        lock.release()
