"""The statistics blank: filled and taken in without loss, its refusals, what a region has."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.base.errors import KepuError
from evaluation.batch.cli import app
from evaluation.data.office import cells, importing
from evaluation.data.package import load
from evaluation.data.tables import read_files
from evaluation.targets import blank, index

DATA = Path(__file__).resolve().parents[1] / "data"
YEAR = 2025
VALUE, SOURCE, GRADE, NOTE = 8, 9, 10, 11  # columns of the workbook, from 1
VENUES = {"venues_total": 31, "st_museum_count": 11, "science_type_museum_count": 20}
SHEETS = {"zh": "科普人员", "en": "Personnel"}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    ignored = shutil.ignore_patterns("simulated")
    folder = tmp_path_factory.mktemp("blank") / "data"
    return Path(shutil.copytree(DATA, folder, ignore=ignored))


@pytest.fixture(params=["zh", "en"])
def form(request, dataset, tmp_path):
    """A blank of Ordos in each language, and the name of its first sheet with figures."""
    file = blank.write(dataset, "150600", YEAR, tmp_path / "blank.xlsx", request.param)
    return file, SHEETS[request.param]


def fill(file: Path, sheet: str, rows: dict[int, dict[int, object]]) -> Path:
    book = openpyxl.load_workbook(file)
    for row, told in rows.items():
        for column, value in told.items():
            book[sheet].cell(row, column).value = value
    book.save(file)
    return file


def taken(file: Path, package: Path, implausible: bool = False) -> importing.Preview:
    options = importing.Options(date="2026-04-01", implausible=implausible)
    return importing.prepare([cells.read(file)], package, options)


def test_every_figure_returns_with_value_unit_year_region_source_and_grade(form, package, dataset):
    """All rows of all sheets are filled with figures that differ, parts below their wholes."""
    file, _ = form
    book, written = openpyxl.load_workbook(file), {}
    wholes = set(dataset.statistics["part_of"])
    units = dataset.units.set_index("unit")
    kinds = dataset.indicators.set_index("indicator")["unit"]
    for sheet in book.worksheets[1:-1]:
        for row in range(4, sheet.max_row + 1):
            name = sheet.cell(row, 1).value
            value = 20 + len(written) + (1000 if name in wholes else 0)
            value += 10_000 if name in ("personnel_total", "funds_raised") else 0
            value += 0 if units.at[kinds[name], "countable"] else 0.25
            value = 40 + len(written) / 100 if kinds[name] == "percent" else value
            value = VENUES.get(name, value)
            cited = ["", "2025年年报", "KIM2015"][len(written) % 3]
            sheet.cell(row, VALUE).value = value
            sheet.cell(row, SOURCE).value = cited or None
            sheet.cell(row, GRADE).value = {"": None, "2025年年报": "B", "KIM2015": "A"}[cited]
            sheet.cell(row, NOTE).value = f"note {row}"
            written[name] = (value, cited, f"note {row}")
    book.save(file)
    found = taken(file, package, implausible=True)  # made-up figures are
    assert found.refused == [] and found.asked == []
    assert len(found.figures) == len(written) == len(dataset.statistics)
    result = load(importing.files_of(package, found.files))
    facts = result.facts.set_index("fact_id").loc[lambda each: each["year"] == YEAR]
    facts = facts[facts["region_code"] == "150600"].set_index("indicator")
    grades = result.sources.set_index("source_id")
    for name, (value, cited, note) in written.items():
        fact = facts.loc[name]
        assert (fact["value"], fact["unit"], fact["note"]) == (value, kinds[name], note)
        assert (fact["period_start"], fact["period_end"]) == ("2025", "2025")
        source = grades.loc[fact["source_id"]]
        if cited == "KIM2015":
            assert fact["source_id"] == "KIM2015"
        else:
            assert source["title"] == (cited or file.name) and source["grade"] == "B"
    outcome = dataset.statistics.loc[dataset.statistics["group"] == "outcome", "indicator"]
    assert set(facts.loc[outcome, "kind"]) == {"survey"}
    held = blank.completeness(result, "150600")
    assert held["year"].eq(YEAR).all()


def test_an_empty_blank_has_nothing_to_take(form, package):
    found = taken(form[0], package)
    assert found.figures == found.refused == found.asked == []


def test_a_half_filled_blank_gives_what_it_has_and_again_nothing_new(form, package, tmp_path):
    file, sheet = form
    fill(file, sheet, {4: {VALUE: 1200}, 5: {VALUE: "—"}, 6: {VALUE: 1000}})
    own = Path(shutil.copytree(package, tmp_path / "own"))
    found = taken(file, own)
    assert [(f.raw.indicator, f.value.value) for f in found.figures] == [
        ("personnel_total", "1200"), ("personnel_part_time", "1000")
    ]  # fmt: skip
    assert "row 5: '—' says that there is none" in found.reads[1].passed
    importing.apply(found)
    again = taken(file, own)
    assert (again.figures, again.same) == ([], 2)


@pytest.mark.parametrize(
    ("rows", "row", "column", "rule", "remedy"),
    [
        ({4: {VALUE: -3}}, 4, "H", "personnel_total is negative: -3", "check the sign"),
        ({4: {VALUE: "many"}}, 4, "H", "'many'", "number"),
        ({4: {VALUE: 10}, 5: {VALUE: 11}}, 5, "H", "11 is more than personnel_total (10)",
         "correct one"),
        ({4: {VALUE: 10, GRADE: "A"}}, 4, "I4", "there is a grade and no source", "write both"),
        ({4: {VALUE: 10, SOURCE: "x", GRADE: "D"}}, 4, "J4", "'D' is no grade", "A, B, C"),
        ({4: {VALUE: 10, SOURCE: "KIM2015", GRADE: "C"}}, 4, "H",
         "grade C for a source that has A", "one grade"),
        ({4: {VALUE: 10, 1: "no_such"}}, 4, "A4", "'no_such' is the code of no indicator",
         "write the code"),
        ({4: {VALUE: 10, 4: "stones"}}, 4, "D4", "'stones' is no unit", "write the unit"),
        ({2: {1: "kepu-blank 999999 2025"}}, 2, "A2", "names no region", "the code of the region"),
        ({2: {1: "kepu-blank 150600 x"}}, 2, "A2", "names no year", "and the year"),
        ({3: {VALUE: "Wert"}}, 3, "value", "is missing", "make a new blank"),
    ],
)  # fmt: skip
def test_a_wrong_blank_is_refused_with_sheet_row_column_rule_and_remedy(
    form, package, rows, row, column, rule, remedy
):
    file, sheet = form
    refused = taken(fill(file, sheet, rows), package).refused
    assert len(refused) == 1
    found = refused[0]
    assert (found.file, found.sheet, found.row) == (file.name, sheet, row)
    assert column in (found.column or "") or column in str(found)
    assert rule in found.rule and remedy in found.remedy


def test_a_part_is_held_against_the_package_where_the_file_lacks_its_whole(dataset, package,
                                                                           tmp_path):  # fmt: skip
    file = blank.write(dataset, "150000", 2015, tmp_path / "b.xlsx", "en")
    found = taken(fill(file, "Personnel", {7: {VALUE: 900_000}}), package)
    assert "more than personnel_total (79995)" in found.refused[0].rule
    below = taken(fill(file, "Personnel", {4: {VALUE: 1000}, 7: {VALUE: None}}), package)
    assert "1000 is less than its part" in below.refused[0].rule


def test_completeness_of_three_regions_as_they_stand(dataset):
    held = {code: blank.completeness(dataset, code) for code in ("150000", "150100", "150600")}
    counts = {code: int(rows["year"].notna().sum()) for code, rows in held.items()}
    assert counts == {"150000": 18, "150100": 0, "150600": 0}
    rows = held["150000"].set_index("indicator")
    told = rows.loc["funds_raised", ["year", "value", "unit", "grade", "dose", "index"]].tolist()
    assert told == [2015, 18100, "10k_yuan", "A", "fund", "kepu_statistics"]
    assert rows.at["funds_raised", "source_id"] == "KIM2015;SL07"
    assert pd.isna(rows.at["popsci_website_count", "value"])
    assert rows.at["popsci_website_count", "holder_zh"] == "科技行政部门（统计汇总）"


def test_the_blank_shows_last_years_figure_beside_and_none_of_later_years(dataset, tmp_path):
    file = blank.write(dataset, "100000", 2023, tmp_path / "b.xlsx", "zh")
    sheet = openpyxl.load_workbook(file)["科普经费"]
    row = next(row for row in sheet.iter_rows(min_row=4) if row[0].value == "funds_raised")
    fact = dataset.facts.query("indicator == 'funds_raised' and region_code == '100000'")
    assert row[5].value == fact.loc[fact["year"] == 2022, "value"].iloc[0]
    assert row[6].value == "2022: K2022（A级）" and row[7].value is None
    rules = {str(each.sqref): each for each in sheet.data_validations.dataValidation}
    assert rules["J4:J11"].formula1 == '"A,B,C"'
    part = rules["H5"].formula1  # of funds_government, a part of funds_raised in H4
    assert "$H$5<=$H$4" in part and "ISNUMBER" in part


def test_filled_blanks_carry_the_index_of_true_indicators(dataset):
    spec = dataset.composites[dataset.composites["index"] == "kepu_statistics"]
    assert set(spec["indicator"]) <= set(dataset.statistics["indicator"])
    codes = ["150100", "150200", "150300", "150600"]
    like = dataset.facts[dataset.facts["indicator"] == "funds_raised"].iloc[0]
    names = [*spec["indicator"], "population_resident"]
    rows = [like.to_dict() | {
        "fact_id": f"F9{n:02d}{m:02d}", "region_code": code, "indicator": name, "series": name,
        "period_start": "2025", "period_end": "2025", "year": 2025, "value": 100.0 + n * 7 + m,
        "group": "", "kind": "statistic", "caveats": "",
    } for n, code in enumerate(codes) for m, name in enumerate(names)]  # fmt: skip
    made = replace(dataset, facts=pd.concat([dataset.facts, pd.DataFrame(rows)]))
    given = index.figures(made, "kepu_statistics", codes, None)
    assert (given.year, given.proxies, given.x.shape) == (2025, False, (4, len(spec)))


def test_indicators_are_named_by_their_sources_and_defined_in_both_languages(dataset):
    """Each row rests on a fact of a source that it cites."""
    cited = dataset.facts[dataset.facts["indicator"].isin(dataset.statistics["indicator"])]
    held = cited.groupby("indicator")["source_id"].agg(lambda ids: set(";".join(ids).split(";")))
    labels = dataset.indicators.set_index("indicator")
    for row in dataset.statistics.to_dict("records"):
        assert set(row["source_id"].split(";")) & held[row["indicator"]], row["indicator"]
        assert labels.at[row["indicator"], "definition_zh"]
        assert labels.at[row["indicator"], "definition_en"]
    assert set(dataset.statistics["group"]) == set(blank.GROUPS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "{tmp}/b.xlsx"], "Say which year"),
        (["--year", "2025", "--out", "{tmp}/b.docx"], "ends with .xlsx"),
    ],
)
def test_the_command_refuses_what_it_cannot_write(words, message, tmp_path):
    words = [each.format(tmp=tmp_path) for each in words]
    run = CliRunner().invoke(app, ["blank", "150600", *words, "--data", str(DATA)])
    assert run.exit_code != 0 and message in run.output


def test_a_package_without_statistics_says_so(dataset):
    with pytest.raises(KepuError, match=r"copy statistics\.csv"):
        blank.completeness(replace(dataset, statistics=dataset.statistics.iloc[:0]), "150000")


def test_the_contract_refuses_a_part_in_another_unit(package, tmp_path):
    own = Path(shutil.copytree(package, tmp_path / "own"))
    table = own / "statistics.csv"
    table.write_text(table.read_text("utf-8").replace(
        "lecture_count,activities,flow,按线上、线下分,online and on site,,",
        "lecture_count,activities,flow,按线上、线下分,online and on site,lecture_participants,",
    ), "utf-8")  # fmt: skip
    from evaluation.data import contract

    faults = [str(each) for each in contract.breaches(contract.read(read_files(own)))]
    assert len(faults) == 1 and "lecture_count has another unit" in faults[0]
