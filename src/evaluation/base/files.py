"""Files: what people write, read within bounds; paths safe to write and remove."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import yaml
from filelock import FileLock, Timeout

from evaluation.base.errors import KepuError, shown

LAST_SECOND = 4_102_444_799  # of 2099: the formats of reports can hold no date after 2107


def build_time() -> datetime | None:
    """The time ``SOURCE_DATE_EPOCH`` fixes for equal builds, ``None`` where it is not set.

    Raises
    ------
    KepuError : the variable is no number of seconds between 1970 and 2099.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", fixed, re.ASCII) or int(fixed) > LAST_SECOND:
        raise KepuError(
            f"SOURCE_DATE_EPOCH is {fixed!r:.40}, no number of seconds between 1970 and 2099 — "
            "correct or unset it"
        )
    return datetime.fromtimestamp(int(fixed), UTC)


# ------------------------------------------------------------------------------------------
# Read files that people write, bounded in size and depth: text, JSON, YAML and notebooks.


MEGABYTE = 1_000_000
LARGEST = {"batch": MEGABYTE // 4, "map": 64 * MEGABYTE, "notebook": 128 * MEGABYTE}
DEEPEST = 24  # levels of a YAML file; a batch has five


def literal(path: Path) -> str:
    """A path for papermill, which fills parameters into what stands between braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def read_bytes(path: Path, most: int, absent: str = "name a file") -> bytes:
    """The bytes of a regular file of ``most`` bytes or fewer; ``absent``: the remedy for none.

    Raises
    ------
    KepuError : no file, a folder, a pipe or a device, too large, or unreadable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for its writer
            raise KepuError(f"{path} cannot be read (it is no regular file) — name a file")
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        raise KepuError(f"{path} does not exist — {absent}") from None
    except (OSError, ValueError) as error:  # a ValueError: NUL in a path
        reason = getattr(error, "strerror", None) or error
        raise KepuError(f"{path} cannot be read ({reason}) — name a file") from None
    if len(content) > most:
        raise KepuError(f"{path} is larger than {most:,} bytes — split or shorten it")
    return content


def read_text(path: Path, most: int, absent: str = "name a file") -> str:
    """The text of a regular UTF-8 file of ``most`` bytes or fewer; ``absent``: the remedy for none.

    Raises
    ------
    KepuError : see :func:`read_bytes`; no UTF-8.
    """
    content = read_bytes(path, most, absent)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise KepuError(f"{path}, line {line}: is not UTF-8 — save the file as UTF-8") from None


def read_json(path: Path, most: int, what: str) -> Any:
    """The value a JSON file holds; ``what`` names in messages what the file should be.

    Raises
    ------
    KepuError : see :func:`read_text`; no JSON, or JSON nested too deeply.
    """
    text = read_text(path, most)
    try:
        return json.loads(text)
    except RecursionError:
        raise KepuError(f"{path} is no {what} (nested too deeply) — correct it") from None
    except ValueError as error:
        raise KepuError(f"{path} is no {what} ({error}) — correct it") from None


def read_yaml(path: Path, most: int = LARGEST["batch"], absent: str = "name a file") -> Any:
    """The value a YAML file holds: mappings, lists, texts, numbers, truth values, nothing.

    Of YAML only what a batch needs: a date stays a text, ``no`` is no truth value and ``0101`` no
    number. Aliases and tags are refused, and so is a key given twice, of which YAML keeps the last.

    Raises
    ------
    KepuError : see :func:`read_text`; no such YAML.
    """
    text = read_text(path, most, absent)
    try:
        return yaml.load(text, _Plain)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        detail = " ".join(filter(None, (error.context, error.problem)))
        raise KepuError(f"{path} is no YAML for a batch{line} ({detail}) — correct it") from None
    except yaml.YAMLError as error:
        detail = " ".join(str(error).split())
        raise KepuError(f"{path} is no YAML for a batch ({detail}) — correct it") from None


class _Plain(yaml.SafeLoader):
    """YAML without aliases, tags, repeated keys, deep nesting and surprising types."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}
    _depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._refuse("an alias is used; write its value out", event)
        if getattr(event, "tag", None) is not None:
            self._refuse(f"the tag {event.tag} is used; remove it", event)
        self._depth += 1
        if self._depth > DEEPEST:
            self._refuse(f"nested deeper than {DEEPEST} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse("a key is no text", key)
            if key.value in seen:
                self._refuse(f"the key {key.value!r} is given twice; keep one", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    @staticmethod
    def _refuse(rule: str, place: Any) -> None:
        raise yaml.MarkedYAMLError(problem=rule, problem_mark=place.start_mark)


_WHOLE = r"[-+]?(?:0|[1-9][0-9]{0,17})"
for _tag, _form, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", "tTfF"),
    ("int", _WHOLE, "-+0123456789"),
    ("float", rf"{_WHOLE}(?:\.[0-9]{{1,30}})?(?:[eE][-+]?[0-9]{{1,2}})?", "-+0123456789"),
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
):
    _Plain.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"{_form}\Z", re.A), list(_first)
    )


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook as the JSON it is, its cells checked.

    Raises
    ------
    KepuError : see :func:`read_json`; not of format 4, or a cell without kind or source.
    """
    found = read_json(path, LARGEST["notebook"], "notebook")
    remedy = "open it in JupyterLab and save it"
    cells = found.get("cells") if isinstance(found, dict) else None
    if isinstance(found, dict) and found.get("nbformat", 4) != 4:
        raise KepuError(f"{path} is of notebook format {found['nbformat']!r:.20} — {remedy}")
    if not isinstance(cells, list) or not isinstance(found.get("metadata", {}), dict):
        raise KepuError(f"{path} is no notebook (it has no list of cells) — {remedy}")
    for number, cell in enumerate(cells, 1):
        if not _sound(cell):
            raise KepuError(f"{path}, cell {number}: has no kind, source or metadata — {remedy}")
    return found


def _sound(cell: Any) -> bool:
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata"), dict):
        return False
    source, tags = cell.get("source"), cell["metadata"].get("tags", [])
    texts = [source] if isinstance(source, str) else source
    listed = (texts, tags)
    return isinstance(cell.get("cell_type"), str) and all(
        isinstance(part, list) and all(isinstance(text, str) for text in part) for part in listed
    )


# ------------------------------------------------------------------------------------------
# How the folder of a project is known.


MARKER = "kepu.toml"


def is_project(folder: Path) -> bool:
    """Whether a folder is a project: by its marker, or by a data package beside notebooks."""
    if (folder / MARKER).is_file():
        return True
    return (folder / "data" / "datapackage.json").is_file() and (folder / "notebooks").is_dir()


# ------------------------------------------------------------------------------------------
# Paths that are safe to write and remove: inside one folder, whole, and private while unfinished.


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


@contextmanager
def written(place: Path, remedy: str = "name another") -> Iterator[None]:
    """Turn what the system says of a place that cannot be written into a message."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise KepuError(f"{shown(place)} cannot be written ({reason}) — {remedy}") from None


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
