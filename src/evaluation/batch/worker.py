"""Make reports in processes of their own, twice where that can help, and tell the outcomes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.base import cache, files
from evaluation.base.errors import KepuError
from evaluation.base.text import OFFICIAL
from evaluation.batch import store
from evaluation.batch.kernels import ENVIRONMENT, Process, Server, Unprepared, allow_files, unsafe
from evaluation.batch.plan import Job
from evaluation.batch.state import FAILED, MADE, REFUSED, Outcome, deep, kinds

# ------------------------------------------------------------------------------------------
# Take the paths of this machine out of what a run keeps; pictures and numbers stay as they are.


Pairs = tuple[tuple[str, str], ...]


def tidy(path: Path, pairs: Pairs) -> Any:
    """Rewrite an executed notebook without paths of this machine; give it back."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    run = notebook.metadata.pop("papermill", {})
    notebook.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # papermill draws one anew for the cell it puts in
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
    clean = nbformat.from_dict(_hidden(notebook, pairs))
    clean.metadata["kepu"] = _hidden(dict(run.get("parameters", {})), pairs)
    nbformat.write(clean, path)
    return clean


def _hidden(value: Any, pairs: Pairs) -> Any:
    """Replace paths in every text of a tree, pictures excepted (their base64 must stay whole)."""
    if isinstance(value, str):
        return hide(value, pairs)
    if isinstance(value, list | tuple):
        return [_hidden(item, pairs) for item in value]
    if isinstance(value, dict):
        return {k: v if k.startswith("image/") else _hidden(v, pairs) for k, v in value.items()}
    return value


def hide(text: str, pairs: Pairs) -> str:
    """Replace each folder of ``pairs`` by its stand-in, where it stands as a whole path.

    >>> hide("/srv/a/x.py, /srv/ab, x=/srv/a/9 in /srv/a.", (("/srv/a", "~"),))
    '~/x.py, /srv/ab, x=~/9 in ~.'
    """
    for folder, stand_in in pairs:
        if folder in text:
            text = re.sub(rf"(?<![\w+/.-]){re.escape(folder)}(?![\w-]|\.\w)", stand_in, text)
    return text


def hidden(data: Path, notebooks: Path) -> Pairs:
    """List the folders no report may show, the longest first, each with its stand-in."""
    package = str(Path(__file__).parents[1])
    pairs = {str(Path.home()): "~", tempfile.gettempdir(): "(tmp)", sys.prefix: "(env)"}
    pairs |= {sys.base_prefix: "(python)", package: "src"}
    for path, stand_in in ((notebooks.parent, "."), (data, data.name)):
        pairs |= {str(path.absolute()): stand_in, str(path.resolve()): stand_in}
    pairs = {folder: name for folder, name in pairs.items() if len(Path(folder).parts) > 1}
    return tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0])))


# ------------------------------------------------------------------------------------------
# Make one report: run the cells of its notebook, write its files, say what became of it.


OTHER_CODE = "it has another kepu-evaluation"


@dataclass(frozen=True)
class Place:
    """Where the reports of a run are made: each in a folder of its own below ``folder``.

    Each is made from ``notebooks`` and ``data`` within ``timeout`` seconds and shows no path of
    ``hidden``. ``store`` is an address the files are written to once they are whole, ``""`` for
    none. ``code`` is the :func:`evaluation.base.cache.whole` of the only code that may make it,
    ``""`` for any.
    """

    notebooks: str
    data: str
    folder: str
    timeout: float
    hidden: Pairs = ()
    store: str = ""
    code: str = ""

    def of(self, job: Job) -> Path:
        """The folder of a report."""
        return Path(self.folder, job.stem)

    def name(self, job: Job) -> str:
        """Names its files beside those of other runs, in few bytes: paths of sockets are short."""
        return hashlib.sha256(str(self.of(job)).encode()).hexdigest()[:12]


def main(jobs: list[dict[str, Any]], place: dict[str, Any], told: list[str]) -> None:
    """Make the reports on a region one after the other; write each outcome into its ``told``.

    What is found for the first, the slice and the study, is there for the others.
    """
    for name in ("papermill", "nbconvert", "traitlets", "asyncio", "root"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for job, path in zip(jobs, told, strict=True):
        outcome, part = make(Job(**job), Place(**place)), Path(f"{path}.part")
        part.write_text(json.dumps(asdict(outcome), ensure_ascii=False), "utf-8")
        os.replace(part, path)


def make(job: Job, place: Place) -> Outcome:
    """Execute and write; a failure is an outcome, never an exception."""
    begun = time.monotonic()
    if place.code and place.code != cache.whole():
        return Outcome(job.id, REFUSED, 0.0, OTHER_CODE)
    notebook = place.of(job) / f"{job.stem}.ipynb"
    try:
        executed = _execute(job, place, notebook)
        files, summary = _write(job, executed, notebook)
        seconds, noise = time.monotonic() - begun, _complaints(executed)
        return Outcome(job.id, MADE, seconds, warnings=noise, files=files, summary=summary)
    except Exception as error:  # noqa: BLE001 - one region's failure must not stop the others
        _keep_unfinished(notebook, place.hidden)
        reason = hide(describe(error, place.timeout), place.hidden)
        return Outcome(job.id, FAILED, time.monotonic() - begun, reason, passing(error))


def _keep_unfinished(notebook: Path, hidden: Pairs) -> None:
    """Tidy the notebook of a failed report; one that cannot be rewritten would show paths."""
    try:
        if notebook.exists():
            tidy(notebook, hidden)
    except (OSError, ValueError):
        notebook.unlink()


def _execute(job: Job, place: Place, notebook: Path) -> Any:
    """Run the notebook with papermill; give it back without paths of this machine."""
    import papermill

    from evaluation.batch.shell import engine

    papermill.execute_notebook(
        files.literal(Path(place.notebooks, f"{job.notebook}.ipynb")),
        files.literal(notebook),
        parameters=_parameters(job, place),
        engine_name=engine(),
        unfinished=str(notebook),
        deadline=time.monotonic() + place.timeout,
        request_save_on_cell_execute=False,
        kernel_name="python3",
        language="python",
        cwd=place.notebooks,
        progress_bar=False,
    )
    return tidy(notebook, place.hidden)


def _write(
    job: Job, executed: Any, notebook: Path
) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """Write every format; give name and hash of each file, and the summary the page carries."""
    from evaluation.batch import cells
    from evaluation.report.html import write

    told = {"simulated": job.stem.endswith("_simulated"), "made": job.depths}
    names, written = kinds(job.stem), {}
    for depth in dict.fromkeys([*job.depths, "report" if job.depths else ""]):
        # The report's page is always made: the front page links it and reads its summary.
        # In the layout of official documents there is one for all depths.
        formats = ["html", *(kind for kind in job.formats
                             if (depth in ("", "report") if kind == OFFICIAL
                                 else not depth or depth in job.depths))]  # fmt: skip
        made = write(executed, job.language, formats, depth=depth, **told)
        written |= {deep(depth, kind): content for kind, content in made.items()}
    for kind, content in written.items():
        (notebook.parent / names[kind]).write_bytes(content)
    contents = {"notebook": notebook.read_bytes(), **written}
    files = {
        kind: {"name": names[kind], "sha256": hashlib.sha256(content).hexdigest()}
        for kind, content in contents.items()
    }
    return files, cells.read(written["html"].decode())


def _complaints(executed: Any) -> tuple[str, ...]:
    """What the cells wrote to standard error, shortened."""
    return tuple(
        "".join(output["text"]).strip()[:500]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stderr"
    )


def _parameters(job: Job, place: Place) -> dict[str, Any]:
    """Parameters as the cells need them: a data folder that is reached from the notebooks."""
    given = dict(job.parameters)
    if "data" in given:
        reached = Path(place.notebooks, given["data"]).resolve()
        if reached != Path(place.data).resolve():
            given["data"] = str(Path(place.data).resolve())
    return given


EXPECTED = ("KepuError", "DataError", "ModelError")  # their messages say what to do
PACKAGE_PART = r"(^|/)evaluation/"


def describe(error: BaseException, timeout: float) -> str:
    """Say in one line what went wrong: the exception's name and its message."""
    name = getattr(error, "ename", None) or type(error).__name__
    if name == "CellTimeoutError":
        return _too_long(timeout)
    line = " ".join(_plain(getattr(error, "evalue", None) or str(error)).split())
    told = f"{name}: {line[:300]}" if line else name
    return f"{told}{_where(error)}"


def _where(error: BaseException) -> str:
    """Where in this package a cell's error was raised, ``""`` for one whose message is enough."""
    trace = _plain("\n".join(getattr(error, "traceback", None) or ()))
    if getattr(error, "ename", "") in EXPECTED:
        return ""
    found = re.findall(r"^File (\S+?):(\d+)", trace, re.M)
    own = [(Path(file).name, line) for file, line in found if re.search(PACKAGE_PART, file)]
    return f", in {own[-1][0]}, line {own[-1][1]}" if own else ""


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def passing(error: BaseException) -> bool:
    """Whether the cause may be gone by another try: a full disk, too few open files."""
    # A report that took too long is an OSError by descent.
    return isinstance(error, OSError) and type(error).__name__ != "CellTimeoutError"


# ------------------------------------------------------------------------------------------
# Try the reports on a region in a process of their own, twice where a failure can pass.


# Beyond the time of a report: to write its files.
GRACE = 60.0
LOOK = 1.0  # seconds after which it is seen which of its reports a process has made
# What a report's process has whoever starts it, beside ``ENVIRONMENT``: equal bytes.
SAME = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
# Fork servers lost one after the other, without a process made between, before a run gives up.
LOST = 2


class Launcher:
    """Starts the processes of reports: forked from a prepared server, or as fresh interpreters.

    Parameters
    ----------
    folder : for outcomes, logs and IPython's own files.
    prepare : arguments of :func:`evaluation.batch.kernels.reports`.

    Raises
    ------
    KepuError : this machine allows too few open files.
    OSError : ``folder`` cannot be written.
    """

    def __init__(self, folder: Path, prepare: Mapping[str, Any]):
        allow_files()
        self.notice = unsafe()
        self._folder, self._prepare = folder, dict(prepare)
        self._server: Server | None = None
        self._lost, self._unprepared = 0, ""
        self._running: set[Any] = set()
        self._lock = threading.Lock()
        self.closed = False
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, jobs: Sequence[Job], place: Place) -> Any:
        """Start a process for reports; it has ``wait`` and ``kill`` as a ``Popen`` has.

        Raises
        ------
        OSError : the system did not start one; another try may do better.
        Unprepared : no process can be started, now or later; the message says why.
        """
        # A user's start-up files must not alter a report.
        environment = {**os.environ, **ENVIRONMENT, **SAME, "IPYTHONDIR": str(self._folder / "i")}
        arguments = {
            "jobs": [asdict(job) for job in jobs],
            "place": asdict(place),
            "told": [str(self.told(job, place)) for job in jobs],
        }
        log = str(self.log(jobs[0], place))
        if self.notice:
            return self._keep(_fresh(arguments, environment, log))
        return self._keep(self._forked(arguments, environment, log, place.timeout + GRACE))

    def _forked(
        self, arguments: dict[str, Any], environment: dict[str, str], log: str, patience: float
    ) -> Process:
        """Have the server fork a process; one that is gone or does not answer is replaced."""
        while True:
            server = self.server()
            try:
                process = Process(
                    server.address, "evaluation.batch.worker:main", arguments,
                    environment=environment, log=log, patience=patience,
                )  # fmt: skip
            except (ConnectionError, FileNotFoundError, TimeoutError) as error:
                # The sockets of a killed process go before the process does.
                silent = isinstance(error, TimeoutError)
                self._replace(server, f"{error} (--timeout allows more)" if silent else "")
            except Unprepared as error:
                self._unprepared = str(error)
                raise
            else:
                self._lost = 0
                return process

    def server(self) -> Server:
        """The fork server, started again where it was killed."""
        with self._lock:
            if self.closed:
                raise ConnectionError("the run was ended")
            if self._server is not None and not self._server.alive:
                self._end_server()
            if self._unprepared:
                raise Unprepared(self._unprepared)
            if self._server is None:
                self._server = Server("evaluation.batch.kernels:reports", self._prepare, SAME)
            return self._server

    def _replace(self, server: Server, silence: str) -> None:
        """End ``server``, unless another thread has; ``silence`` says that it did not answer."""
        with self._lock:
            if self._server is server and not self.closed:
                self._end_server(silence)

    def _end_server(self, silence: str = "") -> None:
        """End the server and count it as lost; too many in a row, and no more are started."""
        code = self._server.close(0.0 if silence else 10.0)
        self._server = None
        self._lost += 1
        if self._lost == LOST:
            reason = silence or f"the fork server {_ended(code)}"
            self._unprepared = f"the reports could not be prepared: {reason}"

    def told(self, job: Job, place: Place) -> Path:
        """The file a process tells its outcome in; the disk of the reports may be full."""
        return self._folder / f"{place.name(job)}.json"

    def log(self, job: Job, place: Place) -> Path:
        """What the process of a report wrote to its standard output and error."""
        return self._folder / f"{place.name(job)}.log"

    def _keep(self, process: Any) -> Any:
        self._running.add(process)
        if self.closed:
            process.kill()
        return process

    def done(self, process: Any) -> None:
        """Forget a process that has ended."""
        self._running.discard(process)

    def close(self) -> None:
        """End every process and the server."""
        self.closed = True
        for process in list(self._running):
            process.kill()
        with self._lock:
            if self._server is not None:
                self._server.close()


def _fresh(arguments: dict[str, Any], environment: dict[str, str], log: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "evaluation.batch.worker", json.dumps(arguments)]
    with open(log, "ab") as stream:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            start_new_session=True,
        )  # fmt: skip


def attempt(jobs: Sequence[Job], place: Place, launcher: Launcher, tries: int = 2) -> list[Outcome]:
    """Make reports in a process, each in its folder; again where the cause of a failure can pass.

    A report that ends the process is tried again by itself, and does not count for those after it.
    """
    found: dict[str, Outcome] = {}
    numbers: Counter[str] = Counter()
    left = list(jobs)
    while left:
        for job, outcome in _try(left, place, launcher):
            numbers[job.id] += 1
            stored = _stored(outcome, job, place)
            found[job.id] = replace(stored, attempts=numbers[job.id])
        left = [job for job in jobs if _again(found.get(job.id), tries, launcher)]
    return [found[job.id] for job in jobs]


def _again(outcome: Outcome | None, tries: int, launcher: Launcher) -> bool:
    if outcome is None:
        return True
    return outcome.passing and outcome.attempts < tries and not launcher.closed


def _stored(outcome: Outcome, job: Job, place: Place) -> Outcome:
    """Write a report that was made to the address it is to be kept at."""
    if not place.store or outcome.status != MADE:
        return outcome
    try:
        return store.put(outcome, place.of(job), place.store)
    except KepuError as error:
        return replace(outcome, status=FAILED, error=str(error), passing=True, files={})


def _try(jobs: Sequence[Job], place: Place, launcher: Launcher) -> list[tuple[Job, Outcome]]:
    """Outcomes of the reports a process told, and of the first one it did not tell."""
    begun = time.monotonic()
    try:
        for job in jobs:
            shutil.rmtree(place.of(job), ignore_errors=True)
            place.of(job).mkdir(parents=True)
        process = launcher.start(jobs, place)
    except OSError as error:
        told = f"could not be started ({error.strerror or error})"
        return [(jobs[0], Outcome(jobs[0].id, FAILED, time.monotonic() - begun, told, True))]
    told = [launcher.told(job, place) for job in jobs]
    try:
        code = _awaited(process, told, place.timeout + GRACE)
    finally:
        process.kill()
        launcher.done(process)
    log = launcher.log(jobs[0], place)
    try:
        known = [path for path in told if path.exists()]
        found = list(zip(jobs, map(_read, known), strict=False))
        if len(known) < len(jobs):
            late = code is None
            job, error = jobs[len(known)], _too_long(place.timeout) if late else _death(code, log)
            _keep_unfinished(place.of(job) / f"{job.stem}.ipynb", place.hidden)
            ended = Outcome(job.id, FAILED, time.monotonic() - begun, error, passing=not late)
            found.append((job, ended))
        return found
    finally:
        for path in (*told, log):
            path.unlink(missing_ok=True)


def _awaited(process: Any, told: Sequence[Path], patience: float) -> int | None:
    """Wait for the end of a process and give its code; ``None`` if one report takes too long."""
    for path in told:
        deadline = time.monotonic() + patience
        while not path.exists():
            try:
                return process.wait(min(LOOK, max(deadline - time.monotonic(), 0.01)))
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    return None
    return process.wait(patience)


def _read(told: Path) -> Outcome:
    found = json.loads(told.read_text("utf-8"))
    return Outcome(**{**found, "warnings": tuple(found["warnings"])})


def _too_long(timeout: float) -> str:
    return f"took longer than {timeout:g} s (--timeout allows more)"


def _death(code: int, log: Path) -> str:
    """Say how a process ended that left no outcome."""
    told = log.read_text("utf-8", errors="replace").split() if log.exists() and code > 0 else []
    return f"its process {_ended(code)}: {' '.join(told)[-300:]}".removesuffix(": ")


def _ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        return f"was ended by {name}, for want of memory or from outside"
    return f"ended with code {code}"


if __name__ == "__main__":  # where processes cannot be forked
    main(**json.loads(sys.argv[1]))
