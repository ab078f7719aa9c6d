"""What commands that make reports have in common, and what the screen shows."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from evaluation import study
from evaluation.base import cache, files
from evaluation.base.errors import KepuError
from evaluation.batch import plan as project
from evaluation.batch import run
from evaluation.batch.front import Boundaries, boundaries
from evaluation.batch.plan import Job, read_batch
from evaluation.batch.run import Watch
from evaluation.batch.state import CACHED, FAILED, MADE, Outcome, State
from evaluation.data import package

# ------------------------------------------------------------------------------------------
# What ``kepu list`` shows: rows of regions, sets, indicators and batches.


Rows = tuple[Sequence[str], list[tuple[Any, ...]]]


def regions(dataset: Any) -> Rows:
    """Every region with its names, its level and the sets it belongs to."""
    sets = dataset.region_sets.groupby("code")["set"].agg(", ".join)
    rows = [
        (row.code, row.name_zh, row.name_en, row.level, sets.get(row.code, ""))
        for row in dataset.regions.itertuples()
    ]
    return ("code", "zh", "en", "level", "sets"), rows


def sets(dataset: Any) -> Rows:
    """Every set of regions with its size and its first members."""
    grouped = dataset.region_sets.groupby("set", sort=False)["code"]
    rows = [
        (name, len(codes), ", ".join(codes.iloc[:4]) + (" …" if len(codes) > 4 else ""))
        for name, codes in grouped
    ]
    return ("set", "regions", "codes"), rows


def indicators(dataset: Any) -> Rows:
    """Every indicator with its labels, unit and domain."""
    frame = dataset.indicators[["indicator", "label_zh", "label_en", "unit", "domain"]]
    return ("indicator", "zh", "en", "unit", "domain"), list(frame.itertuples(index=False))


def batches(folder: Path) -> Rows:
    """Every batch file with its titles."""
    rows = []
    for path in sorted(folder.glob("*.yml")):
        title = read_batch(path).get("title")
        shown = title if isinstance(title, dict) else {}
        rows.append((path.stem, shown.get("zh", ""), shown.get("en", "")))
    if not rows:
        raise KepuError(f"no batch file in {folder} — write one, see the README")
    return ("batch", "zh", "en"), rows


# ------------------------------------------------------------------------------------------
# What a person sees of a run at the terminal: its plan, its progress, its end.


def plan_table(plan: Sequence[Job]) -> Table:
    """Draw the plan: one row a report."""
    rows = [
        (job.id, job.names[job.language], job.notebook, _parameters(job), f"{job.stem}.html")
        for job in plan
    ]
    return table(("report", "region", "notebook", "parameters", "file"), rows)


def _parameters(job: Job) -> str:
    told = ("region", "language", "data", "data_hash", "commit", "date")
    return ", ".join(f"{k}={v}" for k, v in job.parameters.items() if k not in told)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Draw rows of plain values under their heads."""
    drawn = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        drawn.add_row(*(escape(str(value)) for value in row))
    return drawn


def explanation(plan: Sequence[Job], reasons: Mapping[str, str]) -> Table:
    """Draw why each report is made or left: one row a report."""
    rows = [(job.id, job.names[job.language], reasons[job.id] or "up to date") for job in plan]
    return table(("report", "region", "why"), rows)


@contextlib.contextmanager
def progress(console: Console, total: int, *, quiet: bool = False) -> Iterator[Watch]:
    """Show a live line on a terminal, a line a report elsewhere; when quiet what was noted only."""

    def noted(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if quiet:
        yield Watch(noted=noted)
    elif console.is_terminal:
        with Live(total, console) as live:
            yield Watch(live.begun, live.ended, noted)
    else:
        yield Watch(ended=_lines(console, total), noted=noted)


def _lines(console: Console, total: int) -> Callable[[Outcome], None]:
    counter = itertools.count(1)

    def line(outcome: Outcome) -> None:
        number = f"[{next(counter):>{len(str(total))}}/{total}]"
        console.print(f"{number} {told(outcome)}", markup=False, highlight=False, soft_wrap=True)

    return line


def told(outcome: Outcome) -> str:
    """Say in one line what became of a report."""
    if outcome.status == CACHED:
        return f"{outcome.id} up to date"
    again = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
    error = f": {outcome.error}" if outcome.status == FAILED else ""
    return f"{outcome.id} {outcome.status} in {outcome.seconds:.1f} s{again}{error}"


class Live:
    """One line that changes: how many are done, failed, up to date, how fast, what is under way."""

    def __init__(self, total: int, console: Console):
        columns = (
            BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"),
            TextColumn("[dim]{task.fields[speed]}[/dim]"), TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[current]}[/dim]"),
        )  # fmt: skip
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("", total=total, speed="", current="")
        self._counts: Counter[str] = Counter()
        self._current: dict[str, None] = {}
        self._start = time.monotonic()

    def __enter__(self) -> Live:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(*error)

    def begun(self, job: str) -> None:
        """Show a report as under way."""
        self._current[job] = None
        self._show()

    def ended(self, outcome: Outcome) -> None:
        """Count an outcome; a failure stays on the screen."""
        self._current.pop(outcome.id, None)
        self._counts[outcome.status] += 1
        self._bar.advance(self._task)
        if outcome.status == FAILED:
            self._bar.console.print(told(outcome), markup=False, highlight=False, soft_wrap=True)
        self._show()

    def _show(self) -> None:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self._counts.items()))
        minutes = (time.monotonic() - self._start) / 60
        speed = f"{self._counts[MADE] / minutes:.0f} a minute" if self._counts[MADE] else ""
        current = " ".join(list(self._current)[:4])
        self._bar.update(self._task, description=counts, speed=speed, current=current)


def summary(
    console: Console, outcomes: Sequence[Outcome], out: Path, seconds: float, *, quiet: bool = False
) -> None:
    """Say how a run ended, what failed and why, and what to open; when quiet only what failed."""
    counts = Counter(outcome.status for outcome in outcomes)
    noisy = sum(bool(outcome.warnings) for outcome in outcomes)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    kept = f", {counts[CACHED]} up to date" if counts[CACHED] else ""
    if not quiet:
        say(f"{counts[MADE]} of {len(outcomes)} reports made in {seconds:.1f} s{kept}")
    for outcome in outcomes:
        if outcome.status == FAILED:
            say(f"failed: {outcome.id}: {outcome.error}")
    if counts[FAILED]:
        say(f"their notebooks, as far as they ran, are in {shown(out / 'failed')}")
    if noisy and not quiet:
        say(f"{noisy} gave warnings: see {shown(out / 'manifest.json')}")
    if not quiet:
        say(f"open {shown(out / 'index.html')}")


def shown(path: Path) -> str:
    """Give a path as a person would type it here."""
    try:
        near = os.path.relpath(path)
    except (OSError, ValueError):  # no working folder any more, or another drive
        return str(path)
    return near if not near.startswith(os.path.join("..", "..")) else str(path)


def console() -> Console:
    """Give a console that wraps at a terminal only: piped output keeps its columns."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=200)


# ------------------------------------------------------------------------------------------
# What the commands that make reports have in common: folders, choices, plan, run, summary.


@dataclass(frozen=True)
class Folders:
    """The folders of one command."""

    data: Path
    notebooks: Path
    out: Path


@dataclass(frozen=True)
class Options:
    """How a command is to run; see :class:`evaluation.batch.run.Run` for what is not said here.

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


def make(raw: Any, place: Folders, choice: project.Choice, options: Options) -> bool:
    """Plan and, unless this is a dry run, make the reports; give whether none failed.

    Parameters
    ----------
    raw : the mapping a batch file holds.
    place : where to read and write.
    choice : what a person chose of the batch.
    """
    jobs, how = _plan(raw, place, choice, options)
    console_ = console()
    if options.explain:
        console_.print(explanation(jobs, run.reasons(jobs, how)))
    elif options.dry_run:
        console_.print(plan_table(jobs))
    if options.dry_run:
        return True
    begun = time.monotonic()
    with progress(console_, len(jobs), quiet=options.quiet) as watch:
        outcomes = run.run(jobs, how, watch)
    summary(console_, outcomes, place.out, time.monotonic() - begun, quiet=options.quiet)
    if how.state.implausible and not options.quiet:
        typer.echo(
            f"{how.state.implausible:,} figures look implausible and nobody has confirmed them — "
            "`kepu check` names them",
            err=True,
        )
    return all(outcome.status != FAILED for outcome in outcomes)


def _plan(
    raw: Any, place: Folders, choice: project.Choice, options: Options
) -> tuple[Sequence[Job], run.Run]:
    """Plan against the checked data and the notebooks as they are now."""
    dataset = study.load(place.data)
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
    jobs = project.make_plan(
        raw, dataset, notebooks, choice, filled=filled, simulated=dataset.simulated
    )
    how = run.Run(
        place.out, place.notebooks, place.data, state,
        key=run.keyed(dataset, place.notebooks, state.date),
        studies=project.studies(jobs, notebooks),
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


def _implausible(dataset: package.Dataset) -> int:
    """Count the odd figures nobody has confirmed, once for each state of data and rules."""
    from evaluation.data import plausible

    counted = partial(plausible.unconfirmed, dataset)
    return cache.remembered("plausible", dataset.hash, counted, plausible.__name__)


def today() -> date:
    """The day a run tells: that of ``SOURCE_DATE_EPOCH`` where this is set, for equal builds.

    Raises
    ------
    KepuError : the variable is no number of seconds.
    """
    fixed = files.build_time()
    return date.today() if fixed is None else fixed.date()
