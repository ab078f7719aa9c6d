"""Reports kept elsewhere than in the folder of a run: at any address fsspec can write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from evaluation.errors import KepuError
from evaluation.worker import Outcome


def check(store: str) -> None:
    """Refuse an address that cannot be written here.

    Raises
    ------
    KepuError : fsspec, or what it needs for this kind of address, is not installed.
    """
    try:
        _system(store)
    except (ImportError, ValueError) as error:
        told = " ".join(str(error).split())
        raise KepuError(f"--store {store} cannot be used here ({told}) — correct it") from None


def put(outcome: Outcome, folder: Path, store: str) -> Outcome:
    """Write the files of a report to ``store``; give its outcome with their addresses and sizes.

    Raises
    ------
    OSError : an address cannot be written.
    """
    system, root = _system(store)
    files = {}
    for kind, entry in outcome.files.items():
        content = (folder / Path(entry["name"]).name).read_bytes()
        path = f"{root}/{entry['name']}"
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, content)  # whole or not at all, as object stores write
        files[kind] = {**entry, "url": f"{store.rstrip('/')}/{entry['name']}", "size": len(content)}
    return replace(outcome, files=files)


def put_text(store: str, name: str, text: str) -> None:
    """Write one text file to ``store``."""
    system, root = _system(store)
    system.makedirs(root, exist_ok=True)
    system.pipe_file(f"{root}/{name}", text.encode())


def there(entry: Mapping[str, Any]) -> bool:
    """Whether a file written before is still at its address, by its size."""
    folder, _, name = entry["url"].rpartition("/")
    return _sizes(folder).get(name) == entry["size"]


@cache
def _sizes(folder: str) -> dict[str, int]:
    system, root = _system(folder)
    if not system.exists(root):
        return {}
    return {e["name"].rpartition("/")[2]: e["size"] for e in system.ls(root, detail=True)}


def _system(address: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    return system, path.rstrip("/")
