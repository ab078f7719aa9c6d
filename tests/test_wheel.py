"""The wheel alone, in an empty folder: no checkout is needed for a project and its reports."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
PROJECT = """
import shutil
from pathlib import Path
from evaluation.data.office import project
shutil.copytree(project.shipped("data") / "simulated", "own/data")
project.scaffold(Path("own"))
print(project.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel in it; what it depends on is that of these tests."""
    place = tmp_path_factory.mktemp("fresh") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    ours = {str(path) for path in (ROOT / "src", ROOT)}
    paths = [p for p in [*site.getsitepackages(), *sys.path] if "site-packages" in p]
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(dict.fromkeys(paths)), "utf-8")
    assert not ours & set(paths)
    with zipfile.ZipFile(wheel) as content:
        content.extractall(packages)
    (kernels,) = packages.glob("*.data/data/share")
    kernels.rename(place / "share")
    templates = Path("share", "jupyter", "nbconvert")  # data of nbconvert, no module
    (place / templates).symlink_to(Path(sys.prefix, templates).resolve())
    return place


def run(fresh: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    gone = ("PYTHONPATH", "PYTEST_", "VIRTUAL_ENV")
    return subprocess.run(
        [fresh / "bin" / "python", *arguments], cwd=folder, capture_output=True, text=True,
        check=False, env={k: v for k, v in os.environ.items() if not k.startswith(gone)},
    )  # fmt: skip


KEPU = ("-c", "from evaluation.batch.entry import main; main()")


def test_notebooks_data_batches_and_kernel_travel_and_nothing_else_of_the_checkout(wheel):
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
    shipped = {name.removeprefix("evaluation/project/") for name in names if "/project/" in name}
    kept = subprocess.run(
        ["git", "ls-files", "notebooks/*.ipynb", "data", "reports/batches/*.yml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if kept.returncode == 0:  # a copy without git has no such list
        assert shipped == set(kept.stdout.split())
    assert {
        "notebooks/region_report.ipynb",
        "data/regions.csv",
        "reports/batches/all.yml",
    } < shipped
    (kernel,) = [name for name in names if name.endswith("kernel.json") and ".data/" in name]
    assert kernel.endswith(".data/data/share/jupyter/kernels/kepu-warm/kernel.json")
    others = {name.split("/")[0] for name in names}
    assert all(name == "evaluation" or name.startswith("kepu_evaluation-") for name in others)
    assert wheel.stat().st_size < 2_500_000


def test_in_an_empty_folder_the_wheel_makes_a_project_and_its_report(fresh, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    made = run(fresh, folder, "-c", PROJECT)
    assert made.stdout.startswith(str(fresh)), made.stderr
    batch = ("batch", "all", "--only", "150100", "--language", "en", "--set", "draws=99")
    done = run(fresh, folder / "own", *KEPU, *batch, "--format", "html")
    assert "1 of 1 reports made" in done.stdout, done.stdout + done.stderr
    page = (folder / "own/reports/out/150100_en_simulated.html").read_text("utf-8")
    assert re.search(r"<h1[^>]*>[^<]*Hohhot", page)


def test_the_national_workbook_comes_out_of_the_wheel(fresh, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert run(fresh, folder, *KEPU, "workbook", "wb").returncode == 0
    listed = run(fresh, folder / "wb", *KEPU, "list", "batches")
    assert {"all", "smoke"} <= {line.split()[0] for line in listed.stdout.splitlines()}
    assert (folder / "wb/data/facts.csv").read_bytes() == (ROOT / "data/facts.csv").read_bytes()
