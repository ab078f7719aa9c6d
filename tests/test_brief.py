"""The brief and the depths: rules of headline and requests, pages counted, nothing lost."""

from __future__ import annotations

import io
import re
from collections import Counter
from itertools import product

import nbformat
import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from conftest import DATE
from evaluation import report
from evaluation.base.text import DEPTHS, LANGUAGES, texts
from evaluation.batch import cells, plan, state
from evaluation.report import brief, depths, quality
from evaluation.report.blocks import Paragraph, Section, Title
from evaluation.report.brief import ABSENT, ASKED, MOST, MOVES, STANDING, Course, Wants
from evaluation.report.html import write

SIDES = ("above", "below", "near")
# Provinces with much, little and old data; a city with one survey, one with none, one with a
# value that cannot be used.
SAMPLE = ("150000", "540000", "230000", "150500", "150100", "150900")


def context(study, code: str, language: str) -> report.Context:
    return report.open_report(study, code, language, date=DATE, provenance={"date": DATE})


def notebook(page: report.Context) -> nbformat.NotebookNode:
    """A region's report as an executed notebook shows it."""
    parts = [report.title(page), *(make(page) for make in report.SECTIONS.values())]
    shown = [part._repr_mimebundle_() for part in parts]
    shown.append({"text/html": str(quality.record(page))})
    new = nbformat.v4
    outputs = [new.new_output("display_data", data) for data in shown]
    made = new.new_notebook(cells=[new.new_code_cell(outputs=[one]) for one in outputs])
    made.metadata["kepu"] = {"region": page.code, "language": page.writer.language, "date": DATE}
    return made


@pytest.fixture(scope="module")
def written(study):
    """Page and PDF of every depth, by region and language, each made once."""
    known: dict[tuple[str, str], dict] = {}

    def files(code: str, language: str) -> dict[str, dict[str, bytes]]:
        if (code, language) not in known:
            made = notebook(context(study, code, language))
            told = {"formats": ("html", "pdf"), "made": DEPTHS}
            known[code, language] = {d: write(made, language, depth=d, **told) for d in DEPTHS}
        return known[code, language]

    return files


# The rules.


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (Course(3, gaps=("near", "below", "")), "alone"),
        (Course(3, gaps=("near", "below", "below"), shift="below"), "slipped"),
        (Course(3, gaps=("near", "near", "below"), shift="near"), "behind"),
        (Course(2, gaps=("below", "below"), shift="below"), "widened"),
        (Course(2, gaps=("below", "below"), shift="above"), "closing"),
        (Course(1, gaps=("below",)), "behind"),
        (Course(2, gaps=("near", "above"), shift="above"), "pulled"),
        (Course(2, gaps=("above", "above"), shift="above"), "extended"),
        (Course(2, gaps=("above", "above"), shift="below"), "shrunk"),
        (Course(2, gaps=("above", "above")), "ahead"),
        (Course(2, gaps=("below", "near"), shift="above"), "caught"),
        (Course(2, gaps=("below", "near"), shift="near"), "level"),
        (Course(2, gaps=("above", "near"), shift="below"), "lost"),
        (Course(2, gaps=("near", "near"), shift="above"), "level"),
    ],
)
def test_where_a_region_stands_follows_from_its_differences(found, name):
    assert brief.chosen(STANDING, found) == name


def test_how_a_region_moved_and_why_it_has_no_survey():
    moves = {move: brief.chosen(MOVES, Course(2, moved=move)) for move in SIDES}
    assert moves == {"above": "rose", "below": "fell", "near": "unclear"}
    assert brief.chosen(MOVES, Course(1, moved="above")) == "once"
    absent = [Course(0, unmeasured=True, flagged=True), Course(0, flagged=True), Course(0)]
    assert [brief.chosen(ABSENT, c) for c in absent] == ["unmeasured", "flagged", "none"]


def test_no_course_is_without_a_headline_and_none_contradicts_itself():
    """Every course there can be: a lead is never said of a region that is below, and so on."""
    said = {"below": {"slipped", "widened", "closing", "behind"},
            "above": {"pulled", "extended", "shrunk", "ahead"},
            "near": {"caught", "lost", "level"}, "": {"alone"}}  # fmt: skip
    seen = set()
    for gaps in product((*SIDES, ""), repeat=3):
        for shift, moved in product(SIDES, SIDES):
            found = Course(3, moved, gaps, shift)
            name = brief.chosen(STANDING, found)
            assert name in said[gaps[-1]]
            if name in ("slipped", "widened", "pulled", "extended"):
                assert shift == gaps[-1]
            if name in ("slipped", "pulled"):
                assert brief.since(gaps) > 0
            seen.add(name)
    assert seen == {name for name, _ in STANDING}
    for rules, stem in ((ABSENT, "headline"), (MOVES, "headline"), (STANDING, "headline")):
        assert {f"{stem}.{name}" for name, _ in rules} <= set(texts())


def test_but_is_said_only_against_the_movement():
    contrasts = {
        (move, side): brief.contrasted(move, Course(2, gaps=("near", side)))
        for move, side in product(("rose", "fell", "unclear", "once"), SIDES)
    }
    assert {pair for pair, said in contrasts.items() if said} == brief.CONTRAST


def test_requests_are_three_distinct_ones_the_most_needed_first():
    flags = [name for name in Wants.__dataclass_fields__]
    for values in product((True, False), repeat=len(flags)):
        found = Wants(**dict(zip(flags, values, strict=True)))
        asked = brief.asked(found)
        assert len(set(asked)) == MOST
        assert not {"survey", "publish"} <= set(asked)
        assert not {"inputs", "yearly"} <= set(asked)
        assert ("survey" in asked) is not found.surveyed
        order = [name for name, _ in ASKED]
        assert list(asked) == sorted(asked, key=order.index)
    told = Wants(surveyed=True, missed=True, assumed=True, empty=True, unnamed=True, target=False)
    assert brief.asked(told) == ("publish", "inputs", "named")
    assert brief.asked(Wants(surveyed=False)) == ("survey", "design", "yearly")
    assert brief.asked(Wants(surveyed=True, told=True)) == ("repeat", "yearly", "review")


# What they say of these data.


def test_headlines_say_what_the_surveys_show(study):
    lines = {code: brief.lines(context(study, code, "en")) for code in SAMPLE}
    assert "rose from 3.04% in 2010 to 10.04% in 2022, but" in lines["150000"][0]
    assert "clearly below China as a whole since 2020" in lines["150000"][0]
    assert "gap widening to 2.89 percentage points" in lines["150000"][0]
    assert lines["150100"][0].startswith("No survey of scientific literacy in Hohhot was found")
    assert lines["150900"][0].startswith("The only survey values of Ulanqab cannot be used")
    assert lines["230000"][0].endswith("no usable value has been found since")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_region_has_a_headline_and_three_dated_requests_with_an_office(study, language):
    sets = study.dataset.region_sets
    leagues = sets.loc[sets["set"] == "inner_mongolia_leagues", "code"]
    said = {}
    for code in (*study.dataset.model_regions, *leagues):
        page = context(study, code, language)
        first, *asked = brief.lines(page)
        assert page.writer.short(code) in first
        assert len(set(asked)) == 3
        assert all(
            re.search(r"2027年\d+月底前" if language == "zh" else r"2027\.$", a) for a in asked
        )
        assert not re.search(r"[{}]|\bnan\b|None|not found", " ".join([first, *asked]))
        said[first] = code
    assert len(said) == len(study.dataset.model_regions) + len(leagues)


def test_a_headline_of_simulated_regions_is_theirs(simulated):
    codes = [code for code in simulated.dataset.model_regions][:6]
    for code, language in product(codes, LANGUAGES):
        page = context(simulated, code, language)
        assert page.writer.short(code) in brief.lines(page)[0]


def test_the_offices_a_plan_lets_lead_are_asked(study):
    assert "自治区科技厅" in " ".join(brief.lines(context(study, "150000", "zh")))
    assert "科普工作主管部门" in " ".join(brief.lines(context(study, "110000", "zh")))


# The depths.


@pytest.mark.parametrize("code", SAMPLE)
def test_report_and_annex_hold_every_part_of_the_whole_once(study, code):
    page = context(study, code, "zh")
    parts = [report.title(page), *(make(page) for make in report.SECTIONS.values())]

    def blocks(depth: str) -> Counter:
        return Counter(
            block
            for of in depths.arranged(parts, depth, "zh", DEPTHS)
            for part in of
            if isinstance(part, Section)
            for block in part.blocks
            if not (isinstance(block, Paragraph) and "#annex-" in block.text)
        )

    assert blocks("report") + blocks("annex") == blocks("")
    first, *rest = [part for of in depths.arranged(parts, "brief", "zh", DEPTHS) for part in of]
    assert isinstance(first, Title)
    assert all(part.id.startswith("brief-") for part in rest)


def test_parts_named_in_the_table_of_depths_exist(study):
    known: dict[str, set] = {}
    for code in SAMPLE:
        page = context(study, code, "en")
        for name, make in report.SECTIONS.items():
            known.setdefault(name, set()).update(make(page).names)
    strange = {
        name: chosen - known[name]
        for name, chosen in depths.IN_REPORT.items()
        if chosen - known[name]
    }
    assert strange == {}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", SAMPLE)
def test_a_brief_has_two_pages_a_report_ten_and_a_page_is_small(written, study, code, language):
    files = written(code, language)
    pages = {depth: len(PdfReader(io.BytesIO(files[depth]["pdf"])).pages) for depth in DEPTHS}
    surveyed = len(context(study, code, language).surveyed(code)) > 0
    assert pages["brief"] <= (2 if surveyed else 1)
    assert pages["report"] <= 10
    assert len(files["brief"]["html"]) < 300_000


@pytest.mark.parametrize("depth", DEPTHS)
def test_numbers_are_those_of_the_other_language(written, depth):
    numbers = [
        Counter(
            (found.get("data-fact") or found.get("data-result"), found["value"])
            for found in soup(written("150000", language)[depth]["html"]).find_all("data")
        )
        for language in LANGUAGES
    ]
    assert numbers[0] == numbers[1]
    assert numbers[0]


@pytest.mark.parametrize("depth", ["brief", "annex"])
def test_a_number_of_a_brief_is_that_of_the_report(written, depth):
    """Each depth keeps its results; what two of them show is one number."""
    record = {}
    for each in (depth, "report"):
        page = soup(written("150000", "en")[each]["html"])
        shown = {d["data-result"]: d["value"] for d in page.find_all("data", {"data-result": True})}
        kept = quality.json.loads(page.find("template", id="results").string)
        assert shown.keys() <= kept.keys()
        record[each] = kept
    both = record[depth].keys() & record["report"].keys()
    assert both == record[depth].keys()
    assert all(record[depth][key] == record["report"][key] for key in both)


def test_references_lead_to_the_depth_that_holds_the_place(written):
    files = written("150000", "zh")
    pages = {depth: soup(files[depth]["html"]) for depth in DEPTHS}
    names = {"150000_zh_brief.html": "brief", "150000_zh.html": "report"}
    names["150000_zh_annex.html"] = "annex"
    led = 0
    for depth, page in pages.items():
        held = {tag["id"] for tag in page.find_all(id=True)}
        for link in page.find_all("a", href=True):
            file, mark, place = link["href"].partition("#")
            if not file and mark:
                assert place in held, (depth, place)
            elif file in names and mark:
                assert pages[names[file]].find(id=place), (depth, link["href"])
                led += 1
    assert led > 50


def test_without_an_annex_nothing_leads_there(study):
    made = notebook(context(study, "150100", "en"))
    page = write(made, "en", ("html",), depth="report", made=("report",))["html"].decode()
    assert "annex.html" not in page
    assert "More in" not in page


def soup(page: bytes) -> BeautifulSoup:
    return BeautifulSoup(page.decode(), "html.parser")


# The batch.


def test_only_notebooks_that_show_a_brief_are_written_at_depths(tmp_path):
    told = {"names": {"zh": "甲", "en": "A"}, "language": "en", "region": "1", "level": "city"}
    jobs = [plan.Job(name, name, stem=name, formats=("pdf",), **told) for name in ("deep", "flat")]
    cell = nbformat.v4.new_code_cell('report.SECTIONS["brief"](page)')
    for name, shown in (("deep", [cell]), ("flat", [])):
        nbformat.write(nbformat.v4.new_notebook(cells=shown), tmp_path / f"{name}.ipynb")
    deep, flat = plan.deepened(jobs, tmp_path, ())
    assert (deep.depths, flat.depths) == (DEPTHS, ())
    assert state.expected(flat) == {
        "html": "flat.html", "pdf": "flat.pdf", "notebook": "notebooks/flat.ipynb",
    }  # fmt: skip
    assert set(state.expected(deep)) == {
        "html", "pdf", "brief.html", "brief.pdf", "annex.html", "annex.pdf", "notebook",
    }  # fmt: skip
    (one, _) = plan.deepened(jobs, tmp_path, ("brief",))
    assert one.depths == ("brief",)
    # The report's page is made whatever is asked for: the front page reads its summary.
    assert state.expected(one)["html"] == "deep.html"
    assert set(state.asked(one)) == {"brief.pdf", "notebook"}


def test_the_front_page_lists_the_brief_first():
    names = {kind: {"name": name} for kind, name in state.kinds("150000_zh").items()}
    entry = {"language": "zh", "files": names, "file": "150000_zh.html"}
    found = [link.href for link in cells.links(entry)]
    assert found[0] == "150000_zh_brief.html"
    assert found.index("150000_zh.html") < found.index("150000_zh_annex.html")
    assert len(found) == 10 and "150000_zh_official.docx" in found


# How hard it is to read.


def sentences(html: bytes, language: str) -> list[str]:
    """Sentences of the running text of a page; tables, figures and sources are not read out."""
    main = BeautifulSoup(html.decode(), "html.parser").find("main")
    for part in main.find_all(["table", "svg", "figcaption", "cite", "template", "nav"]):
        part.decompose()
    ends = r"[。！？；：]" if language == "zh" else r"(?<=[.!?:;])\s+"
    texts_ = [item.get_text().strip() for item in main.find_all(["h1", "p", "li"])]
    return [one for text in texts_ for one in re.split(ends, text) if one.strip()]


def school_years(found: list[str]) -> float:
    """The Flesch-Kincaid grade: 0.39 words a sentence + 11.8 syllables a word - 15.59."""
    words = [re.findall(r"[A-Za-z']+", one) for one in found]
    words = [one for one in words if len(one) > 2]
    flat = [word.lower() for one in words for word in one]
    groups = [len(re.findall(r"[aeiouy]+", word.removesuffix("e"))) for word in flat]
    syllables = sum(max(count, 1) for count in groups)
    return 0.39 * len(flat) / len(words) + 11.8 * syllables / len(flat) - 15.59


# Terms of the method: each belongs into report or annex, and is not in the terms in plain words.
TERMS = {
    "zh": "自助法|野聚类|安慰剂|logit|固定效应|协方差|后验|Holm|Wilson|稳健标准误|设定曲线|贝叶斯|"
    "方差|弹性网",
    "en": "bootstrap|placebo|logit|fixed effects|covariance|posterior|Holm|Wilson|robust standard|"
    "specification curve|Bayes|variance|elastic net|heteroske",
}


@pytest.mark.parametrize("code", SAMPLE)
def test_a_brief_reads_like_a_newspaper(written, code):
    """English by Flesch and Kincaid, at most nine school years; Chinese by the characters of a
    sentence, at most 22 on average; and no term of the method in either."""
    english = sentences(written(code, "en")["brief"]["html"], "en")
    assert len(english) > 5 and 4 < school_years(english) <= 9
    chinese = sentences(written(code, "zh")["brief"]["html"], "zh")
    counts = [len(re.findall(r"[\u3400-\u9fff]", one)) for one in chinese]
    assert len(counts) > 5 and 8 < sum(counts) / len(counts) <= 22
    for language in LANGUAGES:
        page = written(code, language)["brief"]["html"].decode()
        text = BeautifulSoup(page, "html.parser").find("main").get_text()
        assert re.findall(TERMS[language], text) == []


def test_the_formula_gives_the_grade_of_a_known_text():
    # By hand: 12 words, 2 sentences, 14 syllables, for a final e is not heard ("little": one).
    told = school_years(["The cat sat on the mat.", "A little bird was singing sweetly."])
    assert told == pytest.approx(0.39 * 6 + 11.8 * 14 / 12 - 15.59)
