"""Run a plan: reports in parallel, each whole or not at all, one failure stopping no other."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from evaluation.errors import KepuError
from evaluation.manifest import write
from evaluation.plan import Job
from evaluation.project import NAME
from evaluation.tidy import hide
from evaluation.worker import FAILED, Outcome, Place, make, start, write_kernel

PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "papermill", "nbconvert")


@dataclass(frozen=True)
class State:
    """The data and the code a run rests on, as its manifest records them."""

    data: str
    data_hash: str
    commit: str
    date: str
    simulated: bool = False


def run(
    plan: Sequence[Job],
    out: Path,
    *,
    notebooks: Path,
    data: Path,
    state: State,
    workers: int | None = None,
    timeout: float = 300.0,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Make every report of ``plan`` in the folder ``out``, with its manifest and index.

    Parameters
    ----------
    plan : jobs of :func:`evaluation.plan.make_plan`.
    out : folder of the reports; made where missing. Reports of other regions in it stay.
    notebooks : folder of the notebooks, the working directory of their kernels.
    data : folder of the data package.
    state : recorded in the manifest.
    workers : reports made at once; the number of processors where ``None``.
    timeout : seconds one report may take.
    done : called with each outcome as it arrives.

    Returns
    -------
    list of Outcome, in the order of the plan.

    Raises
    ------
    KepuError : when another run writes into ``out``.
    """
    begun, clock = datetime.now(UTC), time.monotonic()
    with _locked(out), _folders(out) as (staging, jupyter):
        place = Place(notebooks.resolve(), data, out, staging, timeout, _hidden(data, notebooks))
        outcomes: dict[str, Outcome] = {}
        try:
            arriving = _outcomes(plan, place, jupyter, workers or os.cpu_count() or 1)
            with contextlib.closing(arriving):
                for outcome in arriving:
                    outcomes[outcome.id] = outcome
                    done(outcome)
        finally:  # an interrupted run still leaves a true index of what was made
            record = {"started": begun.isoformat(timespec="seconds"), **_versions()}
            record["seconds"] = round(time.monotonic() - clock, 1)
            write(out, [job for job in plan if job.id in outcomes], outcomes, state, record)
    return [outcomes[job.id] for job in plan]


def _outcomes(plan: Sequence[Job], place: Place, jupyter: Path, workers: int) -> Iterator[Outcome]:
    pool = ProcessPoolExecutor(
        min(workers, max(len(plan), 1)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start,
        initargs=(str(jupyter),),
    )
    others = set(multiprocessing.active_children())
    try:
        futures = {pool.submit(make, job, place): job for job in plan}
        for future in as_completed(futures):
            yield _result(future, futures[future], place)
    except BaseException:  # interrupted: end the reports under way instead of waiting for them
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(future: Future, job: Job, place: Place) -> Outcome:
    """Give the outcome, also of a job whose worker process died (out of memory, killed)."""
    error = future.exception()
    if error is None:
        return future.result()
    text = hide(" ".join(str(error).split()), place.hidden)
    return Outcome(job.id, FAILED, 0.0, f"{type(error).__name__}: {text}")


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder for one run; the lock goes with the process, even a killed one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise KepuError(
            f"another run is writing into {out} — wait for it, or choose a folder with --out"
        ) from None
    except OSError as error:
        raise KepuError(f"{out} cannot be written ({error.strerror}) — choose --out") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _folders(out: Path) -> Iterator[tuple[Path, Path]]:
    """Give a staging folder inside ``out`` (one file system) and one for Jupyter's own files."""
    for stale in out.glob(".staging-*"):  # left by a killed run; the lock says it is ours to clear
        shutil.rmtree(stale)
    with (
        tempfile.TemporaryDirectory(prefix=".staging-", dir=out) as staging,
        tempfile.TemporaryDirectory(prefix="kepu-", ignore_cleanup_errors=True) as jupyter,
    ):
        write_kernel(Path(jupyter))
        yield Path(staging).resolve(), Path(jupyter)


def _hidden(data: Path, notebooks: Path) -> tuple[tuple[str, str], ...]:
    """List the folders no report may show, the longest first, each with its stand-in."""
    pairs = {str(Path.home()): "~", str(Path(tempfile.gettempdir())): "(tmp)", sys.prefix: "(env)"}
    pairs |= {sys.base_prefix: "(python)", str(Path(__file__).parents[1]): "src"}
    for path, stand_in in ((notebooks.parent, "."), (data, data.name)):
        pairs |= {str(path.absolute()): stand_in, str(path.resolve()): stand_in}
    pairs = {folder: name for folder, name in pairs.items() if len(Path(folder).parts) > 1}
    return tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0])))


def _versions() -> dict[str, object]:
    """Versions a reader needs to make the same reports again."""
    return {
        "package": metadata.version(NAME),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }
