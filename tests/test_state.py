"""A run touches no file but its own, and state that cannot be read stops none."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import nbformat
import pytest

from evaluation.base.errors import KepuError
from evaluation.batch import run, state
from evaluation.batch.plan import Job
from evaluation.batch.run import PARTS, Run, Watch, reasons
from evaluation.batch.run import run as runner_run
from evaluation.batch.state import CACHED, FAILED, MADE, Outcome, State

STATE = State(data="../data", data_hash="f00d" * 16, commit="1a2b3c4", date="2026-01-31")


def job(region: str, formats: tuple[str, ...] = ("html",)) -> Job:
    names = {"zh": "地区", "en": "Region"}
    stem = f"{region}_en"
    return Job(stem, "page", region, "league", names, "en", {"region": region}, stem, formats)


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path_factory) -> set[str]:
    """Reports made without a kernel; those of the regions given back fail."""
    failing: set[str] = set()
    monkeypatch.chdir(tmp_path_factory.mktemp("project"))
    Path("notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(), "notebooks/page.ipynb")

    def outcomes(jobs, place, **_):
        for job in jobs:
            folder = place.of(job)
            folder.mkdir(parents=True)
            stem = job.stem
            (folder / f"{stem}.ipynb").write_text("{}", "utf-8")
            if job.region in failing:
                yield Outcome(job.id, FAILED, 1.0, "ValueError: odd")
                continue
            files = {}
            for kind, name in state.expected(job).items():
                content = b"{}" if kind == "notebook" else b"<h1>new</h1>"
                (folder / Path(name).name).write_bytes(content)
                files[kind] = {"name": name, "sha256": hashlib.sha256(content).hexdigest()}
            yield Outcome(job.id, MADE, 1.0, files=files)

    monkeypatch.setattr(run, "outcomes", outcomes)
    return failing


def how(out: Path, **options) -> Run:
    key = dict.fromkeys(PARTS, "same")
    return Run(out, Path("notebooks"), Path("data"), STATE, key=lambda job: key, **options)


def go(out: Path, *regions: str, **options) -> tuple[list[str], list[str]]:
    """Run; give the outcomes and the lines that were said."""
    notes: list[str] = []
    jobs = [job(region, **options) for region in regions]
    return [o.status for o in runner_run(jobs, how(out), Watch(noted=notes.append))], notes


def snapshot(root: Path) -> dict[str, object]:
    """What lies under a folder, links not followed."""
    return {
        path.relative_to(root).as_posix(): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(root.rglob("*"))
        if path.name != ".lock"
    }


# ---------------------------------------------------------------- nothing outside, nothing foreign


@pytest.mark.parametrize(
    "name", ["../../../victim", "a/b", "/etc/x", "..", "a..b", ".hidden", "", "a\n", "é", "a" * 65]
)
def test_name_that_is_no_file_name_is_refused_before_anything_is_planned(name):
    with pytest.raises(KepuError, match="cannot name a report — correct the code of the region"):
        replace(job("150000"), id=f"{name}_en" if name else "", stem="")
    with pytest.raises(KepuError, match="cannot name a report"):
        replace(job("150000"), stem=name or "\n")


@pytest.mark.parametrize(
    "name",
    ["150000_en.html", "notebooks/150000_en.ipynb", "failed/150000_en.ipynb", "index.html"],
)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_files_in_a_folder_no_run_wrote_into_are_refused_and_stay(tmp_path, name, kind):
    out = tmp_path / "out"
    mine = out / name
    mine.parent.mkdir(parents=True)
    if kind == "folder":
        mine.mkdir()
        (mine / "diary.txt").write_text("mine")
    else:
        mine.write_text("mine")
    before = snapshot(tmp_path)
    if (name, kind) == ("index.html", "folder"):  # no page at all: set aside, and the run goes on
        assert go(out, "150000")[0] == [MADE]
        assert (out / "index.html.unreadable-1" / "diary.txt").read_text() == "mine"
        return
    for _ in range(2):  # a refusal does not make the folder ours
        with pytest.raises(KepuError, match=f"holds {name}, which no run made — move that away"):
            go(out, "150000")
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["notebooks", "failed"])
def test_file_where_a_folder_is_needed_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(KepuError, match=f"holds {name}, which no run made"):
        go(tmp_path, "150000")
    assert (tmp_path / name).read_text() == "mine"


def test_other_files_and_folders_stay_where_runs_write(tmp_path):
    for name in ("150000_en/diary.txt", ".staging-mine/x", "notes.html", "failed/other.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    mine = snapshot(tmp_path)
    for _ in range(2):
        go(tmp_path, "150000")
    assert mine.items() <= snapshot(tmp_path).items()


def test_foreign_file_in_a_folder_of_ours_is_renamed_and_said(tmp_path):
    go(tmp_path, "150000")
    (tmp_path / "150000_en.pdf").write_text("my own print")
    (tmp_path / "120000_en.html").write_text("mine")
    (tmp_path / "120000_en.html.kept-1").write_text("older")
    statuses, notes = go(tmp_path, "150000", "120000", formats=("html", "pdf"))
    assert statuses == [MADE, MADE]
    assert (tmp_path / "150000_en.pdf.kept-1").read_text() == "my own print"
    assert (tmp_path / "120000_en.html.kept-2").read_text() == "mine"
    assert notes == [
        "150000_en.pdf, which no run made, was in the way and was renamed to 150000_en.pdf.kept-1",
        "120000_en.html, which no run made, was in the way and was renamed to "
        "120000_en.html.kept-2",
    ]
    assert go(tmp_path, "150000", "120000", formats=("html", "pdf")) == ([CACHED, CACHED], [])


def test_files_of_runs_are_written_over_without_a_word(tmp_path, quick):
    go(tmp_path, "150000", "120000", formats=("html", "pdf"))
    quick.add("150000")
    options = {"fresh": True}
    runner_run([job("150000", ("html", "pdf"))], how(tmp_path, **options))
    (tmp_path / "120000_en.html").unlink()  # its entry goes with the next run, its files stay
    runner_run([job("150000", ("html", "pdf"))], how(tmp_path, **options))
    quick.clear()
    statuses, notes = go(tmp_path, "150000", "120000", formats=("html", "pdf"))
    assert (statuses, notes) == ([MADE, MADE], [])
    assert not (tmp_path / "failed").exists()


@pytest.mark.parametrize("name", ["notebooks", "failed"])
def test_link_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (outside / "150000_en.ipynb").write_text("mine")
    (out / name).symlink_to(outside)
    before = snapshot(tmp_path)
    with pytest.raises(KepuError, match=rf"{name}.* leads out of .*/out — replace the link"):
        go(out, "150000")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    ["150000_en.html", "manifest.json", "index.html", "events.jsonl", ".manifest.json.part"],
)
def test_what_a_link_points_to_is_never_written(tmp_path, name):
    out, victim = tmp_path / "out", tmp_path / "victim"
    go(out, "150000")
    victim.write_text("mine")
    (out / name).unlink(missing_ok=True)
    (out / name).symlink_to(victim)
    assert go(out, "150000", "120000")[0][1] == MADE
    assert victim.read_text() == "mine" and not victim.is_symlink()
    if not name.startswith("."):
        assert (out / name).is_file() and not (out / name).is_symlink()


def test_lock_that_is_a_link_harms_nothing(tmp_path):
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.write_text("mine")
    (out / ".lock").symlink_to(victim)
    with pytest.raises(KepuError, match="cannot be written"):
        go(out, "150000")
    assert victim.read_text() == "mine"


def test_folder_of_unfinished_files_that_is_a_link_is_refused(tmp_path):
    out, outside = tmp_path / "out", tmp_path / "outside"
    go(out, "150000")
    (out / ".kepu" / ".lock").unlink()
    (out / ".kepu").rmdir()
    outside.mkdir(mode=0o755)
    (out / ".kepu").symlink_to(outside)
    with pytest.raises(KepuError, match=r"\.kepu is no folder of this user — remove it"):
        go(out, "120000")
    assert not list(outside.iterdir()) and stat.S_IMODE(outside.stat().st_mode) == 0o755


def test_leftovers_of_a_killed_run_are_removed_and_other_folders_beside_them_stay(tmp_path):
    go(tmp_path, "150000")
    own = tmp_path / ".kepu"
    (own / "run-dead").mkdir()
    (own / "run-dead" / ".x.part").write_text("half")
    (own / "run-dead.lock").touch()
    (own / "mine").mkdir()
    go(tmp_path, "120000")
    assert sorted(path.name for path in own.iterdir()) == [".lock", "mine"]


def test_files_have_the_rights_the_user_gives_and_unfinished_ones_are_private(tmp_path):
    rights = []
    watch = Watch(ended=lambda _: rights.extend(map(_mode, (tmp_path / ".kepu").glob("run-*"))))
    before = os.umask(0o022)
    try:
        runner_run([job("150000")], how(tmp_path), watch)
    finally:
        os.umask(before)
    names = ("manifest.json", "index.html", "events.jsonl", "150000_en.html")
    assert [_mode(tmp_path / name) for name in names] == [0o644] * 4
    assert 0o700 in rights and _mode(tmp_path / ".kepu") == 0o700


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------- state that cannot be read

BROKEN = {
    "empty": b"",
    "cut": b'{"run": {"da',
    "list": b"[]",
    "mapping": b"{}",
    "types": b'{"run": [], "reports": {}}',
    "number": b"7",
    "nested": b"[" * 100_000,
    "binary": b"\x00\xff\xfe",
    "web": b'{"name": "app", "icons": []}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_manifest_that_cannot_be_read_is_kept_and_the_log_of_the_last_run_used(tmp_path, content):
    go(tmp_path, "120000")
    go(tmp_path, "150000")
    (tmp_path / "manifest.json").write_bytes(content)
    why = reasons([job("150000"), job("120000")], how(tmp_path))
    assert why == {"150000_en": "", "120000_en": "not made yet"}
    statuses, notes = go(tmp_path, "150000", "120000")
    assert statuses == [CACHED, MADE]
    assert (tmp_path / "manifest.json.unreadable-1").read_bytes() == content
    said = [note for note in notes if note.startswith("manifest.json could not be read (")]
    assert len(said) == 1 and said[0].endswith("was renamed to manifest.json.unreadable-1")
    assert "\n" not in said[0]
    assert go(tmp_path, "150000", "120000") == ([CACHED, CACHED], [])


def test_nothing_is_lost_where_manifest_and_log_are_gone(tmp_path):
    go(tmp_path, "150000")
    (tmp_path / "manifest.json").write_text("[]")
    (tmp_path / "events.jsonl").write_text("[]")
    (tmp_path / "150000_en.html").write_text("corrected by hand")
    assert go(tmp_path, "150000")[0] == [MADE]
    assert (tmp_path / "150000_en.html.kept-1").read_text() == "corrected by hand"
    assert go(tmp_path, "150000") == ([CACHED], [])


@pytest.mark.parametrize("content", [b"\x00\xff\n", b"nonsense\n", b"[]\n{}\n", b'{"event": 1}\n'])
def test_log_that_cannot_be_read_is_kept_and_the_run_goes_on(tmp_path, content):
    go(tmp_path, "150000")
    (tmp_path / "events.jsonl").write_bytes(content)
    statuses, notes = go(tmp_path, "150000", "120000")
    assert statuses == [CACHED, MADE]
    assert (tmp_path / "events.jsonl.unreadable-1").read_bytes() == content
    assert len(notes) == 1 and notes[0].startswith("events.jsonl could not be read (")


def test_broken_line_costs_no_report_a_killed_run_had_made(tmp_path):
    go(tmp_path, "150000", "120000")
    lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()[:-1]  # never finished
    (tmp_path / "events.jsonl").write_text("\n".join([*lines, "{brok", ""]), "utf-8")
    (tmp_path / "manifest.json").unlink()
    statuses, notes = go(tmp_path, "150000", "120000", "110000")
    assert statuses == [CACHED, CACHED, MADE]
    assert len(notes) == 1 and f"line {len(lines) + 1}: " in notes[0]


@pytest.mark.parametrize("name", ["manifest.json", "index.html", "events.jsonl"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "binary"])
def test_state_that_is_no_text_file_is_renamed(tmp_path, name, kind):
    go(tmp_path, "150000")
    path = tmp_path / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"\xff\xfe\x00")
    statuses, notes = go(tmp_path, "150000")
    assert statuses == [CACHED]
    assert path.is_file() and (tmp_path / f"{name}.unreadable-1").exists()
    assert any(note.startswith(f"{name} could not be read (") for note in notes)


def _changed(**values):
    return lambda entry: {**entry, **values}


@pytest.mark.parametrize(
    "change",
    [
        _changed(summary={"latest": "x"}),
        _changed(stem="../../victim"),
        _changed(files={"html": {"name": "../../victim.html", "sha256": "0"}}),
        _changed(file="../victim.html"),
        _changed(earlier={"file": "../../victim.html"}),
        _changed(names={"zh": 1}),
        _changed(status="cached"),
        _changed(seconds="1"),
        _changed(language="../x"),
        lambda entry: {k: v for k, v in entry.items() if k != "summary"},
        lambda entry: [entry],
        lambda entry: None,
    ],
)
def test_entry_that_was_changed_is_made_again_and_the_others_are_used(tmp_path, change):
    out = tmp_path / "out"
    go(out, "150000")
    go(out, "120000")  # whose log does not tell of the first
    victim = tmp_path / "victim.html"
    victim.write_text("mine")
    path = out / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["reports"][1] = change(manifest["reports"][1])
    path.write_text(json.dumps(manifest), "utf-8")
    statuses, notes = go(out, "150000", "120000")
    assert statuses == [MADE, CACHED] and victim.read_text() == "mine"
    assert len(notes) == 1 and "manifest.json could not be read (reports[1]" in notes[0]
    assert go(out, "150000", "120000") == ([CACHED, CACHED], [])


def test_keys_of_later_versions_are_passed_over_and_entries_of_earlier_ones_made_again(tmp_path):
    go(tmp_path, "150000", "120000")
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["reports"][0]["new"] = manifest["new"] = [1]
    del manifest["reports"][1]["sum"]
    del manifest["files"]
    path.write_text(json.dumps(manifest), "utf-8")
    assert go(tmp_path, "120000", "150000") == ([CACHED, MADE], [])


@pytest.mark.parametrize("name", ["manifest.json", "events.jsonl", "index.html"])
def test_state_with_random_damage_stops_no_run_and_changes_nothing_outside(tmp_path, name):
    random = Random(20250101)
    out = tmp_path / "out"
    go(out, "150000", "120000")
    (tmp_path / "beside").write_text("mine")
    for _ in range(40):
        content = bytearray((out / name).read_bytes())
        start = random.randrange(len(content))
        content[start : start + random.choice((0, 1, 9, 999))] = random.choice(
            (b"", b"\xff", b'"', b"}", b"../", b"null", b"[[", b"1e999", b"\\ud800", b"\n")
        )
        (out / name).write_bytes(content)
        statuses, _ = go(out, "150000", "120000")
        assert set(statuses) <= {MADE, CACHED}
        json.loads((out / "manifest.json").read_text("utf-8"))
        assert go(out, "150000", "120000") == ([CACHED, CACHED], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside", "out"]


# ---------------------------------------------------------------- places of all kinds

PLACES = ["{a}", "{}", "{pm.x}", "a b", "报告", "a\nb", "%s", "[red]", "~x", "-x", "x" * 200]


@pytest.mark.parametrize("name", PLACES)
def test_folder_may_have_any_name(tmp_path, name):
    out = tmp_path / name
    assert go(out, "150000") == ([MADE], []) and go(out, "150000") == ([CACHED], [])
    assert (out / "150000_en.html").is_file()


def test_folder_that_cannot_be_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    for out, said in (
        (tmp_path / "file", "is a file — name a folder with --out"),
        (tmp_path / "file" / "below", "cannot be written (Not a directory) — choose --out"),
        (tmp_path / ("x" * 300), "cannot be written (File name too long) — choose --out"),
        (tmp_path / "a\nb" / ("x" * 300), "cannot be written (File name too long)"),
    ):
        assert reasons([job("150000")], how(out)) == {"150000_en": "not made yet"}
        with pytest.raises(KepuError) as refused:
            go(out, "150000")
        assert said in str(refused.value) and "\n" not in str(refused.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_two_runs_at_once_in_one_folder_by_different_names(tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.symlink_to(out)
    refused: list[str] = []

    def second(_: Outcome) -> None:
        def try_it() -> None:
            with pytest.raises(KepuError, match="another run is writing into") as error:
                go(other, "120000")
            refused.append(str(error.value))

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()

    runner_run([job("150000")], how(out), Watch(ended=second))
    assert len(refused) == 1
    assert go(other, "120000")[0] == [MADE]
    listed = state.read(out).entries
    assert set(listed) == {"150000_en", "120000_en"}
