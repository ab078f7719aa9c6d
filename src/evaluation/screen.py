"""What a person sees of a run at the terminal: its plan, its progress, its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from evaluation.plan import Job
from evaluation.worker import FAILED, Outcome


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


@contextlib.contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[Outcome], None]]:
    """Show a bar on a terminal, plain lines elsewhere; give what to call with each outcome."""
    count = 0

    def line(outcome: Outcome) -> None:
        nonlocal count
        count += 1
        what = f"{outcome.status} in {outcome.seconds:.1f} s"
        text = f"[{count:>{len(str(total))}}/{total}] {outcome.id} {what}"
        if outcome.status == FAILED:
            text += f": {outcome.error}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield line
        return
    columns = (TextColumn("reports"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("reports", total=total)

        def step(outcome: Outcome) -> None:
            bar.advance(task)
            line(outcome)

        yield step


def summary(console: Console, outcomes: Sequence[Outcome], out: Path, seconds: float) -> None:
    """Say how a run ended, what failed and why, and what to open."""
    failed = [outcome for outcome in outcomes if outcome.status == FAILED]
    made, noisy = len(outcomes) - len(failed), sum(bool(o.warnings) for o in outcomes)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{made} of {len(outcomes)} reports made in {seconds:.0f} s")
    for outcome in failed:
        say(f"failed: {outcome.id}: {outcome.error}")
    if failed:
        say(f"their notebooks, as far as they ran, are in {shown(out / 'failed')}")
    if noisy:
        say(f"{noisy} gave warnings: see {shown(out / 'manifest.json')}")
    say(f"open {shown(out / 'index.html')}")


def shown(path: Path) -> str:
    """Give a path as a person would type it here."""
    near = os.path.relpath(path)
    return near if not near.startswith(os.path.join("..", "..")) else str(path)


def console() -> Console:
    """Give a console that wraps at a terminal only: piped output keeps its columns."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=200)
