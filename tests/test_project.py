"""A project in any folder: what it is made of, how it is known, what its failures say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from evaluation import study
from evaluation.base import files
from evaluation.base.errors import DataError, KepuError
from evaluation.batch import cli, cli_import, making, plan, worker
from evaluation.batch.state import FAILED, MADE, Outcome
from evaluation.data.office import project
from evaluation.data.tables import read_files

ROOT = Path(__file__).resolve().parents[1]


def kepu(*arguments: str):
    return CliRunner().invoke(cli.app, arguments)


@pytest.fixture
def own(tmp_path) -> Path:
    """A folder with a small package of 12 leagues and nothing else."""
    shutil.copytree(ROOT / "data" / "simulated", tmp_path / "own" / "data")
    return tmp_path / "own"


def declare(folder: Path, name: str, text: str) -> None:
    """Add a table to a package, or put another in its place."""
    (folder / "data" / f"{name}.csv").write_text(text, "utf-8")
    path = folder / "data" / "datapackage.json"
    found = json.loads(path.read_text("utf-8"))
    if name not in [resource["name"] for resource in found["resources"]]:
        found["resources"].append({"name": name, "path": f"{name}.csv"})
    path.write_text(json.dumps(found), "utf-8")


def snapshot(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


# --- what a project is made of ---------------------------------------------------------------


def test_a_folder_with_a_package_becomes_a_project_whose_batch_names_every_region(own, monkeypatch):
    written = project.scaffold(own)
    assert [path.relative_to(own).as_posix() for path in written] == [
        "notebooks/overview.ipynb", "notebooks/region_report.ipynb", "reports/batches/all.yml",
        "kepu.toml",
    ]  # fmt: skip
    monkeypatch.chdir(own / "reports")
    assert kepu("list", "batches").stdout.split()[:4] == ["batch", "zh", "en", "all"]
    shown = kepu("batch", "all", "--dry-run").stdout
    stems = re.findall(r"(\S+)\.html", shown)
    leagues = [line.split(",")[1] for line in
               (own / "data/region_sets.csv").read_text("utf-8").split()[1:]]  # fmt: skip
    assert stems == [f"{name}_{language}_simulated" for name in ("overview", *leagues)
                     for language in ("zh", "en")]  # fmt: skip


def test_its_notebooks_start_with_a_region_and_a_set_of_the_package_and_without_outputs(own):
    project.scaffold(own)
    declared = plan.read_notebooks(own / "notebooks")
    assert declared["region_report"]["region"].default == '"150100"'
    assert declared["overview"]["region_set"].default == '"inner_mongolia_leagues"'
    shipped = plan.read_notebooks(ROOT / "notebooks")
    for name, parameters in declared.items():
        assert list(parameters) == list(shipped[name])
    assert declared["region_report"]["draws"] == shipped["region_report"]["draws"]


def test_stored_outputs_are_left_behind():
    text = project.notebook(ROOT / "notebooks" / "02_literacy.ipynb", {"region": '"北"\\京'})
    found = json.loads(text)
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert "kepu" not in found["metadata"]
    (cell,) = [c for c in code if "parameters" in c["metadata"].get("tags", [])]
    assert 'region: str = "\\"北\\"\\\\京"  # region looked at' in "".join(cell["source"])


def test_titles_are_the_packages_own_names_of_its_levels(own):
    project.scaffold(own, ["zh"])
    batch = yaml.safe_load((own / "reports/batches/all.yml").read_text("utf-8"))
    assert batch["languages"] == ["zh"]
    assert [block["title"] for block in batch["reports"]] == [
        {"zh": "内蒙古自治区总览", "en": "Overview of Inner Mongolia"},
        {"zh": "内蒙古自治区各盟市", "en": "Leagues and cities of Inner Mongolia"},
    ]
    levels = (own / "data/levels.csv").read_text("utf-8").replace("leagues and cities", "R&D parks")
    declare(own, "levels", levels)
    (block,) = [g for g in project.groups(read_files(own / "data")) if g.set]
    assert block.title["en"] == "R&D parks of Inner Mongolia"


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ("", [("", 13)]),  # no set at all: every region with a parent
        ("a,150100\na,150200\nb,150200\nb,150300\n", [("a", 2), ("", 1)]),
        ("a,150100\nb,150100\n", [("a", 1)]),
        ("a,100000\na,150100\n", [("", 1)]),  # the whole has no report of its own
    ],
)
def test_every_region_is_reported_once_however_sets_overlap(own, sets, expected):
    declare(own, "region_sets", f"set,code\n{sets}")
    found = project.groups(read_files(own / "data"))
    assert [(group.set, len(group.codes)) for group in found] == expected
    codes = [code for group in found for code in group.codes]
    assert len(codes) == len(set(codes))


def test_a_package_without_regions_is_refused_and_nothing_written(own):
    header, nation = (own / "data/regions.csv").read_text("utf-8").splitlines()[:2]
    declare(own, "regions", f"{header}\n{nation}\n")
    declare(own, "region_sets", "set,code\n")
    before = snapshot(own)
    with pytest.raises(KepuError, match="has no region to report on — add regions with a parent"):
        project.scaffold(own)
    assert snapshot(own) == before


@pytest.mark.parametrize("name", ["kepu.toml", "notebooks", "reports/batches/all.yml"])
def test_nothing_that_is_there_is_written_over(own, name):
    (own / name).parent.mkdir(parents=True, exist_ok=True)
    (own / name).write_text("mine", "utf-8")
    before = snapshot(own)
    with pytest.raises(KepuError, match=f"already holds {name} — choose another folder"):
        project.scaffold(own)
    assert snapshot(own) == before


def test_a_disk_that_fills_leaves_the_folder_as_it_was(own, monkeypatch):
    before, write = snapshot(own), files.replace

    def full(path, text, parts):
        if path.suffix == ".yml":
            raise OSError(28, "No space left on device")
        write(path, text, parts)

    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(KepuError, match=r"cannot be written \(No space left on device\)"):
        project.scaffold(own)
    assert snapshot(own) == before and sorted(p.name for p in own.iterdir()) == ["data"]


def test_without_a_package_there_is_no_project(tmp_path):
    with pytest.raises(DataError, match="folder is missing"):
        project.scaffold(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_national_workbook_is_copied_whole(tmp_path, monkeypatch):
    done = kepu("workbook", str(tmp_path / "wb"))
    assert done.exit_code == 0 and "open them with `kepu lab`" in done.stdout
    for name in ("data", "reports/batches"):
        assert snapshot(tmp_path / "wb" / name) == snapshot(ROOT / name)
    numbered = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in (tmp_path / "wb/notebooks").iterdir()} == numbered
    monkeypatch.chdir(tmp_path / "wb" / "notebooks")
    assert "inner_mongolia_leagues" in kepu("list", "sets").stdout
    again = kepu("workbook", str(tmp_path / "wb"))
    assert again.exit_code == 2 and "already holds kepu.toml" in again.stderr


# --- how a project is known ------------------------------------------------------------------


@pytest.mark.parametrize("made", [["kepu.toml"], ["data/datapackage.json", "notebooks/a.ipynb"]])
def test_a_project_is_known_from_every_folder_below(made, tmp_path):
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", "utf-8")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "pyproject.toml").write_text("[project", "utf-8")
    assert plan.find_root(tmp_path / "deep" / "down") == tmp_path.resolve()


@pytest.mark.parametrize("made", [["data/datapackage.json"], ["notebooks/a.ipynb", "data/x.csv"]])
def test_half_of_one_is_none(made, tmp_path):
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", "utf-8")
    with pytest.raises(KepuError, match="no kepu project here or in any folder above — change"):
        plan.find_root(tmp_path)


def test_check_says_what_is_no_package_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nowhere = kepu("check")
    assert nowhere.exit_code == 2 and "make one with `kepu new DIR`" in nowhere.stderr
    empty = kepu("check", "--data", str(tmp_path))
    assert empty.exit_code == 2
    assert "is no data package (it has no datapackage.json)" in empty.stderr
    assert "name a folder that has one, or copy" in empty.stderr
    for name in ("nothing", "file"):
        (tmp_path / "file").write_text("", "utf-8")
        found = kepu("check", "--data", name)
        assert found.exit_code == 2 and "Traceback" not in found.output
        assert f"{name}: {'folder is missing' if name == 'nothing' else 'is no folder'}" in (
            found.stderr
        )


def test_a_project_is_named_where_its_package_lies_one_folder_down(own):
    project.scaffold(own)
    found = kepu("check", "--data", str(own))
    assert found.exit_code == 2 and "did you mean its folder data?" in found.stderr


# --- JupyterLab ------------------------------------------------------------------------------


def test_lab_opens_the_project_on_its_first_notebook(own):
    project.scaffold(own)
    started = cli_import.command(own, ["--no-browser"])
    assert started[:3] == [sys.executable, "-m", "jupyterlab"]
    assert started[3:] == [
        f"--ServerApp.root_dir={own}", "--no-browser", str(own / "notebooks/region_report.ipynb"),
    ]  # fmt: skip
    (own / "notebooks" / "00_welcome.ipynb").write_text("{}", "utf-8")
    assert cli_import.command(own, [])[-1].endswith("00_welcome.ipynb")


def test_lab_without_jupyterlab_tells_what_to_install(own, monkeypatch):
    project.scaffold(own)
    monkeypatch.chdir(own)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = kepu("lab")
    assert refused.exit_code == 2 and "-m pip install jupyterlab" in refused.stderr


def test_lab_ends_with_the_code_of_what_it_started(own, monkeypatch):
    project.scaffold(own)
    monkeypatch.chdir(own)
    ended = [sys.executable, "-c", "raise SystemExit(7)"]
    monkeypatch.setattr(cli_import, "command", lambda root, options: ended)
    assert kepu("lab").exit_code == 7


# --- the cause of a failure is told as itself, once -------------------------------------------


def test_a_study_that_cannot_be_made_is_not_tried_again(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KEPU_CACHE", str(tmp_path))
    monkeypatch.setattr(study, "_failed", {})
    tried = []

    def broken(*given, **named):
        tried.append(named)
        raise KeyError("fund")

    monkeypatch.setattr(study, "build", broken)
    with pytest.raises(KeyError, match="fund"):
        study.hold(dataset, draws=123, seed=4)
    with pytest.raises(KeyError, match="fund"):
        study.load_study(dataset, draws=123, seed=4)
    assert tried == [{"draws": 123, "seed": 4}]
    with pytest.raises(KeyError, match="fund"):  # others are tried
        study.load_study(dataset, draws=124, seed=4)
    assert len(tried) == 2


def test_reports_that_failed_for_one_cause_are_told_together():
    ids = [f"{n}_zh" for n in range(9)]
    outcomes = [Outcome(name, FAILED, 1.0, "KeyError: 'fund'") for name in ids]
    outcomes += [Outcome("a_zh", MADE, 1.0), Outcome("b_zh", FAILED, 1.0, "DataError: no n")]
    assert making.failures(outcomes) == [
        "0_zh, 1_zh, 2_zh, 3_zh, 4_zh, 5_zh and 3 more: KeyError: 'fund'",
        "b_zh: DataError: no n",
    ]
    causes: dict[str, str] = {}
    assert [making.told(outcome, causes) for outcome in outcomes[-4:]] == [
        "7_zh failed in 1.0 s: KeyError: 'fund'", "8_zh failed in 1.0 s, as 7_zh",
        "a_zh made in 1.0 s", "b_zh failed in 1.0 s: DataError: no n",
    ]  # fmt: skip


class CellError(Exception):
    def __init__(self, ename: str, *frames: str):
        self.ename, self.evalue = ename, "'fund'"
        self.traceback = [f"\x1b[36mFile \x1b[39m\x1b[32m{frame}, in f(x)" for frame in frames]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CellError("KeyError", "/x/evaluation/study.py:9", "/y/pandas/core.py:7"),
         "KeyError: 'fund', in study.py, line 9"),
        (CellError("KeyError", "/y/pandas/core.py:7"), "KeyError: 'fund'"),
        (CellError("KepuError", "/x/evaluation/study.py:9"), "KepuError: 'fund'"),
    ],
)  # fmt: skip
def test_an_error_nobody_foresaw_tells_where_it_was_raised(error, expected):
    assert worker.describe(error, 9.0) == expected


BREAK = """
import importlib.abc, importlib.util, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "evaluation.study":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def broken(module):
            load(module)
            def build(*given, **named):
                raise KeyError("fund")
            module.build = build

        spec.loader.exec_module = broken
        return spec

sys.meta_path.insert(0, Finder())
"""


def test_a_batch_whose_study_breaks_tells_the_cause_once_and_tries_no_report_twice(own, tmp_path):
    project.scaffold(own)
    (tmp_path / "break").mkdir()
    (tmp_path / "break" / "sitecustomize.py").write_text(BREAK, "utf-8")
    place = os.pathsep.join([str(tmp_path / "break"), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-c", "from evaluation.batch.entry import main; main()",
         "batch", "all", "--only", "150100", "--set", "draws=99"],
        cwd=own, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": place, "KEPU_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    cause = r"KeyError: 'fund', in study.py, line \d+"
    assert done.returncode == 1, done.stdout + done.stderr
    ends = r"\[1/2\] 150100_(zh|en)_?\S* failed in \S+ s: " + cause
    assert re.search(ends, done.stdout)
    assert re.search(r"\[2/2\] 150100_(zh|en) failed in \S+ s, as 150100_(zh|en)", done.stdout)
    assert re.search(rf"^failed: 150100_zh, 150100_en: {cause}$", done.stdout, re.M)
    assert len(re.findall("fund", done.stdout)) == 2 and done.stderr == ""
    listed = json.loads((own / "reports/out/manifest.json").read_text("utf-8"))["reports"]
    assert [(e["status"], e["attempts"]) for e in listed] == [(FAILED, 1)] * 2
