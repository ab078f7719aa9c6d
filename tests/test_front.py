"""The front page's data: what is read from reports, what is coloured, what is refused."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
from itertools import pairwise, product

import pytest
from bs4 import BeautifulSoup

from conftest import DATE, REGIONS, draw
from evaluation import report
from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES
from evaluation.batch import cells, front, maps
from evaluation.batch.cells import clean, read
from evaluation.evidence.grade import said
from evaluation.report.html import loaded
from evaluation.report.overview import summarise
from front_samples import HOSTILE, STATUSES, batch, entry, named, regions, squares, summary

HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(scope="module")
def sample() -> tuple[dict, dict]:
    return batch()


@pytest.fixture(scope="module")
def soup(sample) -> BeautifulSoup:
    return BeautifulSoup(front.page(*sample), "html.parser")


def listed(manifest, summaries) -> list[cells.Row]:
    return cells.rows(manifest, summaries)[0]


def payload(html: str) -> dict:
    """What the script of a page draws from, each region by the names of its fields."""
    data = json.loads(BeautifulSoup(html, "html.parser").find("script", id="data").string)
    named_rows = [dict(zip(data["fields"], row, strict=True)) for row in data["rows"]]
    return {**data, "rows": named_rows}


def filled(data: dict, packed: list) -> dict[str, str]:
    """A packed text in both languages."""
    form, *numbers = packed
    return dict(
        zip(LANGUAGES, (text.format(*numbers) for text in data["forms"][form]), strict=True)
    )


# --- summaries -------------------------------------------------------------------------------

FILES = {
    kind: {"name": name, "sha256": "0"}
    for kind, name in (("docx", "a.docx"), ("html", "a b.html"), ("pdf", "a.pdf"))
} | {"notebook": {"name": "notebooks/a.ipynb", "sha256": "0"}}


@pytest.mark.parametrize("code", REGIONS)
def test_summary_of_a_page_is_the_same_in_both_languages_and_that_of_the_study(pages, study, code):
    found = [read(pages(code, language).html) for language in LANGUAGES]
    context = report.open_report(study, code, "en", date=DATE)
    assert found[0] == found[1] == summarise(context)
    assert found[0]["code"] == code
    rates = study.rates[(study.rates["region_code"] == code) & (study.rates["wave"] >= 2010)]
    shown = [(row["wave"], row["value"]) for row in found[0]["rates"]]
    assert shown == list(zip(rates["wave"], rates["rate"], strict=True))
    if rates["variance"].notna().any():
        last = rates[rates["variance"].notna()].iloc[-1]
        assert found[0]["latest"]["low"] == pytest.approx(last["low"], abs=1e-6)
    else:
        assert found[0]["latest"] is None and found[0]["standing"] == {"side": "none"}


def test_summary_tells_what_the_report_of_inner_mongolia_tells(pages):
    page = pages("150000", "zh")
    found = read(page.html)
    assert found["standing"]["side"] == "below"  # findings.level.below, see test_report.py
    record = page.record
    assert found["standing"]["low"] == pytest.approx(record["gap.150000.2022.low"], abs=1e-5)
    gain = found["gain"]
    assert gain["value"] == pytest.approx(record["gain.150000.2020-2022"], abs=1e-6)
    assert gain["annual_low"] == pytest.approx(record["gain.150000.2020-2022.low"] / 2, abs=1e-6)
    assert [item["status"] for item in found["targets"]] == ["undecided", "flagged"]
    assert found["evidence"]["locks"] == record["evidence.locks"]
    assert {item["dose"] for item in found["inputs"]} == {
        "facility", "personnel", "activity", "fund",
    }  # fmt: skip
    assert found["expected"]["residual"] == pytest.approx(
        record["expected.150000.2020-2022.residual"], abs=1e-5
    )


def test_summary_of_simulated_figures_says_so_and_an_overview_has_none(simulated, pages):
    context = report.open_report(simulated, "150100", "zh", date=DATE)
    assert read(draw(context, {}))["simulated"] is True
    assert read(pages("provinces", "en").html) == {}


@pytest.mark.parametrize("broken", ["not json", "[1]", ""])
def test_a_summary_that_is_none_is_refused_with_the_remedy(broken):
    with pytest.raises(KepuError, match="make the report anew"):
        read(f'<p></p><template id="summary">{broken}</template>')


def test_summary_survives_the_markup_around_it():
    text = {"names": {"en": '</template><b>"&amp;'}}
    written = f'<template id="x">1</template><template id="summary">{json.dumps(text)}</template>'
    with pytest.raises(KepuError):  # unescaped, the element ends early
        read(written)
    from markupsafe import escape

    assert read(f'<template id="summary">{escape(json.dumps(text))}</template>') == text


# --- what a row says -------------------------------------------------------------------------


def test_every_number_stands_with_its_interval_or_says_that_it_has_none():
    given = summary(regions()[0], 0)
    found = cells.cells(given)
    assert found["latest"].main == {"zh": "9.93%（8.8至11.1%）", "en": "9.93% (8.8 to 11.1%)"}
    assert found["standing"].text["en"] == "below China, −3.00 (−4.2 to −1.8)"
    assert found["gain"].main["en"] == "+1.19 (0.3 to 2.0)"
    assert found["gain"].beside["zh"] == "2020–2022年，其间调查方法有变"
    assert cells.rate({"value": 10.0, "low": None, "high": None})["en"] == "10% (no interval)"


def test_empty_summary_says_what_is_missing():
    found = cells.cells({})
    assert found["latest"].main["en"] == "no usable survey"
    assert found["target"].main["zh"] == "没有目标"
    assert found["locks"].main["en"] == "not in the comparison"
    assert {cell.order for cell in found.values()} == {None}


def test_the_target_shown_is_the_last_within_sight():
    goals = [{"year": year, "value": 15.0, "comparator": "="} for year in (2035, 2020, 2025)]
    assert cells.goal({"date": "2026-03-01", "targets": goals})["year"] == 2025
    assert cells.goal({"date": "2030-01-01", "targets": goals})["year"] == 2035
    assert cells.goal({"date": "2026-03-01", "targets": goals[:1]})["year"] == 2035
    assert cells.goal({"date": "2026-03-01", "targets": []}) is None
    assert cells.goal({}) is None


def test_reports_of_one_region_are_one_row_with_every_file():
    row = regions()[0]
    both = [entry(row, "zh", files=FILES)]
    both.append(entry(row, "en", status="failed", file="", error="x" * 999,
                      earlier={"file": "old.html", "date": "2025-01-01"}))  # fmt: skip
    (found,) = listed({"reports": both}, {})
    assert [(link.format, link.href) for link in found.links] == [
        ("html", "a%20b.html"), ("pdf", "a.pdf"), ("docx", "a.docx"), ("html", "old.html"),
    ]  # fmt: skip
    assert found.links[-1].earlier == "2025-01-01"
    assert len(found.failures[0].error) == 200


def test_a_file_name_never_becomes_an_address():
    (found,) = listed({"reports": [entry(regions()[0], "zh", file="javascript:alert(1)")]}, {})
    assert found.links[0].href == "javascript%3Aalert%281%29"


def test_simulated_and_real_reports_of_a_region_are_two_rows():
    some = [row for row in regions() if row["code"] in ("110000", "120000")]
    manifest, summaries = batch(some[:1])
    simulated, more = batch(some, simulated=True)
    manifest["reports"] += simulated["reports"]
    html = front.page(manifest, summaries | more)
    found = listed(manifest, summaries | more)
    assert [(row.code, row.simulated) for row in found] == [
        ("110000", False), ("110000", True), ("120000", True),
    ]  # fmt: skip
    page = BeautifulSoup(html, "html.parser")
    rows = payload(html)["rows"]
    assert [row["simulated"] for row in rows] == [0, 1, 1]
    assert [("simulated" in row["short"][1]) for row in rows] == [False, True, True]
    assert len(page.select("noscript .flag")) == 2
    assert page.select_one("p.banner") and "simulated" in page.title.get_text()
    # The map holds real figures only: the region with simulated ones alone is blank.
    assert page.select_one('.place[data-code="120000"]')["data-kind"] == "absent"
    assert page.select_one('.place[data-code="110000"]')["data-kind"] != "absent"


# --- maps ------------------------------------------------------------------------------------


def test_tiles_hold_every_region_of_their_set_once_and_no_square_twice():
    levels = {row["code"]: row["level"] for row in regions()}
    provinces = {code for code, level in levels.items() if level == "province"}
    expected = {
        "provinces": provinces | {"710000", "810000", "820000"},
        "inner_mongolia_leagues": LEAGUES,
    }
    for name, codes in expected.items():
        found = maps.layout(name)
        assert sorted(tile.code for tile in found) == sorted(codes)
        assert len({(tile.row, tile.column) for tile in found}) == len(found)
        assert len({tile.letters for tile in found}) == len(found)
    named_here = {tile.code for tile in maps.layout("provinces") if tile.names}
    assert named_here == {"710000", "810000", "820000"}


@pytest.mark.parametrize(
    ("north_or_west", "south_or_east", "axis"),
    [("230000", "460000", "row"), ("650000", "310000", "column"), ("130000", "410000", "row"),
     ("510000", "340000", "column"), ("440000", "810000", "row"), ("150700", "150600", "row"),
     ("152900", "150400", "column")],
)  # fmt: skip
def test_tiles_lie_roughly_as_the_regions_do(north_or_west, south_or_east, axis):
    places = {t.code: t for name in maps.layouts() for t in maps.layout(name)}
    assert getattr(places[north_or_west], axis) < getattr(places[south_or_east], axis)


def test_colour_tells_side_and_size_of_the_difference_and_hatching_that_it_is_old(sample):
    found = listed(*sample)
    step = cells._step(cells._known(cells._gap, found))
    assert step == 2.0
    for row, (kind, hatched, mark) in zip(found, cells.classed(found, "gap"), strict=True):
        latest, standing = row.summary["latest"], row.summary["standing"]
        if latest is None:
            assert (kind, hatched, mark) == ("none", False, "")
            continue
        beyond = "2" if abs(standing["gap"]) > step else "1"
        assert kind == ("near" if standing["low"] <= 0 <= standing["high"] else
                        ("above" if standing["gap"] > 0 else "below") + beyond)  # fmt: skip
        assert hatched == (latest["older_than"] is not None)
        assert mark.split() == [cells.signed(standing["gap"], 1), str(standing["wave"])]


def test_without_the_whole_the_shares_are_coloured():
    manifest, summaries = batch()
    for one in summaries.values():
        one["nation"] = []
        one["standing"] = {"side": "alone", "wave": 2022} if one["latest"] else {"side": "none"}
    found = listed(manifest, summaries)
    assert next(iter(cells.measures(found))) == "rate"
    values = [row.summary["latest"]["value"] for row in found if row.summary["latest"]]
    edges = cells._edges(values)
    for row, (kind, _, mark) in zip(found, cells.classed(found, "rate"), strict=True):
        latest = row.summary["latest"]
        if latest is None:
            assert kind == "none"
            continue
        number = int(kind[1])
        assert edges[number] <= latest["value"]
        assert latest["value"] < edges[number + 1] or number == cells.STEPS - 1
        assert str(latest["wave"]) in mark
    assert {entry.kind for entry in cells.legend(found, "rate")} >= {"q0", "q4", "none"}
    shown = front.figure(found)
    assert shown.value == "36/44" and "No common figure for China" in shown.beside["en"]


@pytest.mark.parametrize("values", [[0.0], [1e-9, 2e-9], [0.3, 99.0], [-3.0, 4.0], [5.0] * 9])
def test_classes_hold_every_value_with_round_edges(values):
    edges = cells._edges(values)
    assert edges[0] <= min(values) and len(edges) == 6
    steps = {round(b - a, 9) for a, b in pairwise(edges)}
    assert len(steps) == 1
    power = math.floor(math.log10(steps.pop() * 1.000001))
    assert round((edges[1] - edges[0]) / 10.0**power, 6) in (1, 2, 2.5, 5)


def test_targets_of_each_due_year_have_a_map_of_their_own(sample):
    found = listed(*sample)
    assert list(cells.measures(found)) == list(MEASURES)
    for year in (2020, 2025):
        painted = cells.paints(found, f"target.{year}", {row.code for row in found})
        for row in found:
            due = [item for item in row.summary["targets"] if item["year"] == year]
            assert painted[row.code].kind == (due[0]["status"] if due else "none")
            assert (f"by {year}" in painted[row.code].words["en"]) == bool(due)


MEASURES = ("gap", "target.2020", "target.2025")


@pytest.mark.parametrize("measure", MEASURES)
def test_legend_names_and_counts_every_colour_drawn_in_both_languages(sample, measure):
    found = listed(*sample)
    drawn = [kind for kind, _, _ in cells.classed(found, measure)]
    entries = cells.legend(found, measure)
    assert set(drawn) <= {item.kind for item in entries}
    for item in entries:
        assert HAN.search(item.words["zh"]) and not HAN.search(item.words["en"])
        assert not item.kind or item.count == drawn.count(item.kind)
    if measure == "gap":
        assert any(item.hatched and "5 years" in item.words["en"] for item in entries)
    if measure == "target.2025":
        assert {item.kind for item in entries} == {*STATUSES, "none"}
        assert len({item.mark for item in entries}) >= 6  # signs, not colours alone


def test_maps_without_a_report_are_left_out_and_hong_kong_has_no_figure():
    some = [row for row in regions() if row["level"] == "province"][:3]
    drawn = maps.draw_map(listed(*batch(some)), "gap")
    assert [drawing.name for drawing in drawn] == ["provinces"]
    kinds = {place.code: place.paint.kind for place in drawn[0].places}
    assert kinds["810000"] == kinds["710000"] == kinds["820000"] == "outside"
    assert kinds["650000"] == "absent"


def test_own_boundaries_are_projected_and_matched_by_code():
    own = maps.boundaries(squares(), approval="GS(2024)0650")
    manifest, summaries = batch([row for row in regions() if row["code"][:2] in ("11", "12")])
    page = BeautifulSoup(front.page(manifest, summaries, own=own), "html.parser")
    assert "GS(2024)0650" in page.select_one("#map-own .note").get_text()
    assert page.select_one("#map-provinces") is None
    shapes = {place["data-code"]: place for place in page.select(".shapes .place")}
    assert set(shapes) == {"110000", "120000", "990000"}
    assert shapes["990000"].get("role") == "img" and shapes["110000"]["role"] == "button"

    def area(path: str) -> float:
        points = [tuple(map(float, p.split())) for p in path.strip("MZ").split("L")]
        turns = zip(points, points[1:] + points[:1], strict=True)
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in turns)) / 2

    areas = {shape.code: area(shape.path) for shape in own.shapes}
    # Equal-area: a square of two degrees between 38 and 40 N is larger than one between 40 and
    # 42 N by the ratio of the differences of sines; drawn straight, its edges cut off the same.
    sines = [math.sin(math.radians(degree)) for degree in (38, 40, 42)]
    expected = (sines[1] - sines[0]) / (sines[2] - sines[1])
    assert areas["990000"] / areas["120000"] == pytest.approx(expected, rel=2e-3)
    assert areas["110000"] == pytest.approx(areas["120000"], rel=1e-3)
    x = {shape.code: float(shape.path[1:].split()[0]) for shape in own.shapes}
    assert x["110000"] < x["120000"]  # east is to the right


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "Topology"}, "no GeoJSON FeatureCollection"),
        ({"features": []}, "no GeoJSON FeatureCollection"),
        ({"features": [{"properties": {}}]}, "Feature 0 has no property 'adcode'"),
        ({"features": [{"properties": {"adcode": 1}, "geometry": {"type": "Point"}}]},
         "Feature 0 is no Polygon or MultiPolygon but Point"),
        ({"features": [{"properties": {"adcode": 1}, "geometry": {
            "type": "Polygon", "coordinates": [[[12e6, 4e6], [12e6, 5e6]]]}}]},
         "degrees are needed"),
        ({"features": [{"properties": {"adcode": 1}, "geometry": {
            "type": "Polygon", "coordinates": [["ab"]]}}]}, "a coordinate that is none"),
    ],
)  # fmt: skip
def test_boundaries_that_cannot_be_drawn_are_refused_by_feature(change, message):
    with pytest.raises(KepuError, match=re.escape(message)):
        maps.boundaries({**squares(), **change}, approval="GS(2024)0650")


def test_boundaries_without_approval_are_refused():
    with pytest.raises(KepuError, match="approval number"):
        maps.boundaries(squares(), approval=" ")


# --- the page --------------------------------------------------------------------------------


def test_page_loads_nothing_and_lists_every_region_with_its_files(sample, soup):
    html = front.page(*sample)
    assert set(loaded(html)) == {"<script>"}
    assert soup.find_all("script", src=True) == []
    assert (
        "http://" not in html.replace("http://www.w3.org/2000/svg", "") and "https://" not in html
    )
    data = payload(html)
    assert [row["code"] for row in data["rows"]] == sorted(
        (row["code"] for row in regions()),
        key=lambda code: (code == "150102", code in LEAGUES, code),
    )
    for row in data["rows"]:
        hrefs = [href.replace("*", row["code"]) for _, _, href in data["files"][row["files"]]]
        assert hrefs == [f"{row['code']}_{language}.html" for language in LANGUAGES]
    # Without script: a plain list of all regions, each with a link for each language.
    assert [[a["href"] for a in item.select("a")] for item in soup.select("noscript li")] == [
        [f"{row['code']}_{language}.html" for language in LANGUAGES] for row in data["rows"]
    ]


def test_the_script_is_given_the_texts_of_every_result(sample):
    """Packed or not, a cell says the same: numbers are kept apart from the words around them."""
    data = payload(front.page(*sample))
    assert list(data["columns"]) == ["latest", "standing", "gain", "target"]
    for given, row in zip(listed(*sample), data["rows"], strict=True):
        told = cells.cells(given.summary)
        for name, (order, *texts) in zip(data["columns"], row["cells"], strict=True):
            cell = told[name]
            assert [filled(data, text) for text in texts] == [
                text for text in (cell.main, cell.beside) if text
            ]
            assert order == (None if cell.order is None else round(cell.order, 4))
        for rate, (wave, value, _, low, high) in zip(
            given.summary["rates"], row["rates"], strict=True
        ):
            shown = cells.rate(rate)["en"]
            assert shown == data["words"]["rate"]["en"].format(
                value=f"{value:g}", low=low, high=high
            )
            assert wave == rate["wave"]
    assert len(data["forms"]) < 60


def test_a_page_of_every_county_of_a_country_is_light():
    counties = [named(f"9{n:05d}", f"模拟{n}县", f"Simulated county {n}") for n in range(2844)]
    html = front.page(*batch(counties))
    assert len(html.encode()) < 3_000_000
    assert len(payload(html)["rows"]) == 2844
    page = BeautifulSoup(html.partition("<noscript>")[0], "html.parser")
    assert len(page.find_all(True)) < 400  # the rest is drawn a piece at a time


# --- the first screen ------------------------------------------------------------------------


def standing(side: str, wave: int = 2022) -> dict:
    gap = {"below": -3.0, "near": 0.4, "above": 2.5}.get(side)
    ends = {} if gap is None else {"gap": gap, "low": gap - 1, "high": gap + 1}
    return {"side": side, "wave": wave, **ends}


def told(*groups: str) -> dict[str, str]:
    """The finding on regions of one level a group, given as the sides they lie on."""
    levels, found = ("province", "league"), []
    for level, sides in zip(levels, groups, strict=False):
        for number, side in enumerate(sides.split()):
            row = {**named(f"{level}{number}", f"甲{number}", f"A{number}"), "level": level}
            one = summary(row, 0) | {"standing": standing(side)}
            if side == "none":
                one |= {"latest": None, "rates": []}
            found.append((row, one))
    entries = [entry(row, "en") for row, _ in found]
    summaries = {made["stem"]: one for made, (_, one) in zip(entries, found, strict=True)}
    return front.finding(listed({"reports": entries}, summaries))


@pytest.mark.parametrize(
    ("groups", "start"),
    [
        (["below below above near"], "More provinces came out below China than above it: 2"),
        (["above above below"], "More provinces came out above China than below it: 2 against"),
        (["below above near"], "As many provinces came out above China as below it: 1 each"),
        (["near near"], "None of the 2 provinces compared could be told apart from China"),
        (["below none"], "A0, 2022: below China, −3.00 (−4.0 to −2.0) points."),
        (["near"], "A0, 2022: cannot be told apart, +0.40 (−0.6 to 1.4) points."),
        (["alone alone none"], "2 of 3 provinces had a usable survey; there is no figure for"),
        (["none none"], "There is no usable survey of these regions yet (provinces: 2)."),
        ([], "This batch holds no results of regions to sum up."),
        # The level with most regions compared is told of; at a tie that with most surveyed, then
        # the first of the package's levels.
        (["below", "above above"], "More leagues and cities came out above China"),
        (["alone", "none none none"], "1 of 1 provinces had a usable survey"),
        (["alone none", "alone alone"], "2 of 2 leagues and cities had a usable survey"),
        (["below near", "above near"], "More provinces came out below China"),
    ],
)  # fmt: skip
def test_the_finding_is_chosen_by_rules(groups, start):
    said = told(*groups)
    assert said["en"].startswith(start)
    assert HAN.search(said["zh"]) and "{" not in said["zh"] + said["en"]


def test_every_mix_of_sides_gives_one_true_sentence():
    for below, near, above in product(range(3), repeat=3):
        sides = " ".join(["below"] * below + ["near"] * near + ["above"] * above)
        said = told(sides)["en"]
        assert said.count(".") - said.count("0.") <= 1 or below + near + above == 1
        if below > above and below + near + above > 1:
            assert f"{below} against {above}" in said and f"{near} of" in said


def test_the_figure_is_the_latest_of_the_whole_with_its_year_and_range(sample):
    found = listed(*sample)
    shown = front.figure(found)
    assert (shown.of["en"], shown.value) == ("China, survey of 2022", "12.93%")
    assert shown.beside == {"zh": "95%区间：12.7至13.1%", "en": "95% interval 12.7 to 13.1%"}
    assert front.figure([]) is None
    # Regions of packages with different wholes have no figure in common.
    other = dataclasses.replace(found[0], summary={**found[0].summary, "nation": []})
    assert front.figure([other, *found[1:]]).value == "36/44"


def test_a_grade_that_is_the_same_of_all_has_no_column(sample):
    manifest, summaries = sample
    assert "locks" not in payload(front.page(manifest, summaries))["columns"]
    stem = manifest["reports"][0]["stem"]
    own = {**summaries[stem], "evidence": {**summaries[stem]["evidence"], "locks": 4}}
    assert "locks" in payload(front.page(manifest, {**summaries, stem: own}))["columns"]


LEAGUES = {row["code"] for row in regions() if row["level"] in ("league", "prefecture_city")}


def test_every_text_of_the_page_has_both_languages(soup):
    for text in soup.select("span.t[lang=zh-CN]"):
        other = text.find_next_sibling("span")
        assert other and other["lang"] == "en" and "t" in other["class"]
    english = " ".join(node.get_text() for node in soup.select("span.t[lang=en]"))
    assert not HAN.search(english)
    for element in soup.select("[data-label-zh]"):
        assert not HAN.search(element["data-label-en"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_claims_nothing_that_no_lock_permits(soup, language):
    tag = {"zh": "zh-CN", "en": "en"}[language]
    text = "\n".join(node.get_text() for node in soup.select(f"span.t[lang={tag}]"))
    assert said(text, language, 0) == []


def test_failed_reports_are_named_with_cause_and_notebook():
    row = regions()[0]
    broken = entry(row, "en", status="failed", file="", error="DataError: facts.csv, row 3")
    page = BeautifulSoup(front.page({**batch([row])[0], "reports": [broken]}, {}), "html.parser")
    cells_shown = [cell.get_text() for cell in page.select("#failed tbody td")]
    assert cells_shown == ["English", "region_report", "DataError: facts.csv, row 3"]
    assert page.select_one("#failed tbody th").get_text() == "北京市Beijing"


def test_hostile_names_are_harmless_text():
    html = front.page(*batch(HOSTILE))
    html.encode("utf-8")  # a lone surrogate would refuse
    page = BeautifulSoup(html, "html.parser")
    assert len(page.find_all("script")) == 2 and page.find_all("img") == []
    text = page.find("script", id="data").string
    assert "<" not in text and json.loads(text)["rows"][0][1][0].startswith("<s")
    assert page.find(onerror=True) is None and page.find(onload=True) is None
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", html)
    assert (
        page.select_one("noscript li").get_text().startswith("<script>alert(1)</script> </script>")
    )
    assert max(len(item.get_text()) for item in page.select("noscript li")) < 500


def test_texts_from_outside_are_made_fit_to_show():
    assert clean("a\u202eb\x00c") == "abc" and clean("\ud800") == "\ufffd"
    assert clean("y" * 201) == "y" * 199 + "…" and clean("y" * 200) == "y" * 200


@pytest.mark.parametrize("listed", [None, HOSTILE])
def test_the_policy_of_the_page_allows_its_own_style_and_script_alone(listed):
    html = front.page(*batch(listed))
    shown = BeautifulSoup(html, "html.parser")
    policy = shown.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))

    def hashed(element) -> str:
        digest = hashlib.sha256(element.string.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    (script,) = shown.find_all("script", type=None)
    assert rules == {
        "default-src": "'none'", "style-src": hashed(shown.style), "script-src": hashed(script),
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    # It precedes what it rules, and nothing on the page needs more than it allows.
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert shown.find(style=True) is None and ".style" not in script.string
    assert not any(name.startswith("on") for tag in shown.find_all(True) for name in tag.attrs)


@pytest.mark.parametrize("name", ["//example.org/a.html", "javascript:alert(1)", "\\\\x\\a"])
def test_no_name_of_a_file_leads_elsewhere(name):
    found = entry(regions()[0], "en", file=name, earlier={"file": name, "date": "2026-01-01"})
    for each in cells.links(found):
        assert ":" not in each.href and not each.href.startswith(("/", "\\"))


def test_an_empty_folder_still_has_a_page():
    run = {"data": "d", "data_hash": "", "commit": "", "date": "2026-03-01"}
    page = front.page({"run": run, "reports": []}, {})
    assert "<h1>" in page and 'id="map"' not in page


def test_reports_without_summary_are_listed_without_figures():
    page = front.page(batch([named("110000", "甲", "A")])[0], {})
    assert (
        "no usable survey" in page
        and "no results of regions to sum up" in page
        and "110000_en.html" in page
    )


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 1.9, 27.0, 29.9, 44.0, 46.0, 49.9, 99.9])
def test_classes_are_round_and_hold_nine_values_in_ten_whatever_their_spread(spread):
    values = [5 + spread * i / 10 for i in range(11)]
    edges = cells._edges(values)
    assert edges[0] <= 5 and len({round(b - a, 9) for a, b in pairwise(edges)}) == 1
    assert sum(value <= edges[-1] for value in values) >= 9
