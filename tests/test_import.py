"""An office's files become facts: the same figures from every layout, encoding and format."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter
from typer.testing import CliRunner

from evaluation import data
from evaluation.base.errors import KepuError
from evaluation.batch.cli import app
from evaluation.data import contract
from evaluation.data.office import cells, create, importing, vocabulary
from office_samples import HEADS, YEARS, filled, leagues, panel, plan, save

RATE = "science_literacy_rate"


@pytest.fixture
def empty(tmp_path) -> Path:
    return create.create(tmp_path / "data", plan())


def take(file: Path, folder: Path, **options) -> importing.Preview:
    return importing.prepare(
        [cells.read(file)], folder, importing.Options(date="2026-01-01", **options)
    )


def keys(folder: Path) -> dict[tuple[str, str, str], float]:
    facts = data.load(folder).facts
    return {
        (row.region_code, row.period_end, row.indicator): row.value for row in facts.itertuples()
    }


EXPECTED = {
    (code, str(year), indicator): value for (code, year, indicator), value in panel().items()
}


@pytest.mark.parametrize("layout", save.layouts)
def test_every_layout_gives_the_same_facts(layout, empty, tmp_path):
    file = save(layout, tmp_path)
    preview = take(file, empty)
    assert preview.refused == [] and preview.asked == []
    importing.apply(preview)
    assert contract.check(empty) == []
    found = keys(empty)
    assert set(found) == set(EXPECTED)
    assert found == pytest.approx(EXPECTED)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_encoding_gives_the_same_facts(encoding, empty, tmp_path):
    file = tmp_path / "leagues.csv"
    file.write_bytes(filled().encode(encoding))
    importing.apply(take(file, empty))
    assert keys(empty) == pytest.approx(EXPECTED)


def test_importing_twice_changes_no_byte(empty, tmp_path):
    file = save("long", tmp_path)
    importing.apply(take(file, empty))
    before = {path.name: path.read_bytes() for path in empty.iterdir()}
    again = take(file, empty)
    assert (again.figures, again.same, again.refused) == ([], len(EXPECTED), [])
    importing.apply(again)
    assert {path.name: path.read_bytes() for path in empty.iterdir()} == before


def test_a_corrected_file_changes_the_fact_and_keeps_its_id(empty, tmp_path):
    file = save("long", tmp_path)
    importing.apply(take(file, empty))
    old = data.load(empty).facts.set_index("fact_id")
    fact = old.index[old["indicator"] == RATE][0]
    value = old.loc[fact, "value"]
    place = old.loc[fact, ["region_code", "period_end"]].tolist()
    text = file.read_text("utf-8").replace(f",{value:g},", f",{value + 0.5:g},", 1)
    file.write_text(text, "utf-8")
    preview = take(file, empty)
    assert [(f.status, f.fact_id) for f in preview.figures] == [("changed", fact)]
    importing.apply(preview)
    new = data.load(empty).facts.set_index("fact_id")
    assert new.loc[fact, ["region_code", "period_end"]].tolist() == place
    assert new.loc[fact, "value"] == pytest.approx(value + 0.5)
    assert list(new.index) == list(old.index)


def test_a_mark_in_the_place_of_a_figure_is_told(empty, tmp_path):
    file = tmp_path / "marks.csv"
    file.write_text(
        "盟市,年份,科技志愿者（人）,科技馆（个）\n呼和浩特市,2018,999,x\n包头市,2018,,7\n", "utf-8"
    )
    preview = take(file, empty)
    assert [figure.value.value for figure in preview.figures] == ["999", "7"]
    assert preview.reads[0].passed == ["row 2, column '科技馆': 'x' says that there is no figure"]


def test_another_source_that_disagrees_is_refused_with_the_fact_it_disagrees_with(empty, tmp_path):
    importing.apply(take(save("long", tmp_path), empty))
    other = tmp_path / "other.csv"
    other.write_text("盟市,年份,科技志愿者（人）\n呼和浩特市,2018,999\n", "utf-8")
    preview = take(other, empty)
    [refused] = preview.refused
    assert preview.figures == []
    assert "other.csv, row 2, column C (科技志愿者): the package has" in str(refused)


def test_the_source_of_a_fact_is_the_file_with_its_hash_and_place(empty, tmp_path):
    file = save("xlsx", tmp_path)
    book = cells.read(file)
    importing.apply(take(file, empty, organisation="科协"))
    dataset = data.load(empty)
    fact = dataset.facts.iloc[0]
    source = dataset.sources.set_index("source_id").loc[fact["source_id"]]
    assert book.sha256 in source["note"]
    assert (source["title"], source["publisher"], source["date"]) == (
        file.name,
        "科协",
        "2026-01-01",
    )
    assert fact["locator"] == "sheet 盟市, cell C2"


def csv_file(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "a.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


@pytest.mark.parametrize(
    ("header", "cell", "value", "written"),
    [
        ("科普经费（万元）", "118.5", "118.5", ""),
        ("科普经费（元）", "1185000", "118.5", "1185000元"),
        ("科普经费（亿元）", "0.01185", "118.5", "0.01185亿元"),
        ("科普经费（万元）", "１１８．５", "118.5", ""),
        ("科普经费", "118.5万元", "118.5", "118.5万元"),
        ("科普经费（万元）", "约118.5万元", "118.5", "约118.5万元"),
        ("科技志愿者", "6,950", "6950", ""),
        ("科技志愿者（万人）", "0.695", "6950", "0.695万人"),
        ("科技志愿者", "6950人", "6950", "6950人"),
        ("科技馆（个）", "五", "5", "五"),
        ("具备科学素质的比例", "12.34%", "12.34", "12.34%"),
        ("受益人次（万人次）", "640多万人次", "6400000", "640多万人次"),
    ],
)
def test_quantities_and_units_are_read_as_written(header, cell, value, written, empty, tmp_path):
    cell = f'"{cell}"' if "," in cell else cell
    preview = take(csv_file(tmp_path, f"盟市,年份,{header}", f"包头市,2018,{cell}"), empty)
    [figure] = preview.figures
    assert (figure.value.value, figure.value.as_written) == (value, written)


@pytest.mark.parametrize(
    ("header", "cell", "rule"),
    [
        ("科普经费", "118.5", "no unit is stated"),
        ("科普经费（人）", "118.5", "is in 人, and the indicator is in 10k_yuan"),
        ("科技志愿者（人）", "很多", "not understood as a quantity"),
        ("科技志愿者（人）", "12,34", "not understood as a quantity"),
        ("科技志愿者（人）", "-5", "is negative"),
        ("科技志愿者（人）", "2.5—3万", "is a range"),
        ("科技志愿者（人）", "1" * 40, "too many digits"),
        ("具备科学素质的比例（%）", "123", "not within 0 to 100"),
    ],
)
def test_cells_that_are_no_figures_are_refused(header, cell, rule, empty, tmp_path):
    cell = f'"{cell}"' if "," in cell else cell
    preview = take(csv_file(tmp_path, f"盟市,年份,{header}", f"包头市,2018,{cell}"), empty)
    assert preview.figures == []
    [refused] = preview.refused
    assert rule in str(refused) and str(refused).startswith("a.csv, row 2, column C"), str(refused)


def test_empty_cells_below_a_region_are_that_region_and_the_preview_says_so(empty, tmp_path):
    lines = ["盟市,年份,志愿者", "包头市,2018,5", ",2020,6", ",2022,7", "乌海市,2018,8", ",2020,9"]
    preview = take(csv_file(tmp_path, *lines), empty)
    assert preview.refused == []
    found = [(f.raw.region, f.raw.period.end, f.value.value) for f in preview.figures]
    assert found == [
        ("150200", "2018", "5"), ("150200", "2020", "6"), ("150200", "2022", "7"),
        ("150300", "2018", "8"), ("150300", "2020", "9"),
    ]  # fmt: skip
    told = CliRunner().invoke(
        app, ["import", str(tmp_path / "a.csv"), "--into", str(empty), "--preview"]
    )
    assert "2 empty cells below 包头市 → 包头市" in told.stdout
    assert "1 empty cells below 乌海市 → 乌海市" in told.stdout


@pytest.mark.parametrize(
    "lines",
    [
        ["盟市,年份,志愿者", "包头市,2018,5", ",2018,6"],  # the same year again
        ["盟市,年份,志愿者", "包头市,2018,5", ",,", ",2020,6"],  # behind an empty row
        ["盟市,年份,志愿者", "合计,2018,5", ",2020,6", "包头市,2018,5"],  # below a total
        ["盟市,2018年志愿者,2020年志愿者", "包头市,5,7", ",6,8"],  # no years of their own
    ],
)
def test_an_empty_cell_that_may_be_any_region_is_refused(lines, empty, tmp_path):
    preview = take(csv_file(tmp_path, *lines), empty)
    assert not any(figure.value.value == "6" for figure in preview.figures)
    assert any("the row names no region" in str(each) for each in preview.refused)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["盟市,年份,志愿者", "呼合浩特市,2018,5"], "the region '呼合浩特市' is not known"),
        (["盟市,年份,志愿者", ",2018,5", "包头,2018,5"], "the row names no region"),
        (["盟市,年份,志愿者", "包头,去年,5"], "'去年' is no period that is known"),
        (["盟市,志愿者", "包头,5", "乌海,6"], "neither row, header nor title names the period"),
        (["盟市,年份,志愿者,志愿者", "包头,2018,5,6"], "different figures for one region"),
        (
            ["代码,盟市,年份,志愿者", "150100,包头市,2018,5", "150300,乌海市,2018,6"],
            "are different regions",
        ),
        (["盟市,年份,比例", "包头,2019,8.5"], "no national survey in '2019'"),
    ],
)
def test_rows_that_cannot_be_placed_are_refused(lines, rule, empty, tmp_path):
    if "比例" in lines[0]:
        lines = [lines[0].replace("比例", "科学素质比例（%）"), *lines[1:]]
    preview = take(csv_file(tmp_path, *lines), empty)
    assert any(rule in str(refused) for refused in preview.refused), list(map(str, preview.refused))


def test_a_name_that_is_only_similar_is_asked_and_taken_once_a_person_decided(empty, tmp_path):
    file = csv_file(tmp_path, "盟市,年份,农村科技志愿者（人）,志愿者", "包头,2018,5,7")
    preview = take(file, empty)
    [question] = preview.asked
    assert question[2:4] == ("indicator", "农村科技志愿者") and "st_volunteers" in question[4]
    assert [f.value.value for f in preview.figures] == ["7"] and not preview.certain
    mapping = importing.remember(preview)
    lines = mapping.read_text("utf-8")
    assert "indicator,,农村科技志愿者,,,asked,st_volunteers" in lines
    mapping.write_text(
        lines.replace("农村科技志愿者,,,", "农村科技志愿者,mobile_museum_sets,套,"), "utf-8"
    )
    again = take(file, empty)
    assert again.asked == []
    assert {f.raw.indicator for f in again.figures} == {"mobile_museum_sets", "st_volunteers"}


def test_a_region_is_known_by_code_full_and_short_name_in_both_languages(empty, tmp_path):
    names = ["150200", "包头市", "包头", "Baotou", "baotou city", "包头市 / Baotou"]
    for name in names:
        preview = take(csv_file(tmp_path, "地区,年份,志愿者", f"{name},2018,5"), empty)
        assert [f.raw.region for f in preview.figures] == ["150200"], name


def test_a_cell_left_in_another_unit_is_noticed(empty, tmp_path):
    text = filled()
    row = next(csv.DictReader(io.StringIO(text)))
    volunteers = row["科技志愿者（人）"]
    file = tmp_path / "a.csv"
    file.write_text(text.replace(f",{volunteers},", f",{int(volunteers) / 10000},", 1), "utf-8")
    preview = take(file, empty)
    [refused] = preview.refused
    assert "looks implausible" in str(refused) and "row 2, column G" in str(refused)
    assert len(preview.figures) == len(EXPECTED) - 1
    assert take(file, empty, implausible=True).refused == []


def test_shares_that_may_be_fractions_are_asked_for(empty, tmp_path):
    lines = ["盟市,年份,科学素质比例", "包头,2018,0.083", "包头,2020,0.094"]
    preview = take(csv_file(tmp_path, *lines), empty)
    assert preview.figures == [] and "may be fractions" in str(preview.refused[0])
    preview = take(csv_file(tmp_path, lines[0] + "（%）", *lines[1:]), empty)
    assert [f.value.value for f in preview.figures] == ["0.083", "0.094"]


def test_a_cell_shown_in_percent_is_read_in_percent(empty, tmp_path):
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("a")
        sheet.write_row(0, 0, ["盟市", "年份", "科学素质比例"])
        sheet.write_row(1, 0, ["包头市", 2018])
        sheet.write_number(1, 2, 0.1234, book.add_format({"num_format": "0.00%"}))
    [figure] = take(file, empty).figures
    assert figure.value.value == "12.34"


def test_totals_and_notes_are_left_out_and_said(empty, tmp_path):
    lines = [
        "2018年各盟市科普人员,",
        "盟市,志愿者（人）",
        "包头市,5",
        "乌海市,7",
        "合计,12",
        "注：数据来自各盟市,",
    ]
    preview = take(csv_file(tmp_path, *lines), empty)
    assert [(f.raw.region, f.raw.period.end) for f in preview.figures] == [
        ("150200", "2018"),
        ("150300", "2018"),
    ]
    assert any("'合计' is a total" in line for line in preview.reads[0].passed)
    assert preview.refused == []


def test_doses_are_declared_per_head_once_residents_are_known(empty, tmp_path):
    importing.apply(take(csv_file(tmp_path, "盟市,年份,志愿者", "包头市,2018,5000"), empty))
    [dose] = data.load(empty).doses.to_dict("records")
    assert (dose["denominator"], dose["unit"], dose["domain"]) == ("", "person", "volunteer")
    importing.apply(
        take(csv_file(tmp_path, "盟市,年份,常住人口（万人）", "包头市,2018,270"), empty)
    )
    [dose] = data.load(empty).doses.to_dict("records")
    assert (dose["denominator"], dose["unit"]) == ("population_resident", "person_per_10k")


def test_nothing_is_written_when_the_package_changed_meanwhile(empty, tmp_path):
    preview = take(save("long", tmp_path), empty)
    (empty / "units.csv").write_bytes((empty / "units.csv").read_bytes() + b"x\n")
    before = {path.name: path.read_bytes() for path in empty.iterdir()}
    with pytest.raises(KepuError, match="has changed since it was read"):
        importing.apply(preview)
    assert {path.name: path.read_bytes() for path in empty.iterdir()} == before


def test_a_write_that_fails_leaves_all_as_it_was(empty, tmp_path, monkeypatch):
    preview = take(save("long", tmp_path), empty)
    before = {path.name: path.read_bytes() for path in empty.iterdir()}
    swap, count = importing.write.os.replace, []

    def broken(source, target):
        count.append(target)
        if len(count) == 3:
            raise OSError(28, "No space left on device")
        swap(source, target)

    monkeypatch.setattr(importing.write.os, "replace", broken)
    with pytest.raises(KepuError, match=r"No space left on device.*nothing was changed"):
        importing.apply(preview)
    after = {
        path.name: path.read_bytes() for path in empty.iterdir() if path.name != ".import.lock"
    }
    assert after == before and len(count) == 3


def test_refused_rows_are_kept_with_their_reasons(empty, tmp_path):
    importing.apply(
        take(csv_file(tmp_path, "盟市,年份,志愿者", "包头市,2018,5", "包头市,2020,=1+1"), empty)
    )
    rows = list(csv.DictReader((empty / "refused.csv").open(encoding="utf-8")))
    assert [(row["row"], row["text"]) for row in rows] == [("3", "'=1+1")]
    assert contract.check(empty) == []


def test_the_list_of_regions_is_the_office_file_itself(tmp_path):
    file = save("two", tmp_path)
    assert [r.code for r in create.listed(file)] == [code for code, _ in leagues()]


def test_the_national_list_is_that_of_the_national_package():
    own = pd.DataFrame(vocabulary.table("national"))
    there = pd.read_csv(Path(__file__).parents[1] / "data" / "regions.csv", dtype=str).fillna("")
    assert own.equals(there[list(own.columns)])


def test_units_of_the_standard_list_agree_with_those_of_the_national_package():
    own = pd.DataFrame(vocabulary.table("units")).set_index("unit")
    there = pd.read_csv(Path(__file__).parents[1] / "data" / "units.csv", dtype=str).fillna("")
    there = there.set_index("unit")
    pd.testing.assert_frame_equal(own.loc[there.index], there[own.columns])


def test_every_synonym_and_every_unit_is_of_the_vocabulary():
    known = {row["indicator"] for row in vocabulary.table("vocabulary")}
    assert {row["indicator"] for row in vocabulary.table("synonyms")} <= known
    units = {row["unit"] for row in vocabulary.table("units")}
    used = {row[key] for row in vocabulary.table("vocabulary") for key in ("unit", "dose_unit")}
    assert used - {""} <= units
    assert {row["unit"] for row in vocabulary.table("unit_words")} <= units


def test_headers_of_the_samples_are_in_use():
    assert len(HEADS) * len(YEARS) * len(leagues()) == len(EXPECTED)


def test_a_title_does_not_name_a_column_that_has_no_header(empty, tmp_path):
    lines = ["内蒙古自治区科普活动,,", "盟市,年份,志愿者,", "包头市,2018,5,13", "乌海市,2018,6,14"]
    preview = take(csv_file(tmp_path, *lines), empty)
    assert {f.raw.indicator for f in preview.figures} == {"st_volunteers"}
    assert len(preview.refused) == 2 and "names the indicator" in str(preview.refused[0])
