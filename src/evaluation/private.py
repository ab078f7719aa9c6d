"""Paths that are safe to write and remove: inside one folder, whole, and private while unfinished.

Temporary folders belong to this user alone; what a killed process left is removed by the next one.
"""

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

from evaluation.errors import KepuError, shown


def inside(root: Path, name: str) -> Path:
    """Give the path ``name`` has in ``root``, links in the middle followed.

    The last part is not followed: to replace or remove a link leaves what it points to alone.

    Raises
    ------
    KepuError : the path leads out of ``root``.
    """
    path = root / name
    try:
        folder = path.parent.resolve()
        safe = folder.is_relative_to(root.resolve()) and path != root and path.name != ".."
    except (OSError, RuntimeError):  # links that point at each other
        safe = False
    if not safe:
        raise KepuError(
            f"{shown(path)} leads out of {shown(root)} — replace the link or the name that does, "
            "or choose another folder with --out"
        )
    return folder / path.name


def replace(path: Path, text: str, parts: Path | None = None) -> None:
    """Write a file whole: a reader, also after a power cut, sees the old one or the new one.

    Parameters
    ----------
    path : a link is replaced, not followed.
    parts : folder on the same file system for the unfinished file, by default that of ``path``.
    """
    part = (parts or path.parent) / f".{secrets.token_hex(8)}.part"
    try:
        with part.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def folder(prefix: str, base: Path | None = None) -> Iterator[Path]:
    """Give an empty folder only this user can read (mode 0700); remove it at the end.

    A lock file beside the folder is held while the process lives. Folders whose lock is free were
    left by a killed process: they are removed here, before the new one is made.

    Parameters
    ----------
    prefix : beginning of the folder's name, such as ``"site-"``.
    base : private folder to make it in, itself made where missing; by default one of this user
        in the system's temporary folder.

    Raises
    ------
    KepuError : ``base`` is a link or belongs to someone else.
    OSError : it cannot be written.
    """
    base = _base(base)
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


def _base(given: Path | None) -> Path:
    """Make the private folder others lie in; one that is not this user's own is refused."""
    user = os.getuid() if hasattr(os, "getuid") else None
    name = "kepu" if user is None else f"kepu-{user}"
    base = given or Path(tempfile.gettempdir()).resolve() / name
    base.mkdir(mode=0o700, exist_ok=True)
    state = base.lstat()
    if not stat.S_ISDIR(state.st_mode) or user not in (None, state.st_uid):
        raise KepuError(f"{shown(base)} is no folder of this user — remove it, or choose another")
    base.chmod(0o700)
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
