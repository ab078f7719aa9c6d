"""One folder of reports: what is there, what was made, whole files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from evaluation.base import cache as fingerprint
from evaluation.base import files as private
from evaluation.base.cache import DISTRIBUTION
from evaluation.base.errors import ID, KepuError, shown
from evaluation.base.text import COMMON, LANGUAGES, OFFICIAL, file_stem
from evaluation.batch import front, maps
from evaluation.batch.plan import Job

MADE, FAILED, CACHED, REFUSED = "made", "failed", "cached", "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    ``error`` is one line; ``passing`` says that its cause may be gone by another try. ``files``
    holds, by kind (a format, or notebook), the name in the folder of reports and the SHA-256;
    ``summary`` is what the front page shows of the report.
    """

    id: str
    status: str
    seconds: float
    error: str = ""
    passing: bool = False
    attempts: int = 1
    warnings: tuple[str, ...] = ()
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------
# The folder of a run: what is in it, what is written into it, and what is never touched.


MANIFEST, PAGE, EVENTS, OWN = "manifest.json", "index.html", "events.jsonl", ".kepu"
NOTEBOOKS, FAILED_NOTEBOOKS = "notebooks", "failed"
LARGEST = 256_000_000  # bytes of a state file that is read
SHOWN = ("data", "data_hash", "commit", "date")  # what the front page tells of a run
PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib", "papermill", "nbconvert")


def kinds(stem: str) -> dict[str, str]:
    """The files of a report by kind, as they are named in the folder.

    Of the report itself a kind is its format; of its brief and annex ``brief.html`` and so on.
    """
    named = {
        deep(depth, kind): f"{file_stem(stem, depth)}.{kind}"
        for depth in ("report", "brief", "annex")
        for kind in COMMON
    }
    return named | {OFFICIAL: f"{stem}_{OFFICIAL}.docx", "notebook": f"{NOTEBOOKS}/{stem}.ipynb"}


def deep(depth: str, kind: str) -> str:
    """What a format is called in the files of an entry at a depth."""
    return kind if depth in ("", "report") else f"{depth}.{kind}"


def asked(job: Job) -> list[str]:
    """The kinds of files a report is asked for."""
    once = [kind for kind in job.formats if kind == OFFICIAL]
    each = [kind for kind in job.formats if kind != OFFICIAL]
    return [*(deep(d, kind) for d in job.depths or ("",) for kind in each), *once, "notebook"]


def expected(job: Job) -> dict[str, str]:
    """The files of a report that is made; always a page, which the front page links and reads."""
    pages = (deep(depth, "html") for depth in job.depths)
    wanted = {"html", *pages, *asked(job)}
    return {kind: name for kind, name in kinds(job.stem).items() if kind in wanted}


def unfinished(stem: str) -> str:
    """Where the notebook of a report that failed is kept."""
    return f"{FAILED_NOTEBOOKS}/{stem}.ipynb"


@dataclass(frozen=True)
class Known:
    """What the files of a folder tell of it.

    Attributes
    ----------
    entries : what the manifest lists by file stem; what the last run made, by its log, where that
        run was killed or the manifest cannot be read.
    run, front : of the manifest: the last run, and what the front page was drawn from.
    page : the front page, ``""`` where there is none.
    files : names of files of reports that runs wrote; nothing else is written over.
    recovered : whether the log of the last run has entries that no manifest lists.
    ours : whether a run ever wrote into the folder.
    unreadable : why a state file cannot be read, by its name.
    """

    entries: Mapping[str, Mapping[str, Any]]
    run: Mapping[str, Any]
    front: Mapping[str, str]
    page: str
    files: frozenset[str]
    recovered: bool
    ours: bool
    unreadable: Mapping[str, str]


def read(out: Path) -> Known:
    """Read the state of a folder; what cannot be read is named, and the rest is used."""
    unreadable: dict[str, str] = {}
    texts = {name: _text(out / name, name, unreadable) for name in (MANIFEST, PAGE, EVENTS)}
    manifest = _manifest(texts[MANIFEST], unreadable)
    events = _events(texts[EVENTS], unreadable)
    entries = {entry["stem"]: entry for entry in manifest["reports"]}
    late, begun = {}, []
    finished = any(event["event"] == "finished" for event in events)
    if not finished or MANIFEST in unreadable:
        late = {e["entry"]["stem"]: e["entry"] for e in events if e["event"] == "report"}
        begun = [e["stem"] for e in events if e["event"] == "filing"]
    entries |= late
    files = {name for stem in begun for name in (*kinds(stem).values(), unfinished(stem))}
    for entry in entries.values():
        files |= {file["name"] for file in entry["files"].values() if "url" not in file}
        files |= {unfinished(entry["stem"])} if entry["status"] == FAILED else set()
        files |= {entry["file"], entry["earlier"].get("file", "")} - {""}
    return Known(
        entries, manifest["run"], manifest["front"], texts[PAGE],
        files=frozenset(files.union(manifest["files"])),
        recovered=bool(late),
        ours=bool(manifest["run"] or events or os.path.isdir(out / OWN)),
        unreadable=unreadable,
    )  # fmt: skip


def _text(path: Path, name: str, unreadable: dict[str, str]) -> str:
    """The text of a state file, ``""`` where there is none or it cannot be read."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # to open a pipe would wait for its writer
            unreadable[name] = "it is no regular file"
        elif name == MANIFEST and not state.st_size:
            unreadable[name] = "it is empty"
        elif state.st_size > LARGEST:
            unreadable[name] = f"it is larger than {LARGEST:,} bytes"
        else:
            return path.read_text("utf-8")
    except FileNotFoundError:
        if path.is_symlink():
            unreadable[name] = "it is a link to nothing"
    except UnicodeDecodeError:
        unreadable[name] = "it is not UTF-8"
    except OSError as error:
        if os.path.lexists(path):
            unreadable[name] = error.strerror or str(error)
    return ""


def _manifest(text: str, unreadable: dict[str, str]) -> dict[str, Any]:
    """Parse a manifest; entries that are no entries are left out."""
    none: dict[str, Any] = {"run": {}, "front": {}, "reports": [], "files": []}
    try:
        found = _json(text) if text or MANIFEST in unreadable else none
    except ValueError as error:
        found = unreadable.setdefault(MANIFEST, f"no JSON: {error}")
    parts = (("run", dict), ("reports", list))
    if not isinstance(found, dict) or not all(isinstance(found.get(n), t) for n, t in parts):
        unreadable.setdefault(MANIFEST, "it is no manifest of reports")
        return none
    reports = []
    for number, raw in enumerate(found["reports"]):
        try:
            reports.append(parsed(raw))
        except ValueError as error:
            unreadable.setdefault(MANIFEST, f"reports[{number}]: {error}")
    files = found.get("files", [])
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        unreadable.setdefault(MANIFEST, "files: no list of names")
        files = []
    return {"run": found["run"], "front": found.get("front"), "reports": reports, "files": files}


def _events(text: str, unreadable: dict[str, str]) -> list[dict[str, Any]]:
    """Parse the log of a run; lines that are no events are left out."""
    events = []
    # The last line may have been cut off by a kill: what it told is made again.
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            event = _json(line)
            if not isinstance(event, dict) or not isinstance(event.get("time"), int | float):
                raise ValueError("no event")
            if event["event"] == "report":
                event["entry"] = parsed(event.get("entry"))
            if event["event"] == "filing" and not _id(event.get("stem")):
                raise ValueError("no file stem")
            events.append(event)
        except (ValueError, KeyError) as error:
            unreadable.setdefault(EVENTS, f"line {number}: {error}")
    return events


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


# What an entry says of its report as the plan does.
IDENTITY = ("id", "stem", "notebook", "region", "level", "names", "language", "parameters")
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str, "stem": str, "notebook": str, "region": str, "level": str, "names": dict,
    "language": str, "parameters": dict, "status": str, "seconds": (int, float), "attempts": int,
    "file": str, "files": dict, "key": dict, "error": str, "earlier": dict, "warnings": list,
    "summary": dict, "date": str, "data_hash": str, "simulated": bool,
}  # fmt: skip


def parsed(raw: Any) -> dict[str, Any]:
    """Check an entry of a manifest: its fields, their types, names that match its stem, its sum.

    An entry without a sum, of an earlier version, says which files are there and no more.

    Raises
    ------
    ValueError : which field is wrong.
    """
    if not isinstance(raw, dict):
        raise ValueError("no entry")
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(raw.get(name), kind)]
    entry = {name: raw.get(name) for name in _FIELDS}
    wrong += [] if wrong else _unsafe(entry)
    if wrong:
        raise ValueError(f"{wrong[0]} is missing or wrong")
    if "sum" not in raw:
        return entry | {"key": {}, "summary": {}}
    if raw["sum"] != _sum(entry):
        raise ValueError("it was changed")
    return {**entry, "sum": raw["sum"]}


def _unsafe(entry: Mapping[str, Any]) -> list[str]:
    """Fields whose values are not those of a report with this stem."""
    names, page = kinds(entry["stem"]), (f"{entry['stem']}.html", "")
    return [name for name, right in {
        "id": _id(entry["id"]),
        "stem": _id(entry["stem"]),
        "notebook": _id(entry["notebook"]),
        "region": not entry["region"] or _id(entry["region"]),
        "names": all(isinstance(entry["names"].get(name), str) for name in LANGUAGES),
        "language": entry["language"] in LANGUAGES,
        "status": entry["status"] in (MADE, FAILED),
        "file": entry["file"] in page,
        "earlier": all(isinstance(text, str) for text in entry["earlier"].values())
        and entry["earlier"].get("file", "") in page,
        "files": all(kind in names and _file(file, names[kind])
                     for kind, file in entry["files"].items()),
        "warnings": all(isinstance(text, str) for text in entry["warnings"]),
    }.items() if not right]  # fmt: skip


def _file(file: Any, name: str) -> bool:
    if not isinstance(file, dict) or file.get("name") != name:
        return False
    stored = "url" not in file or (isinstance(file["url"], str) and type(file.get("size")) is int)
    return stored and isinstance(file.get("sha256"), str)


def _id(text: Any) -> bool:
    return isinstance(text, str) and ID.fullmatch(text) is not None


def _sum(entry: Mapping[str, Any]) -> str:
    """SHA-256 over an entry as JSON gives it back: whatever was changed by hand or disk shows."""
    read_back = json.loads(json.dumps({k: v for k, v in entry.items() if k != "sum"}))
    return hashlib.sha256(json.dumps(read_back, sort_keys=True).encode()).hexdigest()


class Folder:
    """The folder of a run while it is held: every file of it is written and removed through here.

    Attributes
    ----------
    out : the folder.
    work : a private folder on its file system, gone at the end of the run.
    files : names of files of reports that runs wrote.
    """

    def __init__(self, out: Path, work: Path, files: Iterable[str] = ()):
        self.out, self.work, self.files = out, work, set(files)

    def path(self, name: str) -> Path:
        """The path of a file by its name; its folder is made, and it lies inside ``out``."""
        path = private.inside(self.out, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str) -> None:
        """Write a text file whole."""
        private.replace(self.path(name), text, self.work)

    def move(self, source: Path, name: str) -> None:
        """Move a finished file into the folder."""
        os.replace(source, self.path(name))
        self.files.add(name)

    def remove(self, name: str) -> None:
        """Remove a file where it is there, and the folder below this one it was the last in."""
        path = private.inside(self.out, name)
        path.unlink(missing_ok=True)
        if path.parent != self.out.resolve():
            with contextlib.suppress(OSError):  # not empty, or not there
                path.parent.rmdir()

    def set_aside(self, name: str, word: str) -> str:
        """Rename a file or folder that is in the way; give its new name."""
        number = 1
        while os.path.lexists(private.inside(self.out, f"{name}.{word}-{number}")):
            number += 1
        new = f"{name}.{word}-{number}"
        os.rename(private.inside(self.out, name), private.inside(self.out, new))
        return new

    def take(self, outcome: Outcome, stem: str, made: Path) -> None:
        """Move the files of a report from ``made`` into the folder; of a failed one its notebook.

        The names are those of its stem, whatever an outcome from elsewhere says.
        """
        broken = made / f"{stem}.ipynb"
        if outcome.status == MADE:
            for kind, name in kinds(stem).items():
                if kind in outcome.files and "url" not in outcome.files[kind]:
                    self.move(made / Path(name).name, name)
            self.remove(unfinished(stem))
        elif broken.exists():
            self.move(broken, unfinished(stem))
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for one run; the lock goes with the process, even a killed one.

    Raises
    ------
    KepuError : another run holds it, or it cannot be written.
    """
    try:
        if out.exists() and not out.is_dir():
            raise KepuError(f"{shown(out)} is a file — name a folder with --out")
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise KepuError(
            f"another run is writing into {shown(out)} — wait for it, or choose a folder with --out"
        ) from None
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        yield
    finally:
        lock.release()


def _unwritable(out: Path, error: OSError) -> KepuError:
    return KepuError(f"{shown(out)} cannot be written ({error.strerror or error}) — choose --out")


@contextlib.contextmanager
def opened(
    out: Path, known: Known, jobs: Sequence[Job], noted: Callable[[str], None]
) -> Iterator[Folder]:
    """Give the folder, cleared for ``jobs``; it must be locked.

    State that cannot be read is renamed, and so are files in the way that no run made: only where
    no run ever wrote they are refused, because the folder may be the wrong one.

    Parameters
    ----------
    noted : called with one line for each file that was renamed.

    Raises
    ------
    KepuError : a file in the way in a folder that is not ours, or a link that leads out of it.
    """
    strange = in_the_way(out, known, jobs)
    if strange and not known.ours:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise KepuError(
            f"{shown(out)} holds {strange[0]}{more}, which no run made — move that away, or choose "
            "another folder with --out"
        )
    with contextlib.ExitStack() as stack:
        try:
            work = stack.enter_context(private.folder("run-", out / OWN))
        except OSError as error:
            raise _unwritable(out, error) from None
        folder = Folder(out, work.resolve(), known.files)
        for name, reason in known.unreadable.items():
            new = folder.set_aside(name, "unreadable")
            noted(f"{name} could not be read ({reason}) and was renamed to {new}")
        for name in strange:
            new = folder.set_aside(name, "kept")
            noted(f"{name}, which no run made, was in the way and was renamed to {new}")
        yield folder


def in_the_way(out: Path, known: Known, jobs: Sequence[Job]) -> list[str]:
    """Names of what lies where files of ``jobs`` will be written and no run put."""
    places = {name: private.inside(out, name) for name in (NOTEBOOKS, FAILED_NOTEBOOKS)}
    found = [n for n, path in places.items() if os.path.lexists(path) and not path.is_dir()]
    for job in jobs:
        for name in (*expected(job).values(), unfinished(job.stem)):
            path = private.inside(out, name)
            folder = path.is_dir() and not path.is_symlink()
            if folder or (os.path.lexists(path) and name not in known.files):
                found.append(name)
    if known.page and not known.ours:
        found.append(PAGE)
    return found


@dataclass(frozen=True)
class State:
    """The data and the code a run rests on, as its manifest records them.

    ``implausible`` counts figures that look implausible and nobody has confirmed.
    """

    data: str
    data_hash: str
    commit: str
    date: str
    simulated: bool = False
    implausible: int = 0


class Journal:
    """The log of a run: one JSON object a line, each written before the next thing is done.

    ``started``, then ``cached`` with the id of a report that was left, ``filing`` with the stem of
    one whose files are being moved, ``report`` with the entry the manifest will have, and
    ``finished``. A killed run leaves no last line; the next run takes over what it had made.
    """

    def __init__(self, folder: Folder):
        folder.remove(EVENTS)
        form = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}
        self._stream: TextIO = folder.path(EVENTS).open("x", **form)

    def write(self, event: str, **values: Any) -> None:
        """Add an event with the time in seconds since 1970."""
        line = {"event": event, "time": round(time.time(), 3), **values}
        self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """End the log."""
        self._stream.close()


@dataclass
class Record:
    """What became of the reports of one run, as it grows; every step is logged at once.

    ``entries`` are those of the manifest by file stem, earlier runs' included.
    """

    folder: Folder
    state: State
    known: Known
    log: Journal = field(init=False)
    entries: dict[str, Mapping[str, Any]] = field(init=False)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.entries = dict(self.known.entries)
        if self.known.recovered:  # listed before the log that tells of them goes
            reports = [self.entries[stem] for stem in sorted(self.entries)]
            self.folder.write(
                MANIFEST, _dump(self.known.run, reports, self.known.front, self.folder)
            )
        self.log = Journal(self.folder)
        self.log.write("started", **vars(self.state))

    def left(self, job: Job) -> Outcome:
        """Note a report that is still true; give its outcome."""
        outcome = Outcome(job.id, CACHED, 0.0, files=dict(self.entries[job.stem]["files"]))
        self.outcomes[job.id] = outcome
        self.log.write("cached", id=job.id)
        return outcome

    def add(self, job: Job, outcome: Outcome, key: Mapping[str, str], made: Path) -> None:
        """Take an outcome with its files in ``made``; ``key``: the hashes the report rests on."""
        self.outcomes[job.id] = outcome
        self.log.write("filing", stem=job.stem)
        self.folder.take(outcome, job.stem, made)
        before = self.entries.get(job.stem)
        self.entries[job.stem] = entry(job, outcome, self.state, key, before, self.folder.out)
        self.log.write("report", entry=self.entries[job.stem])

    def run(self) -> dict[str, Any]:
        """What the manifest tells of the run: start, duration, counts, versions, data."""
        counts = [outcome.status for outcome in self.outcomes.values()]
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "package": metadata.version(DISTRIBUTION),
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
            "seconds": round(time.monotonic() - self.clock, 1),
            **{status: counts.count(status) for status in (MADE, CACHED, FAILED)},
            **vars(self.state),
        }

    def finish(self, own: maps.Boundaries | None = None) -> dict[str, str]:
        """Write manifest and front page, end the log; give their texts by name."""
        texts = write(self.folder, self.known, self.entries, self.run(), own)
        self.log.write("finished")
        return texts


def entry(
    job: Job,
    outcome: Outcome,
    state: State,
    key: Mapping[str, str],
    before: Mapping[str, Any] | None,
    out: Path,
) -> dict[str, Any]:
    """Record one report: what it is, what became of it, what it rests on.

    Parameters
    ----------
    key : hashes the report rests on.
    before : the entry of an earlier run; where this one failed, its page stays linked.
    """
    made = outcome.status == MADE
    earlier = {}
    if not made and before and (out / f"{job.stem}.html").is_file():
        earlier = before.get("earlier") or {n: before[n] for n in ("file", "date", "data_hash")}
    fields = {
        **{name: getattr(job, name) for name in IDENTITY},
        "status": outcome.status,
        "seconds": round(outcome.seconds, 1),
        "attempts": outcome.attempts,
        "file": f"{job.stem}.html" if made else "",
        "files": outcome.files,
        "key": dict(key),
        "error": outcome.error,
        "earlier": earlier,
        "warnings": list(outcome.warnings),
        "summary": outcome.summary,
        "date": state.date,
        "data_hash": state.data_hash,
        "simulated": state.simulated,
    }
    return {**fields, "sum": _sum(fields)}


def write(
    folder: Folder,
    known: Known,
    entries: Mapping[str, Mapping[str, Any]],
    run: Mapping[str, Any],
    own: maps.Boundaries | None = None,
) -> dict[str, str]:
    """Write manifest.json and index.html and give their texts by name.

    A report is listed while its page is there.

    Parameters
    ----------
    known : of the folder before; its page is kept where it would be drawn the same.
    entries : by file stem.
    run : what is told of this run: start, duration, versions, data.
    own : boundaries the map is drawn with in place of tiles.
    """
    listed = [
        entry for _, entry in sorted(entries.items())
        if entry["status"] == FAILED or os.path.isfile(folder.out / entry["file"])
        or any("url" in file for file in entry["files"].values())
    ]  # fmt: skip
    # What the front page shows, and the code that draws it.
    told = json.dumps([{name: run.get(name) for name in SHOWN}, listed])
    key = _hash(told + repr(own) + fingerprint.code(front.__name__))
    page = known.page
    if known.front != {"key": key, "sha256": _hash(page)}:
        summaries = {entry["stem"]: entry["summary"] for entry in listed}
        page = front.page({"run": run, "reports": listed}, summaries, own=own)
    counts_as = {"key": key, "sha256": _hash(page)}
    texts = {MANIFEST: _dump(run, listed, counts_as, folder), PAGE: page}
    for name, text in texts.items():
        folder.write(name, text)
    return texts


def _dump(run: Any, reports: Any, page: Any, folder: Folder) -> str:
    """The text of a manifest: a line for each report, so that two can be compared by line."""
    files = [name for name in sorted(folder.files) if os.path.lexists(folder.out / name)]
    line = json.JSONEncoder(ensure_ascii=False).encode
    listed = "[\n" + ",\n".join(map(line, reports)) + "\n]"
    told = {"run": line(run), "reports": listed, "front": line(page), "files": line(files)}
    return "{\n" + ",\n".join(f"{line(key)}: {text}" for key, text in told.items()) + "\n}\n"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
