"""A change of a notebook can be read: metadata is clean, and git knows notebooks from text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def clean() -> list[str]:
    """The command of the hook, with the tool of this interpreter's environment."""
    tool = shutil.which("nb-clean", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("nb-clean is not installed: pip install -e '.[dev]'")
    hooks = {hook["id"]: hook["entry"] for repo in HOOKS for hook in repo["hooks"]}
    return [tool, *hooks["notebook-metadata"].split()[1:]]


def test_hooks_fetch_nothing_and_run_what_setup_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    installed = " ".join(part for extra in project["optional-dependencies"].values()
                         for part in extra)  # fmt: skip
    for repo in HOOKS:
        assert repo["repo"] == "local"
        for hook in repo["hooks"]:
            tool = re.match(r"\.venv/bin/([\w-]+) ", hook["entry"])
            assert hook["language"] == "system" and tool and tool[1] in installed


def test_stored_notebooks_are_as_the_hook_leaves_them(clean):
    """If not: `pre-commit run --all-files`, or `make notebooks`."""
    check = ["check" if part == "clean" else part for part in clean]
    done = subprocess.run([*check, *NOTEBOOKS], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


def test_the_hook_keeps_outputs_counts_and_tags_and_drops_what_a_run_leaves(clean, tmp_path):
    path = tmp_path / "a.ipynb"
    before = NOTEBOOKS[0].read_text("utf-8")
    path.write_text(
        before.replace('"pygments_lexer"', '"version": "9.9",\n   "pygments_lexer"'), "utf-8"
    )
    assert path.read_text("utf-8") != before
    subprocess.run([*clean, path], check=True)
    assert path.read_text("utf-8") == before


def test_git_compares_notebooks_cell_by_cell():
    asked = ["git", "check-attr", "diff", "merge", "--", "notebooks/02_literacy.ipynb"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.count("jupyternotebook") == 2
