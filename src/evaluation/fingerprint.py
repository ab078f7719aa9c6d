"""Hashes of what a report is made with: the package code it uses, its notebook, the environment."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

NAME = "evaluation"
DISTRIBUTION = "kepu-evaluation"
PACKAGE = Path(__file__).parent
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
    return path.is_file() and path.suffix not in (".py", ".pyc")


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
