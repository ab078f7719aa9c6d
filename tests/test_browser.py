"""The pages in a real browser: what a reader does, with mouse, keyboard, phone and printer."""

from __future__ import annotations

import math
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from conftest import DATE
from evaluation import report
from evaluation.base.text import DEPTHS
from evaluation.batch import cells as measures
from evaluation.batch import front, maps
from evaluation.report.html import to_html
from front_samples import HOSTILE, NATION, batch, named, regions, squares, summary

sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is missing")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
WIDTHS = (360, 768, 1440)
SERIOUS = ("serious", "critical")
HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(scope="module")
def browser():
    with sync.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder as a batch leaves it: front pages of several kinds, read from the file system."""
    folder = tmp_path_factory.mktemp("site")
    own = maps.boundaries(squares(), approval="GS(2024)0650")
    some = [row for row in regions() if row["code"] in ("110000", "120000", "150000")]
    pages = {
        "index": front.page(*batch()),
        "few": front.page(*batch([*regions()[:9], *regions()[31:34]])),
        "many": front.page(*batch(counties())),
        "own": front.page(*batch(some), own=own),
        "hostile": front.page(*batch(HOSTILE)),
    }
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html, "utf-8")
    return folder


def counties(count: int = 300) -> list[dict[str, str]]:
    """Regions of no tiles, more than are drawn at once."""
    made = [named(f"9{n:05d}", f"模拟{n}县", f"County {n}") for n in range(count)]
    return [row | {"level": "district"} for row in made]


def executed(study, code: str, language: str):
    """A regional report as an executed notebook shows it."""
    context = report.open_report(study, code, language, date=DATE)
    parts = [report.title(context), *(part(context) for part in report.SECTIONS.values())]
    cells = []
    for part in parts:
        cell = nbformat.v4.new_code_cell("report")
        cell.outputs = [nbformat.v4.new_output("display_data", part._repr_mimebundle_())]
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def report_page(site, study) -> str:
    """A regional report as the batch writes it."""
    html = to_html(executed(study, "150000", "zh"), "zh")
    (site / "150000_zh.html").write_text(html, "utf-8")
    return "150000_zh"


BRIEFS = (("150000", "zh"), ("150000", "en"), ("150100", "zh"))  # the last has no survey


@pytest.fixture(scope="module")
def briefs(site, study) -> list[str]:
    """Briefs as the batch writes them."""
    names = []
    for code, language in BRIEFS:
        html = to_html(executed(study, code, language), language, depth="brief", made=DEPTHS)
        assert len(html.encode()) < 300_000
        names.append(f"{code}_{language}_brief")
        (site / f"{names[-1]}.html").write_text(html, "utf-8")
    return names


@pytest.fixture
def opened(browser, site):
    """Open a page of the folder; in the end nothing was complained of, nothing left the machine."""
    contexts, complaints, asked = [], [], []

    def check(route):
        address = urlsplit(route.request.url)
        if address.scheme == "file" and address.netloc == "":
            return route.continue_()
        asked.append(route.request.url)
        return route.abort()

    def open_page(name="index", *, width=1440, script="", **options):
        settings = {"locale": "en-GB", "color_scheme": "light"} | options
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        context.set_default_timeout(5000)
        context.route("**/*", check)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.goto((site / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert asked == []


def shown(page) -> list[str]:
    """Codes of the rows a reader sees, in their order."""
    return page.locator("#table tbody tr:visible th code").all_inner_texts()


def place(page, code: str):
    return page.locator(f'.place[data-code="{code}"]')


# --- the table -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "codes"),
    [("内蒙古", ["150000"]), ("inner mong", ["150000"]), ("150500", ["150500"]),
     ("HOHHOT", ["150100"]), ("Ordos ", ["150600"])],
)  # fmt: skip
def test_search_finds_by_code_and_by_either_name(opened, typed, codes):
    page = opened()
    page.get_by_label("Find my region").fill(typed)
    assert shown(page) == codes
    assert page.locator("#status").inner_text().startswith(f"{len(codes)} of {len(regions())}")


def test_search_without_a_match_says_so_and_level_narrows(opened):
    page = opened()
    page.get_by_label("Find my region").fill("Atlantis")
    assert shown(page) == [] and "No region matches" in page.locator("#status").inner_text()
    page.get_by_label("Find my region").fill("")
    page.get_by_role("radio", name="Leagues and cities").check(force=True)
    assert len(shown(page)) == 12


def values(page, column: str) -> list[float | None]:
    found = page.eval_on_selector_all(
        f"#table tbody td.{column}", "cells => cells.map(cell => cell.dataset.order ?? null)"
    )
    return [None if value is None else float(value) for value in found]


def test_sort_orders_both_ways_keeps_the_missing_last_and_tells(opened):
    page = opened()
    button = page.get_by_role("button", name="Latest share", exact=True)
    for state, reverse in (("descending", True), ("ascending", False)):
        button.click()
        found = values(page, "latest")
        known = [value for value in found if value is not None]
        assert known == sorted(known, reverse=reverse) and len(set(known)) > 5
        assert set(found[len(known) :]) == {None}
        assert page.locator("th[data-column=latest]").get_attribute("aria-sort") == state
        assert f"Sorted by Latest share, {state}" in page.locator("#status").inner_text()
    # No number is a place: beside each stands its interval, and a note says what sorting is not.
    texts = page.locator("#table tbody td.latest .main:visible").all_inner_texts()
    assert all(re.search(r"%\)$|no usable survey", text) for text in texts)
    assert "does not rank" in page.locator(".controls").inner_text()


def test_names_sort_in_the_order_of_the_language(opened):
    page = opened()
    page.locator("th[data-column=name] button").click()
    english = page.locator("#table tbody th bdi").all_inner_texts()
    assert english == sorted(english, key=str.casefold)
    page.get_by_role("button", name="中文").click()
    chinese = page.locator("#table tbody th bdi").all_inner_texts()
    assert chinese.index("阿拉善盟") < chinese.index("北京市") < chinese.index("浙江省")  # pinyin


# --- the comparison --------------------------------------------------------------------------


def tick(page, *codes: str) -> None:
    for code in codes:
        row = page.locator(f'#table tr:has(code:text-is("{code}"))')
        if (button := row.locator("button.details")).is_visible():  # one line on a narrow screen
            button.click()
        row.locator("input").check()


def test_compare_sets_results_side_by_side_with_intervals(opened):
    page = opened()
    assert page.locator("#compare").is_hidden()
    tick(page, "110000", "150000")
    table = page.locator("#compared table")
    assert table.locator("thead th").all_inner_texts() == ["Beijing", "Inner Mongolia"]
    row = table.locator('tr:has(th:text-is("Survey of 2022")) td').all_inner_texts()
    assert len(row) == 2 and re.fullmatch(r"9\.93% \(8\.8 to 11\.1%\)|—", row[0])
    chart = page.locator("#compared svg.chart")
    assert "Beijing, Inner Mongolia" in chart.get_attribute("aria-label")
    surveyed = [code for code in ("110000", "150000") if numbered()[code] % 5 != 4]
    assert chart.locator(".whisker").count() == 4 * len(surveyed)


def numbered() -> dict[str, int]:
    return {row["code"]: number for number, row in enumerate(regions())}


@pytest.mark.parametrize("pair", [("110000", "220000"), ("110000", "120000")])
def test_a_difference_is_told_only_where_its_interval_leaves_out_zero(opened, pair):
    page = opened()
    tick(page, *pair)
    one, other = (summary(regions()[numbered()[code]], numbered()[code]) for code in pair)
    gap = one["latest"]["value"] - other["latest"]["value"]
    half = 1.959963984540054 * math.hypot(0.6, 0.6)
    told = page.locator("#compared li").inner_text()
    names = one["short"]["en"], other["short"]["en"]
    if abs(gap) <= half:
        assert told.startswith(f"2022: {names[0]} and {names[1]} cannot be told apart")
        return
    upper, lower = names if gap > 0 else names[::-1]
    ends = f"({abs(gap) - half:.1f} to {abs(gap) + half:.1f})"
    assert told == f"2022: {upper} is {abs(gap):.1f} points above {lower} {ends}."


def test_both_kinds_of_difference_are_among_the_cases_above():
    rows_of = {row["code"]: summary(row, number) for number, row in enumerate(regions())}
    found = {code: rows_of[code]["latest"]["value"] for code in ("110000", "120000", "220000")}
    half = 1.96 * math.hypot(0.6, 0.6)
    assert abs(found["110000"] - found["120000"]) < half < abs(found["110000"] - found["220000"])


def test_a_fifth_region_is_refused_and_one_can_be_taken_out(opened):
    page = opened()
    tick(page, "110000", "120000", "130000", "150000")
    page.locator('#table tr:has(code:text-is("310000")) input').click()
    assert not page.locator('#table tr:has(code:text-is("310000")) input').is_checked()
    assert "At most four" in page.locator("#status").inner_text()
    page.get_by_role("button", name="Remove Tianjin").click()
    assert page.locator("#compared thead th").count() == 3
    assert place(page, "120000").get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Clear all").click()
    assert page.locator("#compare").is_hidden() and page.locator("#tray").is_hidden()


# --- the maps --------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", measures.measures(measures.rows(*batch())[0]))
def test_map_shows_the_chosen_measure_with_its_legend(opened, measure):
    page = opened()
    page.locator(f'input[name=measure][value="{measure}"]').check(force=True)
    found, _ = measures.rows(*batch())
    painted = measures.paints(found, measure, {row.code for row in found})
    drawn = page.eval_on_selector_all(
        ".tiles .place[data-key]",
        "tiles => tiles.map(t => [t.dataset.code, t.dataset.kind, t.classList.contains('hatched'),"
        " t.querySelector('.mark').textContent, t.getAttribute('aria-label')])",
    )
    assert len(drawn) == 43
    for code, kind, hatched, mark, said in drawn:
        paint = painted[code]
        assert (kind, hatched, mark) == (paint.kind, paint.hatched, paint.mark)
        assert said.endswith(paint.words["en"])
    assert page.locator(".legend:visible").count() == 1
    assert page.locator(f'.legend[data-legend="{measure}"]').is_visible()


def test_tiles_of_different_classes_differ_in_colour(opened):
    page = opened()
    fills = page.eval_on_selector_all(
        ".tiles .place", "t => t.map(e => [e.dataset.kind, getComputedStyle(e).backgroundColor])"
    )
    colours = dict(fills)
    assert len(set(colours.values())) >= 5
    assert len({colours[kind] for kind in colours if kind.startswith("q")}) == len(
        [kind for kind in colours if kind.startswith("q")]
    )


def test_map_is_walked_and_picked_with_the_keyboard(opened):
    page = opened()
    stops = page.locator('#map-provinces .place[tabindex="0"]')
    assert stops.count() == 1
    stops.focus()
    place(page, "150000").focus()
    page.keyboard.press("ArrowRight")
    focused = "document.activeElement.dataset.code"
    assert page.evaluate(focused) == "110000"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "130000"
    assert "Hebei" in page.locator("#told").inner_text()
    page.keyboard.press("Enter")
    assert page.locator("#compared thead th").all_inner_texts() == ["Hebei"]
    assert place(page, "130000").get_attribute("aria-pressed") == "true"
    assert place(page, "130000").get_attribute("tabindex") == "0" and stops.count() == 1


def test_own_boundaries_are_painted_and_picked(opened):
    page = opened("own")
    ground = place(page, "110000").locator(".ground")
    kind = ground.get_attribute("data-kind")
    due = next(name for name in measures.measures(measures.rows(*batch())[0]) if "." in name)
    page.locator(f'input[name=measure][value="{due}"]').check(force=True)
    assert ground.get_attribute("data-kind") != kind
    place(page, "110000").focus()
    page.keyboard.press("Enter")
    assert place(page, "110000").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.code") == "120000"
    assert place(page, "990000").get_attribute("tabindex") is None


# --- language, colours, paper, sizes ---------------------------------------------------------


def test_language_switch_speaks_one_language_and_remembers(opened):
    page = opened(locale="zh-CN")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert not page.get_by_text("Latest share", exact=True).first.is_visible()
    page.get_by_role("button", name="English").click()
    tick(page, "110000", "150000")
    page.locator("th[data-column=gain] button").click()
    text = page.evaluate("document.body.innerText")
    assert set(HAN.findall(text)) <= set(
        "中文网页"
    )  # the switch itself, and links to Chinese pages
    labels = page.eval_on_selector_all("[aria-label]", "e => e.map(x => x.ariaLabel)")
    assert [label for label in labels if HAN.search(label)] == []
    assert page.title() == "Science popularisation and scientific literacy: evaluation reports"
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("button", name="中文").click()
    assert (
        page.title().startswith("科普投入") and "比较地区" in page.locator("#compare").inner_html()
    )


def test_the_page_works_where_nothing_may_be_remembered(opened):
    deny = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied'); }})"
    page = opened(script=deny)
    page.get_by_role("button", name="中文").click()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


def luminance(page, selector: str, what: str) -> float:
    css = page.eval_on_selector(selector, f"e => getComputedStyle(e).{what}")
    channels = [int(number) / 255 for number in re.findall(r"\d+", css)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_dark_mode_follows_the_reader(opened, scheme, dark):
    page = opened(color_scheme=scheme)
    paper, ink = (luminance(page, "body", what) for what in ("backgroundColor", "color"))
    assert (paper < 0.05) == dark and (ink > 0.5) == dark


def test_print_gives_a_pdf_without_controls(opened):
    page = opened()
    tick(page, "110000", "150000")
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF") and 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 12
    page.emulate_media(media="print")
    for selector in (".controls", ".languages", "#tray", ".chips"):
        assert not page.locator(selector).first.is_visible()
    assert page.locator("#table").is_visible() and page.locator("#compared svg").is_visible()
    assert luminance(page, "body", "backgroundColor") > 0.95


def overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_no_width_needs_sideways_scrolling(opened, width, locale):
    page = opened(width=width, locale=locale)
    tick(page, "110000", "120000", "130000", "150000")
    assert overflow(page) <= 0


@pytest.mark.parametrize("width", [360, 1440])
def test_a_report_needs_no_sideways_scrolling(opened, report_page, width):
    assert overflow(opened(report_page, width=width)) <= 0


def test_hostile_names_run_nothing_and_break_no_layout(opened):
    page = opened("hostile", width=360)
    tick(page, "110000", "130000")
    assert overflow(page) <= 0
    assert page.locator("#table tbody th bdi").first.text_content().startswith("</script><img")
    assert "</script><img" in page.locator("#compared thead th").first.inner_text()


def test_without_script_every_region_is_a_link_in_both_languages(opened):
    page = opened(java_script_enabled=False)
    first = page.locator("noscript li").first
    assert "北京市" in first.inner_text() and "Beijing" in first.inner_text()
    assert first.locator("a").count() == 2 and page.locator("noscript li").count() == 44
    assert page.locator("#map").is_hidden() and page.locator("#table").is_hidden()
    assert page.locator(".figure").is_visible() and page.locator(".sentence").is_visible()


# --- the first screen, pieces, phones ---------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_figure_finding_and_search_are_on_the_first_screen(opened, width):
    page = opened(width=width)
    assert page.locator(".figure strong").inner_text() == "12.93%"
    for selector in (".figure", ".sentence", "#search"):
        box = page.locator(selector).bounding_box()
        assert box["y"] + box["height"] <= 780
    if width == 1440:
        box = page.locator("#map-provinces .tiles").bounding_box()
        assert box["y"] + box["height"] <= 900


def test_search_lists_matches_below_it_that_the_keyboard_reaches(opened):
    page = opened(width=360)
    field = page.get_by_label("Find my region")
    field.fill("inner mong")
    match = page.locator("#found li")
    assert match.inner_text().split("\n")[0].startswith("Inner Mongolia")
    box = match.bounding_box()
    assert box["y"] + box["height"] <= 780 and box["height"] >= 40
    field.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "150000_en.html"
    field.fill("")
    assert page.locator("#found").is_hidden()


def test_a_long_list_is_drawn_in_pieces(opened):
    page = opened("many")
    assert len(shown(page)) == 48
    page.locator("#more").focus()
    page.keyboard.press("Enter")
    assert len(shown(page)) == 288 and page.locator("#more").inner_text() == "Show 12 more"
    assert page.evaluate("document.activeElement.closest('tr').dataset.key") == "48"
    page.locator("#more").click()
    assert len(shown(page)) == 300 and page.locator("#more").is_hidden()
    # What is not drawn is found and sorted all the same.
    page.get_by_label("Find my region").fill("900299")
    assert shown(page) == ["900299"]
    page.get_by_label("Find my region").fill("")
    page.get_by_role("button", name="Latest share", exact=True).click()
    rows = [summary(row, number) for number, row in enumerate(counties())]
    best = max(row["latest"]["value"] for row in rows if row["latest"])
    assert values(page, "latest") == [best] * 20 + values(page, "latest")[20:]
    assert violations(page) == []


def test_without_tiles_differences_are_dots_of_both_ends_and_targets_are_counted(opened):
    page = opened("many")
    marks = page.locator("#dots li > span").all_inner_texts()
    assert len(marks) == 20 and marks[0] == "+2.5 2022" and marks[-1] == "−3.0 2022"
    middle = page.locator("#dots li:has(a[href='#regions'])")
    assert middle.inner_text() == "20 of 240 regions shown."
    page.locator('input[name=measure][value="target.2025"]').check(force=True)
    legend = page.locator(".legend:visible b").all_inner_texts()
    assert sum(map(int, legend)) == 300


def test_on_a_phone_a_region_is_one_line_that_opens(opened):
    page = opened(width=360)
    rows = page.locator("#table tbody tr")
    heights = rows.evaluate_all("rows => rows.map(row => row.getBoundingClientRect().height)")
    assert len(heights) == 44 and max(heights) < 70
    row = page.locator('#table tr:has(code:text-is("110000"))')
    assert row.inner_text().split("\n")[0] == "Beijing" and "9.93% 2022 −3.0" in row.inner_text()
    assert row.locator("td.gain").is_hidden()
    button = page.get_by_role("button", name="More on Beijing")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true" and row.locator("td.gain").is_visible()
    row.get_by_label("Compare Beijing").check()
    assert page.locator("#compared thead th").all_inner_texts() == ["Beijing"]
    assert violations(page) == [] and overflow(page) <= 0


def test_a_name_leads_to_the_report_in_the_language_of_the_reader(opened):
    page = opened()
    first = page.locator("#table tbody th a").first
    assert first.get_attribute("href") == "110000_en.html"
    page.get_by_role("button", name="中文").click()
    assert first.get_attribute("href") == "110000_zh.html"


def test_the_trend_says_every_survey_and_breaks_its_line_at_a_change(opened):
    page = opened()
    image = page.locator('#table tr:has(code:text-is("110000")) svg.spark')
    label = image.get_attribute("aria-label")
    assert label.startswith("Surveys of Beijing: 2015: 3.2% (2.0 to 4.4%)")
    assert label.count("%)") == 4
    segments = {kind: image.locator(f"path.{kind}").evaluate_all(
        "all => all.map(e =>"
        " [e.classList.contains('broken'), e.getAttribute('d').split('M').length - 1])"
    ) for kind in ("own", "whisker")}  # fmt: skip
    # 2015-2018 solid, 2018-2020 and 2020-2022 across a change; a whisker each.
    assert segments["own"] == [[False, 1], [True, 2]] and segments["whisker"] == [[False, 4]]
    heights = [
        float(y)
        for y in image.locator("circle").evaluate_all("a => a.map(e => e.getAttribute('cy'))")
    ]
    assert len(heights) == 4 and heights == sorted(heights, reverse=True)


# --- accessibility ---------------------------------------------------------------------------


def violations(page, *only: str) -> list[str]:
    """Serious and critical violations of all rules, or of some."""
    options = {"resultTypes": ["violations"]}
    if only:
        options["runOnly"] = list(only)
    return [
        f"{item['id']}: {node['html'][:160]}"
        for item in axe.Axe().run(page, options=options).response["violations"]
        if item["impact"] in SERIOUS
        for node in item["nodes"]
    ]


@pytest.mark.parametrize(
    ("name", "scheme", "locale", "width"),
    [
        ("few", "light", "en-GB", 1440),
        ("own", "dark", "zh-CN", 1440),
        ("own", "light", "zh-CN", 360),
    ],
)
def test_axe_finds_no_serious_violation_on_the_front_page(opened, name, scheme, locale, width):
    page = opened(name, color_scheme=scheme, locale=locale, width=width)
    tick(page, "110000", "150000")
    assert violations(page) == []


@pytest.mark.parametrize("measure", ["target.2025", "gap"])
def test_colours_of_the_maps_leave_their_texts_legible(opened, measure):
    page = opened("few", color_scheme="dark")
    page.locator(f'input[name=measure][value="{measure}"]').check(force=True)
    assert violations(page, "color-contrast") == []


def test_axe_finds_no_serious_violation_on_a_report(opened, report_page):
    assert violations(opened(report_page, locale="zh-CN")) == []


def test_colours_of_a_dark_report_are_legible(opened, report_page):
    page = opened(report_page, color_scheme="dark", width=360)
    assert violations(page, "color-contrast") == []


def test_a_report_on_a_phone_is_scrolled_with_the_keyboard(opened, report_page):
    page = opened(report_page, width=360)
    assert violations(page, "scrollable-region-focusable") == []
    wide = page.evaluate_handle(
        "[...document.querySelectorAll('div.table')].find(e => e.scrollWidth > e.clientWidth + 9)"
    ).as_element()
    named = "e => document.getElementById(e.getAttribute('aria-labelledby')).innerText"
    assert page.evaluate(named, wide)
    wide.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("e => e.scrollLeft > 0", arg=wide)


@pytest.mark.parametrize("place", range(len(BRIEFS)))
@pytest.mark.parametrize(
    ("width", "scheme"), [*zip(WIDTHS, ("light", "dark", "light"), strict=True)]
)
def test_a_brief_is_read_at_every_width_by_everyone(opened, briefs, place, width, scheme):
    page = opened(briefs[place], width=width, color_scheme=scheme)
    assert overflow(page) <= 0
    assert violations(page) == []
    assert (luminance(page, "body", "backgroundColor") < 0.05) == (scheme == "dark")


def test_a_brief_is_printed_light_on_at_most_three_sheets(opened, briefs):
    """The PDF has two pages; a browser's own margins and fonts may take one more."""
    for name in briefs:
        page = opened(name, color_scheme="dark")
        page.emulate_media(media="print")
        assert luminance(page, "body", "backgroundColor") > 0.95
        sheets = re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True))
        assert 1 <= len(sheets) <= 3


def test_the_links_of_a_brief_are_reached_with_the_keyboard(opened, briefs):
    page = opened(briefs[0], width=360)
    links = page.locator("a[href$='.html']").evaluate_all("all => all.map(e => e.href)")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.href || ''"))
    assert links and set(links) <= reached


def test_axe_would_find_one(opened):
    """The checks above would say little if axe saw nothing."""
    page = opened()
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"\">')"
    )
    assert [item.partition(":")[0] for item in violations(page, "image-alt")] == ["image-alt"]


def test_the_sample_holds_what_the_tests_rest_on():
    assert NATION[2022] == 12.93 and len(regions()) == 44
