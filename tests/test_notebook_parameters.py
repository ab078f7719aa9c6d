"""A researcher changes a parameter and gets a right answer, or an error that tells the remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import papermill
import pytest
from traitlets.config import Config

from evaluation.base.errors import KepuError
from evaluation.batch.kernels import ADDRESS, Server, unsafe
from evaluation.data.tables import package_hash

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
LEAGUES, SIMULATED = {"region_set": "inner_mongolia_leagues"}, {"data": "../data/simulated"}
CHINESE, BEIJING, TIBET = {"language": "zh"}, {"region": "110000"}, {"region": "540000"}
# Three sets for each notebook, and what its output must then say.
SETS: dict[str, tuple[tuple[dict, str], ...]] = {
    "00_welcome": (
        (CHINESE, "31个地区中"), (LEAGUES, "Of 12 regions"), ({"fresh_years": 10}, "last 10 years"),
    ),
    "01_data_and_evidence": (
        (CHINESE, "带有禁止入估的标记"), (LEAGUES, "Of 12 regions"), ({"first_year": 2020}, "2020"),
    ),
    "02_literacy": (
        (CHINESE, "区间"), (BEIJING, "Beijing"), (TIBET | {"first_year": 2015}, "Xizang"),
    ),
    "03_investment": (
        (CHINESE, "代理"), (BEIJING, "Beijing"), (TIBET, "proxy"),
    ),
    "04_effect": (
        (CHINESE | {"panels": 5}, "模拟"),
        ({"panels": 5, "first_year": 2018}, "simulated"),
        ({"panels": 6, "region_set": "inner_mongolia_leagues"}, "simulated"),
    ),
    "05_robustness": (
        (CHINESE, r"证据等级\s*\d"), (LEAGUES, r"Evidence grade\s*\d"),
        ({"first_year": 2018}, r"Evidence grade\s*\d"),
    ),
    "06_value": (
        (CHINESE | {"panels": 20}, "万|亿"),
        (BEIJING | {"change": "+20%", "panels": 20}, "Beijing"),
        ({"region": "330000", "lever": "activity", "change": "+10%", "budget": 0.0,
          "panels": 20}, "Zhejiang"),
    ),
    "07_targets": (
        (CHINESE, "中位数"), (BEIJING | {"city": "150600"}, "Beijing"),
        ({"region": "640000", "city": "150500"}, "Ningxia"),
    ),
    "08_scenarios": (
        (CHINESE | {"year": 2025}, "2025年"), (BEIJING | {"year": 2028}, "Beijing"),
        (TIBET | {"year": 2026}, "Xizang"),
    ),
    "09_designs": (
        (CHINESE | {"draws": 199}, "模拟"), (LEAGUES | {"draws": 199}, "simulated"),
        ({"effect": 0.0, "draws": 199}, "simulated"),
    ),
    "11_monitoring": (
        (CHINESE, "没有记录"), ({"region": "150000", "due": 0}, "59 measures and targets"),
        ({"unit": "市教育局", "due": 0, "today": "2027-01-01"}, "as of 2027-01-01: 27"),
    ),
    "12_index": (
        (CHINESE | {"draws": 200}, "代理指标的指数"),
        ({"year": 2015, "draws": 200}, "An index of proxies, 2015, 31 regions"),
        (BEIJING | {"draws": 200, "seed": 2}, "made in 200 ways"),
    ),
    "13_survey": (
        (CHINESE | {"draws": 9}, "真实比例"), ({"units": 3, "take": 8, "draws": 9}, "Simulated"),
        ({"cutoff": 55.0, "draws": 9}, "Share with 55 points or more"),
    ),
    "10_next_evaluation": (
        (CHINESE | {"sims": 0}, "没有项目时"),
        ({"waves": 3, "respondents": 300, "sims": 0}, "3 waves, 300 asked"),
        ({"effect": 2.0, "sims": 20}, "2.00 percentage points"),
    ),
}  # fmt: skip
RUNS = [(name, *given) for name, sets in SETS.items() for given in sets]

# Wrong values, and the message a researcher reads.
WRONG = (
    ("00_welcome", {"fresh_years": 0}, "at least 1 year"),
    ("01_data_and_evidence", {"data": "../nowhere"}, "nowhere"),
    ("01_data_and_evidence", {"language": "fr"}, "Unknown language 'fr'; known: zh, en"),
    ("02_literacy", {"region_set": "nowhere"}, "'nowhere' is not in region_sets.csv; known:"),
    ("02_literacy", {"region": "999999"}, "999999"),
    ("03_investment", {"region": "999999"}, "999999"),
    ("04_effect", {"draws": 5}, "draws"),
    ("04_effect", {"panels": 0}, "panels"),
    ("06_value", {"region": "150100"}, "150100"),
    ("06_value", {"lever": "museums"}, "Unknown lever 'museums'; known:"),
    ("06_value", {"change": "many"}, "write facility=.40%"),
    ("06_value", {"change": "+900%"}, "outside the"),
    ("06_value", {"budget": -1.0}, "cannot be negative"),
    ("06_value", {"panels": 0}, "panels"),
    ("07_targets", {"city": "1501"}, "'1501' is not in regions.csv"),
    ("08_scenarios", {"region": "150100"}, "name a province"),
    ("08_scenarios", {"year": 2099}, "name a year between them"),
    ("09_designs", {"region_set": "nowhere"}, "'nowhere' is not in region_sets.csv; known:"),
    ("11_monitoring", {"today": "soon"}, "write it in the form 2026-01-31"),
    ("11_monitoring", {"region": "110000"}, "add those of its plan to measures.csv"),
    ("11_monitoring", {"programme": "P000"}, "'P000' is not in programmes.csv"),
    ("12_index", {"index": "capability"}, "declared: input_proxies"),
    ("12_index", {"region_set": "nowhere"}, "'nowhere' is not in region_sets.csv; known:"),
    ("12_index", {"draws": 5}, "at least 200 draws"),
    ("13_survey", {"units": 1}, "An error needs 2 primary units"),
    ("13_survey", {"language": "fr"}, "Unknown language 'fr'; known: zh, en"),
    ("10_next_evaluation", {"region": "999999"}, "999999"),
    ("10_next_evaluation", {"language": "fr"}, "Unknown language 'fr'; known: zh, en"),
    ("10_next_evaluation", {"effect": 0.0}, "'effect' must be positive"),
    ("10_next_evaluation", {"waves": 2}, "needs at least 3 waves"),
)


@pytest.fixture(scope="module")
def warm():
    """A fork server that holds the study, and its address in the environment of the runs."""
    if unsafe():
        pytest.skip(unsafe())
    held = {
        "data": str(ROOT / "data"), "data_hash": package_hash(ROOT / "data"),
        "studies": [[9999, 20250101]],
        "modules": ["evaluation.report.explorer", "evaluation.report.page"],
    }  # fmt: skip
    with (
        Server("evaluation.batch.kernels:reports", held) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(ADDRESS, server.address)
        yield server


def test_every_notebook_in_reading_order_has_three_sets():
    assert set(SETS) == {path.stem for path in FOLDER.glob("[0-9]*.ipynb")}
    assert all(len(sets) == 3 for sets in SETS.values())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "given", "says"), RUNS, ids=[f"{n}-{i % 3}" for i, (n, *_) in enumerate(RUNS)]
)
def test_other_parameters_give_an_answer_to_them(warm, name, given, says, tmp_path):
    by_files = {"transport": "ipc", "connection_file": str(tmp_path / "kernel.json")}
    known = papermill.inspect_notebook(FOLDER / f"{name}.ipynb")
    assert set(given) <= set(known)
    run = papermill.execute_notebook(
        FOLDER / f"{name}.ipynb", None, parameters=given, kernel_name="kepu-warm",
        cwd=FOLDER, progress_bar=False, language="python",
        request_save_on_cell_execute=False, config=Config({"KernelManager": by_files}),
    )  # fmt: skip
    cells = [cell for cell in run.cells if cell.cell_type == "code"]
    shown = "".join(
        "".join(output.get("data", {}).get("text/html", "")) for c in cells for output in c.outputs
    )
    text = re.sub(r"data:image/[^\"]*|<style>.*?</style>|<[^>]+>", "", shown, flags=re.S)
    assert re.search(says, text)


@pytest.mark.parametrize(
    ("name", "given", "message"), WRONG, ids=[f"{n}-{next(iter(g))}" for n, g, _ in WRONG]
)
def test_wrong_parameters_are_refused_with_the_remedy(name, given, message, monkeypatch):
    monkeypatch.chdir(FOLDER)
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    space: dict = {}
    with pytest.raises(KepuError, match=message):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code" and _opens_or_uses(cell, given):
                exec(compile("".join(cell["source"]), name, "exec"), space)
                space.update(given if "parameters" in cell["metadata"].get("tags", []) else {})


def _opens_or_uses(cell: dict, given: dict) -> bool:
    """Cells that define names, and those that name the parameter that is wrong."""
    source = "".join(cell["source"])
    return bool(re.search(r"^(\w+(: \w+)? = |from |import )", source, re.M)) or any(
        re.search(rf"\b{key}\b", source) for key in given
    )
