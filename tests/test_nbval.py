"""nbval for real: a changed fact fails the checked cells that depend on it and no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation import study
from evaluation.base.cache import PACKAGE

ROOT = Path(__file__).resolve().parents[1]
CHECKED = "nbval-check-output"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
OPENING = 3  # code cells that import, take parameters and open the page
# A planted change and the checked cells it must fail, by notebook: those that print a number that
# rests on it. Where the number moves by less than is printed, the cell rightly passes.
ESTIMATES = {
    "04_effect": ["c13", "c15", "c17", "c19"],  # estimates, readings, power, opening level
    "05_robustness": ["r07"],  # ladder
    "08_scenarios": ["s09"],  # common plans
}
PLANTS = (
    # Science education bases that Hohhot promised: shown by the tracker of the city, used nowhere.
    ("league target", "F14671", "150100", 110, {"07_targets": ["t21"]}),
    # Zhejiang's rate of 2018: a gain of the panel, a point of the trend, a rank under assumptions.
    ("provincial rate", "F00077", "330000", 12.12, ESTIMATES | {
        "02_literacy": ["c17"],
        "04_effect": ["c05", "c13", "c15", "c17", "c19"],  # the gains too
        "06_value": ["v20"],  # plan
        "07_targets": ["t07", "t09", "t11", "t17"],  # back-test, by wave, components, needed
        "10_next_evaluation": ["n09", "n11"],  # variance between units, candidates
        "08_scenarios": ["tested", "s09"],  # back-test too
    }),
    # Zhejiang's museums of 2018: an input of panel and index, and of no rate or forecast.
    ("input figure", "F01296", "330000", 437, ESTIMATES | {
        "06_value": ["v20"], "12_index": ["x07", "x09", "x11", "x13", "x15"],
    }),
)  # fmt: skip


def kept(cells: list[dict]) -> list[dict]:
    """Cells that open a notebook or are checked: figures take time and are checked by nobody."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return [
        c for i, c in enumerate(code) if i < OPENING or CHECKED in c["metadata"].get("tags", [])
    ]


def planted(folder: Path, fact: str, value: str) -> None:
    """A copy of notebooks and data in which one fact has another value."""
    shutil.copytree(ROOT / "data", folder / "data")
    path = folder / "data" / "facts.csv"
    text, count = re.subn(
        rf"^({fact}(?:,[^,\"]*){{6}}),[^,]*,", rf"\1,{value},", path.read_text("utf-8"), flags=re.M
    )
    assert count == 1
    path.write_text(text, "utf-8")
    (folder / "notebooks").mkdir()
    for name in ("conftest.py", "nbval.cfg"):
        shutil.copy(ROOT / "notebooks" / name, folder / "notebooks")
    for source in NOTEBOOKS:
        notebook = json.loads(source.read_text("utf-8"))
        notebook["cells"] = kept(notebook["cells"])
        (folder / "notebooks" / source.name).write_text(json.dumps(notebook), "utf-8")


def failed(folder: Path) -> dict[str, list[str]]:
    """Checked cells nbval finds changed, by notebook; a cell that breaks off is no such cell."""
    command = [
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:doctest", "-rA",
        "--nbval-lax", "--nbval-kernel-name", "kepu-warm", "-c", os.devnull, "notebooks",
    ]  # fmt: skip
    own = {"PYTHONPATH": str(PACKAGE.parent), "COLUMNS": "200"}
    gone = ("PYTEST_XDIST", "PYTEST_CURRENT")
    rest = {key: value for key, value in os.environ.items() if not key.startswith(gone)}
    done = subprocess.run(
        command, cwd=folder, env=rest | own, capture_output=True, text=True, check=False
    )
    assert "Cell execution caused an exception" not in done.stdout, done.stdout[-3000:]
    told = re.findall(r"^(FAILED|PASSED) \S*?(\w+)\.ipynb::Cell (\d+)", done.stdout, re.M)
    assert len(told) > 60, done.stdout[-3000:] + done.stderr[-2000:]
    found: dict[str, list[str]] = {}
    for verdict, name, number in told:
        if verdict == "FAILED":
            cells = json.loads((folder / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
            found.setdefault(name, []).append(cells[int(number)]["id"])
    return found


@pytest.mark.parametrize(
    ("fact", "region", "value", "fails"),
    [plant[1:] for plant in PLANTS],
    ids=[plant[0] for plant in PLANTS],
)
def test_a_changed_fact_fails_exactly_the_checked_cells_that_depend_on_it(
    fact, region, value, fails, tmp_path
):
    planted(tmp_path, fact, str(value))
    facts = study.load(tmp_path / "data").facts.set_index("fact_id")
    assert (facts.at[fact, "region_code"], facts.at[fact, "value"]) == (region, value)
    assert failed(tmp_path) == fails
