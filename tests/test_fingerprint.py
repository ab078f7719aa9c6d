"""Hashes change with what they stand for, and with nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from evaluation.base import cache

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A copy of the package whose files may be changed."""
    copy = tmp_path / "evaluation"
    shutil.copytree(cache.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "PACKAGE", copy)
    forget()
    yield copy
    forget()


def forget() -> None:
    cache.code.cache_clear()
    cache._imports_of.cache_clear()


def changed(package: Path, name: str, *roots: str) -> bool:
    """Whether a changed file changes the hash of the code that ``roots`` use."""
    forget()
    before = cache.code(*roots)
    with (package / name).open("a", encoding="utf-8") as stream:
        stream.write("\n# another line\n")
    forget()
    return cache.code(*roots) != before


def test_code_counts_what_is_imported_directly_or_not_and_every_text_and_template(package):
    report = "evaluation.report"
    for name in (
        "report/level.py",
        "survey/standing.py",
        "base/errors.py",
        "text.csv",
        "report/templates/report/report.css",
    ):
        assert changed(package, name, report), name
    for name in ("cli.py", "runner.py", "plan.py", "calibrate.py", "report/html.py"):
        assert not changed(package, name, report), name
    assert changed(package, "report/html.py", report, "evaluation.batch.worker")
    assert not changed(package, "report/level.py", "evaluation.study")


def test_modules_are_those_an_import_really_loads():
    """The textual reading may name more modules than a run loads, never fewer."""
    import subprocess
    import sys

    script = (
        "import sys, evaluation.report, evaluation.study, evaluation.data.slices\n"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'evaluation'])"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    names = ("evaluation.report", "evaluation.study", "evaluation.data.slices")
    assert {Path(name) for name in loaded.stdout.split()} <= set(cache.modules(names))


def test_notebook_counts_by_its_cells_not_by_its_outputs(tmp_path):
    def digest(source: str, output: str) -> tuple[str, tuple[str, ...]]:
        cell = nbformat.v4.new_code_cell(source, id="a")
        cell.outputs = [nbformat.v4.new_output("stream", text=output)]
        path = tmp_path / f"{source}-{output}.ipynb".replace(" ", "_")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
        return cache.notebook(path)

    source = "from evaluation.data import slices as r"
    assert digest(source, "1") == digest(source, "2") != digest("import evaluation.tables", "1")
    names = digest(source, "1")[1]
    assert names == ("evaluation.data", "evaluation.data.slices")


def test_environment_is_the_versions_of_what_is_required(monkeypatch):
    cache.environment.cache_clear()
    before = cache.environment()
    cache.environment.cache_clear()
    real = cache.metadata.version
    other = {"pandas": "0.0"}
    monkeypatch.setattr(cache.metadata, "version", lambda name: other.get(name) or real(name))
    assert cache.environment() != before
    other.clear()
    other["pytest"] = "0.0"  # no report needs it
    cache.environment.cache_clear()
    assert cache.environment() == before
    cache.environment.cache_clear()


def test_report_notebooks_name_the_slices_they_rest_on():
    for name in ("region_report", "overview"):
        path = ROOT / "notebooks" / f"{name}.ipynb"
        assert "evaluation.data.slices" in cache.modules_of(path)
        cells = json.loads(path.read_text("utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells)
        assert "load(data, data_hash)" in source and "dataset = load(" not in source
