"""The ways to install stay in step, and the targets prepare only what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"matplotlib-base": "matplotlib", "python-duckdb": "duckdb"}


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + extras["dev"] + extras["docs"] + extras["test"]
    return {item.name: item for item in map(Requirement, lines)}


def locked() -> dict[str, list[str]]:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE):
        found.setdefault(name, []).append(version)
    return found


def make(*arguments: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_conda_environment_is_in_step_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *lines, pip = environment["dependencies"]
    items = [Requirement(line) for line in [*lines, *pip["pip"]] if line not in ("pip", "-e .")]
    found = {CONDA_NAMES.get(item.name, item.name): str(item.specifier) for item in items}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert found.pop("python") == project["requires-python"]
    assert found == {name: str(item.specifier) for name, item in declared().items()}


def test_lock_holds_every_dependency_within_its_bounds():
    versions = locked()
    for name, item in declared().items():
        assert versions.get(name.lower()), f"{name} is not in requirements.lock: run make lock"
        assert all(item.specifier.contains(v) for v in versions[name.lower()]), name


def test_lock_holds_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|^--|^-e| @ |^#|find-links", text, re.MULTILINE)


@pytest.mark.parametrize(
    "target", ["reports", "test", "lab", "bench", "notebooks", "check", "docs"]
)
def test_every_target_sets_up_what_it_needs(target, tmp_path):
    plan = make("--dry-run", target, f"VENV={tmp_path}").stdout
    assert "--require-hashes -r requirements.lock" in plan
    assert plan.index("requirements.lock") < plan.index(f"{tmp_path}/bin/", plan.index("touch"))


def test_installed_packages_are_not_installed_again(tmp_path):
    (stamp,) = re.findall(r"touch (\S+)", make("--dry-run", "setup", f"VENV={tmp_path}").stdout)
    Path(stamp).touch()
    assert make("--question", "setup", f"VENV={tmp_path}").returncode == 0


def test_an_old_python_is_refused_with_the_remedy(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    assert "Python 3.11 or later is needed" in done.stdout
    assert "make PYTHON=" in done.stdout
    missing = make("setup", "PYTHON=no-such-python", f"VENV={tmp_path / 'venv'}")
    assert "No no-such-python found" in missing.stdout
    assert not (tmp_path / "venv").exists()


def test_ci_runs_the_command_the_readme_tells():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").rstrip().endswith("\nmake test")
