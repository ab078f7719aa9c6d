"""What can go wrong in a batch goes wrong here for real; then it is finished, nothing lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from evaluation.base.errors import KepuError
from evaluation.batch import kernels
from evaluation.batch.kernels import Server
from evaluation.batch.plan import Job
from evaluation.batch.run import PARTS, Run, Watch, run
from evaluation.batch.state import CACHED, FAILED, MADE, State
from evaluation.batch.worker import Launcher, Place

pytestmark = pytest.mark.skipif(bool(kernels.unsafe()), reason=kernels.unsafe())

STATE = State(data="../data", data_hash="f00d" * 16, commit="1a2b3c4", date="2026-01-31")
# A report that dies in the way its region says, the first time or always, with a mark of each try.
BODY = """
import os, signal, time
from pathlib import Path
from IPython.display import HTML
marks = Path("marks")
marks.mkdir(exist_ok=True)

tried = len(list(marks.glob(f"{region}-*")))
(marks / f"{region}-{tried}-{os.getpid()}").touch()
how, _, when = region.partition(".")
if when == "always" or tried == 0:
    if how == "process":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "server":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if how == "slow":
        time.sleep(600)
size = 3_000_000 if how == "big" else 10
HTML(f"<h1>Report {region}</h1><p>{'x' * size}</p>")
"""


@pytest.fixture
def project(tmp_path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks" / "marks").mkdir(parents=True)
    cells = [nbformat.v4.new_code_cell('region: str = ""')]
    cells += [nbformat.v4.new_code_cell(BODY)]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(page, tmp_path / "notebooks" / "page.ipynb")
    return tmp_path


def jobs(*regions: str) -> list[Job]:
    names = {"zh": "地区", "en": "Region"}
    return [
        Job(f"{r}_en", "page", r, "league", names, "en", {"region": r}, f"{r}_en") for r in regions
    ]


def how(project: Path, out: Path, **options) -> Run:
    key = dict.fromkeys(PARTS, "same")
    place = (out, project / "notebooks", project / "data")
    return Run(*place, STATE, key=lambda job: key, **{"workers": 2, "timeout": 60.0, **options})


def statuses(outcomes) -> dict[str, tuple[str, int]]:
    return {outcome.id: (outcome.status, outcome.attempts) for outcome in outcomes}


def whole(out: Path, *regions: str) -> None:
    """Every page is whole, listed as made, and nothing else lies in the folder."""
    listed = json.loads((out / "manifest.json").read_text("utf-8"))["reports"]
    made = {entry["region"] for entry in listed if entry["status"] == MADE}
    assert made == set(regions)
    pages = {path.name for path in out.glob("*.html")} - {"index.html"}
    assert pages == {f"{region}_en.html" for region in regions}
    for page in pages:
        assert (out / page).read_text("utf-8").rstrip().endswith("</html>")
    assert [path.name for path in (out / ".kepu").iterdir()] == [".lock"]


def no_process_of(project: Path) -> None:
    """No process a report of ``project`` ran in is alive."""
    pids = [path.name.rpartition("-")[2] for path in (project / "notebooks/marks").iterdir()]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        alive = [pid for pid in pids if _runs(Path("/proc", pid, "stat"))]
        if not alive:
            return
        time.sleep(0.05)
    raise AssertionError(f"still alive: {alive}")


def _runs(stat: Path) -> bool:
    """A process that has ended and is not reaped yet runs no more."""
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_killed_process_and_server_are_replaced_and_all_reports_made(project):
    out = project / "out"
    plan = jobs("fine", "process", "process.always", "server")
    found = statuses(run(plan, how(project, out, workers=1)))
    assert found == {
        "fine_en": (MADE, 1),
        "process_en": (MADE, 2),
        "process.always_en": (FAILED, 2),
        "server_en": (MADE, 2),
    }
    whole(out, "fine", "process", "server")
    listed = json.loads((out / "manifest.json").read_text("utf-8"))["reports"]
    (failed,) = [entry for entry in listed if entry["status"] == FAILED]
    told = "its process was ended by SIGKILL, for want of memory or from outside"
    assert failed["error"] == told
    broken = nbformat.read(out / "failed" / "process.always_en.ipynb", 4)
    assert 'region = "process.always"' in broken.cells[1].source
    no_process_of(project)


def test_languages_of_a_region_share_a_process_and_its_death_spares_those_made(project):
    out, plan = project / "out", []
    for region in ("a", "b", "process.always"):
        for language in ("zh", "en"):
            (job,) = jobs(region)
            plan.append(replace(job, id=f"{region}_{language}", stem=f"{region}_{language}"))
    plan[-1] = replace(plan[-1], parameters={"region": "fine"})
    found = statuses(run(plan, how(project, out, workers=1)))
    assert found.pop("process.always_zh") == (FAILED, 2)
    assert set(found.values()) == {(MADE, 1)} and "process.always_en" in found
    marks = [path.name.split("-") for path in (project / "notebooks/marks").iterdir()]
    assert [len({pid for name, _, pid in marks if name == each}) for each in "ab"] == [1, 1]


def test_server_whose_sockets_are_gone_before_it_is_replaced(tmp_path, monkeypatch):
    prepare = {"data": "", "data_hash": "", "studies": [], "modules": []}
    place = Place(str(tmp_path), str(tmp_path), str(tmp_path), 60)
    with contextlib.closing(Launcher(tmp_path / "jupyter", prepare)) as launcher:
        first = launcher.server()
        os.kill(first.pid, signal.SIGKILL)
        first._process.wait()
        told = iter([True])  # as the system tells of a process that is just ending
        alive = property(lambda self: next(told, self._process.poll() is None))
        monkeypatch.setattr(Server, "alive", alive)
        launcher.start(jobs("fine"), place).kill()
        assert launcher.server() is not first


BATCH = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_faults import how, jobs, run
project = Path({project!r})
run(jobs("a", "b", "slow.always", "c"), how(project, project / "out"))
"""


@pytest.fixture
def temporary(monkeypatch):
    """A temporary folder of this test alone, with a short name: paths of sockets are short."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_batch_that_is_killed_goes_on_from_where_it_was(project, number, temporary):
    out, tests = project / "out", str(Path(__file__).parent)
    script = BATCH.format(tests=tests, project=str(project))
    batch = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(out.glob("?_en.html"))) < 3:  # the fourth report sleeps
        assert time.monotonic() < deadline and batch.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    batch.send_signal(number)
    begun = time.monotonic()
    assert batch.wait(30) != 0
    assert time.monotonic() - begun < 10  # nothing is tried again once the run is ended
    no_process_of(project)
    if number != signal.SIGKILL:
        empty(temporary)
    for path in (project / "notebooks/marks").glob("slow.always-*"):
        path.unlink()
    again = run(jobs("a", "b", "c", "d"), how(project, out))
    assert [o.status for o in again] == [CACHED, CACHED, CACHED, MADE]
    whole(out, "a", "b", "c", "d")
    empty(temporary)


def empty(temporary: Path) -> None:
    """No run left anything but the lock of its folder."""
    left = [path for path in temporary.rglob("*") if path.is_file() or path.is_socket()]
    assert [path.name for path in left] == [".lock"]


def test_page_that_was_cut_off_is_never_taken_for_finished(project):
    out = project / "out"
    run(jobs("a", "b"), how(project, out))
    page = out / "a_en.html"
    page.write_bytes(page.read_bytes()[:-20])
    (out / "notebooks" / "b_en.ipynb").unlink()
    assert [o.status for o in run(jobs("a", "b"), how(project, out))] == [MADE, MADE]
    whole(out, "a", "b")


@pytest.fixture
def small(tmp_path):
    """A file system of four megabytes; skipped where this user may not mount one."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk_fails_what_does_not_fit_and_the_rest_is_made_when_there_is_room(project, small):
    out = small / "out"
    first = statuses(run(jobs("a", "big.one", "b"), how(project, out, workers=1)))
    assert first["big.one_en"] == (FAILED, 2)
    assert first["a_en"] == first["b_en"] == (MADE, 1)
    whole(out, "a", "b")
    listed = json.loads((out / "manifest.json").read_text("utf-8"))["reports"]
    assert "No space left on device" in str([entry["error"] for entry in listed])
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
    again = statuses(run(jobs("a", "big.one", "b"), how(project, out, workers=1)))
    assert again == {"a_en": (CACHED, 1), "big.one_en": (MADE, 1), "b_en": (CACHED, 1)}
    whole(out, "a", "b", "big.one")


def test_read_only_folder_is_told_and_nothing_is_lost(project, small):
    out = small / "out"
    run(jobs("a"), how(project, out))
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    with pytest.raises(KepuError, match=r"cannot be written \(Read-only file system\)"):
        run(jobs("a", "b"), how(project, out))
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)

    again = run(jobs("a", "b"), how(project, out))
    assert [o.status for o in again] == [CACHED, MADE]
    whole(out, "a", "b")


def test_disk_that_fills_up_under_a_run_ends_it_and_what_was_told_stays(project, small):
    out, filler = small / "out", small / "filler"

    def fill(outcome) -> None:
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)

    with pytest.raises(KepuError, match=r"can no longer be written .* it goes on from there"):
        run(jobs("a", "b", "c"), how(project, out, workers=1), Watch(ended=fill))
    filler.unlink()
    again = run(jobs("a", "b", "c"), how(project, out))
    assert [o.status for o in again] == [CACHED, MADE, MADE]
    whole(out, "a", "b", "c")


def test_results_are_the_same_with_fresh_interpreters_where_forking_is_unsafe(project, monkeypatch):
    run(jobs("a"), how(project, project / "warm"))
    monkeypatch.setattr(
        "evaluation.batch.worker.unsafe", lambda: "this system cannot fork processes"
    )
    notes: list[str] = []
    watch = Watch(noted=notes.append)
    assert [o.status for o in run(jobs("a"), how(project, project / "cold"), watch)] == [MADE]
    reason = "this system cannot fork processes"
    assert notes == [f"each report starts an interpreter of its own: {reason}"]
    pages = [(project / kind / "a_en.html").read_bytes() for kind in ("warm", "cold")]
    assert pages[0] == pages[1]


def test_fork_server_stopped_while_preparing_is_replaced(project, monkeypatch):
    first: list[int] = []
    start = Server.__init__

    def stopped(self, *arguments) -> None:
        start(self, *arguments)
        if not first:
            first.append(self.pid)
            os.kill(self.pid, signal.SIGSTOP)

    monkeypatch.setattr(Server, "__init__", stopped)
    monkeypatch.setattr("evaluation.batch.worker.GRACE", 0.0)
    found = statuses(run(jobs("a"), how(project, project / "out", workers=1, timeout=20.0)))
    assert found == {"a_en": (MADE, 1)} and first
    assert not _runs(Path("/proc", str(first[0]), "stat"))


def test_fork_servers_that_never_answer_end_the_run(project, monkeypatch):
    start = Server.__init__

    def stopped(self, *arguments) -> None:
        start(self, *arguments)
        os.kill(self.pid, signal.SIGSTOP)

    monkeypatch.setattr(Server, "__init__", stopped)
    monkeypatch.setattr("evaluation.batch.worker.GRACE", 0.0)
    told = (
        r"could not be prepared: the fork server did not answer within 1 s \(--timeout allows more"
    )
    with pytest.raises(KepuError, match=told):
        run(jobs("a", "b", "c"), how(project, project / "out", timeout=1.0))


def test_cause_that_cannot_pass_is_told_once_and_not_tried_again(project, monkeypatch):
    monkeypatch.setattr("evaluation.batch.run.cache.modules_of", lambda path: ["nowhere"])
    with pytest.raises(KepuError, match=r"could not be prepared .*No module named 'nowhere'"):
        run(jobs("a", "b", "c"), how(project, project / "out"))


@pytest.mark.parametrize("length", [70, 100])
def test_long_folder_for_temporary_files_hinders_no_report(project, tmp_path, length, monkeypatch):
    long = tmp_path / ("x" * length)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert statuses(run(jobs("a"), how(project, project / "out"))) == {"a_en": (MADE, 1)}


def test_too_few_open_files_are_told_before_a_report_is_tried(project):
    script = LIMITED.format(tests=str(Path(__file__).parent), project=str(project))
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "only 64 files may be open at once here" in told.stdout
    assert "ulimit -n" in told.stdout and "EMFILE" in told.stdout


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_faults import KepuError, how, jobs, run
project = Path({project!r})
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    run(jobs("a"), how(project, project / "out"))
except KepuError as error:
    print(error)
"""
