"""One report, every format: the same words in HTML, PDF and Word, and none of them a danger."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zipfile
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime

import docx
import nbformat
import pytest
from bs4 import BeautifulSoup
from docx.oxml.ns import qn
from markupsafe import Markup
from pypdf import PdfReader

from conftest import DATE
from evaluation import report
from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES, t
from evaluation.figures import svg
from evaluation.report import overview, quality
from evaluation.report.blocks import (
    MIME,
    Block,
    Cards,
    Figure,
    Heading,
    Items,
    Locks,
    Paragraph,
    Part,
    Row,
    Section,
    Table,
    Terms,
    Title,
    stored,
)
from evaluation.report.document import (
    EARLIEST,
    ExportError,
    columns,
    harmless,
    longest,
    moment,
    nodes,
    plain,
    read,
)
from evaluation.report.html import COMMON, cell, loaded, policy, script, to_csv, write
from evaluation.report.pdf import fonts
from evaluation.report.word import to_docx

DRAWN = svg.figure(lambda page: page.title("drawn words"))
SVG = (DRAWN.svg, DRAWN.narrow)
FIGURE = re.compile(
    r'<data value="([^"]*)" (data-[a-z]+="[^"]*")'
    r'|<time(?: datetime="([^"]*)">[^<]*|>([^<]*))</time>'
)


def executed(parts, **metadata: str) -> nbformat.NotebookNode:
    """A notebook that shows the parts, as papermill and the runner leave it."""
    cells = []
    for part in parts:
        new = nbformat.v4.new_code_cell("secret_code()")
        data = part._repr_mimebundle_() if isinstance(part, Part) else {"text/html": str(part)}
        new.outputs = [nbformat.v4.new_output("display_data", data)]
        cells.append(new)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kepu"] = {"region": "150000", "language": "zh", "date": DATE} | metadata
    nbformat.validate(notebook)
    return notebook


@pytest.fixture(scope="module", params=LANGUAGES)
def made(request, study) -> tuple[str, nbformat.NotebookNode, dict[str, bytes]]:
    """The report of Inner Mongolia in every format."""
    language = request.param
    context = report.open_report(study, "150000", language, date=DATE)
    parts = [report.title(context), *(part(context) for part in report.SECTIONS.values())]
    notebook = executed([*parts, quality.record(context)], language=language)
    return language, notebook, write(notebook, language)


# --- the model -------------------------------------------------------------------------------


def kept(part) -> Section | Title:
    """The part as a reader of the notebook's file finds it."""
    return stored(json.loads(json.dumps(part._repr_mimebundle_())))


def test_a_notebook_gives_back_the_very_parts_it_was_made_of(made, study):
    language, notebook, _ = made
    context = report.open_report(study, "150000", language, date=DATE)
    outputs = [output["data"] for cell in notebook.cells for output in cell.outputs]
    title, *sections, record = map(stored, outputs)
    assert title == report.title(context) and record is None
    assert [section.id for section in sections] == list(report.SECTIONS)
    drawn = report.SECTIONS["targets"](context)
    assert sections[list(report.SECTIONS).index("targets")] == drawn == kept(drawn)


def test_the_files_of_a_report_are_made_from_its_json_alone(made):
    language, notebook, files = made
    bare = deepcopy(notebook)
    for data in (output["data"] for shown in bare.cells for output in shown.outputs):
        if MIME in data:
            data["text/html"] = data["text/plain"] = "<p>only for people</p>"
    assert write(bare, language) == files


EVERY = Section(
    "all",
    Markup("A &amp; <cite>b</cite>"),
    (
        Paragraph(Markup("x<br>y"), "note"),
        Paragraph(Markup("plain")),
        Heading(Markup("h")),
        Items((Markup("one"), Markup('<data value="1">two</data>'))),
        Items((Markup("one"),), key=True, labels=(Markup("why?"),)),
        Locks(2, 5, Markup("two of five")),
        Terms(((Markup("word"), Markup("meaning")),)),
        Table(
            Markup("c"), (Markup("a"), Markup("b")), ((Markup("1"), Markup("")),), frozenset({1})
        ),
        Figure(*SVG, Markup("caption"), 'said "so" < &'),
        Cards(((Markup("<data>1</data>"), Markup("one")), (Markup("2"), Markup("two")))),
        Row((Figure(*SVG, Markup("left"), "l"), Figure(*SVG, Markup("right"), "r"))),
    ),
)


def test_every_kind_of_block_survives_the_notebook_and_stands_in_every_format():
    assert {type(block) for block in EVERY.blocks} == set(Block.__subclasses__()) - {Part}
    assert kept(EVERY) == EVERY
    title = Title(Markup("T"), (Paragraph(Markup("s"), "subtitle"),))
    assert kept(title) == title
    assert list(write(executed([title, EVERY]), "en")) == list(COMMON)


def test_text_that_is_no_markup_is_escaped_once():
    table = kept(Section("s", "a < b", (Table("c", ("<i>",), (("x & y",),)),)))
    assert str(table.title) == "a &lt; b"
    assert table.blocks[0].rows == ((Markup("x &amp; y"),),)


@pytest.mark.parametrize("name", COMMON)
def test_a_block_that_a_format_cannot_show_is_refused_and_never_left_out(name, monkeypatch):
    monkeypatch.setattr(Block, "kinds", dict(Block.kinds))

    @dataclass(frozen=True)
    class Quote(Block):
        text: Markup

        def html(self):
            return Markup("<blockquote>{}</blockquote>").format(self.text)

    quoted = Section("s", Markup("t"), (Quote(Markup("said")),))
    assert kept(quoted) == quoted
    with pytest.raises(ExportError, match="no block of kind 'quote'"):
        write(executed([Title(Markup("T")), quoted]), "en", [name])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 1}, "version 1, known is 3"),
        ({"part": {"kind": "poem"}}, "'poem'"),
        ({"part": {"kind": "title", "text": 1, "blocks": []}}, "1 is no Markup"),
        ({"part": {"kind": "title", "text": "x"}}, "'blocks'"),
        ({"part": {"kind": "heading", "text": "x"}}, "a Heading by itself"),
        ({"part": []}, "list indices"),
    ],
)
def test_parts_that_cannot_be_read_are_refused_with_the_reason(change, said):
    data = EVERY._repr_mimebundle_()
    with pytest.raises(KepuError, match=f"cannot be read .*{said}.* — run the notebook again"):
        stored(data | {MIME: data[MIME] | change})


def test_only_a_notebook_of_report_parts_becomes_pdf_or_word():
    notebook = executed([Markup("<h1>Hand-made</h1>")])
    assert b"Hand-made" in write(notebook, "en", ["html"])["html"]
    for name in ("pdf", "docx"):
        with pytest.raises(ExportError, match="shows no report to make PDF or Word from"):
            write(notebook, "en", [name])


def test_an_unknown_format_is_refused_with_the_known_ones(made):
    with pytest.raises(KepuError, match="Unknown format 'odt'; known: html, pdf, docx, official"):
        write(made[1], "zh", ["html", "odt"])


def test_the_same_notebook_gives_the_same_bytes(made):
    language, notebook, files = made
    assert list(files) == list(COMMON)
    assert write(notebook, language) == files


def test_files_bear_the_date_of_the_report_or_of_the_build(made, monkeypatch):
    notebook = made[1]
    assert moment(notebook) == datetime(2026, 3, 1, tzinfo=UTC)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert moment(notebook) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(KepuError, match="no number of seconds between 1970 and 2099"):
        moment(notebook)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert moment(nbformat.v4.new_notebook()) == EARLIEST


# --- the same words everywhere ---------------------------------------------------------------


def numbers(text: str) -> Counter:
    """Figures as printed; a signed or split one counts as its digits."""
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", text))


def test_pdf_and_word_print_every_number_of_the_report(made):
    _, notebook, files = made
    document = read(notebook, made[0])
    pages = "".join(page.extract_text() for page in PdfReader(io.BytesIO(files["pdf"])).pages)
    word = docx.Document(io.BytesIO(files["docx"]))
    paragraphs = word.element.body.iter(qn("w:p"))
    written = " ".join("".join(t.text or "" for t in p.iter(qn("w:t"))) for p in paragraphs)
    for section in document.sections:
        texts = [
            plain(nodes(data))
            for data in re.findall(r"<data [^>]*>[^<]*</data>", str(section.html()))
        ]
        wanted = numbers(" ".join(texts))
        assert not wanted - numbers(written), section.id
        assert not set(wanted) - set(numbers(pages)), section.id


def told(sections, context) -> list[tuple[str, list[type], Counter]]:
    """Name, kinds of blocks, and every number and year of each section, with its origin."""
    found = []
    for make in sections.values():
        part = make(context)
        said = FIGURE.findall(str(part.html()))
        found.append((part.id, [type(block) for block in part.blocks], Counter(said)))
    return found


@pytest.mark.parametrize("units", ["provinces", "inner_mongolia_leagues"])
@pytest.mark.parametrize("part", range(4))
def test_every_region_prints_the_same_numbers_in_both_languages(dataset, parts, units, part):
    sets = dataset.region_sets
    codes = list(sets.loc[sets["set"] == units, "code"])
    assert len(codes) == {"provinces": 31, "inner_mongolia_leagues": 12}[units]
    for code in codes[part::4]:
        chinese, english = (parts(code, language) for language in LANGUAGES)
        assert chinese.kinds == english.kinds, code
        said = [
            {name: Counter(FIGURE.findall(html)) for name, html in made.html.items()}
            for made in (chinese, english)
        ]
        assert said[0] == said[1], code
        assert sum(counted.total() for counted in said[0].values()) > 100


def test_the_overview_prints_the_same_numbers_in_both_languages(study):
    chinese, english = (
        told(overview.OVERVIEW, report.open_overview(study, "provinces", language, date=DATE))
        for language in LANGUAGES
    )
    assert chinese == english


# --- HTML ------------------------------------------------------------------------------------


def test_a_page_is_light_alone_and_needs_no_script(made):
    language, _, files = made
    page = files["html"].decode()
    soup = BeautifulSoup(page, "html.parser")
    assert len(files["html"]) < 1_000_000
    assert loaded(page) == []
    assert [tag.string for tag in soup.find_all("script")] == [script()]
    assert soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"] == policy()
    assert soup.html["lang"] == {"zh": "zh-CN", "en": "en"}[language]
    assert "secret_code" not in page
    assert not soup.find_all("button")  # the script makes them: without it no control is dead


def test_a_page_is_built_for_keyboard_and_screen_reader(made):
    soup = BeautifulSoup(made[2]["html"], "html.parser")
    identifiers = Counter(tag["id"] for tag in soup.find_all(id=True))
    assert [name for name, count in identifiers.items() if count > 1] == []
    assert soup.find("a", class_="skip")["href"] == "#main" and "main" in identifiers
    for tag in soup.find_all(attrs={"aria-labelledby": True}):
        assert tag["aria-labelledby"] in identifiers
    for table in soup.find_all("table"):
        assert table.find("caption").get_text(strip=True)
        assert {cell["scope"] for cell in table.find("thead").find_all("th")} == {"col"}
        assert table.find_parent("div", class_="table")["tabindex"] == "0"
    drawn = soup.select("figure > [role=img]")
    assert len(drawn) == len(soup.find_all("figure")) > 5
    for picture in drawn:  # said once, whichever of the two drawings is shown
        assert len(picture["aria-label"]) > 10
        wide, narrow = picture.find_all("svg", recursive=False)
        assert (wide["class"], narrow["class"]) == (["wide"], ["narrow"])
        assert wide["aria-hidden"] == narrow["aria-hidden"] == "true"
        assert float(wide["width"]) > 500 and float(narrow["width"]) < 350
    lock = soup.find("p", class_="locks")
    assert lock.find("svg")["aria-hidden"] == "true" and lock.find("span").get_text(strip=True)
    assert len(soup.find("ul", class_="key").find_all("strong")) == 5


def test_long_tables_are_sortable_and_every_table_is_a_file(made):
    soup = BeautifulSoup(made[2]["html"], "html.parser")
    links = soup.find_all("a", download=True)
    assert len(links) == len(soup.find_all("table"))
    assert len({link["download"] for link in links}) == len(links)
    for table, link in zip(soup.find_all("table"), links, strict=True):
        rows = table.find("tbody").find_all("tr")
        assert ("sortable" in table["class"]) == (len(rows) >= 8)
        text = base64.b64decode(link["href"].partition("base64,")[2]).decode("utf-8-sig")
        data = list(csv.reader(io.StringIO(text)))
        assert len(data) == len(rows) + 1
        assert {len(row) for row in data} == {len(data[0])}


# --- CSV -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["=1+1", '=HYPERLINK("http://example.org")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)",
     "＝1+1", "－1+1", "−1+1", " =1", "+", "-", "-1e5", "+1;=2", "-0.31 (-0.5 to -0.1)"],
)  # fmt: skip
def test_a_cell_that_could_be_a_formula_is_neutralised(text):
    assert cell(text).startswith("'")
    assert not cell(f"\t{text}").startswith(("\t", "="))


@pytest.mark.parametrize(
    ("text", "number"),
    [("−0.31", "-0.31"), ("+0.31", "0.31"), ("−1,234.5", "-1234.5"), ("12.9%", "12.9%"),
     ("−3%", "-3%"), ("0", "0")],
)  # fmt: skip
def test_a_number_stays_a_number(text, number):
    assert cell(text) == number


def test_a_value_with_its_interval_becomes_three_columns():
    value = Markup('<data value="10.04" data-fact="F1">10.04%</data>（<data value="9.2" '
                   'data-result="r.low">9.2</data>至<data value="10.9" data-result="r.high">10.9'
                   "</data>%）")  # fmt: skip
    table = Table(Markup("c"), (Markup("n"), Markup("v")), ((Markup("=x"), value), ("y", "—")))
    rows = list(csv.reader(io.StringIO(to_csv(table, "en").decode("utf-8-sig"))))
    assert rows == [
        ["n", "v", "v: lower end", "v: upper end"],
        ["'=x", "10.04%", "9.2%", "10.9%"],
        ["y", "—", "", ""],
    ]


# --- PDF -------------------------------------------------------------------------------------


def test_pdf_has_its_fonts_its_words_and_its_bookmarks(made):
    language, notebook, files = made
    reader = PdfReader(io.BytesIO(files["pdf"]))
    embedded = set()
    for page in reader.pages:
        assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)
        for font in page["/Resources"].get("/Font", {}).values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            assert {"/FontFile2", "/FontFile3"} & set(descriptor)
            subset, _, name = inner["/BaseFont"].partition("+")
            assert re.fullmatch(r"/[A-Z]{6}", subset)  # only the letters used are embedded
            embedded.add(name)
    assert all(name.startswith(("NotoSansCJK", "NotoSerifCJK", "Libertinus", "DejaVu"))
               for name in embedded)  # fmt: skip
    assert any(name.startswith("NotoSansCJK") for name in embedded)
    text = "".join(page.extract_text() for page in reader.pages)
    assert {"zh": "公民具备科学素质的比例", "en": "basic scientific literacy"}[language] in text
    assert "\u200b" not in text  # a word copied from the page is the word
    document = read(notebook, language)
    marks = [entry["/Title"] for entry in reader.outline if not isinstance(entry, list)]
    assert marks == [plain(nodes(section.title)) for section in document.sections]
    assert reader.metadata.title == document.name
    assert reader.trailer["/Root"]["/Lang"] == {"zh": "zh-CN", "en": "en-GB"}[language]
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert b"pdfuaid:part" in reader.trailer["/Root"]["/Metadata"].get_object().get_data()
    assert len(files["pdf"]) < 2_000_000


def test_pdf_gives_the_chain_one_page_and_answers_on_moving_money(made):
    language, notebook, files = made
    reader = PdfReader(io.BytesIO(files["pdf"]))
    marks = [entry for entry in reader.outline if not isinstance(entry, list)]
    at = {
        section.id: reader.get_destination_page_number(mark)
        for section, mark in zip(read(notebook, language).sections, marks, strict=True)
    }
    assert at["findings"] < at["chain"] <= at["level"]
    assert at["value"] <= at["moves"]
    pages = reader.pages[at["chain"]].extract_text(), reader.pages[at["moves"]].extract_text()
    first, last = (t(f"chain.label.{name}", language) for name in ("money", "next"))
    assert pages[0].index(first) < pages[0].index(last)
    refused = t("value.moves.refused.unknown", language, locks="1", most="5")
    assert re.sub(r"\s", "", refused) in re.sub(r"\s", "", pages[1])


def test_pdf_takes_no_font_of_the_system():
    assert "Noto Serif CJK SC" in fonts().families()
    assert {
        info.path for info in fonts().fonts() if info.path and "/usr/share" in info.path
    } == set()


@pytest.mark.parametrize("room", [20.0, 36.0, 60.0])
def test_columns_fill_the_page_and_hold_their_longest_word(room):
    head = ["地区", "Difference from China (points)", "n"]
    rows = [["内蒙古自治区", "−0.23（−1.3至0.8）", "10,000"], ["x", "y", "z" * 3]] * 3
    widths, excess = columns(head, rows, room, {1})
    assert sum(widths) == pytest.approx(room)
    for place, width in enumerate(widths):
        texts = [head[place], *(row[place] for row in rows)]
        assert excess or width + 1e-9 >= max(map(longest, texts))


# --- Word ------------------------------------------------------------------------------------


def test_word_uses_styles_an_office_can_change(made):
    language, notebook, files = made
    word = docx.Document(io.BytesIO(files["docx"]))
    document = read(notebook, language)
    heads = [p.text for p in word.paragraphs if p.style.name == "Heading 1"]
    assert heads == [plain(nodes(section.title)) for section in document.sections]
    captions = [p.text for p in word.paragraphs if p.style.name == "Caption"]
    blocks = [block for section in document.sections for block in section.blocks]
    tables = [block for block in blocks if isinstance(block, Table)]
    assert len(captions) == len(tables) + sum(isinstance(block, Figure) for block in blocks)
    assert len(word.tables) == len(tables)
    for made_table, block in zip(word.tables, tables, strict=True):
        assert made_table.style.name == "Report Table"
        first = made_table._tbl.tr_lst[0]
        assert first.trPr.find(qn("w:tblHeader")) is not None
        assert len(made_table._tbl.tr_lst) == len(block.rows) + 1
    for name in {p.style.name for p in word.paragraphs}:
        fonts_of = word.styles[name].element.rPr.find(qn("w:rFonts"))
        assert fonts_of.get(qn("w:eastAsia")) in ("SimSun", "SimHei"), name
    assert word.core_properties.title == document.name
    assert word.core_properties.language == {"zh": "zh-CN", "en": "en-GB"}[language]
    described = [shape._inline.docPr.get("descr") for shape in word.inline_shapes]
    assert described and all(len(text) > 10 for text in described)


def test_references_of_a_word_document_lead_somewhere(made):
    word = docx.Document(io.BytesIO(made[2]["docx"]))
    marks = [mark.get(qn("w:name")) for mark in word.element.body.iter(qn("w:bookmarkStart"))]
    assert len(marks) == len(set(marks))
    links = {link.get(qn("w:anchor")) for link in word.element.body.iter(qn("w:hyperlink"))}
    assert links - {None} and links - {None} <= set(marks)


def test_an_office_brings_its_own_styles(made, tmp_path):
    language, notebook, _ = made
    own = docx.Document(io.BytesIO(made[2]["docx"]))
    own.styles["Heading 1"].font.name = "Office Sans"
    for child in list(own.element.body)[:-1]:
        own.element.body.remove(child)
    own.save(tmp_path / "own.docx")
    files = write(notebook, language, ["docx"], reference=tmp_path / "own.docx")
    word = docx.Document(io.BytesIO(files["docx"]))
    assert word.styles["Heading 1"].font.name == "Office Sans"
    bare = docx.Document()
    bare.save(tmp_path / "bare.docx")
    with pytest.raises(ExportError, match=r"has no style '.*' — keep the styles of"):
        to_docx(read(notebook, language), (tmp_path / "bare.docx").read_bytes())


# --- hostile text ----------------------------------------------------------------------------

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quotes": '"\'`&lt;"><img src=x onerror=alert(1)>',
    "formula": '=HYPERLINK("https://example.org","x")',
    "long": "长x" * 5000,
    "word": "W" * 10_000,
    "marks": "abc\u202egnp.exe\u2066x\u200f",
    "surrogate": "a\ud800b\x00\x08\ufffec",
    "typst": '#import "x.typ" #read("/etc/passwd") $x$ *b* @ref <label> \\ //',
}


def drawings(text: str) -> tuple[str, str]:
    """A text drawn as the label of a mark, and told where a mouse rests on it."""

    def draw(page: svg.Page) -> None:
        with page.told(text):
            page.title(text)

    made = svg.figure(draw)
    return made.svg, made.narrow


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_harmless_everywhere(name):
    text = HOSTILE[name]
    wanted = " ".join(harmless(text).split())
    table = Table(text, (text, "b"), ((text, "x"), *[("a", "b")] * 8))
    section = Section(
        "s", text, (Paragraph(text), Items((text,)), table, Figure(*drawings(text), text, text))
    )
    notebook = executed([Title(text, (Paragraph(text, "note"),)), section], region=text)
    files = write(notebook, "zh")

    page = files["html"].decode("utf-8")
    soup = BeautifulSoup(page, "html.parser")
    assert loaded(page) == [] and [tag.string for tag in soup.find_all("script")] == [script()]
    assert " ".join(soup.find("h1").get_text().split()) == wanted
    assert not soup.find_all("img") and len(soup.title.string) < 200
    assert len(soup.select("figure text")) == 2
    (link,) = soup.find_all("a", download=True)
    assert re.fullmatch(r"[\w-]+\.csv", link["download"])
    data = base64.b64decode(link["href"].partition("base64,")[2]).decode("utf-8-sig")
    for field in (field for row in csv.reader(io.StringIO(data)) for field in row):
        assert not field.startswith(("=", "+", "-", "@", "\t", "\r"))

    word = docx.Document(io.BytesIO(files["docx"]))
    assert wanted in {" ".join(p.text.split()) for p in word.paragraphs if p.style.name == "Title"}
    with zipfile.ZipFile(io.BytesIO(files["docx"])) as archive:
        assert archive.testzip() is None

    reader = PdfReader(io.BytesIO(files["pdf"]))
    printed = "".join(page.extract_text() for page in reader.pages[:2])
    squeezed = re.sub(r"\s", "", printed)
    assert re.sub(r"\s", "", wanted)[:40] in squeezed
    assert len(reader.metadata.title) < 200
    for content in (page, printed):
        assert not re.search("[\ud800-\udfff\u202a-\u202e\u2066-\u2069\x00]", content)


def test_a_simulated_report_says_so_in_every_format():
    section = Section("s", Markup("t"), (Paragraph(Markup("x")),))
    notebook = executed([Title(Markup("Report")), section])
    files = write(notebook, "en", simulated=True)
    assert 'class="banner"' in files["html"].decode()
    reader = PdfReader(io.BytesIO(files["pdf"]))
    assert "simulated" in reader.metadata.title
    assert "Every figure on this page is simulated" in reader.pages[0].extract_text()
    word = docx.Document(io.BytesIO(files["docx"]))
    assert word.paragraphs[0].style.name == "Warning" and "simulated" in word.paragraphs[0].text
    assert "simulated" in word.core_properties.title
