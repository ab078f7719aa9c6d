"""Reports made by the workers of a Dask cluster: same plan, same processes, other machines.

Workers need this package in the same state and nothing else: data and notebooks travel to them
once. Each keeps a fork server of its own and makes a report as :mod:`evaluation.batch.run` would.

Nothing that comes back is taken on trust: a worker says what it was asked for, a report is made by
this very code or refused where it is made, and a file counts whose hash is the one it tells.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import queue
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.base import cache
from evaluation.base import files as private
from evaluation.base.errors import KepuError
from evaluation.batch import store
from evaluation.batch.plan import Job
from evaluation.batch.state import FAILED, MADE, REFUSED, Outcome, expected
from evaluation.batch.worker import GRACE, OTHER_CODE, Launcher, Place, attempt
from evaluation.data.tables import package_files

CONNECT = 30.0  # seconds a scheduler may take to answer, and a worker to join
POLL = 1.0  # seconds without news before scheduler and workers are asked whether they live
TRIES = 4  # workers a report is asked of, one after the other, while they refuse it
IDLE_SITES = 1  # unpacked data a worker keeps that no report is using


@dataclass(frozen=True)
class Bundle:
    """What workers need beside the package: files of data and notebooks by name, and their hash."""

    hash: str
    files: dict[str, bytes]
    prepare: dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One report asked of a worker by one run.

    ``run`` is a random token of the run, ``bundle`` the hash of the files it is to be made from.
    """

    run: str
    bundle: str
    job: Job
    place: Place

    def key(self, number: int) -> str:
        """Name of the ``number``-th try on the scheduler, which joins what has equal names."""
        content = hashlib.sha256(f"{self!r} {number}".encode()).hexdigest()
        return f"kepu-{self.job.stem}-{content}"


@dataclass(frozen=True)
class Response:
    """What a worker answers: the request itself, and an outcome with its files or a refusal."""

    request: Request
    worker: str
    refusal: str = ""
    outcome: Outcome | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def outcomes(
    jobs: Sequence[Job],
    place: Place,
    *,
    address: str,
    prepare: Mapping[str, Any],
    begun: Callable[[str], None],
    noted: Callable[[str], None] = lambda text: None,
) -> Iterator[Outcome]:
    """Yield outcomes as they arrive; the files of each are put into the folder of its report.

    Parameters
    ----------
    address : of the scheduler, ``tcp://…``.
    prepare : see :class:`evaluation.batch.worker.Launcher`.
    begun : called with the id of each report as it is handed to the scheduler.
    noted : called once for each worker that is not used, with the reason.

    Raises
    ------
    KepuError : no scheduler answers or it is lost, no worker is there, Dask is not installed, or a
        worker has other code at the start.
    """
    client = _connect(address)
    try:
        _check_workers(client, address)
        yield from _Run(client, address, pack(place, prepare), noted).outcomes(jobs, place, begun)
    finally:
        client.close(timeout=CONNECT)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise KepuError("--scheduler needs Dask — pip install 'kepu-evaluation[cluster]'") from None
    for name in ("client", "comm", "core"):  # a lost scheduler is told in one sentence, by us
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise KepuError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}) — start one with "
            "`dask scheduler`, or correct --scheduler"
        ) from None


def _check_workers(client: Any, address: str) -> None:
    """Wait for a worker, and refuse those whose package differs from ours.

    A worker that joins later is not asked here: each report is refused where it would be made.
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        raise _deserted(address) from None
    same, other = _versions(client)
    if other:
        raise KepuError(
            f"{len(other)} of {len(same) + len(other)} workers have another kepu-evaluation or "
            f"none, the first is {min(other)} — install this version there and start them again"
        )


def _deserted(address: str) -> KepuError:
    return KepuError(
        f"no worker has joined the scheduler at {address} for {CONNECT:g} s — start one with "
        f"`dask worker {address}` and run again: it goes on from there"
    )


def _versions(client: Any) -> tuple[set[str], set[str]]:
    """Addresses of the workers that have our package, and of those that do not or are silent."""
    try:
        found = client.run(cache.whole, on_error="return", callback_timeout=CONNECT)
    except (OSError, ValueError) as error:  # one hangs, or has gone as it was asked
        raise KepuError(
            f"a worker did not tell its version within {CONNECT:g} s ({type(error).__name__}) — "
            "end the one that hangs and run again"
        ) from None
    there = {name: theirs for name, theirs in found.items() if not isinstance(theirs, OSError)}
    same = {name for name, theirs in there.items() if theirs == cache.whole()}
    return same, set(there) - same


@dataclass
class _Asked:
    """A request under way: which try it is, and the workers it may run on, all where empty."""

    request: Request
    number: int = 1
    workers: frozenset[str] = frozenset()


class _Run:
    """The reports of one run on a scheduler."""

    def __init__(self, client: Any, address: str, bundle: Bundle, noted: Callable[[str], None]):
        self._client, self._address, self._bundle, self._noted = client, address, bundle, noted
        self._token = secrets.token_hex(16)
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked: dict[Any, _Asked] = {}
        self._refusing: set[str] = set()
        self._sent: Any = None
        self._deserted = 0.0  # when the last worker was missed

    def outcomes(
        self, jobs: Sequence[Job], place: Place, begun: Callable[[str], None]
    ) -> Iterator[Outcome]:
        """Ask for every report, again where a worker refuses it, and yield what becomes of it."""
        self._send()
        place = replace(place, code=cache.whole())
        for job in jobs:
            begun(job.id)
            self._ask(_Asked(Request(self._token, self._bundle.hash, job, place)))
        while self._asked:
            future = self._next()
            asked = self._asked.pop(future, None)
            if asked is None:  # given up and asked of another worker
                continue
            outcome = self._answer(future, asked)
            future.release()
            if outcome is not None:
                yield outcome

    def _send(self) -> None:
        """Send the files to the workers: at first, and after all that had them have gone."""
        try:
            self._sent = self._client.scatter(
                self._bundle, broadcast=True, hash=False, timeout=CONNECT
            )
        except TimeoutError:
            raise _deserted(self._address) from None

    def _ask(self, asked: _Asked) -> None:
        future = self._client.submit(
            report, asked.request, self._sent, pure=False, key=asked.request.key(asked.number),
            workers=sorted(asked.workers) or None,
        )  # fmt: skip
        self._asked[future] = asked
        future.add_done_callback(self._arrived.put)

    def _next(self) -> Any:
        """Wait for a report; while none comes make sure that one can."""
        while True:
            try:
                return self._arrived.get(timeout=POLL)
            except queue.Empty:
                self._check()

    def _check(self) -> None:
        """Refuse to wait for a scheduler or workers that are gone."""
        if self._client.status != "running":
            raise self._lost()
        try:
            workers = set(self._client.nthreads(callback_timeout=CONNECT))
        except Exception:  # noqa: BLE001 - whatever a broken connection raises
            raise self._lost() from None
        if workers:
            self._deserted = 0.0
        else:
            self._deserted = self._deserted or time.monotonic()
            if time.monotonic() - self._deserted > CONNECT:
                raise _deserted(self._address)
        for future, asked in list(self._asked.items()):
            if workers and asked.workers and not asked.workers & workers:
                del self._asked[future]
                future.release()
                self._ask(_Asked(asked.request, asked.number + 1))

    def _lost(self) -> KepuError:
        return KepuError(
            f"the scheduler at {self._address} was lost or gave up the reports — see whether it "
            "and its workers still run, then run again: it goes on from there"
        )

    def _answer(self, future: Any, asked: _Asked) -> Outcome | None:
        """Take an answer; where it is a refusal ask another worker and give ``None``."""
        request = asked.request
        if future.status not in ("finished", "error"):
            # Given up: it is asked again, where the scheduler is still there.
            if self._client.status != "running" or asked.number == TRIES:
                raise self._lost()
            if self._sent.status != "finished":
                self._send()
            self._ask(_Asked(request, asked.number + 1))
            return None
        try:
            response = future.result(timeout=request.place.timeout + GRACE)
        except Exception as error:  # noqa: BLE001 - of the worker, whatever it may be
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            if type(error).__name__ == "KilledWorker":
                return Outcome(request.job.id, FAILED, 0.0, told)
            return self._ask_another(asked, "", told)
        if not isinstance(response, Response):
            return self._ask_another(asked, "", OTHER_CODE)
        if response.request != request:
            return self._ask_another(asked, response.worker, "it answered for another report")
        reason = response.refusal or unfit(response)
        if reason:
            return self._ask_another(asked, response.worker, reason)
        folder = request.place.of(request.job)
        folder.mkdir(parents=True)
        for name, content in response.files.items():
            (folder / name).write_bytes(content)
        return response.outcome

    def _ask_another(self, asked: _Asked, worker: str, reason: str) -> Outcome | None:
        """Ask a worker that has our package and has refused nothing, if there is one."""
        if worker and worker not in self._refusing:
            self._refusing.add(worker)
            self._noted(f"worker {worker} is not used: {reason}")
        fit = _versions(self._client)[0] - self._refusing
        if not fit or asked.number == TRIES:
            told = f"refused by {asked.number} workers, the last one said: {reason}"
            return Outcome(asked.request.job.id, FAILED, 0.0, told)
        self._ask(_Asked(asked.request, asked.number + 1, frozenset(fit)))
        return None


def unfit(response: Response) -> str:
    """Say why the files of an answer cannot be those of the report, ``""`` where they can."""
    job, place, outcome = response.request.job, response.request.place, response.outcome
    if outcome is None or outcome.id != job.id:
        return "it answered for another report"
    if outcome.status != MADE:
        return "" if set(response.files) <= {f"{job.stem}.ipynb"} else "it sent other files"
    if {kind: entry["name"] for kind, entry in outcome.files.items()} != expected(job):
        return "it sent other files"
    if place.store:
        root = place.store.rstrip("/")
        urls = all(e["url"] == f"{root}/{e['name']}" for e in outcome.files.values())
        if not urls or not store.seen(outcome, place.store):
            return f"what it wrote to {place.store} is not seen here, give an address all reach"
        return ""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in response.files.items()}
    stated = {Path(entry["name"]).name: entry["sha256"] for entry in outcome.files.values()}
    return "" if hashes == stated else "the files it sent are not the ones it made"


def pack(place: Place, prepare: Mapping[str, Any]) -> Bundle:
    """Gather the files the notebooks and data of a run consist of."""
    data, notebooks = Path(place.data), Path(place.notebooks)
    files = {f"data/{p.relative_to(data).as_posix()}": p for p in package_files(data)}
    for path in sorted(notebooks.rglob("*")):
        name = path.relative_to(notebooks)
        if path.is_file() and not any(part.startswith((".", "__")) for part in name.parts):
            files[f"notebooks/{name.as_posix()}"] = path
    read = {name: path.read_bytes() for name, path in files.items()}
    return Bundle(digest(read, prepare), read, dict(prepare))


def digest(files: Mapping[str, bytes], prepare: Mapping[str, Any]) -> str:
    """SHA-256 over the files of a bundle and the preparation of its fork server."""
    found = hashlib.sha256(json.dumps(prepare, sort_keys=True).encode())
    for name, content in files.items():
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def report(request: Request, bundle: Bundle) -> Response:
    """Make one report on a worker, or refuse it: by other code or from other files it is another.

    The process that makes it has loaded its code by itself: it compares that once more.
    """
    from distributed import get_worker

    answer = Response(request, get_worker().address)
    if request.place.code != cache.whole():
        return replace(answer, refusal=OTHER_CODE)
    if request.bundle != bundle.hash or digest(bundle.files, bundle.prepare) != bundle.hash:
        return replace(answer, refusal="data and notebooks did not reach it whole")
    try:
        with _site(bundle) as site:
            outcome, files = _made(request.job, request.place, site)
    except (OSError, KepuError) as error:
        return replace(answer, refusal=f"it cannot make reports ({error})")
    if outcome.status == REFUSED:
        return replace(answer, refusal=outcome.error)
    return replace(answer, outcome=outcome, files=files)


def _made(job: Job, place: Place, site: _Site) -> tuple[Outcome, dict[str, bytes]]:
    """Make a report; give its outcome and its files by name."""
    root = site.root
    with tempfile.TemporaryDirectory(dir=root) as folder:
        here = replace(
            place, notebooks=str(root / "notebooks"), data=str(root / "data"), folder=folder,
            hidden=(*place.hidden, (str(root), ".")),
        )  # fmt: skip
        (outcome,) = attempt([job], here, site.launcher)
        if outcome.status != MADE:  # its notebook, as far as it ran
            found = list(here.of(job).glob(f"{job.stem}.*"))
        elif place.store:
            found = []
        else:
            names = (Path(entry["name"]).name for entry in outcome.files.values())
            found = [here.of(job) / name for name in names]
        return outcome, {path.name: path.read_bytes() for path in found}


class _Site:
    """A bundle unpacked on this worker, and the fork server its reports are made by."""

    def __init__(self, bundle: Bundle):
        self.users = 0
        self._folder = contextlib.ExitStack()
        self.root = self._folder.enter_context(private.folder("site-")).resolve()
        try:
            self.unpack(bundle.files)
            prepare = {**bundle.prepare, "data": str(self.root / "data")}
            self.launcher = Launcher(self.root / "jupyter", prepare)
        except BaseException:
            self._folder.close()
            raise
        self._folder.callback(self.launcher.close)

    def unpack(self, files: Mapping[str, bytes]) -> None:
        """Write the files that are not there as they should be."""
        for name, content in files.items():
            path = self.root / name
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def close(self) -> None:
        """End the fork server and remove the files."""
        self._folder.close()


_sites: dict[str, _Site] = {}
_unpacking = threading.Lock()


@contextlib.contextmanager
def _site(bundle: Bundle) -> Iterator[_Site]:
    """Give the site of a bundle, its files whole; those of earlier runs are removed."""
    with _unpacking:
        site = _sites.pop(bundle.hash, None) or _Site(bundle)
        _sites[bundle.hash] = site  # the last one used is the last
        site.users += 1
        idle = [name for name, each in _sites.items() if not each.users]
        for name in idle[: max(len(idle) - IDLE_SITES, 0)]:
            _sites.pop(name).close()
        if site.users == 1:  # no report is reading them
            site.unpack(bundle.files)
    try:
        yield site
    finally:
        with _unpacking:
            site.users -= 1


@atexit.register
def _leave() -> None:
    """End what this worker started."""
    for site in _sites.values():
        site.close()
