"""Figures proposed from documents: right on invented ones with ledgers, in every kind of file."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
import typst
from typer.testing import CliRunner

from evaluation import data
from evaluation.base.errors import KepuError
from evaluation.batch.cli import app
from evaluation.data import contract
from evaluation.data.office import cells, create, documents, importing, propose
from evaluation.data.office.outline import outline
from evaluation.data.office.propose import Matcher, proposals
from evaluation.report.pdf import fonts
from office_samples import plan

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
# Invented documents; others of the kind, each NAME.txt with NAME.ledger.csv, by the variable.
OWN = sorted((ROOT / "tests" / "documents").glob("*.ledger.csv"))
OTHER = os.environ.get("KEPU_DOCUMENTS", "")
FIELDS = {
    "figure_as_written", "value", "unit", "comparator", "period_start", "period_end",
    "target_group", "indicators", "locator",
}  # fmt: skip


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    tables = propose._tables(DATA)
    return Matcher(tables["indicators"], tables["units"])


def compared(ledger: Path) -> dict[str, float]:
    """Precision and recall of (figure, value, unit); of those found, right periods and indicators.

    An indicator counts where the ledger names one.
    """
    text = ledger.with_name(ledger.name.replace(".ledger.csv", ".txt"))
    found = proposals(text, DATA).records()
    rows = list(csv.DictReader(ledger.open(encoding="utf-8")))
    left, pairs = list(found), []
    for row in rows:
        key = (row["figure_as_written"], float(row["value"]), row["unit"])
        same = [one for one in left
                if (one["figure_as_written"], float(one["value"]), one["unit"]) == key]  # fmt: skip
        if same:
            left.remove(same[0])
            pairs.append((row, same[0]))
    dated = sum((r["period_start"], r["period_end"]) == (f["period_start"], f["period_end"])
                for r, f in pairs)  # fmt: skip
    named = [(r, f) for r, f in pairs if r["indicator"]]
    likely = sum(r["indicator"] in f["indicators"][:3] for r, f in named)
    return {
        "precision": len(pairs) / len(found), "recall": len(pairs) / len(rows),
        "period": dated / len(pairs), "indicator": likely / len(named),
    }  # fmt: skip


def passes(ledger: Path) -> None:
    reached = compared(ledger)
    least = {"precision": 0.97, "recall": 0.95, "period": 0.8, "indicator": 0.7}
    assert {name: value for name, value in reached.items() if value < least[name]} == {}


@pytest.mark.parametrize("ledger", OWN, ids=lambda path: path.name.partition(".")[0])
def test_the_figures_of_an_invented_document_are_proposed(ledger):
    passes(ledger)


@pytest.mark.skipif(not OTHER, reason="KEPU_DOCUMENTS names no folder of documents with ledgers")
def test_the_figures_of_other_documents_are_proposed():
    ledgers = sorted(Path(OTHER).glob("*.ledger.csv"))
    assert ledgers
    for ledger in ledgers:
        passes(ledger)


TEXT = """# 某市科协2022年工作总结

2022年，全市公民具备科学素质的比例达到11.35%，比2020年提高1.73个百分点。

现有科普大篷车12辆，招募科技志愿者1.8万余人，开展活动“科普惠民行”等640多场次。
"""
FIGURES = ["11.35%", "1.73个百分点", "12辆", "1.8万余人", "640多场次"]


def pdf(folder: Path) -> bytes:
    page = folder / "page.typ"
    body = TEXT.replace("# ", "= ").replace("“", "").replace("”", "")
    page.write_text(f'#set text(font: "Noto Sans CJK SC", lang: "zh")\n{body}', "utf-8")
    return typst.compile(str(page), font_paths=fonts())


def word(text: str = TEXT) -> bytes:
    document, stream = docx.Document(), io.BytesIO()
    for line in filter(None, text.split("\n")):
        if line.startswith("# "):
            document.add_heading(line[2:])
        else:
            document.add_paragraph(line)
    document.save(stream)
    return stream.getvalue()


def page(text: str = TEXT) -> bytes:
    lines = "".join(f"<p>{line.removeprefix('# ')}</p>" for line in text.split("\n") if line)
    return (
        f"<html><head><meta charset='utf-8'><title>9999人</title></head><body>"
        f"<script>var a = '8888人';</script>{lines}</body></html>"
    ).encode()


KINDS = {
    "a.txt": lambda _: TEXT.encode(),
    "bom.txt": lambda _: TEXT.encode("utf-8-sig"),
    "gb.txt": lambda _: TEXT.encode("gb18030"),
    "wide.txt": lambda _: TEXT.encode("utf-16"),
    "a.docx": lambda _: word(),
    "a.html": lambda _: page(),
    "a.pdf": pdf,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_figures(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(KINDS[name](tmp_path))
    found = proposals(path, DATA)
    assert [one.figure_as_written for one in found.found] == FIGURES
    assert found.date == "2022"


def test_a_figure_of_a_page_is_placed_on_it(matcher):
    found = propose.of_text("志愿者12人。\f志愿者13人。", matcher, "2022").found
    assert [one.locator for one in found] == ["page 1, line 1", "page 2, line 2"]


def test_a_table_in_a_word_document_is_read_in_its_place(tmp_path):
    document = docx.Document()
    document.add_paragraph("2022年工作情况如下。")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "科普大篷车", "12辆"
    document.save(tmp_path / "a.docx")
    [found] = proposals(tmp_path / "a.docx", DATA, "2022").found
    assert (found.figure_as_written, found.unit) == ("12辆", "vehicle")
    assert "science_caravans" in [match.indicator for match in found.indicators]


def test_a_record_has_the_fields_of_a_ledger_and_its_units(matcher):
    [rate, change, vans, people, sessions] = propose.of_text(TEXT, matcher).records()
    assert set(rate) >= FIELDS
    assert (rate["value"], rate["unit"], rate["indicators"][0]) == (
        11.35, "percent", "science_literacy_rate")  # fmt: skip
    assert (change["period_start"], change["period_end"]) == ("2020", "2022")
    assert (vans["period_start"], vans["period_end"], vans["unit"]) == ("", "2022", "vehicles")
    assert (people["value"], people["unit"], people["unit_key"], people["comparator"]) == (
        18000, "persons", "person", ">")  # fmt: skip
    assert sessions["locator"].startswith("line 5")
    assert rate["scores"] == sorted(rate["scores"], reverse=True)
    assert len(rate["scores"]) == len(rate["indicators"]) <= 5
    assert json.loads(json.dumps(rate)) == rate


def test_a_figure_said_twice_is_proposed_once_and_one_of_another_thing_twice(matcher):
    text = "全市有科普馆12个。\n\n全市有科普馆12个。\n\n五大人群，围绕五大人群。建成基地12个。"
    found = propose.of_text(text, matcher, "2022").found
    assert [one.figure_as_written for one in found] == ["12个", "五大人群", "12个"]


def test_names_are_counted_where_they_are_honoured():
    text = "红山旗和白河旗成功创建为全国科普示范县，我市被确定为试点城市，唯一提名作品。"
    found = [(one.figure, int(one.quantity.value)) for one in propose.find_named(text)]
    assert found == [
        ("红山旗和白河旗", 2), ("红山旗", 1), ("白河旗", 1), ("试点城市", 1), ("唯一提名作品", 1),
    ]  # fmt: skip
    assert propose.find_named("内蒙古科技馆被评为优秀组织单位。") == []


@pytest.mark.parametrize(
    "text, date, scope",
    [
        ("某市科协五年工作综述\n\n发布时间：2024年02月27日\n", "2024-02", ("2019", "2023")),
        ("某市实施方案（2021—2025年）\n\n某政发〔2022〕3号\n", "2022", ("2022", "2025")),
        ("某市科协2022年工作总结\n\n（2023年1月12日）\n", "2023-01", ("2022", "2022")),
        ("“十四五”工作情况汇报\n\n（2025年3月）\n", "2025-03", ("2021", "2025-03")),
        ("某科协倡议\n\n2023年科普日将于9月16日举行，力争到2035年达到30%。\n", "2023-09",
         ("", "2023-09")),
        ("没有日期的文字\n", "", ("", "")),
    ],
)  # fmt: skip
def test_the_time_a_document_speaks_of_is_found(text, date, scope):
    found = outline(text)
    assert (found.date, tuple(found.scope)) == (date, scope)


# ------------------------------------------------------------------------------------------
# The command.


def kepu(*arguments: object):
    return CliRunner().invoke(app, ["propose", *map(str, arguments)])


def test_the_command_prints_a_list_of_objects(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    done = kepu(tmp_path / "a.txt", "--json", "--data", DATA)
    assert done.exit_code == 0
    assert [one["figure_as_written"] for one in json.loads(done.stdout)] == FIGURES
    told = kepu(tmp_path / "a.txt", "--data", DATA).stdout
    assert "11.35%" in told and "5 figures; document of 2022" in told


def test_the_command_writes_a_table_to_mark_and_overwrites_none(tmp_path):
    (tmp_path / "a.txt").write_text("=SUM(1)，志愿者12人。", "utf-8")
    out = tmp_path / "out.csv"
    done = kepu(tmp_path / "a.txt", "--out", out, "--date", "2022-05", "--data", DATA)
    assert done.exit_code == 0 and "1 figures written" in done.stdout
    [row] = csv.DictReader(io.StringIO(out.read_text("utf-8-sig")))
    assert (row["decision"], row["value"], row["unit"]) == ("", "12", "person")
    assert row["sentence"].startswith("'=SUM")  # no formula where a spreadsheet opens it
    again = kepu(tmp_path / "a.txt", "--out", out, "--data", DATA)
    assert again.exit_code == 2 and "is there already" in again.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "out.csv"]


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (documents.LARGEST_UNPACKED + 1))
    return stream.getvalue()


def encrypted(folder: Path) -> bytes:
    writer, stream = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(stream)
    return stream.getvalue()


def scan() -> bytes:
    writer, stream = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.write(stream)
    return stream.getvalue()


ENTITIES = b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><p>&b; 12\xe4\xba\xba</p>"
REFUSED = {
    "bomb.docx": (lambda _: bomb(), "more than"),
    "locked.pdf": (encrypted, "is encrypted"),
    "scan.pdf": (lambda _: scan(), "OCR"),
    "old.docx": (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 99, "without a password"),
    "no.docx": (lambda _: b"no zip", "no readable Word document"),
    "no.pdf": (lambda _: b"no pdf", "no readable PDF"),
    "binary.txt": (lambda _: bytes(range(128, 256)) + b"\xff\xff", "UTF-8, UTF-16 or GB18030"),
    "empty.txt": (lambda _: b" \n", "has no text"),
    "long.txt": (lambda _: b"a" * (documents.LONGEST_TEXT + 1), "split it"),
    "table.txt": (lambda _: ("12人，\n" * 3100).encode(), "import its tables"),
    "a.exe": (lambda _: b"", "of no kind that is read here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_remedy(tmp_path, name):
    make, told = REFUSED[name]
    (tmp_path / name).write_bytes(make(tmp_path))
    done = kepu(tmp_path / name, "--data", DATA)
    assert done.exit_code == 2
    assert told in done.stderr and "—" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("missing.txt",), "is no regular file"),
        ((".",), "of no kind"),
        ((ROOT / "README.md", "--date", "yesterday"), "no date of a document"),
        ((ROOT / "README.md", "--data", ROOT / "tests"), "cannot be read"),
        ((ROOT / "README.md", "--out", "/no/such/folder/a.csv"), "cannot be written"),
    ],
)
def test_wrong_arguments_are_refused(arguments, told):
    done = kepu("--data", DATA, *arguments)
    assert done.exit_code == 2 and told in done.stderr


def test_a_page_opens_nothing_it_names(tmp_path):
    (tmp_path / "a.html").write_bytes(ENTITIES)
    assert "root:" not in documents.text_of(tmp_path / "a.html")


MUTATIONS = int(os.environ.get("KEPU_MUTATIONS", "40"))


@pytest.mark.parametrize("name", ["a.txt", "a.docx", "a.html", "a.pdf"])
def test_a_spoilt_file_is_read_or_refused(tmp_path, name, matcher):
    whole = KINDS[name](tmp_path)
    chance = random.Random(14)
    for _ in range(MUTATIONS):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 4, 64))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if chance.random() < 0.3:
            content = content[: chance.randrange(1, len(content))]
        path = tmp_path / name
        path.write_bytes(content)
        try:
            propose.of_text(documents.text_of(path), matcher)
        except KepuError as error:
            assert name in str(error)


# ------------------------------------------------------------------------------------------
# What was accepted enters a package.


def marked(folder: Path, *changes: dict[str, str], text: str = TEXT) -> Path:
    """The table of a document's figures, with cells of its first rows written over."""
    (folder / "report.txt").write_text(text, "utf-8")
    table = proposals(folder / "report.txt", DATA).table("包头市").astype(str)
    for row, change in enumerate(changes):
        for column, cell in change.items():
            table.loc[row, column] = cell
    table.to_csv(folder / "proposed.csv", index=False, encoding="utf-8-sig")
    return folder / "proposed.csv"


def imported(table: Path) -> importing.Preview:
    package = create.create(table.parent / "data", plan())
    return importing.prepare([cells.read(table)], package, importing.Options(date="2026-01-01"))


def test_accepted_figures_enter_a_package_with_their_document_and_place(tmp_path):
    take = {"decision": "accept"}
    people = {**take, "indicator": "st_volunteers", "unit": "person"}
    table = marked(tmp_path, take, {"decision": "refuse"}, {}, people)
    preview = imported(table)
    assert preview.refused == [] and preview.asked == []
    assert preview.reads[0].passed == ["2 rows are neither accepted nor refused"]
    importing.apply(preview)
    assert contract.check(preview.folder) == []
    dataset = data.load(preview.folder)
    rate, volunteers = dataset.facts.to_dict("records")
    assert (rate["value"], rate["kind"], rate["period_end"]) == (11.35, "survey", "2022")
    assert (rate["locator"], rate["figure_as_written"]) == (
        "line 3 (某市科协2022年工作总结)",
        "11.35%",
    )
    assert (volunteers["value"], volunteers["comparator"]) == (18000, ">")
    source = dataset.sources.set_index("source_id").loc[rate["source_id"]]
    assert (source["title"], source["date"]) == ("report.txt", "2026-01-01")
    again = importing.prepare([cells.read(table)], preview.folder)
    assert (again.figures, again.same) == ([], 2)


def test_a_target_is_proposed_as_a_target(tmp_path):
    plan_ = (
        "某市实施方案（2022—2025年）\n\n2022年3月1日\n\n到2025年，公民具备科学素质的比例达到15%。\n"
    )
    table = marked(tmp_path, {"decision": "accept"}, text=plan_)
    [figure] = imported(table).figures
    assert (figure.kind, figure.raw.period) == ("target", ("2022", "2025"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"decision": "perhaps"}, "column A2: 'perhaps' is no decision — write accept or refuse"),
        (
            {"region": "某市"},
            "column B2: '某市' is no region that is known — write the key",
        ),
        ({"region": ""}, "column B2: the region is empty — write the key or name of the region"),
        ({"indicator": "幸福感"}, "column J2: '幸福感' is no indicator that is known"),
        ({"unit": "parsec"}, "column E2: 'parsec' is no unit that is known — write a key"),
        ({"unit": "person"}, "column D (value): '11.35' is in person, and the indicator is in"),
        ({"value": "many"}, "column D (value): 'many' is not understood as a quantity"),
        ({"comparator": "<"}, "column F2: '<' is no comparator that is known"),
        ({"period_start": "", "period_end": ""}, "column H2: the period_end is empty"),
        ({"period_end": "last year"}, "column D (value): period_end: "),
        ({"kind": "rumour"}, "column D (value): kind: "),
        ({"locator": ""}, "column N2: the locator is empty — write it"),
    ],
)
def test_an_accepted_row_that_cannot_be_taken_is_refused_with_its_place(change, told, tmp_path):
    preview = imported(marked(tmp_path, {"decision": "accept"} | change))
    assert preview.figures == [] and not preview.certain
    assert any(str(each).startswith(f"proposed.csv, row 2, {told}") for each in preview.refused)


def test_a_marked_table_without_a_column_it_needs_is_refused(tmp_path):
    table = marked(tmp_path, {"decision": "accept"})
    table.write_text(table.read_text("utf-8-sig").replace(",period_end,", ",until,", 1), "utf-8")
    [refused] = imported(table).refused
    assert "the column period_end is missing — add the column" in str(refused)
