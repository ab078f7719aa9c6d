"""A Dask cluster makes the reports this machine would, byte for byte; a lost worker costs none.

Two runs at once get each its own, and no page comes from other code, data or another request.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

import evaluation
from conftest import ROOT
from evaluation.base import files
from evaluation.base.errors import KepuError
from evaluation.batch import cluster, kernels
from evaluation.batch import store as addresses
from evaluation.batch.cli import app
from evaluation.batch.run import Watch, run
from evaluation.batch.state import CACHED, FAILED, MADE
from test_faults import how, jobs, project, statuses, whole  # noqa: F401 - project is a fixture

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(bool(kernels.unsafe()), reason=kernels.unsafe())


@pytest.fixture(scope="module")
def scheduler():
    """A real scheduler with two worker processes, restarted by their nannies when they die."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, silence_logs="CRITICAL") as running:
        yield running


def test_serial_parallel_and_cluster_runs_give_the_same_bytes(project, scheduler):  # noqa: F811
    regions = ("a", "b", "c")
    runs = {
        "serial": {"workers": 1},
        "parallel": {"workers": 2},
        "cluster": {"scheduler": scheduler.scheduler_address},
    }
    for name, options in runs.items():
        outcomes = run(jobs(*regions), how(project, project / name, **options))
        assert [o.status for o in outcomes] == [MADE] * 3
        whole(project / name, *regions)
    for region in regions:
        pages = {(project / name / f"{region}_en.html").read_bytes() for name in runs}
        assert len(pages) == 1


def test_a_real_report_comes_from_a_cluster_at_every_depth_and_format(tmp_path, scheduler):
    given = ["batch", "smoke", "--only", "150100", "--set", "draws=99", "--format", "html,docx"]
    place = ["--data", str(ROOT / "data"), "--notebooks", str(ROOT / "notebooks")]
    ways = {"here": [], "cluster": ["--scheduler", scheduler.scheduler_address]}
    found = {}
    for name, options in ways.items():
        out = tmp_path / name
        result = CliRunner().invoke(app, [*given, *place, *options, "--out", str(out)])
        assert result.exit_code == 0, result.output
        files = [path for path in out.iterdir() if path.suffix in (".html", ".docx")]
        found[name] = {p.name: p.read_bytes() for p in files if p.name != "index.html"}
    assert len(found["here"]) == 12  # two languages, three depths, two formats
    assert found["cluster"] == found["here"]


def test_lost_worker_costs_no_report(project, scheduler):  # noqa: F811
    regions = tuple("abcdef")
    plan = jobs(*regions)

    def kill_one(outcome) -> None:
        if not killed:
            worker = next(iter(scheduler.workers.values()))
            killed.append(worker.process.pid)
            os.kill(worker.process.pid, signal.SIGKILL)

    killed: list[int] = []
    out = project / "lost"
    found = statuses(
        run(plan, how(project, out, scheduler=scheduler.scheduler_address), Watch(ended=kill_one))
    )
    assert killed and {status for status, _ in found.values()} == {MADE}
    whole(out, *regions)


def test_reports_can_be_kept_at_another_address(project, scheduler):  # noqa: F811
    out, store = project / "listed", f"file://{project}/kept"
    options = {"scheduler": scheduler.scheduler_address, "store": store}
    assert [o.status for o in run(jobs("a", "b"), how(project, out, **options))] == [MADE] * 2
    kept = project / "kept"
    assert {path.name for path in kept.glob("*.html")} == {"a_en.html", "b_en.html", "index.html"}
    assert not list(out.glob("?_en.html"))
    addresses._sizes.cache_clear()
    assert [o.status for o in run(jobs("a", "b"), how(project, out, **options))] == [CACHED] * 2
    (kept / "a_en.html").unlink()
    addresses._sizes.cache_clear()
    again = run(jobs("a", "b"), how(project, out, store=store, workers=1))
    assert [o.status for o in again] == [MADE, CACHED]


def with_data(folder: Path, content: str) -> Path:
    """A project whose reports show the one value of its data and a parameter of the run."""
    for name in ("data", "notebooks"):
        (folder / name).mkdir(parents=True)
    (folder / "data" / "value.csv").write_text(content)
    cells = [
        nbformat.v4.new_code_cell('region: str = ""\nword: str = ""'),
        nbformat.v4.new_code_cell(
            "import time; from pathlib import Path; from IPython.display import HTML\n"
            "time.sleep(0.2)\n"
            "value = Path('../data/value.csv').read_text()\n"
            "HTML(f'<h1>{region} shows {value} and {word}</h1>')"
        ),
    ]
    cells[0].metadata["tags"] = ["parameters"]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(page, folder / "notebooks" / "page.ipynb")
    return folder


def worded(word: str, *regions: str) -> list:
    return [replace(job, parameters={**job.parameters, "word": word}) for job in jobs(*regions)]


def shown(out: Path) -> set[str]:
    """What the headings of the pages in a folder say."""
    pages = (path.read_text("utf-8") for path in out.glob("*_en.html"))
    return {re.search(r"<h1>(.*?)</h1>", page).group(1) for page in pages}


def test_runs_at_once_of_equal_names_get_each_its_own_pages(tmp_path, scheduler):
    first = with_data(tmp_path / "first", "1111")
    second = with_data(tmp_path / "second", "2222")
    address, regions = scheduler.scheduler_address, ("a", "b", "c")
    runs = [(first, "one", "1111"), (second, "one", "2222"), (first, "two", "1111")]

    def make(place: Path, word: str) -> list[str]:
        options = how(place, place / word, scheduler=address)
        return [outcome.status for outcome in run(worded(word, *regions), options)]

    with ThreadPoolExecutor(len(runs)) as pool:
        made = list(pool.map(make, *zip(*[(place, word) for place, word, _ in runs], strict=True)))
    assert made == [[MADE] * 3] * 3
    for place, word, value in runs:
        assert shown(place / word) == {f"{r} shows {value} and {word}" for r in regions}


def test_data_changed_on_a_worker_are_put_right(tmp_path, scheduler):
    content = os.urandom(8).hex()
    place, address = with_data(tmp_path, content), scheduler.scheduler_address
    run(worded("x", "a", "b"), how(place, place / "out", scheduler=address))
    sites = Path(tempfile.gettempdir()).glob("kepu-*/site-*/data/value.csv")
    unpacked = [path for path in sites if path.read_text() == content]
    assert unpacked
    for path in unpacked:
        path.write_text("altered")
    run(worded("x", "c", "d"), how(place, place / "again", scheduler=address))
    assert shown(place / "again") == {f"{r} shows {content} and x" for r in "cd"}


@pytest.fixture(scope="module")
def altered(tmp_path_factory) -> Path:
    """A folder with a copy of the package that differs in one line, as a newer release might."""
    folder = tmp_path_factory.mktemp("altered")
    source = Path(evaluation.__file__).parent
    shutil.copytree(source, folder / "evaluation", ignore=shutil.ignore_patterns("__pycache__"))
    export = folder / "evaluation" / "report" / "html.py"
    text = export.read_text("utf-8")
    line = 'written["html"] = to_html(notebook, language, **told).encode()'
    assert line in text
    export.write_text(text.replace(line, f"{line}.replace(b'Report', b'ALTERED')"), "utf-8")
    return folder


@contextlib.contextmanager
def worker(address: str, **environment: str):
    """A Dask worker started by a command, as on another machine."""
    command = [
        sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny",
        "--nthreads", "1", "--no-dashboard",
    ]  # fmt: skip
    kept = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env={**os.environ, **environment}, **kept)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def joined(scheduler, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(scheduler.scheduler.workers) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(scheduler, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(scheduler.scheduler.workers) > count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _run_with_a_late_worker(root, out, scheduler, altered) -> tuple[list, list[str]]:
    """Outcomes of a run that a worker with other code joins, and what was noted of it."""
    before, notes = len(scheduler.scheduler.workers), []
    with contextlib.ExitStack() as stack:

        def join(outcome) -> None:
            if len(scheduler.scheduler.workers) == before:
                late = worker(scheduler.scheduler_address, PYTHONPATH=str(altered))
                stack.enter_context(late)
                joined(scheduler, before + 1)

        options = how(root, out, scheduler=scheduler.scheduler_address)
        outcomes = run(jobs(*LATE), options, Watch(ended=join, noted=notes.append))
    gone(scheduler, before)
    return outcomes, notes


LATE = tuple(f"r{place:02d}" for place in range(40))


def test_worker_with_other_code_that_joins_late_makes_no_page(project, scheduler, altered):  # noqa: F811
    """On a busy machine all may be made before the worker is asked: then it is tried again."""
    for attempt in range(5):
        out = project / f"late{attempt}"
        outcomes, notes = _run_with_a_late_worker(project, out, scheduler, altered)
        assert {outcome.status for outcome in outcomes} == {MADE}
        whole(out, *LATE)
        assert not [path for path in out.glob("*_en.html") if "ALTERED" in path.read_text("utf-8")]
        if notes:
            break
    assert len(notes) == 1 and notes[0].endswith("is not used: it has another kepu-evaluation")


@pytest.fixture(scope="module")
def empty():
    """A scheduler that has no worker of its own."""
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as running:
        yield running


def test_worker_with_other_code_at_the_start_is_refused(project, empty, altered):  # noqa: F811
    with worker(empty.scheduler_address, PYTHONPATH=str(altered)):
        joined(empty, 1)
        with pytest.raises(KepuError, match="1 of 1 workers have another kepu-evaluation or none"):
            run(jobs("a"), how(project, project / "out", scheduler=empty.scheduler_address))


def test_answer_that_is_not_the_one_asked_for_is_refused(project, scheduler, monkeypatch):  # noqa: F811
    real, options = cluster.report, {"scheduler": scheduler.scheduler_address}

    def forged(request, bundle):
        from dataclasses import replace

        answer, forgery = real(request, bundle), request.job.region
        if forgery == "run":
            return replace(answer, request=replace(request, run="another"))
        if forgery == "files":
            return replace(answer, files={name: b"<html>" for name in answer.files})
        return answer.outcome, answer.files  # as the version before answered

    monkeypatch.setattr(cluster, "report", forged)
    found = run(jobs("run", "files", "old"), how(project, project / "out", **options))
    told = (
        "it answered for another report",
        "the files it sent are not the ones it made",
        "it has another kepu-evaluation",
    )
    for outcome, reason in zip(found, told, strict=True):
        assert outcome.status == FAILED and reason in outcome.error
    assert not list((project / "out").glob("*_en.html"))


def test_scheduler_without_workers_is_told_after_a_while(project, empty, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    with pytest.raises(KepuError, match=r"no worker has joined .* for 0\.5 s — start one with"):
        run(jobs("a"), how(project, project / "out", scheduler=empty.scheduler_address))


def test_workers_that_all_leave_are_told_after_a_while(project, empty, monkeypatch):  # noqa: F811
    with worker(empty.scheduler_address) as only:
        joined(empty, 1)
        monkeypatch.setattr(cluster, "CONNECT", 5.0)

        def leave(outcome) -> None:
            only.kill()

        options = how(project, project / "out", scheduler=empty.scheduler_address)
        with pytest.raises(KepuError, match=r"no worker has joined .* it goes on from there"):
            run(jobs("a", "b"), options, Watch(ended=leave))


def test_lost_scheduler_is_told_and_its_workers_data_are_cleared(project, tmp_path):  # noqa: F811
    file, temporary = tmp_path / "scheduler.json", tmp_path / "t"
    temporary.mkdir()
    command = [
        sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        # The file is there before its text is.
        while not (found := file.exists() and re.search(r"tcp://[\d.:]+", file.read_text())):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        address = found.group()
        with worker(address, TMPDIR=str(temporary)) as other:
            options = how(project, project / "out", scheduler=address)
            with pytest.raises(KepuError, match="was lost or gave up the reports"):
                run(jobs("a", "slow.always"), options, Watch(ended=lambda _: process.kill()))
            other.kill()
            other.wait(60)
        base = temporary / f"kepu-{os.getuid()}"
        with files.folder("next-", base):
            assert not list(base.glob("site-*/data")) and not list(base.glob("site-*"))
    finally:
        process.kill()
        process.wait()


def test_address_without_scheduler_is_refused(project, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://x", "tcp://127.0.0.1", "tcp://[::1"):
        with pytest.raises(KepuError, match="no Dask scheduler answers at"):
            run(jobs("a"), how(project, project / "out", scheduler=address))


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("memory://", "keeps nothing beyond the process that writes it"),
        ("memory://reports", "keeps nothing beyond the process that writes it"),
        ("nowhere://x", "cannot be used here .*nowhere"),
        ("ftp://", "is no whole address"),
        ("ftp://127.0.0.1:1/x", "cannot be used here .*refused"),
        ("kept", "is no whole address"),
        ("file://kept", "depends on the working folder"),
        ("file:///tmp/../etc/kepu", "leads elsewhere by its dots"),
        ("file:///dev/null/kepu", "cannot be used here .*Not a directory"),
        ("simplecache::file:///tmp/kepu", "give the plain address of a folder"),
    ],
)
def test_store_that_would_not_keep_the_reports_is_refused(project, store, told):  # noqa: F811
    with pytest.raises(KepuError, match=told) as refused:
        run(jobs("a"), how(project, project / "out", store=store))
    assert " — " in str(refused.value) and "make room" not in str(refused.value)


@pytest.mark.parametrize(
    "store", ["ftp://me:hush@host/x", "s3://key:hu/sh@bucket", "s3://hush@b", "file:///x?sig=hush"]
)
def test_secret_in_the_address_of_a_store_is_refused_and_not_repeated(project, store):  # noqa: F811
    with pytest.raises(KepuError) as refused:
        run(jobs("a"), how(project, project / "out", store=store))
    assert "hush" not in str(refused.value) and "hu/sh" not in str(refused.value)
    kept = (path for path in project.rglob("*") if path.is_file())
    assert not [path for path in kept if b"hush" in path.read_bytes()]


def test_store_that_loses_what_is_written_makes_no_report(project, monkeypatch):  # noqa: F811
    from fsspec.implementations.local import LocalFileSystem

    real = LocalFileSystem.pipe_file

    def short(self, path, value, *rest, **options):
        return real(self, path, value[:-1] if path.endswith(".html") else value, *rest, **options)

    monkeypatch.setattr(LocalFileSystem, "pipe_file", short)
    store = f"file://{project}/kept"
    with pytest.raises(KepuError, match=r"index\.html reads otherwise than it was written"):
        run(jobs("a"), how(project, project / "out", store=store))
    manifest = (project / "out" / "manifest.json").read_text("utf-8")
    assert "a_en.html reads otherwise than it was written" in manifest
    assert '"status": "made"' not in manifest and not list((project / "kept").glob(".kepu-*"))
