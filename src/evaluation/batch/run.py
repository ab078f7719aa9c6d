"""One run: which reports of a plan are made, here or on workers, and what is told of it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.base import cache, files
from evaluation.base.errors import KepuError, shown
from evaluation.batch import keys, state
from evaluation.batch import state as remote
from evaluation.batch.front import Boundaries
from evaluation.batch.plan import Job
from evaluation.batch.state import Known, Outcome, Record, State
from evaluation.batch.worker import Launcher, Task, attempt, hidden

# ------------------------------------------------------------------------------------------
# Reports made by this machine: as many at once as asked for, each in a process of its own.


def outcomes(
    tasks: Sequence[Task],
    *,
    workers: int,
    prepare: Mapping[str, Any],
    begun: Callable[[str], None],
    noted: Callable[[str], None] = lambda text: None,
) -> Iterator[Outcome]:
    """Yield outcomes as they arrive; the files of each lie in the folder of its task.

    Parameters
    ----------
    workers : reports made at once.
    prepare : see :class:`evaluation.batch.worker.Launcher`.
    begun : called with the id of each report as it is started, from any thread.
    noted : called once where every report pays for a fresh interpreter.
    """
    with (
        files.folder("run-") as jupyter,
        contextlib.closing(Launcher(jupyter, prepare)) as launcher,
        ThreadPoolExecutor(min(workers, len(tasks))) as pool,
    ):
        if launcher.notice:
            noted(f"each report starts an interpreter of its own: {launcher.notice}")

        def one(task: Task) -> Outcome:
            begun(task.job.id)
            return attempt(task, launcher)

        futures = [pool.submit(one, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # interrupted: end the reports under way instead of waiting for them
            pool.shutdown(wait=False, cancel_futures=True)
            launcher.close()


# ------------------------------------------------------------------------------------------
# Run a plan: make what is not there yet, file it whole, and leave a true record of the folder.


@dataclass(frozen=True)
class Run:
    """How to run a plan.

    Attributes
    ----------
    out : folder of the reports; made where missing. Reports of other regions in it stay.
    notebooks : folder of the notebooks, the working directory of their kernels.
    data : folder of the data package.
    state : recorded in the manifest.
    key : hashes a report rests on, see :func:`evaluation.batch.keys.keyed`.
    studies : draws and seed of each study to have ready, see :func:`evaluation.batch.plan.studies`.
    workers : reports made at once; half as many again as processors where ``None``.
    timeout : seconds one report may take.
    fresh : make every report again, whatever is there.
    scheduler : address of a Dask scheduler whose workers make the reports.
    boundaries : a user's own map for the front page, ``None`` for tiles.
    store : address, of any kind fsspec knows, the files are kept at in place of ``out``.
    """

    out: Path
    notebooks: Path
    data: Path
    state: State
    key: Callable[[Job], Mapping[str, str]]
    studies: Sequence[tuple[int, int]] = ()
    workers: int | None = None
    timeout: float = 300.0
    fresh: bool = False
    scheduler: str = ""
    store: str = ""
    boundaries: Boundaries | None = None


@dataclass
class Watch:
    """What a run tells as it goes: the id of a report begun, its outcome, a word on the run."""

    begun: Callable[[str], None] = lambda job: None
    ended: Callable[[Outcome], None] = lambda outcome: None
    noted: Callable[[str], None] = lambda text: None


def reasons(plan: Sequence[Job], run: Run) -> dict[str, str]:
    """Say for each job why it must be made, ``""`` where what is in the folder is still true."""
    return _reasons(plan, run, state.read(run.out))


def _reasons(plan: Sequence[Job], run: Run, known: Known) -> dict[str, str]:
    if run.fresh:
        return {job.id: "asked for by --fresh" for job in plan}
    return {
        job.id: keys.reason(job, run.key(job), known.entries.get(job.stem), run.out) for job in plan
    }


def run(plan: Sequence[Job], how: Run, watch: Watch | None = None) -> list[Outcome]:
    """Make every report of ``plan`` that is not there yet, with manifest, index and log of events.

    SIGTERM and SIGHUP end a run as Ctrl-C does: what it started is ended, and its temporary
    folders are removed.

    Parameters
    ----------
    plan : jobs of :func:`evaluation.batch.plan.make_plan`.

    Returns
    -------
    list of Outcome, in the order of the plan.

    Raises
    ------
    KepuError : when another run writes into the folder, it cannot be written, or files are in the
        way that no run made.
    """
    watch = watch or Watch()
    if how.store:
        remote.check(how.store)
    with _ended_by_signals(), remote.locked(how.out), _told(how.out):
        known = remote.read(how.out)
        why = _reasons(plan, how, known)
        due = [job for job in plan if why[job.id]]
        with remote.opened(how.out, known, due, watch.noted) as folder:
            record = Record(folder, how.state, known)
            with contextlib.closing(record.log), _kept(record, how):
                for job in plan:
                    if not why[job.id]:
                        watch.ended(record.left(job))
                _make(due, how, record, watch)
    return [record.outcomes[job.id] for job in plan]


def _make(plan: Sequence[Job], how: Run, record: Record, watch: Watch) -> None:
    if not plan:
        return
    tasks = [_task(job, how, record.folder.work) for job in plan]
    by_id = {task.job.id: task for task in tasks}
    with contextlib.closing(_outcomes(tasks, how, watch)) as arriving:
        for outcome in arriving:
            task = by_id[outcome.id]
            record.add(task.job, outcome, how.key(task.job), Path(task.folder))
            watch.ended(outcome)


def _task(job: Job, how: Run, work: Path) -> Task:
    return Task(
        job,
        str(how.notebooks.resolve()),
        str(how.data.resolve()),
        str(work / job.stem),
        how.timeout,
        hidden(how.data, how.notebooks),
        how.store,
    )


def _outcomes(tasks: Sequence[Task], how: Run, watch: Watch) -> Iterator[Outcome]:
    """Choose who makes the reports: this machine or the workers of a cluster."""
    notebooks = {how.notebooks / f"{task.job.notebook}.ipynb" for task in tasks}
    prepare = {
        "data": str(how.data.resolve()),
        "data_hash": how.state.data_hash,
        "studies": how.studies,
        "modules": sorted({name for path in notebooks for name in cache.modules_of(path)}),
    }
    if how.scheduler:
        from evaluation.batch import cluster

        return cluster.outcomes(
            tasks, address=how.scheduler, prepare=prepare, begun=watch.begun, noted=watch.noted
        )

    processors = os.cpu_count() or 1
    # Half as many again: a kernel that starts or ends leaves its processor to another report.
    workers = how.workers or processors + max(processors // 2, 1)
    return outcomes(tasks, workers=workers, prepare=prepare, begun=watch.begun, noted=watch.noted)


@contextlib.contextmanager
def _kept(record: Record, how: Run) -> Iterator[None]:
    """Write manifest and index when the run ends, however it ends."""
    try:
        yield
    finally:
        texts = record.finish(how.boundaries)
        for name, text in texts.items() if how.store else ():
            remote.put_text(how.store, name, text)


@contextlib.contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turn a folder that can no longer be written into a message; what was made stays."""
    try:
        yield
    except OSError as error:
        raise KepuError(
            f"{shown(out)} can no longer be written ({error.strerror or error}) — the reports made "
            "so far are whole; make room and run again: it goes on from there"
        ) from None


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Unwind when asked to end, as at Ctrl-C, so that everything is cleaned up."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()
    # A program that has its own way to end keeps it.
    numbers = [n for n in numbers if main and signal.getsignal(n) == signal.SIG_DFL]

    def end(number: int, frame: object) -> None:
        for each in numbers:  # asked twice: the cleaning up goes on
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
