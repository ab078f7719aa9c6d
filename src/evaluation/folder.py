"""The folder of a run: one run at a time in it, and only whole files."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from evaluation.errors import KepuError
from evaluation.worker import MADE, Outcome

FAILED_NOTEBOOKS = "failed"


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for one run; the lock goes with the process, even a killed one.

    Raises
    ------
    KepuError : another run holds it, or it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise KepuError(
            f"another run is writing into {out} — wait for it, or choose a folder with --out"
        ) from None
    except OSError as error:
        raise KepuError(f"{out} cannot be written ({error.strerror}) — choose --out") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Give a folder inside ``out``, on its file system, where reports are made; remove it after."""
    for stale in out.glob(".staging-*"):  # left by a killed run; the lock says it is ours to clear
        shutil.rmtree(stale)
    try:
        folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=out))
    except OSError as error:
        raise KepuError(f"{out} cannot be written ({error.strerror}) — choose --out") from None
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def file(outcome: Outcome, stem: str, made: Path, out: Path) -> None:
    """Move what an outcome names from the folder ``made`` into ``out``, each file whole.

    Of a failed report only its notebook is kept, among the failed ones.
    """
    unfinished = out / FAILED_NOTEBOOKS / f"{stem}.ipynb"
    if outcome.status == MADE:
        for entry in outcome.files.values():
            if "url" in entry:  # kept there and not here
                continue
            target = out / entry["name"]
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(made / target.name, target)
        unfinished.unlink(missing_ok=True)
    elif (made / unfinished.name).exists():
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        os.replace(made / unfinished.name, unfinished)
    shutil.rmtree(made, ignore_errors=True)


def replace(path: Path, text: str) -> None:
    """Write a file whole: a reader sees the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    os.replace(part, path)


def hidden(data: Path, notebooks: Path) -> tuple[tuple[str, str], ...]:
    """List the folders no report may show, the longest first, each with its stand-in."""
    package = str(Path(__file__).parents[1])
    pairs = {str(Path.home()): "~", tempfile.gettempdir(): "(tmp)", sys.prefix: "(env)"}
    pairs |= {sys.base_prefix: "(python)", package: "src"}
    for path, stand_in in ((notebooks.parent, "."), (data, data.name)):
        pairs |= {str(path.absolute()): stand_in, str(path.resolve()): stand_in}
    pairs = {folder: name for folder, name in pairs.items() if len(Path(folder).parts) > 1}
    return tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0])))
