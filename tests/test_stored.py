"""Stored notebooks: which are out of date, and how their outputs are made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from evaluation.base import cache
from evaluation.base.errors import KepuError
from evaluation.batch import notebooks
from evaluation.batch.cli import app

ROOT = Path(__file__).resolve().parents[1]
CELLS = (
    "from evaluation.base import text as numerals",
    "numerals.fixed(1.5, 0)",
    "import os; os.getcwd()",
)


@pytest.fixture
def project(tmp_path):
    """A notebook and a small data package of our own."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "datapackage.json").write_text("{}", "utf-8")
    (tmp_path / "data" / "facts.csv").write_text("value\n1\n", "utf-8")
    write(tmp_path / "notebooks" / "01_one.ipynb", CELLS)
    yield tmp_path
    cache.notebook.cache_clear()


def write(path: Path, cells: tuple[str, ...]) -> None:
    code = [nbformat.v4.new_code_cell(text, id=f"c{i}") for i, text in enumerate(cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)
    cache.notebook.cache_clear()


def outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, 4).cells
    return [output.data["text/plain"] for cell in cells for output in cell.outputs]


def test_refreshed_notebooks_are_up_to_date_until_cells_or_data_change(project):
    path, data = project / "notebooks" / "01_one.ipynb", project / "data"
    assert notebooks.stale([path], data) == [path]
    notebooks.refresh([path], data, kernel="python3")
    assert notebooks.stale([path], data) == []
    assert outputs(path) == ["'2'", repr(str(project / "notebooks"))]

    (data / "facts.csv").write_text("value\n2\n", "utf-8")
    assert notebooks.stale([path], data) == [path]
    (data / "facts.csv").write_text("value\n1\n", "utf-8")
    assert notebooks.stale([path], data) == []

    notebook = nbformat.read(path, 4)
    notebook.cells[1].source += "  # as a reader rounds"
    nbformat.write(notebook, path)
    cache.notebook.cache_clear()
    assert notebooks.stale([path], data) == [path]


def test_a_change_of_the_code_a_notebook_uses_makes_it_stale(project, monkeypatch):
    path, data = project / "notebooks" / "01_one.ipynb", project / "data"
    before = notebooks.origin(path, data)
    real = cache.code

    def changed(*roots: str) -> str:
        return real(*roots) + ("changed" if "evaluation.base.text" in roots else "")

    monkeypatch.setattr(cache, "code", changed)
    assert notebooks.origin(path, data) != before


def test_a_notebook_whose_cell_fails_keeps_what_it_had_and_the_others_are_stored(project):
    good, bad = project / "notebooks" / "01_one.ipynb", project / "notebooks" / "02_two.ipynb"
    write(bad, ("x = 1", "x / 0"))
    kept = bad.read_bytes()
    with pytest.raises(KepuError, match=r"02_two\.ipynb was not stored.*ZeroDivisionError"):
        notebooks.refresh([good, bad], project / "data", kernel="python3")
    assert bad.read_bytes() == kept
    assert notebooks.stale([good, bad], project / "data") == [bad]
    assert sorted(item.name for item in good.parent.iterdir()) == ["01_one.ipynb", "02_two.ipynb"]


def test_views_of_widgets_and_times_are_not_stored():
    output = nbformat.v4.new_output(
        "display_data", data={notebooks.WIDGET: {"model_id": "a"}, "text/html": "<p>table</p>"}
    )
    cell = nbformat.v4.new_code_cell("x", outputs=[output], metadata={"execution": {"a": "b"}})
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}, "papermill": {}})
    notebooks.cleaned(notebook)
    assert list(notebook.cells[0].outputs[0].data) == ["text/html"]
    assert not notebook.cells[0].metadata
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """The notebooks and data of the project in a folder of their own, the working directory."""
    for name in ("notebooks", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_kepu_notebooks_check_names_what_is_out_of_date_and_fails(whole):
    paths = notebooks.papers(whole / "notebooks")
    assert len(paths) == 14
    for path in paths:
        notebook = nbformat.read(path, 4)
        notebook.metadata["kepu"] = {"made_from": notebooks.origin(path, whole / "data")}
        nbformat.write(notebook, path)
    run = CliRunner().invoke(app, ["notebooks", "--check"])
    assert (run.exit_code, run.output) == (0, "")

    facts = whole / "data" / "facts.csv"
    facts.write_text(facts.read_text("utf-8").replace(",11.12,", ",11.13,", 1), "utf-8")
    run = CliRunner().invoke(app, ["notebooks", "--check"])
    assert run.exit_code == 1
    assert run.output.count("out of date: notebooks/") == len(paths)
    assert "run make notebooks" in run.output


def test_a_file_that_is_no_notebook_is_named(whole):
    (whole / "notebooks" / "01_data_and_evidence.ipynb").write_text("<<<<<<<", "utf-8")
    run = CliRunner().invoke(app, ["notebooks", "--check"])
    assert run.exit_code == 2
    assert "01_data_and_evidence.ipynb is no notebook" in run.output


def test_kepu_notebooks_refuses_a_name_it_does_not_know(whole):
    run = CliRunner().invoke(app, ["notebooks", "09_none"])
    assert run.exit_code == 2
    assert "No notebook 09_none; known: 00_welcome" in run.output
