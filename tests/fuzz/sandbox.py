"""A closed place in which the command line is run, and what it left there afterwards."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
MEMORY = 1500  # MB of resident memory
PAGE = """\
from IPython.display import HTML
HTML(f"<h1>Report {region}</h1><section id='level'><h2>Level?</h2><p>{language}</p></section>")
"""


@dataclass(frozen=True)
class Ending:
    """How a command ended: exit code (negative for a signal), what it printed, its cost."""

    code: int
    printed: str
    seconds: float
    megabytes: float


def build(root: Path) -> Path:
    """A project with a small simulated package, one quick notebook and a victim beside it."""
    work = root / "work"
    shutil.copytree(ROOT / "data" / "simulated", work / "data")
    (work / "notebooks").mkdir()
    cells = [
        nbformat.v4.new_code_cell('region: str = ""\nlanguage: str = "zh"\ndraws: int = 99'),
        nbformat.v4.new_code_cell(PAGE),
    ]
    cells[0].metadata["tags"] = ["parameters"]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(page, work / "notebooks" / "page.ipynb")
    (work / "one.yml").write_text("notebook: page\nregions: ['150000']\nlanguages: [en]\n")
    for name in ("victim", "home", "cache", "tmp"):
        (root / name).mkdir()
    (root / "victim" / "secret.csv").write_text("code,name_zh\nsecret,秘密\n", "utf-8")
    (root / "victim_en").mkdir()
    (root / "victim_en" / "kept.txt").write_text("kept")
    return work


def snapshot(root: Path) -> dict[str, tuple]:
    """Kind and content of everything but the folders a command may write to."""
    free = {root / name for name in ("cache", "tmp", "home")} | {root / "work" / "out"}
    seen: dict[str, tuple] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        place = Path(os.fsdecode(folder))
        folders[:] = [name for name in folders if place / os.fsdecode(name) not in free]
        for name in [*files, *folders]:
            path = os.path.join(folder, name)
            seen[os.fsdecode(path)] = _state(path)
    return seen


def _state(path: bytes) -> tuple:
    status = os.lstat(path)
    if os.path.islink(path):
        return ("link", os.readlink(path))
    if os.path.isfile(path):
        big = status.st_size > 1 << 24
        with open(path, "rb") as stream:
            content = b"" if big else stream.read()
        return ("file", status.st_mode, status.st_size, hashlib.sha256(content).hexdigest())
    return ("other", status.st_mode)


def run(root: Path, arguments: Sequence[str]) -> Ending:
    """Run ``kepu`` with ``arguments`` in a process forked from this one, bounded in time."""
    printed = root / "printed.txt"
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        _child(root, printed, arguments)
    code, megabytes = _wait(child, begun + SECONDS)
    text = printed.read_text("utf-8", errors="replace")
    printed.unlink()
    return Ending(code, text, time.monotonic() - begun, megabytes)


def _child(root: Path, printed: Path, arguments: Sequence[str]) -> None:
    os.setpgid(0, 0)
    stream = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.chdir(root / "work")
    os.environ |= {
        "HOME": str(root / "home"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "XDG_STATE_HOME": str(root / "cache"),
        "TMPDIR": str(root / "tmp"),
        "SOURCE_DATE_EPOCH": "1780000000",
        "PYTHONPATH": str(ROOT / "src"),
    }
    tempfile.tempdir = None
    sys.argv = ["kepu", *arguments]
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False)
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 99
    try:
        from evaluation.batch.entry import main

        main()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1 if ending.code else 0
    except BaseException:  # noqa: BLE001  what escapes is what the tests look for
        traceback.print_exc()
        code = 98
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, until: float) -> tuple[int, float]:
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), used.ru_maxrss / 1024
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.wait4(child, 0)
            return -signal.SIGALRM, 0.0
        time.sleep(0.005)
