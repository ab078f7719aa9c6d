"""What comes from outside, wrong in every way: a sentence with place and remedy, or no harm."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from typer.testing import CliRunner

import evaluation.data.package
from evaluation.base import cache, files
from evaluation.base.errors import KepuError
from evaluation.base.text import link
from evaluation.batch import cli, entry, maps, plan, run
from evaluation.batch.plan import Parameter, check_parameters
from evaluation.batch.worker import tidy
from evaluation.report.document import nodes
from front_samples import square, squares

ROOT = Path(__file__).resolve().parents[1]
MAIN = (sys.executable, "-c", "from evaluation.batch.entry import main; main()")
# Write permissions do not bind the superuser.
NOT_ROOT = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="runs as root")


def kepu(*arguments: str):
    return CliRunner().invoke(cli.app, arguments)


def started(*arguments: str, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **options.pop("env", {})}
    given = {"capture_output": True, "cwd": ROOT, "timeout": 120, "check": False} | options
    return subprocess.run([*MAIN, *arguments], env=environment, **given)


# --- errors nobody foresaw -------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A command that fails by an error of ours; gives what the entry said, its code and its log."""

    def run(error: BaseException, capsys):
        def fail(path):
            raise error

        monkeypatch.setattr(evaluation.data.package, "load", fail)
        monkeypatch.setattr(sys, "argv", ["kepu", "check", "--data", str(tmp_path)])
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        with pytest.raises(SystemExit) as ended:
            entry.main()
        logs = list(tmp_path.rglob("*.log"))
        return capsys.readouterr(), ended.value.code, logs

    return run


def test_an_error_of_ours_is_one_sentence_a_log_and_exit_70(broken, capsys):
    said, code, logs = broken(LookupError("no\nsuch thing"), capsys)
    assert code == 70 and said.out == ""
    assert said.err.count("\n") == 1 and "LookupError: no such thing" in said.err
    assert str(logs[0]) in said.err and len(logs) == 1
    text = logs[0].read_text("utf-8")
    assert "Traceback (most recent call last)" in text and "'check', '--data'" in text
    if os.name == "posix":
        assert stat.S_IMODE(logs[0].stat().st_mode) == 0o600


def test_where_the_log_folder_is_a_file_the_log_is_a_private_temporary_file(
    broken, capsys, tmp_path, monkeypatch
):
    (tmp_path / "state").write_text("")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    said, code, logs = broken(RecursionError("deep"), capsys)
    assert code == 70 and logs[0].parent.name == "temporary" and str(logs[0]) in said.err


def test_where_no_log_can_be_written_this_is_said(broken, capsys, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    said, code, logs = broken(ValueError("x"), capsys)
    assert (code, logs) == (70, []) and "no log of it could be written" in said.err


def test_an_interrupted_command_says_so_and_exits_130(broken, capsys):
    said, code, logs = broken(KeyboardInterrupt(), capsys)
    assert (code, said.err, logs) == (130, "kepu: interrupted\n", [])


def test_an_error_while_importing_is_a_sentence(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('typer is broken')")
    path = os.pathsep.join((str(tmp_path), str(ROOT / "src")))
    done = started("--version", env={"PYTHONPATH": path, "XDG_STATE_HOME": str(tmp_path)})
    assert done.returncode == 70 and done.stderr.count(b"\n") == 1
    assert b"ImportError: typer is broken" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [("--help",), ("list", "batches")])
def test_output_that_cannot_be_written_is_said(arguments):
    with open("/dev/full", "wb") as full:
        done = started(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("kepu: the output cannot be written (No space left")
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_has_seen_enough_hears_nothing_more():
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "wb") as closed:
        done = started("list", "batches", capture_output=False, stdout=closed,
                       stderr=subprocess.PIPE)  # fmt: skip
    assert done.returncode == 1 and done.stderr == b""


@pytest.mark.parametrize(
    "locale",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "cp1252:surrogateescape"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=["ascii", "cp1252", "cp1252 escaped", "locale C"],
)
def test_output_that_lacks_chinese_shows_other_characters(locale):
    done = started("list", "batches", env=locale)
    assert done.returncode == 0 and b"All reports" in done.stdout and b"?" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="a folder in use cannot be deleted")
def test_in_a_deleted_working_folder_the_remedy_is_told(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = kepu("list", "batches")
    assert found.exit_code == 2 and "change into one that is there" in found.stderr


# --- the cache -------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache folder of our own that is not there yet, and a process that has said nothing yet."""
    monkeypatch.setenv("KEPU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(cache.SAID, "")
    return tmp_path / "cache"


def made(form=cache.JSON, key="k"):
    """What the cache gives, and how often it was made anew."""
    count = []

    def make():
        count.append(1)
        return {"a": [1, 2]}

    found = cache.cached("checked", key, make, form), cache.cached("checked", key, make, form)
    assert found == ({"a": [1, 2]}, {"a": [1, 2]})
    return len(count)


@pytest.mark.parametrize("form", [cache.JSON, cache.PICKLE])
@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b"\x80\x04", None], ids=repr)
def test_a_damaged_file_is_made_again_and_said_once(form, damage, place, caplog):
    assert made(form) == 1
    (file,) = place.glob(f"checked/*{form.ending}")
    file.write_bytes(file.read_bytes()[:-3] if damage is None else damage)
    assert made(form) == 1 and made(form) == 0
    assert [record.message.count("is damaged and made again") for record in caplog.records] == [1]


def test_what_was_kept_for_another_key_is_never_trusted(place):
    assert made(key="one") == 1
    (file,) = place.glob("checked/*.json")
    content = file.read_bytes()
    assert made(key="two") == 1
    (other,) = set(place.glob("checked/*.json")) - {file}
    other.write_bytes(content.replace(b"[1, 2]", b"[6, 6]"))
    assert made(key="two") == 1
    other.write_bytes(content)
    assert made(key="two") == 1


class Trap:
    """What runs when it is read from a pickle."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["KEPU_TRAP"],))


def test_a_pickle_that_was_not_written_by_the_cache_is_not_opened(place, tmp_path, monkeypatch):
    import pickle

    monkeypatch.setenv("KEPU_TRAP", str(tmp_path / "trapped"))
    made(cache.PICKLE)
    (file,) = place.glob("checked/*.pickle")
    seal, _, _ = file.read_bytes().partition(b"\n")
    file.write_bytes(seal + b"\n" + pickle.dumps(Trap()))
    assert made(cache.PICKLE) == 1 and not (tmp_path / "trapped").exists()


def is_file(place):
    place.write_text("")


def is_loop(place):
    place.symlink_to(place)


def is_open_to_others(place):
    place.mkdir()
    place.chmod(0o777)


def has_open_part(place):
    (place / "checked").mkdir(parents=True)
    (place / "checked").chmod(0o777)


def is_below_a_file(place):
    place.parent.joinpath("plain").write_text("")
    place.symlink_to(place.parent / "plain" / "cache")


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
@pytest.mark.parametrize(
    "spoil", [is_file, is_loop, is_open_to_others, has_open_part, is_below_a_file]
)
def test_a_folder_of_no_use_is_passed_by_with_one_line(spoil, place, caplog):
    spoil(place)
    assert made() == 2 and made(cache.PICKLE) == 2
    (record,) = caplog.records
    assert "is passed by (" in record.message and "KEPU_CACHE" in record.message
    assert not list(place.parent.rglob("*.json"))


@NOT_ROOT
def test_a_folder_that_may_not_be_written_is_passed_by(place, caplog):
    place.mkdir()
    place.chmod(0o500)
    assert made() == 2 and len(caplog.records) == 1


def test_a_full_disk_is_passed_by_and_leaves_no_part(place, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    assert made() == 2 and len(caplog.records) == 1
    assert [path.name for path in place.rglob("*.part")] == []


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(place, tmp_path):
    made()
    (file,) = place.glob("checked/*.json")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file.unlink()
    file.symlink_to(victim)
    assert made() == 1 and victim.read_text() == "mine" and not file.is_symlink()


# --- batch files -----------------------------------------------------------------------------

BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(f'*{before}' for _ in range(9))}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "line 2 (an alias is used"),
        ("a: 1\nb: 2\na: 3\n", "line 3 (the key 'a' is given twice"),
        ("regions:\n- {a: 1, a: 2}\n", "line 2 (the key 'a' is given twice"),
        ("a: !!int x\n", "line 1 (the tag tag:yaml.org,2002:int is used"),
        ("a: !!python/object/apply:os.system [x]\n", "line 1 (the tag "),
        ("a: " + "[" * 100_000, "nested deeper than 24 levels"),
        ("a: " + "{a: " * 50_000, "nested deeper than 24 levels"),
        ("? [a]\n: 1\n", "a key is no text"),
        ("a: [", "line 1 ("),
        ("a\0: 1", "unacceptable character"),
        (b"a: \xff\n", "line 1: is not UTF-8"),
        ("# " + "x" * 300_000, "is larger than 250,000 bytes"),
        ("", "holds no keys"),
        ("- 1\n", "holds no keys"),
    ],
    ids=range(14),
)
def test_a_batch_file_that_is_none_is_refused_at_once(text, message, tmp_path):
    path = tmp_path / "b.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    begun = time.monotonic()
    with pytest.raises(KepuError) as refused:
        plan.read_batch(path)
    assert message in str(refused.value) and str(path) in str(refused.value)
    assert " — " in str(refused.value) and time.monotonic() - begun < 2


def test_values_of_a_batch_are_what_they_look_like(tmp_path):
    path = tmp_path / "b.yml"
    path.write_text(
        "date: 2026-03-01\nlanguages: [no]\nregions: [150100, 0150]\nseed: 1_0\nwidth: 1:30\n"
        "half: 0.5\nlarge: 1e400\nodd: .inf\nday: 2026-13-45\nempty:\non: true\n"
    )
    assert plan.read_batch(path) == {
        "date": "2026-03-01", "languages": ["no"], "regions": [150100, "0150"], "seed": "1_0",
        "width": "1:30", "half": 0.5, "large": "1e400", "odd": ".inf", "day": "2026-13-45",
        "empty": None, "on": True,
    }  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="pipes with a name")
def test_a_pipe_a_folder_and_a_strange_name_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.yml")
    for path in (tmp_path / "pipe.yml", tmp_path, tmp_path / ("x" * 300), Path("/dev/zero")):
        with pytest.raises(KepuError, match="cannot be read"):
            plan.read_batch(path)
    with pytest.raises(KepuError, match="larger than 10 bytes"):
        files.read_text(ROOT / "README.md", 10)


# --- options and variables -------------------------------------------------------------------

DECLARED = {
    "draws": Parameter("draws", "int", "9999"),
    "seed": Parameter("seed", "int", "1"),
    "wtp": Parameter("wtp", "float", "1.5"),
    "free": Parameter("free", "str", "x"),
}


@pytest.mark.parametrize(
    "text", ["９９９", "٩٩٩", "1_000", "1e400", "0x10", "nan", " 999", "99.0", "", "9" * 5000]
)
def test_a_number_of_another_form_is_no_number(text):
    for name in ("draws", "wtp"):
        value = plan.convert(text, DECLARED[name].type)
        if (name, text) == ("wtp", "99.0"):
            assert value == 99.0
            continue
        (problem,) = check_parameters("--set", {name: value}, "region_report", DECLARED)
        assert f"region_report.ipynb declares {DECLARED[name].type}" in problem.rule
        assert len(str(problem)) < 300


def test_parameters_of_common_meaning_have_bounds():
    for name, value in (("draws", 98), ("draws", 10**9), ("seed", -1), ("seed", 2**40)):
        (problem,) = check_parameters("--set", {name: value}, "x", DECLARED)
        assert problem.rule == f"{value} is out of bounds"
    assert check_parameters("--set", {"draws": 99, "seed": 0}, "x", DECLARED) == []
    (problem,) = check_parameters("p", {"wtp": float("inf")}, "x", DECLARED)
    assert "declares float" in problem.rule


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["="], "--set = has no name"),
        (["=5"], "--set =5 has no name"),
        (["draws"], "--set draws has no value"),
        (["a b=1"], "has no name of a parameter"),
        (["draws=1", "draws=2"], "--set gives draws twice"),
    ],
)
def test_settings_that_are_none_are_refused(texts, message):
    with pytest.raises(KepuError, match=message):
        plan.pairs(texts)
    assert plan.pairs(["a==b", "c="]) == {"a": "=b", "c": ""}


@pytest.mark.parametrize("text", ["", "²", "１２３", "-1", "9" * 30, "1e9", "4102444800", " 1"])
def test_a_build_time_that_is_none_is_refused(text, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(KepuError, match=r"SOURCE_DATE_EPOCH is .* — correct or unset it"):
        run.today()


def test_a_build_time_is_the_day_of_the_run(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert run.today().isoformat() == "2023-11-14"


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", "all", "--workers", "0"),
        ("batch", "all", "--workers", "1000000000"),
        ("calibrate", "--workers", "1000000000"),
        ("calibrate", "--design", "９x5"),
        ("calibrate", "--design", "99999x99999"),
        ("estimate", "--draws", "1000000000000"),
        ("scenario", "150000", "--set", "facility=+４０%"),
        ("scenario", "150000", "--set", "facility=+40%", "--budget", "nan"),
        ("scenario", "150000", "--set", "facility=+40%", "--budget", "inf"),
        ("scenario", "150000", "--set", "facility=+40%", "--language", "fr"),
        ("report", "150000", "--language", "fr"),
    ],
)
def test_options_out_of_bounds_exit_2(arguments):
    result = kepu(*arguments)
    assert result.exit_code == 2 and result.stderr and "Traceback" not in result.output


# --- project and notebooks -------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"[project\n", b"project = 3\n", b"\xff\xfe", b'[project]\nname = "other"\n', None]
)
def test_a_strange_pyproject_nearby_does_no_harm(content, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "kepu-evaluation"\n')
    inner = tmp_path / "inner"
    inner.mkdir()
    if content is None:
        (inner / "pyproject.toml").mkdir()
    else:
        (inner / "pyproject.toml").write_bytes(content)
    assert plan.find_root(inner) == tmp_path.resolve()


def test_a_project_whose_pyproject_cannot_be_read_is_named(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "kepu-evaluation')
    with pytest.raises(KepuError, match=r"pyproject.toml cannot be read\) — change into"):
        plan.find_root(tmp_path)


def test_without_git_a_run_has_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert plan.commit(ROOT) == ""


def notebook(**changes) -> dict:
    cell = {
        "cell_type": "code", "execution_count": None, "id": "a", "outputs": [],
        "metadata": {"tags": ["parameters"]}, "source": "region: str = ''",
    }  # fmt: skip
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": [cell], "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5,
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no notebook ("),
        ("{", "is no notebook ("),
        ("[]", "it has no list of cells"),
        ("[" * 200_000, "nested too deeply"),
        (json.dumps(notebook(cells=None)), "it has no list of cells"),
        (json.dumps(notebook(cells=[{"cell_type": "code"}])), "cell 1: has no kind"),
        (json.dumps(notebook(cells=[3])), "cell 1: has no kind"),
        (json.dumps({"worksheets": [], "metadata": {}, "nbformat": 3}), "of notebook format 3"),
        (json.dumps(notebook(metadata={})), "names no kernel"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_notebook_that_is_none_is_named_with_the_remedy(content, message, tmp_path, place):
    (tmp_path / "odd.ipynb").write_text(content)
    with pytest.raises(KepuError) as refused:
        plan.read_notebooks(tmp_path)
    assert message in str(refused.value) and "odd.ipynb" in str(refused.value)
    assert "JupyterLab" in str(refused.value) or "correct it" in str(refused.value)


def test_a_notebook_without_the_tag_declares_nothing(tmp_path, place):
    (tmp_path / "plain.ipynb").write_text(json.dumps(notebook(cells=[])))
    (tmp_path / "tagged.ipynb").write_text(json.dumps(notebook()))
    assert {k: list(v) for k, v in plan.read_notebooks(tmp_path).items()} == {
        "plain": [], "tagged": ["region"],
    }  # fmt: skip


CELL = """# what papermill, which reads line by line, would pass over
title = "a=b"
region: str = "150100"  # a code = a text
years: list[int] = [
    2018,
    2020,
]
rate: "float" = 0.5
share = 2  # type: int
%matplotlib inline
unset: str
first.second = 3
"""


def test_every_parameter_of_a_cell_is_found(tmp_path, place):
    cell = notebook()["cells"][0] | {"source": CELL}
    (tmp_path / "own.ipynb").write_text(json.dumps(notebook(cells=[cell])))
    assert {p.name: p.type for p in plan.read_notebooks(tmp_path)["own"].values()} == {
        "title": "str", "region": "str", "years": "list", "rate": "float", "share": "int",
    }  # fmt: skip
    assert plan.read_notebooks(tmp_path)["own"]["title"].default == '"a=b"'


def test_a_cell_of_parameters_that_is_no_python_is_named(tmp_path, place):
    cell = notebook()["cells"][0] | {"source": "region = = 1"}
    (tmp_path / "own.ipynb").write_text(json.dumps(notebook(cells=[cell])))
    with pytest.raises(KepuError, match=r"own.ipynb, cell 1, tagged `parameters`: is no Python \("):
        plan.read_notebooks(tmp_path)


def test_two_executed_notebooks_are_equal_to_the_byte(tmp_path):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    old = notebook(nbformat_minor=4)  # before cells had ids
    del old["cells"][0]["id"]
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    written = []
    for attempt in ("one", "two"):
        book = load_notebook_node(str(tmp_path / "old.ipynb"))
        book = parameterize_notebook(book, {"region": "150000"})
        nbformat.write(book, tmp_path / f"{attempt}.ipynb")
        cells = tidy(tmp_path / f"{attempt}.ipynb", ()).cells
        assert len({cell["id"] for cell in cells}) == 2
        written.append((tmp_path / f"{attempt}.ipynb").read_bytes())
    assert written[0] == written[1]


# --- maps and addresses ----------------------------------------------------------------------


def shape(kind: object, coordinates: object, **properties: object) -> dict:
    held = {"adcode": "110000", **properties}
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "FeatureCollection", "features": [{"properties": held, "geometry": geometry}]}


RING = square("110000", 110, 40)["geometry"]["coordinates"][0]


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([], "no GeoJSON FeatureCollection"),
        (None, "no GeoJSON FeatureCollection"),
        ("x", "no GeoJSON FeatureCollection"),
        ({"type": "FeatureCollection", "features": {"a": 1}}, "no GeoJSON FeatureCollection"),
        ({"type": "FeatureCollection", "features": [3]}, "Feature 0 has no property"),
        (shape("Polygon", [RING], adcode=[1]), "Feature 0 has no property"),
        (shape("Polygon", [RING], adcode=True), "Feature 0 has no property"),
        (shape(["Polygon"], [RING]), "Feature 0 is no Polygon"),
        (shape("Polygon", 3), "Feature 0 has no list of coordinates"),
        (shape("Polygon", []), "Feature 0 has no list of coordinates"),
        (shape("MultiPolygon", [RING]), "a coordinate that is none: 110"),
        (shape("Polygon", [[[float("nan"), 1.0]] * 4]), "degrees are needed"),
        (shape("Polygon", [[[10**400, 1.0]] * 4]), "degrees are needed"),
        (shape("Polygon", [[["110", "40"]] * 4]), "a coordinate that is none"),
        (shape("Polygon", [[[True, False]] * 4]), "a coordinate that is none"),
        (shape("Polygon", [RING[:3]]), "a ring of fewer than 4 points"),
    ],
    ids=range(16),
)
def test_maps_that_are_none_are_refused(drawn, message):
    with pytest.raises(KepuError, match=message):
        maps.boundaries(drawn, approval="GS(2024)1")


def test_codes_of_a_map_are_made_fit_to_show():
    drawn = squares()
    drawn["features"][0]["properties"]["adcode"] = "11\u202e0000"
    drawn["features"][1]["properties"]["adcode"] = 120000.0
    found = maps.boundaries(drawn, approval="GS(2024)1")
    assert [each.code for each in found.shapes][:2] == ["110000", "120000"]


def test_a_map_file_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "map.json").write_text("[" * 200_000)
    with pytest.raises(KepuError, match=r"map\.json is no GeoJSON file"):
        files.read_json(tmp_path / "map.json", files.LARGEST["map"], "GeoJSON file")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", " JavaScript:alert(1)", "java\nscript:alert(1)",
        "data:text/html,<script>", "vbscript:x", "file:///etc/passwd", "//example.org/a",
        "http:/example.org", "https://", "https://gov.cn@example.org/", "https://a b.org",
        'https://a.org/"onclick="x', "https://a.org/\u202egro", "ftp://a.org", "",
        "10.1000/a<b", "doi:javascript:alert(1)",
    ],
)  # fmt: skip
def test_only_addresses_of_the_web_become_links(address):
    assert link(address) == ""


def test_addresses_of_the_web_stay_as_they_are():
    for address in ("http://a.cn", "https://a.cn:8080/b?c=1#d", "HTTPS://例子.cn/路径"):
        assert link(address) == address
    assert link("10.1000/xyz(1)") == link("doi: 10.1000/xyz(1)") == "https://doi.org/10.1000/xyz(1)"


def test_a_source_of_another_address_is_shown_and_not_linked(dataset):
    from evaluation.report.page import Writer
    from evaluation.report.quality import sources

    table = dataset.sources.head(3).copy()
    table["url"] = ["javascript:alert(1)", "https://example.org/a", "10.1000/182"]
    changed = replace(dataset, sources=table)
    writer = Writer(changed, "en")
    for source in table["source_id"]:
        writer.cite(source)
    shown = str(sources(SimpleNamespace(study=SimpleNamespace(dataset=changed), writer=writer)))
    assert "javascript:alert(1)" in shown and 'href="javascript' not in shown
    assert 'href="https://example.org/a"' in shown and 'href="https://doi.org/10.1000/182"' in shown
    found = nodes('<a href="javascript:alert(1)">x</a><a href="https://a.cn">y</a>')
    assert found == ["x", {"k": "link", "url": "https://a.cn", "c": ["y"]}]


@pytest.mark.parametrize("fixed", ["²", "", "-1", "1e9", "9" * 13])
def test_a_date_that_is_none_is_refused_before_a_library_reads_it(fixed):
    done = started("estimate", text=True, env={"SOURCE_DATE_EPOCH": fixed})
    assert done.returncode == 2
    assert done.stderr.startswith(f"SOURCE_DATE_EPOCH is {fixed!r}, no number of seconds")


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "1e300"])
def test_a_time_limit_is_a_number_of_seconds_up_to_a_week(seconds):
    done = kepu("batch", "smoke", "--dry-run", "--timeout", seconds)
    assert done.exit_code == 2
    assert "--timeout" in done.output
