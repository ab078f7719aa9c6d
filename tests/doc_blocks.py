"""The code blocks of a page of the documentation, and how they are run as a reader would."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluation.batch.cli import app

FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=ticks)$", re.M | re.S)
OPTION = re.compile(r"^:(\w[\w-]*): *(.*)\n", re.M)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the file it is to be saved as, and what it holds."""

    language: str
    caption: str
    body: str
    run: bool
    line: int


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    text = page.read_text("utf-8")
    return [_block(found, text) for found in FENCE.finditer(text)]


def _block(found: re.Match, text: str) -> Block:
    info, body = found["info"].strip(), found["body"]
    options = {}
    if info.startswith("{"):
        while option := OPTION.match(body):
            options[option[1]] = option[2]
            body = body[option.end() :]
        info = info.removeprefix("{code-block}").strip()
    run = options.get("class") != "not-run"
    line = text.count("\n", 0, found.start()) + 1
    return Block(info, options.get("caption", ""), body.lstrip("\n"), run, line)


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it is said to print."""
    parts = re.split(r"^\$ ", block.body, flags=re.M)[1:]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def tidy(text: str) -> str:
    """Text without the blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def prints(expected: str, printed: str) -> bool:
    """Whether ``printed`` is what a page shows, ``…`` standing for anything."""
    pattern = ".*?".join(re.escape(part) for part in tidy(expected).split("…"))
    return re.fullmatch(pattern, tidy(printed), re.S) is not None


def save(block: Block, root: Path) -> None:
    """Write a block with a caption to the file it names; ``appended`` adds to it."""
    name, _, appended = block.caption.partition(", ")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if appended else "w", encoding="utf-8") as stream:
        stream.write(block.body)


def typed(line: str, folder: Path, surroundings: dict[str, str], *, here: bool) -> str:
    """Type one command; give what it printed, with its remarks on standard error where it failed.

    Parameters
    ----------
    here : whether ``kepu`` is called in this process, which spares its imports; not where a page
        has changed the code.
    """
    if here and line.startswith("kepu "):
        with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
            for name in ("KEPU_CACHE", "PYTHONPATH", "COLUMNS"):
                patch.setenv(name, surroundings[name])
            result = CliRunner().invoke(app, shlex.split(line)[1:])
            return result.output if result.exit_code else result.stdout
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=surroundings, text=True, timeout=240, check=False,
        capture_output=True,
    )  # fmt: skip
    return done.stdout + done.stderr if done.returncode else done.stdout


def environment(home: Path, source: Path, cache: Path) -> dict[str, str]:
    """Where ``kepu`` and ``python`` are those of this interpreter, with the code in ``source``."""
    folder = home / "bin"
    folder.mkdir(parents=True)
    starts = {"kepu": "evaluation.batch.entry", "jupyter": "jupyter_core.command"}
    for name, module in starts.items():
        _executable(folder / name, f"-c 'from {module} import main; main()'")
    _executable(folder / "python", "")
    (folder / "activate").touch()
    # What a terminal of this machine or pytest-xdist may have set must not shape the output.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PYTEST", "KEPU"))}
    return kept | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(source),
        "KEPU_CACHE": str(cache),
        "COLUMNS": "200",
    }


def _executable(path: Path, arguments: str) -> None:
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', "utf-8")
    path.chmod(0o755)
