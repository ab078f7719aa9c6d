"""Reports made by the workers of a Dask cluster: same plan, same processes, other machines.

Workers need this package in the same state and nothing else: data and notebooks travel to them
once. Each keeps a fork server of its own and makes a report as :mod:`evaluation.local` would.
"""

from __future__ import annotations

import atexit
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from evaluation import fingerprint
from evaluation.attempt import Launcher, attempt
from evaluation.data.tables import package_files
from evaluation.errors import KepuError
from evaluation.worker import FAILED, MADE, Outcome, Task

CONNECT = 30.0


@dataclass(frozen=True)
class Bundle:
    """What workers need beside the package: files of data and notebooks by name, and their hash."""

    hash: str
    files: dict[str, bytes]
    prepare: dict[str, Any]


def outcomes(
    tasks: Sequence[Task],
    *,
    address: str,
    prepare: Mapping[str, Any],
    begun: Callable[[str], None],
) -> Iterator[Outcome]:
    """Yield outcomes as they arrive; the files of each are put into the folder of its task.

    Parameters
    ----------
    address : of the scheduler, ``tcp://…``.
    prepare : see :class:`evaluation.attempt.Launcher`.
    begun : called with the id of each report as it is handed to the scheduler.

    Raises
    ------
    KepuError : no scheduler answers, Dask is not installed, or a worker has other code.
    """
    client = _connect(address)
    try:
        from distributed import as_completed

        _same_code(client)
        bundle = client.scatter(pack(tasks[0], prepare), broadcast=True, hash=False)
        futures = {}
        for task in tasks:
            begun(task.job.id)
            future = client.submit(report, task, bundle, pure=False, key=f"kepu-{task.job.stem}")
            futures[future] = task
        for future in as_completed(futures, loop=client.loop):
            task = futures.pop(future)
            yield _received(future, task)
            future.release()
    finally:
        client.close()


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise KepuError("--scheduler needs Dask — pip install 'kepu-evaluation[cluster]'") from None
    try:
        return Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise KepuError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}) — start one with "
            "`dask scheduler`, or correct --scheduler"
        ) from None


def _same_code(client: Any) -> None:
    """Refuse workers whose package differs from ours: their reports would differ too."""
    ours, found = version(), client.run(version, on_error="return")
    other = sorted(name for name, theirs in found.items() if theirs != ours)
    if other:
        raise KepuError(
            f"{len(other)} of {len(found)} workers have another kepu-evaluation or none, the first "
            f"is {other[0]} — install this version there"
        )


def version() -> str:
    """Hash of the code and the packages reports are made with, on the machine that is asked."""
    return fingerprint.code("evaluation.report", "evaluation.worker") + fingerprint.environment()


def pack(task: Task, prepare: Mapping[str, Any]) -> Bundle:
    """Gather the files a task's notebooks and data consist of."""
    data, notebooks = Path(task.data), Path(task.notebooks)
    files = {f"data/{p.relative_to(data).as_posix()}": p for p in package_files(data)}
    beside = [p for p in sorted(notebooks.rglob("*")) if p.is_file() and not _private(p, notebooks)]
    files |= {f"notebooks/{p.relative_to(notebooks).as_posix()}": p for p in beside}
    read = {name: path.read_bytes() for name, path in files.items()}
    digest = hashlib.sha256()
    for name, content in read.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return Bundle(digest.hexdigest(), read, dict(prepare))


def _private(path: Path, root: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.relative_to(root).parts)


def report(task: Task, bundle: Bundle) -> tuple[Outcome, dict[str, bytes]]:
    """Make one report on a worker; give its outcome and its files by name."""
    root, launcher = _site(_Hashed(bundle))
    with tempfile.TemporaryDirectory(dir=root) as folder:
        place = Path(folder, task.job.stem)
        here = replace(
            task, notebooks=str(root / "notebooks"), data=str(root / "data"), folder=str(place),
            hidden=(*task.hidden, (str(root), ".")),
        )  # fmt: skip
        outcome = attempt(here, launcher)
        stored = task.store and outcome.status == MADE
        found = [] if stored else place.glob(f"{task.job.stem}.*")
        kept = {path.name: path.read_bytes() for path in found}
    return outcome, kept


class _Hashed:
    """A bundle that is equal to another of the same files, so that each is unpacked once."""

    def __init__(self, bundle: Bundle):
        self.bundle = bundle

    def __hash__(self) -> int:
        return hash(self.bundle.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.bundle.hash == self.bundle.hash


@cache
def _site(hashed: _Hashed) -> tuple[Path, Launcher]:
    """Unpack a bundle on this worker and start its fork server; both end with the worker."""
    folder = tempfile.TemporaryDirectory(prefix="kepu-site-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    root = Path(folder.name).resolve()
    for name, content in hashed.bundle.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    launcher = Launcher(root / "jupyter", {**hashed.bundle.prepare, "data": str(root / "data")})
    atexit.register(launcher.close)
    return root, launcher


def _received(future: Any, task: Task) -> Outcome:
    """Take the outcome and put the files into place, also of a report no worker survived."""
    if future.status != "finished":
        error = future.exception()
        told = " ".join(str(error).split())[:300]
        return Outcome(task.job.id, FAILED, 0.0, f"{type(error).__name__}: {told}")
    outcome, files = future.result()
    place = Path(task.folder)
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content)
    return outcome
