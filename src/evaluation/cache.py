"""The cache folder: what takes long to compute is kept there, and nothing ever depends on it.

Every file begins with a seal, the SHA-256 of its key and content: what was cut off, altered or kept
for another key is made again and never read. A folder that is not the user's own, that others may
write to, that is full or no folder is passed by. Either is said once a run.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import pickle
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

SAID = "KEPU_CACHE_SAID"  # in the environment, so that the processes of a run say it once
_ABSENT = object()
_SEAL = 64


@dataclass(frozen=True)
class Form:
    """How values of a kind become bytes and come back; ``ending`` of their files."""

    ending: str
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


JSON = Form(".json", lambda value: json.dumps(value).encode(), json.loads)
PICKLE = Form(".pickle", lambda value: pickle.dumps(value, 5), pickle.loads)


def folder() -> Path:
    """Where things are kept; deleting it loses nothing but time.

    The variable ``KEPU_CACHE`` names another folder than the user's cache.
    """
    given = os.environ.get("KEPU_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("kepu-evaluation")


def cached(kind: str, key: str, make: Callable[[], Any], form: Form, place: str | Path = "") -> Any:
    """What ``make`` gave for this ``key`` before, else what it gives now.

    Parameters
    ----------
    kind : name of the folder of such values. key : everything the value depends on.
    place : folder to keep it in, by default :func:`folder`.
    """
    path = _path(Path(place) if place else folder(), kind, key, form)
    if path is None:
        return make()
    found = _read(path, key, form)
    if found is not _ABSENT:
        return found
    with contextlib.ExitStack() as held:
        try:  # processes started together wait for the first
            held.enter_context(FileLock(f"{path}.lock", mode=0o600))
        except (OSError, NotImplementedError) as error:
            _say(path.parent, error)
        found = _read(path, key, form)
        if found is _ABSENT:
            found = make()
            _write(path, key, form.write(found))
    return found


def _path(root: Path, kind: str, key: str, form: Form) -> Path | None:
    """Where the value of a key is kept, ``None`` where the folder must not or cannot be used."""
    try:
        for part in (root, root / kind):
            _own(part)
    except (OSError, ValueError) as error:
        _say(root, error)
        return None
    return root / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{form.ending}"


def _own(path: Path) -> None:
    """Make a folder where there is none; refuse one that another user could fill."""
    if not path.is_absolute() and not os.environ.get("KEPU_CACHE"):
        raise FileNotFoundError(errno.ENOENT, "the user has no home folder")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.stat()
    others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if os.name == "posix" and (others or state.st_uid != os.geteuid()):
        raise PermissionError(errno.EPERM, "others than you may write to it")


def _read(path: Path, key: str, form: Form) -> Any:
    """The value in a file, ``_ABSENT`` where there is none or it is not what was written."""
    try:
        if not path.is_file():
            return _ABSENT
        content = path.read_bytes()
        seal, kept = content[:_SEAL], content[_SEAL + 1 :]
        if seal != _seal(key, kept):
            raise ValueError(f"{path.name} is damaged and made again")
        return form.read(kept)
    except Exception as error:  # noqa: BLE001 - whatever a stored file does, it is made again
        _say(path.parent, error)
        return _ABSENT


def _write(path: Path, key: str, kept: bytes) -> None:
    """Write a file whole or not at all, by a new file that replaces what is there, link or not."""
    part = ""
    try:
        number, part = tempfile.mkstemp(".part", f"{path.stem}-", path.parent)
        with open(number, "wb") as stream:
            stream.write(_seal(key, kept) + b"\n" + kept)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        _say(path.parent, error)


def _seal(key: str, kept: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + kept).hexdigest().encode()


def _say(place: Path, error: Exception) -> None:
    """Say once a run that the cache is of no use, or part of it."""
    if os.environ.get(SAID):
        return
    os.environ[SAID] = "1"
    reason = getattr(error, "strerror", None) or error
    logging.getLogger(__name__).warning(
        "the cache in %s is passed by (%s) — it only saves time; KEPU_CACHE names another folder",
        place, reason,
    )  # fmt: skip
