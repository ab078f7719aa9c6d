"""One run, from a batch on checked data to its reports: which are made, where, and what is told."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from evaluation.base import cache, files
from evaluation.base.errors import KepuError, shown
from evaluation.base.text import OFFICIAL
from evaluation.batch import plan as plans
from evaluation.batch import state, store
from evaluation.batch.maps import Boundaries
from evaluation.batch.plan import Job
from evaluation.batch.state import Known, Outcome, Record, State
from evaluation.batch.worker import Launcher, Place, attempt, hidden
from evaluation.data import package, plausible, slices
from evaluation.data.package import Dataset

# ------------------------------------------------------------------------------------------
# What a report rests on, as hashes: while they stay, the report need not be made again.


# Modules that turn an executed notebook into the files of a report, whatever the notebook imports.
MAKERS = ("evaluation.batch.worker",)
# What of them only some formats need.
WRITERS = {
    "html": "", "pdf": "evaluation.report.pdf", "docx": "evaluation.report.word",
    OFFICIAL: "evaluation.report.official",
}  # fmt: skip
SLICES = "evaluation.data.slices"
PARTS = ("data", "notebook", "code", "parameters", "environment")
# Recorded on the page; a report made with other values of these says nothing else.
RECORDED = frozenset({"data_hash", "commit"})


def keyed(dataset: Dataset, notebooks: Path, date: str) -> Callable[[Job], dict[str, str]]:
    """Give the function that finds the key of a job: one SHA-256 for each of ``PARTS``.

    Parameters
    ----------
    dataset : the checked package. A notebook that imports ``evaluation.data.slices`` rests on the
        slice of its region or region set, any other on the whole package.
    notebooks : folder of the notebooks.
    date : day of the run. Of a date that was filled in counts the year, which decides which
        targets are due, and what of the plan's progress was known or overdue by then; the day is
        only printed.
    """
    slicer, progress = slices.Slicer(dataset), dataset.progress
    due = (progress["next_date"] != "") & (progress["next_date"] < date)
    counted = [int((progress["recorded"] <= date).sum()), int(due.sum())]

    @functools.cache
    def slice_hash(region: str, region_set: str) -> str:
        return slicer.key(region) if region else slicer.of_set(region_set).hash

    def key(job: Job) -> dict[str, str]:
        text, modules = cache.notebook(notebooks / f"{job.notebook}.ipynb")
        region_set = job.parameters.get("region_set", "")
        part = SLICES in modules and (job.region or region_set)
        kept = {k: v for k, v in job.parameters.items() if k not in RECORDED}
        if kept.get("date") == date:
            kept["date"] = [date[:4], *counted]
        said = json.dumps(kept, sort_keys=True, ensure_ascii=False)
        return {
            "data": slice_hash(job.region, region_set) if part else dataset.hash,
            "notebook": text,
            "code": cache.code(*modules, *MAKERS),
            "parameters": hashlib.sha256(said.encode()).hexdigest(),
            "environment": cache.environment(),
        }

    return key


def reason(job: Job, key: Mapping[str, str], entry: Mapping[str, Any] | None, out: Path) -> str:
    """Say why a report must be made, ``""`` where the one in ``out`` is still true.

    Parameters
    ----------
    entry : what the manifest of ``out`` says of the report, if anything.
    """
    if entry is None:
        return "not made yet"
    if entry["status"] == "failed":
        return "failed before"
    changed = [name for name in PARTS if entry.get("key", {}).get(name) != key[name]]
    if changed:
        return f"changed: {', '.join(changed)}"
    files = entry.get("files", {})
    missing = [kind for kind in state.asked(job) if kind not in files]
    if missing:
        return f"no {missing[0]} yet"
    for file in files.values():
        there = store.there(file) if "url" in file else _whole(out / file["name"], file["sha256"])
        if not there:
            return f"{file['name']} is missing or was changed"
    return ""


def _whole(path: Path, sha256: str) -> bool:
    try:
        if not path.is_file():  # to open a pipe would wait for its writer
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:  # a page that cannot be read is made again
        return False


# ------------------------------------------------------------------------------------------
# Reports made by this machine: as many at once as asked for, each in a process of its own.


def outcomes(
    jobs: Sequence[Job],
    place: Place,
    *,
    workers: int,
    prepare: Mapping[str, Any],
    begun: Callable[[str], None],
    noted: Callable[[str], None] = lambda text: None,
) -> Iterator[Outcome]:
    """Yield outcomes as they arrive; the files of each lie in the folder of its report.

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
        ThreadPoolExecutor(min(workers, len(jobs))) as pool,
    ):
        if launcher.notice:
            noted(f"each report starts an interpreter of its own: {launcher.notice}")

        def one(group: Sequence[Job]) -> list[Outcome]:
            for job in group:
                begun(job.id)
            return attempt(group, place, launcher)

        futures = [pool.submit(one, group) for group in grouped(jobs, workers)]
        try:
            for future in as_completed(futures):
                yield from future.result()
        finally:  # interrupted: end the reports under way instead of waiting for them
            pool.shutdown(wait=False, cancel_futures=True)
            launcher.close()


def grouped(jobs: Sequence[Job], workers: int) -> list[list[Job]]:
    """Reports on one region from one notebook, which rest on the same; one each where few."""
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.notebook, job.region), []).append(job)
    return list(groups.values()) if len(groups) > workers else [[job] for job in jobs]


# ------------------------------------------------------------------------------------------
# How a plan is to be run, and what is told as it goes.


@dataclass(frozen=True)
class Run:
    """How to run a plan.

    Attributes
    ----------
    out : folder of the reports; made where missing. Reports of other regions in it stay.
    notebooks : folder of the notebooks, the working directory of their cells.
    data : folder of the data package.
    state : recorded in the manifest.
    key : hashes a report rests on, see :func:`keyed`.
    studies : draws and seed of each study to have ready, see :func:`evaluation.batch.plan.studies`.
    workers : reports made at once; as many as processors where ``None``.
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


# ------------------------------------------------------------------------------------------
# From what a person asked for to a plan and how to run it.


def planned(
    raw: Any, choice: plans.Choice, place: Mapping[str, Path], **settings: Any
) -> tuple[Sequence[Job], Run]:
    """Plan against the checked data and the notebooks as they are now; nothing is written.

    Parameters
    ----------
    raw : the mapping a batch file holds.
    choice : what a person chose of it.
    place : the folders ``out``, ``notebooks`` and ``data``.
    settings : what else a :class:`Run` is to have.

    Raises
    ------
    KepuError : the data break their contract, or the batch cannot be run on them.
    """
    dataset, root = package.load(place["data"]), place["notebooks"].resolve().parent
    state = State(
        data=plans.data_label(place["data"], place["notebooks"], root),
        data_hash=dataset.hash,
        commit=plans.commit(root),
        date=today().isoformat(),
        simulated=dataset.simulated,
        implausible=plausible.told(dataset)["unconfirmed"],
    )
    filled = {key: getattr(state, key) for key in ("data", "data_hash", "commit", "date")}
    notebooks = plans.read_notebooks(place["notebooks"])
    jobs = plans.make_plan(
        raw, dataset, notebooks, choice, filled=filled, simulated=dataset.simulated
    )
    jobs = plans.deepened(jobs, place["notebooks"], choice.depths)
    key = keyed(dataset, place["notebooks"], state.date)
    studies = plans.studies(jobs, notebooks)
    return jobs, Run(**place, state=state, key=key, studies=studies, **settings)


def today() -> date:
    """The day a run tells: that of ``SOURCE_DATE_EPOCH`` where this is set, for equal builds.

    Raises
    ------
    KepuError : the variable is no number of seconds.
    """
    fixed = files.build_time()
    return date.today() if fixed is None else fixed.date()


# ------------------------------------------------------------------------------------------
# Run a plan: make what is not there yet, file it whole, and leave a true record of the folder.


def reasons(plan: Sequence[Job], run: Run, known: Known | None = None) -> dict[str, str]:
    """Say for each job why it must be made, ``""`` where what is in the folder is still true.

    ``known`` is the state of the folder, read where it is not given.
    """
    if run.fresh:
        return {job.id: "asked for by --fresh" for job in plan}
    entries = (known or state.read(run.out)).entries
    return {job.id: reason(job, run.key(job), entries.get(job.stem), run.out) for job in plan}


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
        store.check(how.store)
    with _ended_by_signals(), state.locked(how.out), _told(how.out):
        known = state.read(how.out)
        why = reasons(plan, how, known)
        due = [job for job in plan if why[job.id]]
        with state.opened(how.out, known, due, watch.noted) as folder:
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
    place = Place(
        str(how.notebooks.resolve()),
        str(how.data.resolve()),
        str(record.folder.work),
        how.timeout,
        hidden(how.data, how.notebooks),
        how.store,
    )
    by_id = {job.id: job for job in plan}
    with contextlib.closing(_outcomes(plan, place, how, watch)) as arriving:
        for outcome in arriving:
            job = by_id[outcome.id]
            record.add(job, outcome, how.key(job), place.of(job))
            watch.ended(outcome)


def _outcomes(jobs: Sequence[Job], place: Place, how: Run, watch: Watch) -> Iterator[Outcome]:
    """Choose who makes the reports: this machine or the workers of a cluster."""
    notebooks = {how.notebooks / f"{job.notebook}.ipynb" for job in jobs}
    prepare = {
        "data": place.data,
        "data_hash": how.state.data_hash,
        "studies": how.studies,
        "modules": sorted({name for path in notebooks for name in cache.modules_of(path)}),
        "writers": sorted({WRITERS[kind] for job in jobs for kind in job.formats} - {""}),
    }
    told = {"prepare": prepare, "begun": watch.begun, "noted": watch.noted}
    if how.scheduler:
        from evaluation.batch import cluster

        return cluster.outcomes(jobs, place, address=how.scheduler, **told)

    return outcomes(jobs, place, workers=how.workers or os.cpu_count() or 1, **told)


@contextlib.contextmanager
def _kept(record: Record, how: Run) -> Iterator[None]:
    """Write manifest and index when the run ends, however it ends."""
    try:
        yield
    finally:
        texts = record.finish(how.boundaries)
        for name, text in texts.items() if how.store else ():
            store.write(how.store, name, text.encode())


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
