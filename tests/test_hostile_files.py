"""Files made to do harm are refused, or do none: nothing is run, fetched or half written."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from evaluation.base.errors import KepuError
from evaluation.data import contract
from evaluation.data.office import cells, create, importing
from evaluation.data.office.export import export
from evaluation.data.package import load
from office_samples import plan, save

HEADER = ["盟市", "年份", "志愿者"]


@pytest.fixture
def empty(tmp_path) -> Path:
    return create.create(tmp_path / "data", plan())


def book(file: Path, lines: list[list]) -> Path:
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as made:
        sheet = made.add_worksheet("a")
        for number, line in enumerate(lines):
            sheet.write_row(number, 0, line)
    return file


def rewritten(file: Path, change) -> Path:
    """A workbook with parts changed: ``change`` gets and gives the parts by name."""
    with zipfile.ZipFile(file) as archive:
        there = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(there).items():
            archive.writestr(name, content)
    return file


def take(file: Path, folder: Path) -> importing.Preview:
    return importing.prepare([cells.read(file)], folder)


# ------------------------------------------------------------------------------------------
# Files that would grow beyond memory or time.


def test_a_zip_bomb_is_refused_by_its_directory_before_anything_is_unpacked(tmp_path):
    file = tmp_path / "bomb.xlsx"
    zeros = bytes(1_000_000)
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(600):
            part.write(zeros)
    assert file.stat().st_size < 1_000_000
    begun = time.monotonic()
    with pytest.raises(KepuError, match="would unpack to 600,000,000 bytes"):
        cells.read(file)
    assert time.monotonic() - begun < 5


def test_a_part_larger_than_the_directory_says_is_refused(tmp_path):
    file = book(tmp_path / "a.xlsx", [HEADER])
    content = bytearray(file.read_bytes())
    # The central directory names the size of a part at byte 24 of its entry.
    entry = content.find(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (5).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(KepuError, match="is no sound workbook"):
        cells.read(file)


def test_a_cell_far_out_does_not_allocate_a_sheet_of_billions(tmp_path):
    def far(there):
        sheet = there["xl/worksheets/sheet1.xml"].replace(b'r="A1"', b'r="XFD1048576"', 1)
        return there | {"xl/worksheets/sheet1.xml": sheet}

    file = rewritten(book(tmp_path / "a.xlsx", [HEADER]), far)
    with pytest.raises(KepuError, match="reaches over 1,048,576 rows and 16,384 columns"):
        cells.read(file)


def test_repeated_cells_of_an_ods_are_bounded(tmp_path):
    cell = 'office:value-type="float" office:value="1" table:number-columns-repeated="1000"'
    row = (
        '<table:table-row table:number-rows-repeated="1000000">'
        f"<table:table-cell {cell}/></table:table-row>"
    )
    content = f"""<office:document-content xmlns:office="o" xmlns:table="t"><office:body>
    <office:spreadsheet><table:table table:name="a">{row}</table:table></office:spreadsheet>
    </office:body></office:document-content>"""
    file = tmp_path / "a.ods"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
    with pytest.raises(KepuError, match="more than 6,000,000 cells"):
        cells.read(file)


def test_entities_are_not_expanded(tmp_path):
    def bombed(there):
        head, _, rest = there["xl/workbook.xml"].partition(b"?>")
        bomb = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
        return there | {"xl/workbook.xml": head + b"?>" + bomb + rest}

    file = rewritten(book(tmp_path / "a.xlsx", [HEADER]), bombed)
    with pytest.raises(KepuError, match="declares entities"):
        cells.read(file)


def test_a_text_of_one_endless_line_is_refused_in_bounded_time(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("盟市,年份\n" + '"' + "x" * 2_000_000, "utf-8")
    with pytest.raises(
        KepuError, match="row 2: a quotation mark is not closed, or a cell is too long"
    ):
        cells.read(file)


# ------------------------------------------------------------------------------------------
# Macros, links, formulas, passwords, broken files.


@pytest.mark.parametrize(
    "part", ["xl/vbaProject.bin", "XL/VBAPROJECT.BIN", "macros/vbaProject.bin"]
)
def test_macros_are_refused(part, tmp_path):
    file = rewritten(book(tmp_path / "a.xlsm", [HEADER]), lambda there: there | {part: b"x"})
    with pytest.raises(KepuError, match="holds macros — save it as a workbook without macros"):
        cells.read(file)


def test_links_to_other_workbooks_are_not_followed(tmp_path, empty):
    link = b'<externalLink><externalBook r:id="rId1"/></externalLink>'
    file = book(tmp_path / "a.xlsx", [HEADER, ["包头市", 2018, 5]])
    rewritten(file, lambda there: there | {"xl/externalLinks/externalLink1.xml": link})
    preview = take(file, empty)
    assert [f.value.value for f in preview.figures] == ["5"]
    assert any("links to other workbooks" in note for note in preview.reads[0].sheet.notes)


def test_a_formula_counts_by_its_stored_value_and_not_at_all_without_one(tmp_path, empty):
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(file) as made:
        sheet = made.add_worksheet("a")
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["包头市", 2018])
        sheet.write_formula(1, 2, "=2+3", None, 5)
        sheet.write_row(2, 0, ["乌海市", 2018])
        sheet.write_formula(2, 2, '=WEBSERVICE("http://example.org")', None, "#VALUE!")
        sheet.write_row(3, 0, ["赤峰市", 2018])
        sheet.write_formula(3, 2, "=1/0", None, "")

    def without(there):
        name = "xl/worksheets/sheet1.xml"
        return there | {name: there[name].replace(b"<f>1/0</f><v></v>", b"<f>1/0</f>")}

    preview = take(rewritten(file, without), empty)
    assert [f.value.value for f in preview.figures] == ["5"]
    assert sorted(str(refused).split(": ")[1].split(" — ")[0] for refused in preview.refused) == [
        "is a formula whose value was not stored", "the cell holds an error"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"", b"   ", b"PK\x03\x04", b"PK\x03\x04" + b"x" * 500, b"\xd0\xcf\x11\xe0" + b"x" * 600,
        bytes(range(256)) * 9, b"\xff\xfe\x00", "é".encode("latin-1") * 3, b"\x00\x01\x02",
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["xlsx", "xls", "ods", "csv"])
def test_what_is_no_table_is_refused_by_a_sentence(content, suffix, tmp_path, empty):
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(content)
    try:
        preview = take(file, empty)
    except KepuError as error:
        assert file.name in str(error) and "—" in str(error)
    else:
        assert preview.figures == []


def test_a_folder_a_pipe_and_a_missing_file_are_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.xlsx")
    for name in (".", "pipe.xlsx", "none.xlsx"):
        with pytest.raises(KepuError, match=r"cannot be read|does not exist"):
            cells.read(tmp_path / name)


# ------------------------------------------------------------------------------------------
# Texts that another program would run.

EVIL = (
    "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "<script>alert(1)</script>",
    "__import__('os').system('x')", "../../etc/passwd", "{0.__class__}", "${HOME}",
    "'; DROP TABLE facts; --", "a\u202eb", "x" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("text", EVIL)
def test_hostile_names_are_asked_for_and_never_taken(text, tmp_path, empty):
    lines = [["盟市", "年份", "志愿者", text], ["包头市", 2018, 5, 6], [text, 2018, 7, 8]]
    preview = take(book(tmp_path / "a.xlsx", lines), empty)
    assert [f.value.value for f in preview.figures] == ["5"]
    assert {question[2] for question in preview.asked} == {"indicator", "region"}
    importing.apply(preview)
    assert contract.check(empty) == []
    for name in ("import_mapping.csv", "refused.csv"):
        cells_ = [
            c for line in (empty / name).read_text("utf-8").splitlines() for c in line.split(",")
        ]
        assert not any(cell.startswith(("=", "@", "+cmd")) for cell in cells_), name


@pytest.mark.parametrize("text", [text for text in EVIL[:8] if "," not in text])
def test_hostile_notes_stay_text(text, tmp_path, empty):
    lines = [["盟市", "年份", "志愿者", "备注"], ["包头市", 2018, 5, text]]
    importing.apply(take(book(tmp_path / "a.xlsx", lines), empty))
    assert contract.check(empty) == []
    export(load(empty, complete=True), tmp_path / "out", "csv")
    for file in (tmp_path / "out" / "facts.csv", empty / "facts.csv"):
        csv_text = file.read_text("utf-8-sig")
        guard = "'" if text.startswith(("=", "@", "+")) else ""
        assert f",{guard}{text}," in csv_text


@pytest.mark.parametrize("name", ["../x", "a/b", "=x", "\u202ex", ""])
def test_hostile_names_of_regions_make_no_file_and_no_package(name, tmp_path):
    there = create.national("150000")
    odd = create.Region(name, name, name, name)
    with pytest.raises(KepuError, match="The package cannot be made"):
        create.create(tmp_path / "new", plan(regions=[*there, odd]))
    assert list(tmp_path.iterdir()) == []


def test_a_file_name_with_control_characters_is_a_plain_title(tmp_path, empty):
    file = tmp_path / "a\n=1+1\x1b[2J.csv"
    file.write_text("盟市,年份,志愿者\n包头市,2018,5\n", "utf-8")
    importing.apply(take(file, empty))
    assert contract.check(empty) == []


def test_a_mapping_that_names_what_is_not_there_is_refused_with_its_row(tmp_path, empty):
    (empty / "import_mapping.csv").write_text(
        "kind,sheet,text,means\nindicator,,x,__import__('os')\nregion,,y,../..\n", "utf-8"
    )
    with pytest.raises(KepuError) as refused:
        take(save("long", tmp_path), empty)
    assert "import_mapping.csv, row 2, column means: '__import__('os')' is no indicator" in str(
        refused.value
    )
    assert "import_mapping.csv, row 3, column means: '../..' is no region" in str(refused.value)


def test_a_link_in_the_package_is_not_written_through(tmp_path, empty):
    victim = tmp_path / "victim"
    victim.write_text("mine", "utf-8")
    (empty / "refused.csv").symlink_to(victim)
    file = book(tmp_path / "a.xlsx", [HEADER, ["包头市", 2018, 5], ["包头市", 2020, "x"]])
    importing.apply(take(file, empty))
    assert victim.read_text("utf-8") == "mine"
    assert not (empty / "refused.csv").is_symlink()


def test_the_bounds_are_those_of_a_package():
    assert cells.MOST_CELLS >= 300_000 * 18
