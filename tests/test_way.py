"""The way from ``kepu batch`` to a written page, followed in a real run and drawn as it is."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from evaluation.batch import cli, kernels

ROOT = Path(__file__).resolve().parents[1]
MOST_FILES = 6
# Calls at which the functions that wait for them are noted; the last is made in a forked process.
STATIONS = (
    "batch/plan.py make_plan",
    "batch/run.py outcomes",
    "batch/kernels.py Process.__init__",
    "report/html.py write",
)
FOLLOW = f"""
import json, os, sys
PACKAGE, STATIONS = {str(ROOT / "src" / "evaluation")!r} + os.sep, {STATIONS!r}

def place(frame):
    file = frame.f_code.co_filename
    name = frame.f_code.co_qualname.replace(".<locals>", "")
    return f"{{file[len(PACKAGE):]}} {{name}}" if file.startswith(PACKAGE) else ""

def note(frame, event, argument):
    if event != "call" or place(frame) not in STATIONS:
        return
    stack, above = [], frame
    while above is not None:
        stack.insert(0, place(above))
        above = above.f_back
    with open(os.environ["KEPU_WAY"], "a") as stream:
        stream.write(json.dumps([name for name in stack if name and "<" not in name]) + "\\n")

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: sys.setprofile(note))
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """A batch of one report about nothing, on the shipped data."""
    (tmp_path / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell(text) for text in ('region: str = ""', "region")]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(page, tmp_path / "notebooks" / "page.ipynb")
    batch = "notebook: page\nregions: [150000]\nlanguages: [en]\n"
    (tmp_path / "tiny.yml").write_text(batch, "utf-8")
    return tmp_path


def followed(project: Path, monkeypatch) -> list[list[str]]:
    """The stacks of functions of this package at each station of a batch of one report."""
    (project / "sitecustomize.py").write_text(FOLLOW, "utf-8")
    paths = (str(project), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("KEPU_WAY", str(project / "way.jsonl"))
    here: dict = {}
    exec(FOLLOW.partition("if hasattr")[0], here)
    folders = {"notebooks": project / "notebooks", "out": project / "out", "data": ROOT / "data"}
    options = [text for name, path in folders.items() for text in (f"--{name}", str(path))]
    threading.setprofile(here["note"])
    sys.setprofile(here["note"])
    try:
        done = CliRunner().invoke(cli.app, ["batch", str(project / "tiny.yml"), *options])
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert done.exit_code == 0, done.output
    assert (project / "out" / "150000_en.html").is_file()
    lines = dict.fromkeys((project / "way.jsonl").read_text("utf-8").splitlines())
    return [json.loads(line) for line in lines]  # a generator is entered once for each outcome


def drawn() -> list[list[str]]:
    """The same stacks as ARCHITECTURE.md draws them, one a line: ``file: function ► …``."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## The way of a page")[2]
    lines = re.search(r"```\n(.*?)```", text, re.S)[1].splitlines()
    stacks: list[list[str]] = []
    for line in lines:
        if not line.startswith(" "):
            stacks.append([])
        file, _, names = line.strip().partition(" ")
        stacks[-1] += [f"{file} {name}" for name in re.split(r" *► *", names.strip())]
    return stacks


@pytest.mark.skipif(bool(kernels.unsafe()), reason=kernels.unsafe())
def test_a_page_is_written_on_the_way_that_is_drawn(project, monkeypatch):
    way = followed(project, monkeypatch)
    assert way == drawn()
    files = {name.partition(" ")[0] for stack in way for name in stack}
    assert len(files) <= MOST_FILES, sorted(files)
