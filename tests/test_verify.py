"""``kepu verify``: a figure is found where it stands, as it stands, and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.base.errors import DataError, KepuError
from evaluation.batch.cli import app
from evaluation.data.office import documents

DATA = Path(__file__).resolve().parents[1] / "data"
OWN = os.environ.get("KEPU_DOCUMENTS", "")
TEXT = """# 年度总结

到场62 万人次,共20个部门,连续五年。

## 设施

配备流动展品４９套、120个站点,投入1,234元。

## 人员

志愿者18.7万人,培训49套教材,第20个活动,48个和48个。

## 结语

"""


def document(text: str = TEXT) -> documents.Document:
    return documents.Document("a.md", text)


def fact(figure: str, locator: str = "", number: int = 1, source: str = "S1") -> dict[str, str]:
    return {
        "fact_id": f"F{number:05}", "source_id": source, "locator": locator,
        "figure_as_written": figure,
    }  # fmt: skip


def look(figure: str, locator: str = "", text: str = TEXT) -> documents.Verdict:
    return documents.look_up(document(text), fact(figure, locator), "S1")


@pytest.mark.parametrize(
    ("figure", "locator", "status"),
    [
        ("49套", "Section 1: facilities", "found"),
        ("４９ 套", "第一节", "found"),
        ("18.7万人", "设施", "found elsewhere"),
        ("18.7万人", "人员", "found"),
        ("49套", "", "ambiguous"),
        ("48个", "Section 2", "ambiguous"),
        ("20个", "Opening", "found"),
        ("62万人次", "Opening", "found"),
        ("1234元", "Section 1", "found"),
        ("62万人", "Opening", "not found"),  # it is 62万人次
        ("8.7万人", "Section 2", "not found"),  # the end of a longer number
        ("234元", "Section 1", "not found"),
        ("五年", "Opening", "found"),
        ("配备…投入", "Section 1", "found"),
        ("", "Section 1", "nothing written"),
    ],
)
def test_a_figure_is_found_at_its_place_and_is_no_part_of_a_longer_one(figure, locator, status):
    assert look(figure, locator).status == status


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("共12 345人", "2345人"),
        ("十五年", "五年"),
        ("5 6个", "56个"),
        ("100万", "100"),
        ("3.5%", "5%"),
    ],
)
def test_parts_of_numbers_and_numbers_beside_each_other_are_not_found(text, figure):
    assert look(figure, text=text).status == "not found"


def test_a_place_is_told_by_line_heading_and_words():
    found = look("18.7万人", "人员")
    place = found.places[0]
    assert (place.line, place.section, found.located) == (11, "人员", True)
    assert "志愿者18.7万人" in place.excerpt
    assert look("18.7万人", "Section 9").located is False


@pytest.mark.parametrize(
    ("locator", "words"),
    [("page 2", "乙"), ("p. 1", "甲"), ("第2页", "乙"), ("line 1", "甲"), ("乙节", "乙节")],
)
def test_locators_lead_to_pages_lines_and_words(locator, words):
    text = "甲\n\n\n\f乙节"
    start, end = documents.place_of(document(text), locator)
    assert words in text[start:end] and len(text[start:end].strip()) <= 2


def test_short_lines_between_empty_ones_are_headings():
    text = "标题\n\n开头两句。\n\n第一部分的名字\n\n正文一。\n\n另一个名字\n\n正文二。"
    assert [words for _, words in document(text).headings] == ["第一部分的名字", "另一个名字"]


def test_a_place_that_was_only_guessed_is_no_ground_for_a_reproach():
    text = "标题\n副题\n开头一句。\n甲部分\n培训12人。\n乙部分\n受益34人。"
    assert [words for _, words in document(text).headings] == ["甲部分", "乙部分"]
    found = look("34人", "Section 1", text)
    assert (found.status, found.located) == ("found", False)
    assert look("34人", "Section 2", text).located is True


def test_a_missing_figure_is_told_with_what_stands_there_instead():
    assert look("49个", "Section 1").hint == "line 7 has '４９套、120个站点'"
    assert look("51个").hint == "the number 51 is not in the document"


def folder(root: Path, mapping: str = "source_id,file\nS1,a.md\n") -> Path:
    (root / "a.md").write_text(TEXT, "utf-8")
    (root / "documents.csv").write_text(mapping, "utf-8")
    return root


SOURCES = pd.DataFrame({"source_id": ["S1", "S2"], "title": ["a", "b"]})


def test_sources_name_their_files_and_the_mapping_goes_first(tmp_path):
    (tmp_path / "b.txt").write_bytes("配备49套".encode("gb18030"))
    facts = pd.DataFrame([fact("49套", "", 1, "S2;S1"), fact("49套", "", 2, "S3")])
    sources = SOURCES.assign(file=["nowhere.txt", "b.txt"])
    found = documents.verify(facts, sources, folder(tmp_path))
    assert [(v.fact_id, v.source_id, v.status) for v in found] == [
        ("F00001", "S2", "found"), ("F00001", "S1", "ambiguous")
    ]  # fmt: skip
    (tmp_path / "more.pdf").touch()
    assert list(documents.unnamed(sources, tmp_path)) == ["more.pdf"]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("source_id,file\nS9,a.md\n", "documents.csv, row 2, column source_id: 'S9' is not in"),
        ("source_id,file\nS1,b.md\n", "documents.csv, row 2, column file: 'b.md' does not stand"),
        ("source_id,file\nS1,../a.md\n", "column file: '../a.md' does not stand"),
        ("source,file\nS1,a.md\n", "documents.csv, row 1, column source_id: column is missing"),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path, mapping, said):
    with pytest.raises(DataError, match="data contract") as error:
        documents.verify(pd.DataFrame([fact("49套")]), SOURCES, folder(tmp_path, mapping))
    assert said in str(error.value)


def test_what_cannot_be_read_is_refused(tmp_path):
    facts = pd.DataFrame([fact("49套")])
    with pytest.raises(KepuError, match="is no folder"):
        documents.verify(facts, SOURCES, tmp_path / "none")
    with pytest.raises(KepuError, match="no source names a document that stands in"):
        documents.verify(facts, SOURCES, tmp_path)
    (tmp_path / "a.md").write_bytes(b"\xff\xff\xff")
    with pytest.raises(KepuError, match="no text in UTF-8, UTF-16 or GB18030"):
        documents.verify(facts, SOURCES.assign(file="a.md"), tmp_path)
    (tmp_path / "a.exe").touch()
    with pytest.raises(KepuError, match="of no kind that is read here"):
        documents.verify(facts, SOURCES.assign(file="a.exe"), tmp_path)


def test_the_command_says_what_is_missing_and_exits_with_one(tmp_path, dataset):
    """The package's own facts against a document in which all but one of two figures stand."""
    own = dataset.facts[dataset.facts["source_id"] == "HH2022"]
    written = [text for text in own["figure_as_written"] if text]
    (tmp_path / "plan.txt").write_text("。\n".join(written[1:]), "utf-8")
    (tmp_path / "documents.csv").write_text("source_id,file\nHH2022,plan.txt\n", "utf-8")
    run = CliRunner().invoke(
        app, ["verify", "--documents", str(tmp_path), "--data", str(DATA), "--json"]
    )
    found = json.loads(run.stdout)
    assert run.exit_code == 1 and len(found) == len(own)
    missing = [each["figure_as_written"] for each in found if each["status"] == "not found"]
    assert written[0] in missing and set(missing) <= set(written) - set(written[1:])
    (tmp_path / "plan.txt").write_text("。\n".join(written), "utf-8")
    run = CliRunner().invoke(app, ["verify", "--documents", str(tmp_path), "--data", str(DATA)])
    assert run.exit_code == 0 and f"{len(own)} facts of 1 document" in run.stdout


@pytest.mark.skipif(not OWN, reason="KEPU_DOCUMENTS names no folder with the offices' documents")
def test_the_figures_of_the_offices_documents_stand_where_the_package_says(tmp_path, dataset):
    files = {"IM2023": "inner_mongolia_2023.txt", "ORD2024": "ordos_2024.txt"}
    for name in files.values():
        shutil.copy(Path(OWN) / name, tmp_path)
    rows = "".join(f"{source},{name}\n" for source, name in files.items())
    (tmp_path / "documents.csv").write_text(f"source_id,file\n{rows}", "utf-8")
    found = documents.verify(dataset.facts, dataset.sources, tmp_path)
    assert Counter(verdict.status for verdict in found) == {"found": 88, "ambiguous": 1}
