"""Hashes of what a report is made with, and what is kept between processes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import pickle
import platform
import re
import stat
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, wraps
from importlib import metadata
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

# ------------------------------------------------------------------------------------------
# The cache folder: what takes long to compute is kept there, and nothing ever depends on it.


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
            if not part.is_absolute() and not os.environ.get("KEPU_CACHE"):
                raise FileNotFoundError(errno.ENOENT, "the user has no home folder")
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
            state = part.stat()
            others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if os.name == "posix" and (others or state.st_uid != os.geteuid()):
                raise PermissionError(errno.EPERM, "others than you may write to it")
    except (OSError, ValueError) as error:
        _say(root, error)
        return None
    return root / kind / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{form.ending}"


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


# ------------------------------------------------------------------------------------------
# Hashes of what a report is made with: the package code it uses, its notebook, the environment.


NAME = "evaluation"
DISTRIBUTION = "kepu-evaluation"
PACKAGE = Path(__file__).parents[1]
SHIPPED = PACKAGE / "project"  # notebooks and data that travel in the wheel: nobody's code
_IMPORT = re.compile(
    rf"^\s*(?:from\s+({NAME}[\w.]*)\s+import\s+(\([^)]*\)|[^\n#]+)|import\s+({NAME}[\w.]*))", re.M
)


def imported(source: str) -> set[str]:
    """Dotted names of this package that a piece of source may import, attributes included.

    >>> sorted(imported("from evaluation import report\\nimport pandas"))
    ['evaluation', 'evaluation.report']
    """
    found = set()
    for origin, names, plain in _IMPORT.findall(source):
        found.add(origin or plain)
        found |= {f"{origin}.{name}" for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", names)}
    return found


@cache
def _imports_of(path: Path) -> frozenset[str]:
    return frozenset(imported(path.read_text("utf-8")))


def _file(module: str) -> Path | None:
    parts = module.split(".")[1:]
    folder = PACKAGE.joinpath(*parts)
    plain = folder.with_suffix(".py") if parts else None
    if plain is not None and plain.is_file():
        return plain
    return folder / "__init__.py" if (folder / "__init__.py").is_file() else None


def modules(roots: Iterable[str]) -> list[Path]:
    """Files of this package that importing ``roots`` may execute, sorted."""
    waiting, found = {NAME, *roots}, {}
    while waiting:
        name = waiting.pop()
        # Importing evaluation.report.level executes evaluation.report as well.
        names = {name.rsplit(".", n)[0] for n in range(name.count(".") + 1)}
        for each in names - found.keys():
            path = found[each] = _file(each)
            if path is not None:
                waiting |= _imports_of(path) - found.keys()
    return sorted({path for path in found.values() if path is not None})


@cache
def code(*roots: str) -> str:
    """SHA-256 over the modules ``roots`` use and the files of the package that are no modules."""
    assets = [path for path in PACKAGE.rglob("*") if _asset(path)]
    return _content([*modules(roots), *sorted(assets)])


@cache
def whole() -> str:
    """SHA-256 over every file of this package and the versions of what it requires."""
    files = [path for path in PACKAGE.rglob("*") if path.suffix == ".py" or _asset(path)]
    return hashlib.sha256((_content(sorted(files)) + environment()).encode()).hexdigest()


def _content(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _asset(path: Path) -> bool:
    own = not path.is_relative_to(SHIPPED)
    return own and path.is_file() and path.suffix not in (".py", ".pyc")


def modules_of(notebook_path: Path) -> list[str]:
    """Modules of this package that the code of a notebook imports, sorted."""
    return [name for name in notebook(notebook_path)[1] if _file(name) is not None]


@cache
def environment() -> str:
    """SHA-256 over the versions of Python and of every package this one requires."""
    names = {re.split(r"[^\w.-]", text)[0] for text in metadata.requires(DISTRIBUTION) or []
             if "extra ==" not in text}  # fmt: skip
    versions = {name: metadata.version(name) for name in sorted(names)}
    versions["python"] = platform.python_version()
    return hashlib.sha256(json.dumps(versions).encode()).hexdigest()


@cache
def notebook(path: Path) -> tuple[str, tuple[str, ...]]:
    """SHA-256 over a notebook's cells, outputs left out, and the modules its code may import."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    kept = [
        (cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", []))
        for cell in cells
    ]
    source = "\n".join(text for kind, text, _ in kept if kind == "code")
    digest = hashlib.sha256(json.dumps(kept, ensure_ascii=False).encode()).hexdigest()
    return digest, tuple(sorted(imported(source)))


_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "scikit-learn")


def libraries() -> str:
    """Versions of Python and of what numbers are computed by."""
    versions = (f"{name}={version(name)}" for name in _LIBRARIES)
    return " ".join((f"python={platform.python_version()}", *versions))


def kept(make: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What ``make`` gives for these arguments, computed once for each state of its code.

    For what is costly and the same whenever it is asked for: simulations with a seed. ``make`` is
    a function of a module of this package.
    """
    import joblib

    state = code(make.__module__) + libraries()
    name = f"{make.__module__}.{make.__qualname__}"
    key = f"{name} {state} {joblib.hash((given, named))}"
    return cached("simulations", key, lambda: make(*given, **named), PICKLE)


def remembered(kind: str, key: str, make: Callable[[], Any], by: str) -> Any:
    """What ``make`` gave for this ``key`` before, else what it gives now; any JSON value.

    ``by`` is the module that makes it: where its code has changed, nothing is remembered.
    """
    return cached(kind, f"{key} {code(by)}", make, JSON)


def latest(make: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what ``make`` gave last: asked again for the same arguments, it is not made.

    For what the reports on a region in several languages have in common; no result is changed.
    """
    held: list[Any] = []

    @wraps(make)
    def given(*asked: Any) -> Any:
        if not held or len(held[0]) != len(asked) or not all(map(_same, held[0], asked)):
            held[:] = asked, make(*asked)
        return held[1]

    return given


def _same(one: Any, other: Any) -> bool:
    """Whether two arguments are one object, equal texts or numbers, or say themselves they are."""
    if one is other:
        return True
    if hasattr(one, "same"):
        return type(one) is type(other) and one.same(other)
    return isinstance(one, str | int | float | tuple | None) and one == other
