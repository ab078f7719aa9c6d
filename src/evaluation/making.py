"""What the commands that make reports have in common: folders, choices, plan, run, summary."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import typer

from evaluation import data as packages
from evaluation import files, keys, parameters, plan, project, runner, screen, store
from evaluation.front import Boundaries, boundaries
from evaluation.plan import Job
from evaluation.state import State
from evaluation.worker import FAILED


@dataclass(frozen=True)
class Folders:
    """The folders of one command."""

    data: Path
    notebooks: Path
    out: Path


@dataclass(frozen=True)
class Options:
    """How a command is to run; see :class:`evaluation.runner.Run` for what is not said here.

    ``dry_run`` shows the plan and stops, ``explain`` says of each report why it is made, ``quiet``
    says only what failed. ``boundaries`` is a GeoJSON file with an approved map, ``approval`` its
    number.
    """

    workers: int | None = None
    timeout: float = 300.0
    fresh: bool = False
    scheduler: str = ""
    store: str = ""
    boundaries: Path | None = None
    approval: str = ""
    dry_run: bool = False
    explain: bool = False
    quiet: bool = False


def folders(data: Path | None, notebooks: Path | None, out: Path | None) -> Folders:
    """Complete the folders a person gave by those of the project found from here."""
    given = (data, notebooks, out)
    root = Path() if None not in given else project.find_root()
    defaults = (root / "data", root / "notebooks", root / "reports" / "out")
    return Folders(*(own or default for own, default in zip(given, defaults, strict=True)))


def make(raw: Any, place: Folders, choice: Mapping[str, Any], options: Options) -> bool:
    """Plan and, unless this is a dry run, make the reports; give whether none failed.

    Parameters
    ----------
    raw : the mapping a batch file holds.
    place : where to read and write.
    choice : ``file``, ``only``, ``languages``, ``formats`` and ``overrides`` of
        :func:`evaluation.plan.make_plan`.
    """
    jobs, how = _plan(raw, place, choice, options)
    if how.state.implausible and not options.quiet:
        typer.echo(
            f"{how.state.implausible:,} figures look implausible and nobody has confirmed them — "
            "`kepu check` names them",
            err=True,
        )
    console = screen.console()
    if options.explain:
        console.print(screen.explanation(jobs, runner.reasons(jobs, how)))
    elif options.dry_run:
        console.print(screen.plan_table(jobs))
    if options.dry_run:
        return True
    begun = time.monotonic()
    with screen.progress(console, len(jobs), quiet=options.quiet) as watch:
        outcomes = runner.run(jobs, how, watch)
    screen.summary(console, outcomes, place.out, time.monotonic() - begun, quiet=options.quiet)
    return all(outcome.status != FAILED for outcome in outcomes)


def _plan(
    raw: Any, place: Folders, choice: Mapping[str, Any], options: Options
) -> tuple[Sequence[Job], runner.Run]:
    """Plan against the checked data and the notebooks as they are now."""
    dataset = store.load(place.data)
    root = place.notebooks.resolve().parent
    state = State(
        data=project.data_label(place.data, place.notebooks, root),
        data_hash=dataset.hash,
        commit=project.commit(root),
        date=today().isoformat(),
        simulated=dataset.simulated,
        implausible=_implausible(dataset),
    )
    filled = {key: getattr(state, key) for key in ("data", "data_hash", "commit", "date")}
    notebooks = project.read_notebooks(place.notebooks)
    jobs = plan.make_plan(
        raw, dataset, notebooks, filled=filled, simulated=dataset.simulated, **choice
    )
    how = runner.Run(
        place.out, place.notebooks, place.data, state,
        key=keys.keyed(dataset, place.notebooks, state.date),
        studies=plan.studies(jobs, notebooks),
        workers=options.workers,
        timeout=options.timeout,
        fresh=options.fresh,
        scheduler=options.scheduler,
        store=options.store,
        boundaries=_boundaries(options),
    )  # fmt: skip
    return jobs, how


def _boundaries(options: Options) -> Boundaries | None:
    """Read a user's own map; regions are matched by ``adcode``."""
    if options.boundaries is None:
        return None
    drawn = files.read_json(options.boundaries, files.LARGEST["map"], "GeoJSON file")
    return boundaries(drawn, approval=options.approval)


def _implausible(dataset: packages.Dataset) -> int:
    """Count the odd figures nobody has confirmed, once for each state of data and rules."""
    from evaluation import plausible

    counted = partial(plausible.unconfirmed, dataset)
    return store.remembered("plausible", dataset.hash, counted, plausible.__name__)


def today() -> date:
    """The day a run tells: that of ``SOURCE_DATE_EPOCH`` where this is set, for equal builds.

    Raises
    ------
    KepuError : the variable is no number of seconds.
    """
    fixed = parameters.build_time()
    return date.today() if fixed is None else fixed.date()
