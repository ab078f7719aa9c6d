"""The command line: exit codes, messages on the right stream, and what a person is told next."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

import evaluation.data.package
from evaluation.base.errors import DataError, Violation
from evaluation.batch import cli
from evaluation.batch import run as runner
from evaluation.batch.state import FAILED, MADE, Outcome
from evaluation.data import contract

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ("--notebooks", "notebooks", "--out", "out", "--data", "data")


@pytest.fixture
def project(tmp_path, monkeypatch, dataset) -> Path:
    """A folder with two report notebooks, in which the command runs on the shipped data."""
    (tmp_path / "notebooks").mkdir()
    for name, own in (("region_report", "region"), ("overview", "region_set")):
        source = f'{own}: str = "x"\nlanguage: str = "zh"\ndata: str = "d"\ndraws: int = 9'
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": spec})
        nbformat.write(book, tmp_path / "notebooks" / f"{name}.ipynb")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "kepu-evaluation"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluation.data.package, "load", lambda path: dataset)
    return tmp_path


@pytest.fixture
def kernels(monkeypatch):
    """Stand in for the run itself: report 150100 fails, all others are made."""
    seen = []

    def run(plan, how, watch):
        seen.append((plan, how))
        outcomes = [
            Outcome(job.id, FAILED, 1.0, "ValueError: no survey")
            if job.region == "150100"
            else Outcome(job.id, MADE, 1.0)
            for job in plan
        ]
        for outcome in outcomes:
            watch.ended(outcome)
        return outcomes

    monkeypatch.setattr(runner, "run", run)
    return seen


def kepu(*arguments: str):
    return CliRunner().invoke(cli.app, arguments)


def test_everything_made_exits_0_and_says_what_to_open(project, kernels):
    result = kepu("report", "150000", "--language", "both")
    assert result.exit_code == 0
    assert "2 of 2 reports made" in result.stdout
    assert "open reports/out/index.html" in result.stdout
    assert [job.stem for job in kernels[0][0]] == ["150000_zh", "150000_en"]


def test_some_failed_exits_1_and_names_them(project, kernels):
    batch = project / "mine.yml"
    batch.write_text(
        "notebook: region_report\nregions: [150000, 150100]\nlanguages: [en]\n", "utf-8"
    )
    result = kepu("batch", "mine.yml", *FOLDER)
    assert result.exit_code == 1
    assert "1 of 2 reports made" in result.stdout
    assert "failed: 150100_en: ValueError: no survey" in result.stdout
    assert "open out/index.html" in result.stdout


def test_dry_run_shows_the_plan_and_starts_nothing(project, kernels):
    result = kepu("report", "overview", "--dry-run", "--set", "draws=99", *FOLDER)
    assert result.exit_code == 0
    assert "overview_zh.html" in result.stdout and "draws=99" in result.stdout
    assert kernels == [] and not (project / "out").exists()


def test_options_reach_the_run(project, kernels):
    (project / "b.yml").write_text("notebook: region_report\nregion_set: provinces\n", "utf-8")
    arguments = ("--only", "110000,150000", "--language", "zh", "--workers", "3", "--timeout", "9")
    assert kepu("batch", "b.yml", *arguments, *FOLDER).exit_code == 0
    plan, how = kernels[0]
    assert [job.id for job in plan] == ["110000_zh", "150000_zh"]
    assert (how.out, how.workers, how.timeout) == (Path("out"), 3, 9.0)


def test_own_boundaries_reach_the_run_and_need_their_approval(project, kernels):
    ring = [[110, 40], [112, 40], [112, 42], [110, 40]]
    square = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"adcode": "150100"}, "geometry": square}
    drawn = {"type": "FeatureCollection", "features": [feature]}
    (project / "map.json").write_text(json.dumps(drawn), "utf-8")
    (project / "b.yml").write_text("notebook: region_report\nregions: [150000]\n", "utf-8")
    refused = kepu("batch", "b.yml", "--boundaries", "map.json", *FOLDER)
    assert refused.exit_code == 2 and "approval number" in refused.output
    arguments = ("--boundaries", "map.json", "--approval", "GS(2024)1")
    assert kepu("batch", "b.yml", *arguments, *FOLDER).exit_code == 0
    assert kernels[0][1].boundaries.approval == "GS(2024)1"
    missing = kepu("batch", "b.yml", "--boundaries", "none.json", "--approval", "x", *FOLDER)
    assert missing.exit_code == 2 and "none.json does not exist" in missing.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("report", "159999"), "regions: '159999' is no region code"),
        (("report", "150000", "--set", "drws=1"), "'drws' is unknown (allowed: draws)"),
        (("report", "150000", "--set", "draws"), "--set draws has no value"),
        (("report", "150000", "--language", "fr"), "'fr'"),
        (("report", "150000", "--notebooks", "none"), "none is no folder"),
        (("batch", "none.yml"), "none.yml does not exist"),
        (("batch", "none"), "none.yml does not exist"),
        (("batch", "broken.yml"), "broken.yml is no YAML"),
        (("list", "cities"), "'cities'"),
        (("frobnicate",), "No such command"),
    ],
)
def test_bad_input_exits_2_with_a_message_and_no_traceback(arguments, expected, project, kernels):
    (project / "broken.yml").write_text("a: [", "utf-8")
    result = kepu(*arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.output and kernels == []


def test_outside_a_project_the_remedy_is_told(project, monkeypatch):
    (project / "pyproject.toml").unlink()
    result = kepu("list", "batches")
    assert result.exit_code == 2
    assert "change into the project folder" in result.stderr


def test_check_prints_every_violation(project, monkeypatch):
    found = [Violation("facts.csv", row, "value", "odd", "mend it") for row in (2, 9)]

    def refuse(path):
        raise DataError(found)

    monkeypatch.setattr(evaluation.data.package, "load", refuse)
    result = kepu("check")
    assert result.exit_code == 2
    assert "facts.csv, row 2, column value: odd — mend it" in result.stderr
    assert "facts.csv, row 9" in result.stderr


def test_check_sums_up_a_sound_package(project, dataset):
    result = kepu("check", "--data", "data")
    assert result.exit_code == 0
    first, second, *_ = result.stdout.splitlines()
    assert first.endswith(f"{sum(dataset.counts().values()):,} rows")
    assert second == "models compare 31 provinces:"


def test_lists_show_codes_and_both_names(project):
    shipped = ("--data", str(ROOT / "data"))
    regions = kepu("list", "regions", *shipped).stdout
    (line,) = [line for line in regions.splitlines() if line.startswith("150100")]
    assert "呼和浩特市" in line and "Hohhot" in line and "inner_mongolia_leagues" in line
    assert "provinces" in kepu("list", "sets", *shipped).stdout
    assert "science_literacy_rate" in kepu("list", "indicators", *shipped).stdout


def test_a_state_that_was_checked_is_checked_by_no_command_again(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    shutil.copytree(ROOT / "data" / "simulated", folder)
    assert kepu("list", "--data", str(folder)).exit_code == 0

    def again(package):
        raise DataError([Violation("facts.csv", 2, "value", "was checked", "mend it")])

    monkeypatch.setattr(contract, "breaches", again)
    estimated = ("estimate", "--model", "mean_gain", "--draws", "99")
    for command in (("check",), ("list", "sets"), estimated):
        assert kepu(*command, "--data", str(folder)).exit_code == 0
    regions = folder / "regions.csv"
    regions.write_text(regions.read_text("utf-8").replace("Inner Mongolia", "Changed"), "utf-8")
    for command in (("check",), ("list",), estimated):
        found = kepu(*command, "--data", str(folder))
        assert found.exit_code == 2 and "was checked" in found.stderr


def test_the_installed_command_lists_the_shipped_batches():
    command = [Path(sys.executable).with_name("kepu"), "list", "batches"]
    done = subprocess.run(command, cwd=ROOT / "src", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} >= {"all", "smoke", "leagues"}


def test_version():
    result = kepu("--version")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "kepu")
