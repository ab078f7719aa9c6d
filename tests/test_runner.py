"""A run makes whole reports, tells what failed and why, and leaves nothing partial."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

from evaluation.base.errors import KepuError
from evaluation.batch import front
from evaluation.batch.plan import Job, read_notebooks
from evaluation.batch.run import PARTS, Run, run
from evaluation.batch.state import FAILED, MADE, Folder, Outcome, Record, State, read, write
from evaluation.batch.worker import hide
from evaluation.report.document import ExportError
from evaluation.report.html import loaded, to_html
from test_front import payload

STATE = State(data="../data", data_hash="f00d" * 16, commit="1a2b3c4", date="2026-01-31")
PARAMETERS = 'region: str = "0"\nlanguage: str = "zh"\ndata: str = "../data"'
BODY = """\
import os, sys, time, warnings
from pathlib import Path
from IPython.display import HTML
warnings.warn("odd figure")
if region == "150100":
    raise ValueError(f"no survey of 150100 in {Path(data).resolve()}")
if region == "150200":
    time.sleep(60)
print(sys.executable, os.environ["OMP_NUM_THREADS"], Path(data, "a.csv").read_text())
HTML(f"<h1>Report {region}</h1><section id='level'><h2>Level?</h2><p>{os.getcwd()}</p></section>")
"""


def notebook(*sources: str) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_markdown_cell("# For readers of the notebook")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    cells[1].metadata["tags"] = ["parameters"]
    # A kernel of another machine: the run must not look for it.
    spec = {"name": "elsewhere", "display_name": "Elsewhere", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})


def job(region: str, language: str = "en", level: str = "league", suffix: str = "") -> Job:
    parameters = {"region": region, "language": language, "data": "../data"}
    names = {"zh": f"地区{region}", "en": f"Region {region}"}
    key = f"{region}_{language}"
    return Job(key, "page", region, level, names, language, parameters, key + suffix)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name in ("notebooks", "data"):
        (root / name).mkdir()
    (root / "data" / "a.csv").write_text("figures", "utf-8")
    nbformat.write(notebook(PARAMETERS, BODY), root / "notebooks" / "page.ipynb")
    return root


def how(project: Path, out: Path, **options) -> Run:
    """A run over the notebooks of ``project`` whose reports all rest on the same."""
    key = dict.fromkeys(PARTS, "same")
    place = (out, project / "notebooks", project / "data")
    return Run(*place, STATE, key=lambda job: key, **options)


@pytest.fixture(scope="module")
def finished(project) -> tuple[Path, list[Outcome]]:
    """Two runs: a report that is made and one that raises; then one that takes too long."""
    out = project / "out"
    jobs = [job("150000", level="province"), job("150100")]
    outcomes = run(jobs, how(project, out, workers=2))
    return out, outcomes + run([job("150200")], how(project, out, timeout=2))


def test_failures_stop_no_other_report_and_say_why(finished):
    _, outcomes = finished
    assert [(o.id, o.status) for o in outcomes] == [
        ("150000_en", MADE),
        ("150100_en", FAILED),
        ("150200_en", FAILED),
    ]
    assert outcomes[1].error == "ValueError: no survey of 150100 in data"
    assert outcomes[2].error == "took longer than 2 s (--timeout allows more)"
    assert [o.attempts for o in outcomes] == [1, 1, 1]  # neither cause passes by waiting


def test_only_whole_reports_lie_in_the_folder(finished):
    out, _ = finished
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files - {".lock", ".kepu/.lock"} == {
        "150000_en.html",
        "notebooks/150000_en.ipynb",
        "failed/150100_en.ipynb",
        "failed/150200_en.ipynb",
        "events.jsonl",
        "index.html",
        "manifest.json",
    }
    assert [path.name for path in (out / ".kepu").iterdir()] == [".lock"]


def test_manifest_tells_state_versions_and_every_report(finished):
    out, _ = finished
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    run_record = manifest["run"]
    assert (run_record["commit"], run_record["data_hash"]) == (STATE.commit, STATE.data_hash)
    assert run_record["packages"]["pandas"] and run_record["python"] and run_record["package"]
    made, raised, late = manifest["reports"]
    assert (made["status"], made["file"], made["error"]) == (MADE, "150000_en.html", "")
    assert made["parameters"]["data"] == "../data"
    assert "UserWarning: odd figure" in made["warnings"][0]
    assert (raised["status"], raised["file"]) == (FAILED, "")
    assert raised["error"].startswith("ValueError: no survey")
    assert (late["status"], late["warnings"]) == (FAILED, [])


def test_page_is_self_contained_and_shows_results_only(finished):
    page = (finished[0] / "150000_en.html").read_text("utf-8")
    assert loaded(page) == []
    assert '<html lang="en">' in page and "<title>Report 150000</title>" in page
    assert "<main>" in page and '<a href="#level">Level?</a>' in page
    assert "figures" in page  # the cells reached the data through the relative path
    assert " 1 figures" in page  # one thread a process
    for hidden in ("odd figure", "import os", "In [", "For readers of the notebook", "<script"):
        assert hidden not in page


def test_no_path_of_this_machine_is_recorded(finished, project):
    out, _ = finished
    for path in out.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert str(project) not in text and str(Path.home()) + os.sep not in text, path


CELLS = """
import sys, warnings
from IPython.display import clear_output, display, HTML
print("gone"); clear_output(wait=True); print("kept", end=" "); print("whole")
print("odd", file=sys.stderr)
---
handle = display(HTML("<p>first</p>"), display_id="it"); handle.update(HTML("<p>second</p>"))
warnings.warn("told in each"); kept = 6
---
kept * 7
---
kept;
---
import matplotlib.pyplot as plt
plt.plot([1, 2]);
---
%matplotlib inline
1 / 0
"""


EXECUTE = """
import sys, time
import papermill
from papermill.exceptions import PapermillExecutionError
from evaluation.batch.shell import engine
for number, name in enumerate((None, engine(), engine())):
    own = {"unfinished": "broken.ipynb", "deadline": time.monotonic() + 60} if name else {}
    try:
        papermill.execute_notebook(
            "page.ipynb", f"{number}.ipynb", {"region": "1"}, name, kernel_name="python3",
            language="python", progress_bar=False, **own)
    except PapermillExecutionError as error:
        print(error.evalue)
"""


def test_cells_show_in_the_process_what_they_show_in_a_kernel(tmp_path):
    """The same notebook, by papermill's own engine and by ours, twice in one process."""
    nbformat.write(notebook(PARAMETERS, *CELLS.split("---\n")), tmp_path / "page.ipynb")
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE], cwd=tmp_path, check=True, capture_output=True, text=True,
        env=os.environ | inline | {"IPYTHONDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split("\n")[:3] == ["division by zero"] * 3
    place, told = r"/\S*ipykernel_\S*?:|<ipython-input\S*?:", []  # the file of a cell
    for number in range(3):
        cells = nbformat.read(tmp_path / f"{number}.ipynb", 4).cells
        shown = [output for cell in cells for output in cell.get("outputs", [])]
        for output in shown:
            output.pop("traceback", None)
        told.append([re.sub(place, "(cell):", str(output)) for output in shown])
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == 7


def test_project_and_folder_may_have_braces_in_their_names(project, tmp_path):
    there = tmp_path / "{a} {}"
    shutil.copytree(project, there, ignore=shutil.ignore_patterns("out"))
    assert read_notebooks(there / "notebooks")["page"]["region"].default == '"0"'
    out = there / "{region}"
    assert [o.status for o in run([job("150000")], how(there, out))] == [MADE]
    assert (out / "150000_en.html").is_file()


def test_second_run_is_refused_while_one_writes(project):
    out = project / "busy"
    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(KepuError, match="another run is writing into"):
        run([job("150000")], how(project, out))
    assert [path.name for path in out.iterdir()] in ([], [".lock"])


def test_events_tell_what_happened_as_it_happened(finished):
    events = [json.loads(line) for line in (finished[0] / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["started", "filing", "report", "finished"]
    assert events[0]["data_hash"] == STATE.data_hash
    assert events[1]["stem"] == "150200_en"
    assert events[2]["entry"]["id"] == "150200_en" and events[2]["entry"]["status"] == FAILED


def record(out: Path, jobs: list[Job], failing: tuple[str, ...] = (), state: State = STATE) -> dict:
    """Write a manifest as a run would, with pages standing in for the made reports."""
    work = out / "work"
    work.mkdir()
    kept = Record(Folder(out, work), state, read(out))
    with contextlib.closing(kept.log):
        for each in jobs:
            outcome = Outcome(each.id, MADE, 1.0)
            if each.id in failing:
                outcome = Outcome(each.id, FAILED, 1.0, "ValueError: odd")
            else:
                (out / f"{each.stem}.html").write_text("<h1>x</h1>", "utf-8")
            kept.add(each, outcome, {}, work / each.stem)
        kept.finish()
    work.rmdir()
    return json.loads((out / "manifest.json").read_text("utf-8"))


def test_a_manifest_has_a_line_for_each_report(tmp_path):
    told = record(tmp_path, [job("110000"), job("120000"), job("150000")])
    lines = (tmp_path / "manifest.json").read_text("utf-8").splitlines()
    own = [json.loads(line.rstrip(",")) for line in lines if line.startswith('{"id"')]
    assert own == told["reports"] and len(own) == 3


def test_earlier_reports_stay_listed_while_their_page_is_there(tmp_path):
    record(tmp_path, [job("110000"), job("120000")])
    (tmp_path / "120000_en.html").unlink()
    stems = [entry["stem"] for entry in record(tmp_path, [job("150000")])["reports"]]
    assert stems == ["110000_en", "150000_en"]


def test_failed_report_links_its_earlier_page_as_earlier_only(tmp_path):
    record(tmp_path, [job("150000")])
    later = State("../data", "beef" * 16, "", "2026-02-28")
    (entry,) = record(tmp_path, [job("150000")], failing=("150000_en",), state=later)["reports"]
    assert (entry["status"], entry["file"]) == (FAILED, "")
    assert entry["earlier"]["date"] == "2026-01-31"
    assert entry["earlier"]["data_hash"] == STATE.data_hash
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "ValueError: odd" in page
    (link,) = re.findall(r'<a href="150000_en.html"[^>]*>(.*?)</a>', page)
    assert "2026-01-31" in link and "earlier" in link


def test_front_page_is_drawn_again_only_where_it_would_differ(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(front, "page", lambda manifest, *_, **__: drawn.append(1) or f"{manifest}")
    record(tmp_path, [job("150000")])
    kept = dict(read(tmp_path).entries)

    def again(**run: str) -> int:
        drawn.clear()
        folder = Folder(tmp_path, tmp_path)
        write(folder, read(tmp_path), kept, {**vars(STATE), **run})
        return len(drawn)

    assert again(seconds="9") == 0
    (tmp_path / "index.html").write_text("not what a run wrote", "utf-8")
    assert again() == 1
    assert again(commit="other") == 1
    (tmp_path / "index.html").unlink()
    assert again(commit="other") == 1
    kept["150000_en"] = {**kept["150000_en"], "summary": {"changed": True}}
    assert again(commit="other") == 1


def test_index_lists_all_grouped_by_level(tmp_path):
    jobs = [
        job("overview", level="overview"),
        job("110000", "zh", level="province"),
        job("110000", "en", level="province"),
        job("150100", level="league"),
        job("152200", level="league"),
    ]
    record(tmp_path, jobs, failing=("152200_en",))
    page = (tmp_path / "index.html").read_text("utf-8")
    assert re.findall(r'<section id="overview"', page)
    given = payload(page)
    levels = [given["levels"][row["level"]] for row in given["rows"]]
    assert levels == ["province", "league", "league"]
    assert set(re.findall(r'href="(\w+\.html)"', page)) == {
        "overview_en.html",
        "110000_zh.html",
        "110000_en.html",
        "150100_en.html",
    }
    assert "地区152200" in page and "Region 152200" in page
    assert STATE.data_hash[:12] in page and STATE.date in page
    assert set(loaded(page)) == {"<script>"} and "<script src" not in page
    assert not any(row["simulated"] for row in given["rows"])


def test_simulated_reports_say_so_on_page_and_index(tmp_path):
    state = State("../data/simulated", "beef" * 16, "", "2026-01-31", simulated=True)
    record(tmp_path, [job("150000", suffix="_simulated")], state=state)
    text = (tmp_path / "index.html").read_text("utf-8")
    assert "150000_en_simulated.html" in text and "模拟生成" in text
    assert re.search(r"<title>.*simulated.*</title>", text)
    for language, word in (("zh", "模拟数据"), ("en", "simulated data")):
        page = to_html(shown("<h1>X</h1>"), language, simulated=True)
        assert f"<title>X ({word})</title>" in page and 'class="banner"' in page


def shown(markup: str) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("secret_code()")
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": markup})]
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="https://example.org/a.png">',
        '<script>alert("x")</script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        "<style>@import 'a.css';</style>",
        "<p style=\"background: url('http://example.org/b.png')\">x</p>",
        "<p onclick='f()'>x</p>",
    ],
)
def test_page_that_would_load_something_is_refused(markup):
    with pytest.raises(ExportError, match="the page would load"):
        to_html(shown(markup), "en")


def test_links_to_sources_are_no_loads():
    page = to_html(shown('<p><a href="https://example.org">S001</a></p>'), "zh")
    assert 'href="https://example.org"' in page and '<html lang="zh-CN">' in page
    assert "secret_code" not in page


def test_notebook_that_displays_nothing_is_refused():
    with pytest.raises(ExportError, match="displayed nothing"):
        to_html(nbformat.v4.new_notebook(), "en")


def test_pictures_keep_their_bytes_and_get_their_alternative_text():
    cell = nbformat.v4.new_code_cell("draw()")
    data, meta = {"image/png": "AAAA/srv/BBBB"}, {"image/png": {"alt": "A <map>"}}
    cell.outputs = [nbformat.v4.new_output("display_data", data, metadata=meta)]
    page = to_html(nbformat.v4.new_notebook(cells=[cell]), "en")
    assert 'alt="A &lt;map&gt;" src="data:image/png;base64,AAAA/srv/BBBB"' in page
    assert hide("AAAA/srv/BBBB at /srv/x", (("/srv", "~"),)) == "AAAA/srv/BBBB at ~/x"
