"""Progress of the plan and self-assessment: evidence, dates, arithmetic by hand, the forms."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import docx
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation import report
from evaluation.base.errors import DataError, KepuError
from evaluation.batch.cli import app
from evaluation.data.package import load
from evaluation.data.tables import read_files
from evaluation.report.depths import IN_REPORT
from evaluation.targets import assess, forms, sheets, tracker

DATA = Path(__file__).resolve().parents[1] / "data"
TODAY = "2026-11-28"


@pytest.fixture
def package(tmp_path):
    ignored = shutil.ignore_patterns("simulated")
    return Path(shutil.copytree(DATA, tmp_path / "data", ignore=ignored))


def entry(**changes: str) -> dict[str, str]:
    made = {"measure_id": "M061", "period": "2026", "status": "under_way", "recorded": TODAY}
    return made | changes


def test_every_measure_of_the_documents_has_a_status(dataset):
    boards = {code: tracker.board(dataset, code, TODAY) for code in ("150000", "150100")}
    rows = pd.concat(boards.values())
    assert set(dataset.measures["measure_id"]) <= set(rows["item"])
    assert rows["status"].isin({"unknown", "under_way"}).all()  # nothing shows that one is done
    told = rows[rows["status"] != "unknown"]
    assert set(told["item"]) == {"M011", "M012", "M083", "F14671"}
    assert told["evidenced"].all()


def test_overdue_follows_the_date_that_is_given(dataset):
    late = {day: set(rows.loc[rows["overdue"], "item"]) for day in ("2025-12-31", "2026-01-01")
            if len(rows := tracker.board(dataset, "150100", day))}  # fmt: skip
    assert late["2025-12-31"] == set()
    assert {"M060", "M083", "F14670"} <= late["2026-01-01"]
    assert "M061" not in late["2026-01-01"]  # the plan sets it no year


def test_what_is_recorded_later_is_not_seen(dataset):
    rows = tracker.board(dataset, "150100", "2026-11-27").set_index("item")
    assert rows.at["M083", "status"] == "unknown"


def test_an_entry_due_makes_overdue_and_done_ends_it(dataset):
    own = {"entry_id": "G0009", "measure_id": "M061", "status": "under_way", "period": "2026",
           "recorded": "2026-01-05", "next_date": "2026-06-30"}  # fmt: skip
    made = pd.DataFrame([own]).reindex(columns=dataset.progress.columns, fill_value="")
    made["score"] = float("nan")
    rows = tracker.board(replace(dataset, progress=made), "150100", "2026-07-01")
    assert rows.set_index("item").at["M061", "overdue"]
    done = made.assign(status="done", fact_ids="F14898")
    rows = tracker.board(replace(dataset, progress=pd.concat([made, done])), "150100", "2026-07-01")
    row = rows.set_index("item").loc["M061"]
    assert (row["status"], row["overdue"], row["evidenced"]) == ("done", False, True)


def test_the_board_is_filtered_by_body_group_and_year(dataset):
    rows = tracker.board(dataset, "150100", TODAY)
    led = tracker.filtered(rows, unit="市农牧局")
    assert {"M065", "M066", "M067"} <= set(led["item"])
    assert set(tracker.filtered(rows, group="elderly")["item"]) == {"M071", "M072", "M073"}
    assert (tracker.filtered(rows, due=2025)["year_due"] <= 2025).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "done"}, "M061 is called done without evidence"),
        ({"measure_id": "M999", "status": "under_way"}, "'M999' is not in measures.csv"),
        ({"fact_ids": "F99999"}, "'F99999' is not in facts.csv"),
        ({"recorded": "2020-01-01"}, "before an entry above it"),
        ({"target_id": "F14671"}, "names no measure or two things"),
        ({"score": "101"}, "above 100"),
    ],
)
def test_an_entry_that_breaks_the_contract_is_refused_with_the_row(changes, message):
    with pytest.raises(DataError, match=message) as refused:
        tracker.recorded(read_files(DATA), entry(**changes))
    assert "progress.csv, row 6" in str(refused.value)


def test_entries_are_only_added(package):
    before = (package / "progress.csv").read_bytes()
    run = CliRunner().invoke(app, [
        "track", "150100", "--item", "M061", "--status", "done", "--facts", "F14898",
        "--person", "王某", "--score", "90", "--today", TODAY, "--data", str(package),
        "--no-evidence",
    ])  # fmt: skip
    assert run.exit_code == 0, run.output
    after = (package / "progress.csv").read_bytes()
    assert after.startswith(before) and after.count(b"\n") == before.count(b"\n") + 1
    rows = tracker.board(load(package), "150100", TODAY).set_index("item")
    assert rows.loc["M061", ["status", "person", "score"]].tolist() == ["done", "王某", 90.0]


def test_done_without_evidence_changes_nothing(package):
    before = (package / "progress.csv").read_bytes()
    words = ["track", "150100", "--item", "M061", "--status", "done", "--data", str(package)]
    run = CliRunner().invoke(app, words)
    assert run.exit_code != 0
    assert (package / "progress.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("day", "region", "message"),
    [("2026", "150100", "is no day"), (TODAY, "150600", "add those of its plan to measures.csv")],
)
def test_a_board_needs_a_day_and_a_plan(dataset, day, region, message):
    with pytest.raises(KepuError, match=message):
        tracker.board(dataset, region, day)


@pytest.mark.parametrize(
    ("asked", "points"),
    [
        ((10, 60, 45, ">=", "proportional"), 7.5),
        ((10, 60, 90, ">=", "proportional"), 10.0),
        ((10, 5, 10, "<=", "proportional"), 5.0),
        ((10, 5, 0, "<=", "proportional"), 10.0),
        ((10, 4, 5, "=", "proportional"), 7.5),
        ((10, 60, 59, ">=", "all_or_nothing"), 0.0),
    ],
)
def test_points_by_hand(asked, points):
    assert assess.points(*asked) == pytest.approx(points)


def test_the_real_programme_has_its_published_figures_and_no_total(dataset):
    made = assess.assess(dataset, "P060")
    lines = made.lines.set_index("objective_id")
    assert lines["actual"].tolist()[1:5] == [60, 7600, 6400000, 4000000]
    assert not made.complete and lines["points"].isna().all()
    assert lines["target"].isna().all()  # funds that were obtained are no budget
    with pytest.raises(KepuError, match=r"P060 has no total: O001 \(target;actual;weight\)"):
        made.total()


COMPLETE = [  # kind, comparator, target, actual, weight, scoring, points by hand
    ("budget", "<=", 200, 190, 10, "proportional", 9.5),
    ("quantity", ">=", 60, 54, 20, "proportional", 18.0),
    ("quality", ">=", 95, 96, 10, "proportional", 10.0),
    ("timeliness", "=", 1, 0, 10, "all_or_nothing", 0.0),
    ("cost", "<=", 4, 5, 10, "proportional", 8.0),
    ("benefit", ">=", 1000, 1100, 30, "proportional", 30.0),
    ("satisfaction", ">=", 90, 81, 10, "proportional", 9.0),
]


@pytest.fixture
def complete(dataset):
    """A simulated programme with every figure."""
    rows = [
        {"objective_id": f"O{n:03d}", "programme_id": "P060", "period_start": "2025",
         "period_end": "2025", "kind": kind, "title_zh": f"模拟{n}", "title_en": f"simulated {n}",
         "unit": "yuan" if kind == "budget" else "count", "comparator": sign, "target": target,
         "actual": actual, "weight": weight, "scoring": scoring}
        for n, (kind, sign, target, actual, weight, scoring, _) in enumerate(COMPLETE, 1)
    ]  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=dataset.objectives.columns, fill_value="")
    numbers = ["target", "actual", "weight"]
    table[numbers] = table[numbers].astype(float)
    return replace(dataset, objectives=table, simulated=True)


def test_a_simulated_complete_programme_by_hand(complete):
    made = assess.assess(complete, "P060")
    assert made.lines["points"].tolist() == pytest.approx([row[-1] for row in COMPLETE])
    assert made.total() == pytest.approx(84.5)  # 9.5 + 18 + 10 + 0 + 8 + 30 + 9
    assert made.grade() == "good"
    assert made.unexplained == ("O004", "O005")  # missed wholly, and by a quarter


@pytest.mark.parametrize(
    ("row", "weight", "message"),
    [(1, 25.0, "Weights add to 105"), (0, 10.0, "10 or 20 points")],
)
def test_weights_that_are_not_declared_so_are_refused(complete, row, weight, message):
    table = complete.objectives.copy()
    if row:
        table.loc[row, "weight"] = weight
    else:
        table.loc[[0, 1], "weight"] = [15.0, 15.0]
    made = assess.assess(replace(complete, objectives=table), "P060")
    with pytest.raises(KepuError, match=message):
        made.total()


def written(grid):
    """Text of a form in Excel and in Word."""
    sheet = openpyxl.load_workbook(io.BytesIO(sheets.to_xlsx([grid]))).active
    paper = docx.Document(io.BytesIO(sheets.to_docx([grid])))
    table = {cell.text for row in paper.tables[0].rows for cell in row.cells}
    return (
        {str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value},
        table | {line.text for line in paper.paragraphs},
    )


@pytest.mark.parametrize(("language", "good"), [("zh", "良"), ("en", "good")])
def test_the_form_of_a_programme_says_its_points_in_both_files(complete, language, good):
    made = assess.assess(complete, "P060")
    for texts in written(forms.programme(complete, made, language)):
        assert {"84.50", good, "18"} <= texts
        assert any("模拟" in text or "Simulated" in text for text in texts)


@pytest.mark.parametrize(
    ("language", "said"), [("zh", ("未公布", "无法计算")), ("en", ("not published", "cannot be"))]
)
def test_a_form_without_a_figure_says_so_and_has_no_total(dataset, language, said):
    made = assess.assess(dataset, "P060")
    for texts in written(forms.programme(dataset, made, language)):
        assert all(any(word in text for text in texts) for word in said)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_form_of_the_plan_has_every_measure(dataset, language):
    rows = tracker.board(dataset, "150100", TODAY)
    titles = set(rows[f"title_{language}"])
    for texts in written(forms.plan(dataset, rows, "150100", language, TODAY)):
        assert titles <= texts
    assert sheets.to_xlsx([forms.plan(dataset, rows, "150100", language, TODAY)])


def test_every_page_of_a_form_names_its_columns(dataset):
    rows = tracker.board(dataset, "150100", TODAY)
    grids = [forms.plan(dataset, rows, "150100", "en", TODAY)]
    word = docx.Document(io.BytesIO(sheets.to_docx(grids)))
    lines = word.tables[0]._tbl.tr_lst
    assert [bool(line.xpath("./w:trPr/w:tblHeader")) for line in lines[:3]] == [True, False, False]
    book = openpyxl.load_workbook(io.BytesIO(sheets.to_xlsx(grids)))
    assert book.active.print_title_rows == "$1:$2"


def test_the_commands_write_forms_and_never_over_a_file(tmp_path):
    out = tmp_path / "plan.xlsx"
    words = ["track", "150100", "--today", TODAY, "--out", str(out), "--language", "zh"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert out.read_bytes()[:2] == b"PK"
    again = CliRunner().invoke(app, words)
    assert again.exit_code != 0
    run = CliRunner().invoke(app, ["assess", "P060", "--out", str(tmp_path / "a.docx")])
    assert run.exit_code != 0 and (tmp_path / "a.docx").exists()  # the form is there, no total


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", ["150000", "150100", "150600", "110000"])
def test_a_report_says_what_became_of_the_regions_own_plan(dataset, study, code, language):
    page = report.open_report(study, code, language, date=TODAY)
    section = report.SECTIONS["governance"](page)
    if code not in set(dataset.measures["region_code"]):
        assert section["progress"] == section["tracked"] == ()
        return
    counted = tracker.counts(tracker.board(dataset, code, TODAY))
    told = {name: page.writer.computed[f"plan.{code}.{name}"] for name in ("items", "bare")}
    assert told == {name: counted[name] for name in told}
    (said,) = section["progress"]
    assert f"<time>{TODAY}</time>" in said.text
    annex = "".join(block.html() for block in section["tracked"])
    assert (
        annex.count("<tr>")
        == sum(name in counted for name in tracker.STATES) + 2 + (counted["overdue"])
    )
    assert "progress" in IN_REPORT["governance"] and "tracked" not in IN_REPORT["governance"]


def test_a_report_of_an_earlier_day_or_of_a_year_sees_what_was_known_then(study):
    for date, unknown in (("2026-11-27", 50), ("2026", 48), ("2026-10", 50)):
        page = report.open_report(study, "150100", "en", date=date)
        report.SECTIONS["governance"](page)
        assert page.writer.computed["plan.150100.unknown.all"] == unknown
