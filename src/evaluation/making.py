"""What the commands that make reports have in common: folders, choices, plan, run, summary."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from evaluation import data as packages
from evaluation import project, runner, screen
from evaluation.errors import KepuError
from evaluation.plan import Job, make_plan


@dataclass(frozen=True)
class Folders:
    """The folders of one command."""

    data: Path
    notebooks: Path
    out: Path


def folders(data: Path | None, notebooks: Path | None, out: Path | None) -> Folders:
    """Complete the folders a person gave by those of the project found from here."""
    given = (data, notebooks, out)
    root = Path() if None not in given else Path(project.find_root(Path.cwd()))
    defaults = (root / "data", root / "notebooks", root / "reports" / "out")
    return Folders(*(own or default for own, default in zip(given, defaults, strict=True)))


def make(
    raw: Any,
    place: Folders,
    choice: Mapping[str, Any],
    *,
    workers: int | None = None,
    timeout: float = 300.0,
    dry_run: bool = False,
) -> bool:
    """Plan and, unless this is a dry run, make the reports; give whether none failed.

    Parameters
    ----------
    raw : the mapping a batch file holds.
    place : where to read and write.
    choice : ``file``, ``only``, ``languages`` and ``overrides`` of
        :func:`evaluation.plan.make_plan`.
    workers, timeout : see :func:`evaluation.runner.run`.
    dry_run : only show the plan.
    """
    console = screen.console()
    jobs, state = _plan(raw, place, choice)
    if dry_run:
        console.print(screen.plan_table(jobs))
        return True
    begun = time.monotonic()
    with screen.progress(console, len(jobs)) as done:
        outcomes = runner.run(
            jobs,
            place.out,
            notebooks=place.notebooks,
            data=place.data,
            state=state,
            workers=workers,
            timeout=timeout,
            done=done,
        )
    screen.summary(console, outcomes, place.out, time.monotonic() - begun)
    return all(outcome.status != runner.FAILED for outcome in outcomes)


def _plan(
    raw: Any, place: Folders, choice: Mapping[str, Any]
) -> tuple[Sequence[Job], runner.State]:
    """Plan against the checked data and the notebooks as they are now."""
    dataset = packages.load(place.data)
    root = place.notebooks.resolve().parent
    state = runner.State(
        data=project.data_label(place.data, place.notebooks, root),
        data_hash=dataset.hash,
        commit=project.commit(root),
        date=date.today().isoformat(),
        simulated=dataset.simulated,
    )
    filled = {key: getattr(state, key) for key in ("data", "data_hash", "commit", "date")}
    notebooks = project.read_notebooks(place.notebooks)
    jobs = make_plan(raw, dataset, notebooks, filled=filled, simulated=dataset.simulated, **choice)
    return jobs, state


def parts(values: Sequence[str] | None) -> list[str]:
    """Split repeated options and comma-separated ones alike.

    >>> parts(["110000,150000", "overview"])
    ['110000', '150000', 'overview']
    """
    return [part for value in values or [] for part in value.split(",")]


def pairs(texts: Sequence[str] | None) -> dict[str, str]:
    """Read ``key=value`` texts.

    >>> pairs(["draws=99"])
    {'draws': '99'}
    """
    wrong = [text for text in texts or [] if "=" not in text]
    if wrong:
        raise KepuError(f"--set {wrong[0]} has no value — write --set name=value")
    return dict(text.split("=", 1) for text in texts or [])
