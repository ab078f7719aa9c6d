"""Whatever a package, a batch file, an option or a folder of reports holds, a command answers.

Each example spoils one of them at random and runs the command line on it: it ends with exit code
0, 1 or 2, in bounded time and memory, with a message and without a traceback, and changes nothing
outside the folder of the run. ``KEPU_FUZZ`` sets the number of examples (60; `make fuzz` 3,000),
``KEPU_FUZZ_SEED`` the seed, which a failing test prints.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz import mutations, sandbox

EXAMPLES = int(os.environ.get("KEPU_FUZZ", "60"))
# `make test` repeats itself; `make fuzz` takes another seed each time, one for all processes.
SEED = int(os.environ.get("KEPU_FUZZ_SEED", "20261126"))
COMMANDS = (
    ["check", "--data", "data"],
    ["check", "--data", "data"],
    ["batch", "one.yml", "--data", "data", "--notebooks", "notebooks", "--out", "out", "--dry-run"],
    ["list", "regions", "--data", "data"],
    ["list", "sets", "--data", "data"],
    ["estimate", "--data", "data", "--draws", "99"],
)
BATCH = ["batch", "one.yml", "--data", "data", "--notebooks", "notebooks", "--out", "out"]


print(f"\nfuzz: {EXAMPLES:,} examples, KEPU_FUZZ_SEED={SEED}", file=sys.__stderr__)


def fuzzed(share: float):
    """Settings of a test that takes ``share`` of the examples; the seed makes it repeatable."""

    def decorate(test):
        chosen = settings(
            max_examples=max(2, round(EXAMPLES * share)),
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        return seed(SEED)(chosen(test))

    return decorate


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A project whose one report has been made; every example starts from a copy."""
    root = tmp_path_factory.mktemp("template")
    sandbox.build(root)
    ending = sandbox.run(root, BATCH)
    assert ending.code == 0, ending.printed
    return root


def play(template: Path, spoil, arguments: Sequence[str]) -> sandbox.Ending:
    """Spoil a copy of the template, run a command in it, and hold it to what is promised."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "a"
        shutil.copytree(template, root, symlinks=True)
        spoil(root / "work")
        before = sandbox.snapshot(root)
        ending = sandbox.run(root, arguments)
        after = sandbox.snapshot(root)
    where = f"KEPU_FUZZ_SEED={SEED}: kepu {' '.join(map(str, arguments))}\n{ending.printed[-3000:]}"
    assert ending.code in (0, 1, 2), f"exit code {ending.code}, {where}"
    assert "Traceback" not in ending.printed, where
    assert ending.code == 0 or ending.printed.strip(), f"no message, {where}"
    assert after == before, f"changed {set(after.items()) ^ set(before.items())}, {where}"
    assert ending.megabytes < sandbox.MEMORY, f"{ending.megabytes:.0f} MB, {where}"
    return ending


@fuzzed(0.6)
@given(mutations.package_mutations, st.sampled_from(COMMANDS))
def test_any_package_is_read_or_refused(template, changes, arguments):
    play(template, lambda work: mutations.spoil(work / "data", changes), arguments)


@fuzzed(0.2)
@given(mutations.batch_texts, st.booleans())
def test_any_batch_file_is_planned_or_refused(template, batch, explain):
    def spoil(work: Path) -> None:
        (work / "one.yml").write_text(mutations.yaml_text(batch), "utf-8", errors="replace")

    ending = play(template, spoil, [*BATCH, "--explain" if explain else "--quiet", "--dry-run"])
    assert ending.code == 0 or "one.yml" in ending.printed, ending.printed


@fuzzed(0.15)
@given(
    mutations.option_lists,
    st.sampled_from(["batch", "report", "list", "estimate", "scenario", "check"]),
)
def test_any_option_is_taken_or_refused(template, options, command):
    first = {"batch": ["one.yml"], "report": ["150000"], "list": [], "scenario": ["150000"]}
    flags = ("--dry-run", "--quiet", "--explain", "--fresh")
    given_ = [
        part for name, text in options for part in ([name] if name in flags else [name, text])
    ]
    given_ = [part.replace("\x00", "") for part in given_]  # no system passes a NUL to a program
    place = ["--notebooks", "notebooks", "--out", "out", "--dry-run"]
    ending_ = place if command in ("batch", "report") else []
    arguments = [command, *first.get(command, []), *given_, "--data", "data", *ending_]
    play(template, lambda work: None, arguments)


@fuzzed(0.05)
@given(mutations.state_mutations)
def test_a_batch_goes_on_from_any_state(template, changes):
    ending = play(template, lambda work: mutations.spoil_state(work / "out", changes), BATCH)
    assert ending.code == 0 or "out" in ending.printed, ending.printed
