"""What the screen shows: lists, the plan of a run, its progress and its end."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from evaluation.base.errors import KepuError
from evaluation.batch.plan import Job, read_batch
from evaluation.batch.state import CACHED, FAILED, MADE, Outcome

if TYPE_CHECKING:
    from evaluation.batch.run import Watch

# ------------------------------------------------------------------------------------------
# What ``kepu list`` shows: rows of regions, sets, indicators and batches.


LONG = 500  # rows of a table
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


def plan_table(plan: Sequence[Job]) -> Table | Text:
    """Draw the plan: one row a report."""
    rows = [
        (job.id, job.names[job.language], job.notebook, _parameters(job), f"{job.stem}.html")
        for job in plan
    ]
    return table(("report", "region", "notebook", "parameters", "file"), rows)


def _parameters(job: Job) -> str:
    told = ("region", "language", "data", "data_hash", "commit", "date")
    return ", ".join(f"{k}={v}" for k, v in job.parameters.items() if k not in told)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table | Text:
    """Draw rows of plain values under their heads; thousands of them without wrapping."""
    if len(rows) > LONG:
        return _columns(heads, rows)
    drawn = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        drawn.add_row(*(escape(str(value)) for value in row))
    return drawn


def _columns(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Text:
    """Columns as wide as their widest cell; a table of rich takes seconds for a thousand rows."""
    cells = [list(heads), *([str(value) for value in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        pairs = zip(row, widths, strict=True)
        lines.append("  ".join(text + " " * (width - cell_len(text)) for text, width in pairs))
    return Text("\n".join(line.rstrip() for line in lines), no_wrap=True, overflow="ignore")


def explanation(plan: Sequence[Job], reasons: Mapping[str, str]) -> Table | Text:
    """Draw why each report is made or left: one row a report."""
    rows = [(job.id, job.names[job.language], reasons[job.id] or "up to date") for job in plan]
    return table(("report", "region", "why"), rows)


@contextlib.contextmanager
def progress(console: Console, total: int, *, quiet: bool = False) -> Iterator[Watch]:
    """Show a live line on a terminal, a line a report elsewhere; when quiet what was noted only."""
    from evaluation.batch.run import Watch  # slow to import, and lists are made here too

    noted = partial(_say, console)
    if quiet:
        yield Watch(noted=noted)
    elif console.is_terminal:
        with Live(total, console) as live:
            yield Watch(live.begun, live.ended, noted)
    else:
        yield Watch(ended=_lines(console, total), noted=noted)


def _say(console: Console, text: str) -> None:
    """Print a line as it is: what stands in brackets is no markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _lines(console: Console, total: int) -> Callable[[Outcome], None]:
    counter, causes = itertools.count(1), {}

    def line(outcome: Outcome) -> None:
        number = f"[{next(counter):>{len(str(total))}}/{total}]"
        _say(console, f"{number} {told(outcome, causes)}")

    return line


def told(outcome: Outcome, causes: dict[str, str]) -> str:
    """Say in one line what became of a report.

    ``causes`` holds the first report each cause was told of; for others that one is named.
    """
    if outcome.status == CACHED:
        return f"{outcome.id} up to date"
    again = f", attempt {outcome.attempts}" if outcome.attempts > 1 else ""
    error = ""
    if outcome.status == FAILED:
        first = causes.setdefault(outcome.error, outcome.id)
        error = f": {outcome.error}" if first == outcome.id else f", as {first}"
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
        self._causes: dict[str, str] = {}
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
            _say(self._bar.console, told(outcome, self._causes))
        self._show()

    def _show(self) -> None:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self._counts.items()))
        minutes = (time.monotonic() - self._start) / 60
        speed = f"{self._counts[MADE] / minutes:.0f} a minute" if self._counts[MADE] else ""
        current = " ".join(list(self._current)[:4])
        self._bar.update(self._task, description=counts, speed=speed, current=current)


MOST_NAMED = 6  # reports that failed for one cause


def summary(
    console: Console, outcomes: Sequence[Outcome], out: Path, seconds: float, *, quiet: bool = False
) -> None:
    """Say how a run ended, what failed and why, and what to open; when quiet only what failed."""
    counts = Counter(outcome.status for outcome in outcomes)
    noisy = sum(bool(outcome.warnings) for outcome in outcomes)
    say = partial(_say, console)
    kept = f", {counts[CACHED]} up to date" if counts[CACHED] else ""
    if not quiet:
        say(f"{counts[MADE]} of {len(outcomes)} reports made in {seconds:.1f} s{kept}")
    for line in failures(outcomes):
        say(f"failed: {line}")
    if counts[FAILED]:
        say(f"their notebooks, as far as they ran, are in {shown(out / 'failed')}")
    if noisy and not quiet:
        say(f"{noisy} gave warnings: see {shown(out / 'manifest.json')}")
    if not quiet:
        say(f"open {shown(out / 'index.html')}")


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each cause: which reports it ended, and what it is."""
    ended: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status == FAILED:
            ended.setdefault(outcome.error, []).append(outcome.id)
    lines = []
    for error, ids in ended.items():
        more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
        lines.append(f"{', '.join(ids[:MOST_NAMED])}{more}: {error}")
    return lines


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
