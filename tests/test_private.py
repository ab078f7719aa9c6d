"""Temporary folders are private, end with their process, and are found when it was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.base import files
from evaluation.base.errors import KepuError

HOLD = """
import sys, time
from pathlib import Path
from evaluation.base import files as private
with private.folder("held-", Path({parent!r})) as folder:
    (folder / "data.csv").write_text("secret")
    print(folder, flush=True)
    time.sleep(60)
"""


def hold(parent: Path) -> tuple[subprocess.Popen, Path]:
    command = [sys.executable, "-c", HOLD.format(parent=str(parent))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def test_folder_is_for_this_user_only_and_goes_at_the_end(tmp_path):
    with files.folder("a-", tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        (folder / "x").write_text("x")
    assert [path.name for path in folder.parent.iterdir()] == [".lock"]


def test_folder_of_a_killed_process_is_removed_by_the_next_and_one_in_use_is_not(tmp_path):
    (killed, left), (alive, used) = hold(tmp_path), hold(tmp_path)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "data.csv").exists()
        with files.folder("next-", tmp_path):
            assert not left.exists()
            assert (used / "data.csv").exists()
    finally:
        alive.kill()
        alive.wait()


def test_folder_without_a_lock_of_ours_stays(tmp_path):
    with files.folder("a-", tmp_path) as folder:
        base = folder.parent
    (base / "mine").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (base / "link.lock").symlink_to(tmp_path / "victim")
    (base / "link").symlink_to(outside)
    with files.folder("a-", tmp_path):
        pass
    assert (base / "mine").is_dir() and outside.is_dir() and not (tmp_path / "victim").exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no users to tell apart")
def test_common_folder_that_is_a_link_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / f"kepu-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    refused = pytest.raises(KepuError, match="is no folder of this user — remove it")
    with refused, files.folder("a-"):
        pass
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o755


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "..", "", "out/x", "loop/x"])
def test_path_that_leads_out_is_refused(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(KepuError, match="leads out of"):
        files.inside(root, name)


def test_path_inside_is_given_and_its_last_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    (tmp_path / "near").symlink_to("folder")
    assert files.inside(tmp_path, "link") == tmp_path / "link"
    assert files.inside(tmp_path, "near/x") == tmp_path / "folder" / "x"


def test_file_is_replaced_whole_with_the_rights_the_user_gives_and_no_link_is_followed(tmp_path):
    victim, page = tmp_path / "victim", tmp_path / "page"
    victim.write_text("mine")
    page.symlink_to(victim)
    before = os.umask(0o027)
    try:
        files.replace(page, "new \udcff")
    finally:
        os.umask(before)
    assert (victim.read_text(), page.read_text()) == ("mine", "new \\udcff")
    assert stat.S_IMODE(page.lstat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page", "victim"]
