"""Warm kernels: real kernels, fresh processes, none left behind however their owner ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

from evaluation.base.errors import KepuError
from evaluation.batch import kernels as client
from evaluation.batch import notebooks
from evaluation.batch.kernels import ADDRESS, Process, Server, Unprepared

pytestmark = pytest.mark.skipif(bool(client.unsafe()), reason=client.unsafe())


@pytest.fixture(scope="module")
def server():
    with Server("builtins:dict", {}) as running:
        yield running


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ends within some seconds; a zombie has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_process_does_its_work_in_its_own_folder_environment_and_session(server, tmp_path):
    code = "import os; open('told', 'w').write(f'{os.getsid(0)} {os.environ}')"
    process = Process(
        server.address, "builtins:exec", {}, environment={"ONLY": "this"}, folder=str(tmp_path)
    )
    assert process.wait(20) == 1  # exec without a source fails, and says so by its code
    run = {"target": "runpy:run_path", "arguments": {"path_name": str(tmp_path / "a.py")}}
    (tmp_path / "a.py").write_text(code)
    process = Process(server.address, **run, environment={"ONLY": "this"}, folder=str(tmp_path))
    assert process.wait(20) == 0
    session, environment = (tmp_path / "told").read_text().split(" ", 1)
    assert int(session) == process.pid
    assert "'ONLY': 'this'" in environment and "PATH" not in environment


def test_exit_code_signals_and_log_of_a_process_are_told(server, tmp_path):
    log = str(tmp_path / "log.txt")
    ended = Process(server.address, "sys:exit", {}, log=log)
    assert ended.wait(20) == 0
    killed = Process(server.address, "signal:pause", {}, log=log)
    assert killed.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        killed.wait(0.05)
    killed.kill()
    assert killed.wait(20) == -signal.SIGKILL and killed.poll() == -signal.SIGKILL
    Process(server.address, "nowhere:nothing", {}, log=log).wait(20)
    assert "No module named 'nowhere'" in Path(log).read_text()


def test_process_ends_when_its_client_lets_go(server):
    process = Process(server.address, "signal:pause", {})
    pid = process.pid
    process._socket.close()
    assert gone(pid)


def test_server_that_is_killed_takes_its_processes_along_and_says_so():
    server = Server("builtins:dict", {})
    process = Process(server.address, "signal:pause", {})
    os.kill(server.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert gone(process.pid)
    with pytest.raises(OSError):
        Process(server.address, "signal:pause", {})
    server.close()


def test_preparation_that_fails_is_told_with_its_cause(tmp_path):
    with Server("runpy:run_path", {"path_name": str(tmp_path / "nothing.py")}) as server:
        for _ in range(2):  # whoever asks is told
            with pytest.raises(Unprepared, match=r"not be prepared \(FileNotFoundError: .*line"):
                Process(server.address, "signal:pause", {})


def test_server_that_was_stopped_is_not_waited_for_without_end():
    with Server("time:sleep", {"secs": 60}) as server:  # refused: sleep takes no keywords
        os.kill(server.pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match=r"the fork server did not answer within 0\.5 s"):
            Process(server.address, "signal:pause", {}, patience=0.5)
        assert time.monotonic() - begun < 5
        server.close(0.0)


def test_sockets_lie_in_a_private_folder_with_a_short_path(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with Server("builtins:dict", {}) as server:
        assert Process(server.address, "builtins:dict", {}).wait(20) == 0
        folder = Path(server.address).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and long not in folder.parents
    assert not folder.exists()


def test_no_place_for_sockets_is_told(monkeypatch):
    monkeypatch.setattr(client, "_short_bases", lambda: iter([Path("/proc/nowhere")]))
    with pytest.raises(KepuError, match=r"no folder for sockets can be used .* — set TMPDIR"):
        Server("builtins:dict", {})


@pytest.mark.parametrize("end", ["return", "raise", "interrupt", "kill"])
def test_no_process_is_left_however_the_owner_ends(tmp_path, end):
    body = {"return": "", "raise": "raise ValueError", "interrupt": "time.sleep(60)"}
    script = (
        "import sys, time\n"
        "from evaluation.batch.kernels import Process, Server\n"
        "server = Server('builtins:dict', {})\n"
        "process = Process(server.address, 'signal:pause', {})\n"
        "print(server.pid, process.pid, flush=True)\n" + body.get(end, "time.sleep(60)")
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    numbers = [int(text) for text in owner.stdout.readline().split()]
    if end == "interrupt":
        owner.send_signal(signal.SIGINT)
    if end == "kill":
        owner.kill()
    owner.wait(20)
    owner.stdout.close()
    assert len(numbers) == 2 and all(gone(pid) for pid in numbers)


CELLS = (
    "import os, sys; print(os.getpid(), os.getppid(), 'pandas' in sys.modules)",
    "import matplotlib.pyplot as plt; plt.plot([1, 2]);",
    "import time; time.sleep(30)",
)


def notebook(*cells: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


@pytest.fixture(scope="module")
def kernels():
    """A server with what notebooks import, used by every kernel of this module."""
    with Server() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS, running.address)
        yield running


def executed(*cells: str, **options) -> nbformat.NotebookNode:
    return nbclient.NotebookClient(notebook(*cells), kernel_name="kepu-warm", **options).execute()


def test_each_notebook_has_a_fresh_kernel_forked_with_everything_imported(kernels):
    first, second = (executed(*CELLS[:2]) for _ in range(2))
    told = [run.cells[0].outputs[0].text.split() for run in (first, second)]
    assert told[0][0] != told[1][0]
    assert {line[1] for line in told} == {str(kernels.pid)}
    assert {line[2] for line in told} == {"True"}
    assert "image/png" in first.cells[1].outputs[0].data  # figures are shown as ever
    assert all(gone(int(line[0])) for line in told)


def test_kernel_that_takes_too_long_is_interrupted_and_ended(kernels):
    client_ = nbclient.NotebookClient(
        notebook(CELLS[0], CELLS[2]), kernel_name="kepu-warm", timeout=1
    )
    with pytest.raises(nbclient.exceptions.CellTimeoutError):
        client_.execute()
    assert gone(int(client_.nb.cells[0].outputs[0].text.split()[0]))


def test_standard_kernel_is_used_and_said_where_forking_is_unsafe(monkeypatch, caplog):
    monkeypatch.setattr(notebooks, "unsafe", lambda: "this system cannot fork processes")
    with caplog.at_level("WARNING"):
        run = executed(CELLS[0])
    assert run.cells[0].outputs[0].text.split()[2] == "False"
    told = [r.getMessage() for r in caplog.records if "warm" in r.getMessage()]
    assert told == ["standard kernel in place of a warm one: this system cannot fork processes"]
