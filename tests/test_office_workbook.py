"""The workbook an office fills in, that of a whole package, and the commands around them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from evaluation import data
from evaluation.base.errors import DataError, KepuError
from evaluation.batch.cli import app
from evaluation.data import contract
from evaluation.data.office import cells, create, importing, workbook
from office_samples import YEARS, leagues, plan, save

NATIONAL = Path(__file__).parents[1] / "data"
TABLES = sorted(path.name for path in NATIONAL.glob("*.csv"))


def run(*arguments: object):
    return CliRunner().invoke(app, [str(each) for each in arguments])


# ------------------------------------------------------------------------------------------
# To fill in.


def fill(file: Path, value: float = 50) -> int:
    """Write one number into every cell that is to be filled; returns how many."""
    book, count = openpyxl.load_workbook(file), 0
    for sheet in book.worksheets[1:]:
        if sheet.sheet_state == "visible":
            for row in sheet.iter_rows(min_row=workbook.HEADER + 1, min_col=4):
                for cell in row[:-1]:
                    cell.value, count = value, count + 1
    book.save(file)
    return count


@pytest.mark.parametrize("language", ["zh", "en", "both"])
def test_a_filled_workbook_is_imported_whole_in_every_language(language, tmp_path):
    folder = create.create(tmp_path / "data", plan())
    file = workbook.write_form(plan(), tmp_path / "fill.xlsx", language)
    count = fill(file)
    options = importing.Options(implausible=True)
    preview = importing.prepare([cells.read(file)], folder, options)
    assert preview.refused == [] and preview.asked == []
    assert len(preview.figures) == count > 700


def test_an_empty_workbook_gives_no_figure_and_no_complaint(tmp_path):
    folder = create.create(tmp_path / "data", plan())
    file = workbook.write_form(plan(), tmp_path / "fill.xlsx")
    preview = importing.prepare([cells.read(file)], folder)
    assert (preview.figures, preview.refused, preview.asked) == ([], [], [])


def test_a_workbook_guides_who_fills_it_in(tmp_path):
    book = openpyxl.load_workbook(workbook.write_form(plan(), tmp_path / "fill.xlsx", "both"))
    assert book.sheetnames[0] == "填写说明 Read me"
    assert "每张表一个主题" in str(book.worksheets[0]["B3"].value)
    rates, facilities = book.worksheets[1:3]
    assert [c.value for c in rates[2]][:3] == ["代码 / Code", "地区 / Region", "年份 / Year"]
    assert rates["D2"].value.endswith("(百分比 / percent)") and rates["D2"].comment is not None
    assert rates.freeze_panes == "D3" and rates.print_title_rows == "$1:$2"
    assert rates.max_row == 2 + len(leagues()) * len(YEARS)
    assert facilities.max_row == 2 + len(leagues()) * 7  # every year from the first to the last
    rules = {str(rule.sqref): rule for rule in rates.data_validations.dataValidation}
    kinds = {name.split(":")[0]: rule.type for name, rule in rules.items()}
    assert kinds == {"A3": "list", "B3": "list", "C3": "list", "D3": "decimal", "E3": "whole"}
    assert rules[f"D3:D{rates.max_row}"].formula2 == "100"


def test_a_workbook_is_not_written_over_another_file(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"mine")
    with pytest.raises(KepuError, match="is there already"):
        workbook.write_form(plan(), tmp_path / "a.xlsx")
    with pytest.raises(KepuError, match=r"ends with \.xlsx"):
        workbook.write_form(plan(), tmp_path / "a.csv")
    assert (tmp_path / "a.xlsx").read_bytes() == b"mine"


# ------------------------------------------------------------------------------------------
# A whole package, there and back.


@pytest.fixture(scope="module")
def national(tmp_path_factory) -> Path:
    return workbook.save(NATIONAL, tmp_path_factory.mktemp("export") / "national.xlsx")


def test_the_national_package_comes_back_from_a_workbook_byte_for_byte(national, tmp_path):
    result = run("import", national, "--into", tmp_path / "back")
    assert result.exit_code == 0, result.output
    for name in TABLES:
        assert (tmp_path / "back" / name).read_bytes() == (NATIONAL / name).read_bytes(), name
    before = data.load(NATIONAL)
    after = data.load(tmp_path / "back")
    assert after.facts.equals(before.facts) and after.simulated is before.simulated


def test_a_workbook_of_the_same_package_changes_nothing(national, tmp_path):
    shutil.copytree(NATIONAL, tmp_path / "data", ignore=shutil.ignore_patterns("simulated"))
    merged = workbook.merge(cells.read(national), tmp_path / "data")
    assert all(counts[:2] == (0, 0) for counts in merged.counts.values()), merged.counts
    assert merged.counts["facts"][2] == len(data.load(NATIONAL).facts)


def test_a_fault_of_a_workbook_names_its_sheet_and_row(tmp_path):
    folder = create.create(tmp_path / "data", plan())
    importing.apply(importing.prepare([cells.read(save("long", tmp_path))], folder))
    file = workbook.save(folder, tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(file)
    sheet = book["facts"]
    column = [cell.value for cell in sheet[1]].index("unit") + 1
    sheet.cell(7, column).value = "stone"
    book.save(file)
    with pytest.raises(DataError, match=r"a\.xlsx, sheet facts, row 7, column unit: 'stone'"):
        workbook.merge(cells.read(file), folder)


def test_a_simulated_package_stays_one(tmp_path):
    file = workbook.save(NATIONAL / "simulated", tmp_path / "a.xlsx")
    assert run("import", file, "--into", tmp_path / "back").exit_code == 0
    assert data.load(tmp_path / "back").simulated


def test_an_export_is_plain_strings_and_numbers(national):
    with zipfile.ZipFile(national) as archive:
        parts = archive.namelist()
        sheets = b"".join(archive.read(name) for name in parts if "worksheets/sheet" in name)
    assert b"<f>" not in sheets
    assert not any("external" in name or "vba" in name.lower() for name in parts)


# ------------------------------------------------------------------------------------------
# The commands.

NEW = (
    "--whole",
    "内蒙古自治区/Inner Mongolia",
    "--level",
    "league",
    "--waves",
    "2018,2020,2022,2024",
)


def test_from_a_bare_folder_and_one_file_to_a_package_the_checks_and_plans_accept(tmp_path):
    file, folder = save("two", tmp_path), tmp_path / "own"
    made = run("new", folder, *NEW, "--regions", file)
    assert made.exit_code == 0, made.output
    assert "12 leagues of Inner Mongolia" in made.output
    taken = run("import", file, "--into", folder)
    assert taken.exit_code == 0, taken.output
    assert "480 new figures, 0 changed" in taken.output
    assert "科技志愿者 → st_volunteers" in taken.output
    assert run("check", "--data", folder / "data").exit_code == 0
    dataset = data.load(folder / "data")
    assert len(dataset.model_regions) == 12
    assert {"volunteer", "activity", "fund", "facility", "personnel"} == set(
        dataset.doses["domain"]
    )
    again = run("import", file, "--into", folder)
    assert again.exit_code == 0 and "nothing to write" in again.output


def test_a_preview_writes_nothing(tmp_path):
    file, folder = save("long", tmp_path), tmp_path / "own"
    run("new", folder, *NEW, "--from-national", "150000")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run("import", file, "--into", folder, "--preview")
    assert result.exit_code == 0 and "new: 480" in result.output
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_is_uncertain_is_written_only_when_a_person_says_so(tmp_path):
    folder, file = tmp_path / "own", tmp_path / "a.csv"
    file.write_text("盟市,年份,志愿者,怪指标\n包头市,2018,5,6\n", "utf-8")
    run("new", folder, *NEW, "--from-national", "150000")
    result = run("import", file, "--into", folder)
    assert result.exit_code == 1 and "nothing was written" in result.output
    assert "怪指标 → ? indicator" in result.output
    assert "怪指标" in (folder / "data" / "import_mapping.csv").read_text("utf-8")
    assert run("import", file, "--into", folder, "--yes").exit_code == 0
    assert len(data.load(folder / "data").facts) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "either --regions FILE or --from-national CODE"),
        (("--from-national", "150000"), "are no years"),
        (("--from-national", "999999", "--waves", "2018"), "no regions in '999999'"),
        (("--from-national", "150000", "--waves", "2018", "--level", "x:y"), "'x:y' is no level"),
        (("--from-national", "150000", "--waves", "2018", "--indicators", "x"), "indicators x"),
        (("--from-national", "150000", "--waves", "1066"), "a wave is no year from 1990 to 2100"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused_and_leaves_nothing(options, message, tmp_path, capfd):
    result = run("new", tmp_path / "own", *options)
    assert result.exit_code == 2
    assert message in result.output + capfd.readouterr().err
    assert not (tmp_path / "own").exists()


def test_a_new_package_breaks_nothing_but_being_empty(tmp_path):
    folder = create.create(tmp_path / "data", plan())
    assert [str(fault).split(":")[0] for fault in contract.check(folder)] == ["facts.csv"]
    with pytest.raises(KepuError, match="is there already and not empty"):
        create.create(folder, plan())
