"""A Dask cluster makes the reports this machine would, byte for byte; a lost worker costs none."""

from __future__ import annotations

import os
import signal

import pytest

from evaluation.base.errors import KepuError
from evaluation.batch import cluster, kernels, state
from evaluation.batch.run import Watch, run
from evaluation.batch.state import CACHED, MADE
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
    state._sizes.cache_clear()
    assert [o.status for o in run(jobs("a", "b"), how(project, out, **options))] == [CACHED] * 2
    (kept / "a_en.html").unlink()
    state._sizes.cache_clear()
    again = run(jobs("a", "b"), how(project, out, store=store, workers=1))
    assert [o.status for o in again] == [MADE, CACHED]


def test_address_without_scheduler_or_store_is_refused(project, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    with pytest.raises(KepuError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        run(jobs("a"), how(project, project / "out", scheduler="tcp://127.0.0.1:1"))
    with pytest.raises(KepuError, match="--store nowhere://x cannot be used here"):
        run(jobs("a"), how(project, project / "out", store="nowhere://x"))


def test_worker_with_other_code_is_refused(project, scheduler, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cluster, "version", lambda: "other")
    client_ = distributed.Client(scheduler, set_as_default=False)
    monkeypatch.setattr(client_, "run", lambda *_, **__: {"tcp://w:1": "theirs"})
    with pytest.raises(KepuError, match="1 of 1 workers have another kepu-evaluation or none"):
        cluster._same_code(client_)
    client_.close()
