"""Every report in both languages: complete, in one language, with nothing unfilled."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from bs4 import BeautifulSoup, NavigableString
from markupsafe import Markup

from conftest import DATE, REGIONS, draw
from evaluation import report
from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES, texts
from evaluation.report import gains, overview
from evaluation.report.blocks import Figure, Items, Table
from evaluation.report.page import DASH

OVERVIEW = "provinces"
ALL = [*REGIONS, OVERVIEW]
HAN = re.compile(r"[\u3400-\u9fff]")
# What a value that was never filled, or a figure that is none, leaves on a page.
DEBRIS = re.compile(
    r"\b(?:nan|NaN|None(?! of)|null|inf|Infinity|NaT|<NA>|Traceback|Series|dtype|Markup)\b"
    r"|[{}]|&\w+;|</?\w"
)
KEY = re.compile(r"\b[a-z_]+(?:\.[\w-]+)+\b")


def visible(node) -> str:
    """Text a reader sees in ``node``, pictures' stand-in text included."""
    alts = [image.get("alt", "") for image in node.find_all("img")]
    return " ".join([node.get_text(" "), *alts])


@pytest.fixture(params=[(code, language) for code in ALL for language in LANGUAGES])
def page(request, pages):
    return pages(*request.param)


def test_nothing_is_left_unfilled(page):
    found = DEBRIS.findall(visible(page.soup))
    assert found == []
    assert set(KEY.findall(visible(page.soup))) & set(texts()) == set()


def test_every_section_is_there_with_a_title_and_content(page):
    expected = [*report.SECTIONS]
    if page.code == OVERVIEW:
        expected = [*overview.OVERVIEW, "sources", "method", "glossary"]
    sections = page.soup.find_all("section")
    assert [section["id"] for section in sections] == expected
    for section in sections:
        assert section.find("h2").get_text(strip=True)
        assert len(section.get_text(strip=True)) > 40
    assert len(page.soup.find_all("h1")) == 1


def test_the_page_needs_nothing_from_elsewhere(page):
    assert page.soup.find_all(["script", "link", "iframe", "object", "embed", "style"]) == []
    assert "url(" not in page.html
    assert "@import" not in page.html
    for element in page.soup.find_all(src=True):
        assert element["src"].startswith("data:image/svg+xml;base64,PHN2Zy")
    for element in page.soup.find_all(href=True):
        assert element.name == "a"
        assert re.match(r"#|https?://|[\w-]+\.html$", element["href"])
    for element in page.soup.find_all(True):
        assert not [name for name in element.attrs if name.startswith("on")]


def test_links_inside_the_page_lead_somewhere(page):
    identifiers = Counter(element["id"] for element in page.soup.find_all(id=True))
    assert [name for name, count in identifiers.items() if count > 1] == []
    targets = {link["href"][1:] for link in page.soup.find_all("a", href=re.compile("^#"))}
    assert targets
    assert targets - set(identifiers) == set()


def test_tables_are_rectangular_and_named(page):
    for table in page.soup.find_all("table"):
        header = table.find("thead").find_all("th")
        assert all(cell.get_text(strip=True) for cell in header)
        assert table.find("caption").get_text(strip=True)
        for row in table.find("tbody").find_all("tr"):
            assert len(row.find_all("td")) == len(header), row.get_text(" ")
        assert table.find("tbody").find("tr"), table.find("caption").get_text()


def test_every_column_has_something_to_say(page):
    for table in page.soup.find_all("table"):
        rows = [row.find_all("td") for row in table.find("tbody").find_all("tr")]
        for head, *column in zip(table.find("thead").find_all("th"), *rows, strict=True):
            said = {cell.get_text(strip=True) for cell in column}
            assert said - {"", "—"}, (table.find("caption").get_text(), head.get_text())


def test_a_table_leaves_out_columns_without_content(study):
    page = report.open_report(study, "150000", "en", date=DATE)
    names, rows = ("year", "flags", "value", "status"), [("a", "", "1", DASH), ("b", "", DASH, "")]
    made = report.page.table(page, Markup("What is known"), names, rows, (2, 3))
    assert made.columns == tuple(page.writer.t(f"column.{name}") for name in ("year", "value"))
    assert made.rows == (("a", "1"), ("b", DASH))
    assert made.numeric == {1}
    assert len(report.page.table(page, Markup("Nothing yet"), names, []).columns) == 4


@pytest.mark.parametrize(
    ("language", "said"), [("zh", "全国目标超过15%"), ("en", "China: more than 15%")]
)
def test_the_label_of_a_target_says_what_the_text_says(study, language, said):
    page = report.open_report(study, "150000", language, date=DATE)
    labels = [gains.mark(page, goal) for goal in gains.goals_of(page, "150000")]
    assert said in labels
    for goal, label in zip(gains.goals_of(page, "150000"), labels, strict=True):
        assert label.endswith(page.fact(goal.fact["fact_id"]).striptags())


def test_pictures_have_words(page):
    figures = page.soup.find_all("figure")
    assert len(figures) >= 2
    for figure in figures:
        assert len(figure.find("img")["alt"].strip()) > 10
        assert figure.find("figcaption").get_text(strip=True)
    assert len(page.soup.find_all("img")) == len(figures)


def test_each_page_speaks_one_language(page):
    # Titles of sources stay in the original.
    texts_shown = [node for node in page.soup.find_all(string=True) if not node.find_parent("cite")]
    texts_shown += [image["alt"] for image in page.soup.find_all("img")]
    if page.language == "en":
        assert [text for text in texts_shown if HAN.search(text)] == []
    else:
        for node in page.soup.find_all(["p", "li", "h1", "h2", "h3", "caption", "figcaption"]):
            assert HAN.search(node.get_text()), node.get_text()


def test_sentences_are_joined_cleanly(page):
    doubled = re.compile(
        r"。。|，，|；；|、、|（（|））|\.\.|,,|;;| [,.;:)]|\( | ，| 。|^[,.;，。；]"
    )
    for node in page.soup.find_all(["p", "li", "td", "th", "caption", "figcaption", "h2", "h3"]):
        if node.find("cite") and node.find_parent("section", id="sources"):
            continue  # printed as the source prints it
        text = re.sub(r"\s+", " ", node.get_text()).strip()
        assert not doubled.search(text), text


@pytest.mark.parametrize("code", ALL)
def test_both_languages_print_the_same_numbers(pages, code):
    chinese, english = (pages(code, language) for language in ("zh", "en"))

    def numbers(section) -> Counter:
        return Counter(
            (element.get("data-fact") or element["data-result"], element["value"])
            for element in section.find_all("data")
        )

    for section in chinese.soup.find_all("section"):
        other = english.section(section["id"])
        assert numbers(section) == numbers(other), section["id"]
        for name in ("table", "tr", "figure", "h3", "time", "li"):
            assert len(section.find_all(name)) == len(other.find_all(name)), (section["id"], name)
    assert chinese.record == english.record


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_a_section_without_data_says_what_is_missing(pages, study, code, language):
    page, dataset = pages(code, language), study.dataset
    facts = dataset.facts[dataset.facts["region_code"] == code]
    level = dataset.regions.set_index("code").at[code, "level"]
    parent = dataset.regions.set_index("code").at[code, "parent_code"]
    gaps = {
        "level": study.rates[study.rates["region_code"] == code].empty,
        "targets": study.targets[study.targets["region_code"] == code].empty,
        "inputs": level != "province" or facts[facts["kind"] == "statistic"].empty,
        "governance": dataset.measures[dataset.measures["region_code"].isin([code, parent])].empty,
        "effect": study.provinces[study.provinces["region_code"] == code].empty,
    }
    for name, gap in gaps.items():
        notes = page.section(name).find_all("p", class_="missing")
        if gap:
            assert notes, f"{code} {name}"
        for note in notes:
            assert len(note.get_text()) > 15
    filled = [
        note.get_text() for note in page.soup.find_all("p", class_="missing")
        if re.search(r"请|To be asked of", note.get_text())
    ]  # fmt: skip
    assert ".csv" not in visible(page.soup)  # what is asked of whom, not which row to write
    wanted = sum(gaps[name] for name in ("level", "targets", "inputs", "governance"))
    assert len(filled) >= wanted


def test_the_regions_cover_what_a_reader_may_lack(study):
    """The cases above would say little if every region of them had everything."""
    has_rates = {code: (study.rates["region_code"] == code).any() for code in REGIONS}
    has_target = {code: (study.targets["region_code"] == code).any() for code in REGIONS}
    assert set(has_rates.values()) == set(has_target.values()) == {True, False}


@pytest.mark.parametrize("language", LANGUAGES)
def test_key_findings_of_inner_mongolia(pages, language):
    text = visible(pages("150000", language).section("findings"))
    words = {
        "zh": ("比全国的", "不据以判断是否达到", "无法判断"),
        "en": ("below the", "no verdict rests on it", "cannot be told"),
    }[language]
    for word in (*words, "10.04%", "12.93%"):
        assert word in re.sub(r"\s+(?=%)", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_of_a_province_show_gains_expectations_and_specifications(pages, language):
    page = pages("150000", language)
    words = {
        "zh": ("各省份年均增幅", "按其他省份推算的增幅", "设定的估计值"),
        "en": ("Yearly gains of provinces", "expect", "specifications"),
    }[language]
    for section, word in zip(("level", "effect", "effect"), words, strict=True):
        captions = [figure.figcaption for figure in page.section(section).find_all("figure")]
        assert any(word in caption.get_text() for caption in captions), word
    assert len(page.section("level").find_all("figure")) == 3  # trend, gains, rates


@pytest.mark.parametrize("language", LANGUAGES)
def test_hohhot_has_no_survey_and_is_not_given_the_regions_rate(pages, language):
    page = pages("150100", language)
    text = visible(page.section("findings"))
    assert re.search(
        {"zh": "没有.*可用的调查结果", "en": "No usable survey result"}[language], text
    )
    assert not [key for key in page.record if key.startswith(("rate.150100", "gain.150100"))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_simulated_report_says_so_before_any_number(simulated, language):
    context = report.open_report(simulated, "150100", language, date=DATE)
    soup = BeautifulSoup(draw(context, report.SECTIONS), "html.parser")
    word = {"zh": "模拟", "en": "Simulated"}[language]
    assert word in soup.find("h1").get_text()
    assert soup.find("p", class_="simulated").get_text(strip=True)
    assert DEBRIS.findall(visible(soup)) == []
    first = soup.find("h1")
    assert first.find_next("p")["class"] == ["simulated"]


def test_a_real_report_does_not(page):
    assert page.soup.find("p", class_="simulated") is None


@pytest.mark.parametrize(
    ("code", "language", "message"),
    [
        ("999999", "zh", "Region '999999' is not in regions.csv; 'kepu list regions' shows all."),
        ("100000", "zh", "Region '100000' is the whole, which has no regional report"),
        ("150000", "fr", "Unknown language 'fr'; known: zh, en."),
    ],
)
def test_a_report_that_cannot_be_is_refused(study, code, language, message):
    with pytest.raises(KepuError, match=re.escape(message)):
        report.open_report(study, code, language, date=DATE)


def test_an_unknown_set_is_refused_with_the_known_ones(study):
    with pytest.raises(KepuError, match=r"'nowhere' is not in region_sets\.csv; known: .*prov"):
        report.open_overview(study, "nowhere", "zh", date=DATE)


def test_blocks_escape_what_is_not_markup():
    table = Table("<b>", ("a & b",), (("<i>x</i>",),))
    assert "&lt;b&gt;" in table.html()
    assert "&lt;i&gt;x&lt;/i&gt;" in table.html()
    assert "<li>&lt;u&gt;</li>" in Items(("<u>",)).html()
    figure = Figure("<svg></svg>", "<svg></svg>", "1 < 2", 'said "so"').html()
    assert "1 &lt; 2" in figure
    image = BeautifulSoup(figure, "html.parser").find("img")
    assert image["alt"] == 'said "so"'
    assert isinstance(image.find_next("figcaption").contents[0], NavigableString)
