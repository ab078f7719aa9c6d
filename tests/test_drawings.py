"""Every figure of the reports, both languages, page and phone: texts apart, letters, one voice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import DATE, overview_sections
from drawings import Drawing, faults, missing_glyphs
from evaluation import report
from evaluation.base.text import LANGUAGES
from evaluation.figures import svg
from evaluation.report import effect, inputs, level, quality, value
from evaluation.report.blocks import Figure, from_json, to_json
from evaluation.report.html import inline

HAN = re.compile(r"[\u3400-\u9fff]")
CODES = ("150000", "540000", "150100")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", params=LANGUAGES)
def figures(request, study) -> list[tuple[str, Figure]]:
    """Figures of three regions and the overview, each with where it stands."""
    found, language = [], request.param
    made = {code: (report.open_report(study, code, language, date=DATE), report.SECTIONS)
            for code in CODES}  # fmt: skip
    page = report.open_overview(study, "provinces", language, date=DATE)
    made["overview"] = (page, overview_sections())
    for code, (context, sections) in made.items():
        for name, section in sections.items():
            found += [(f"{language} {code} {name} {i}", block)
                      for i, block in enumerate(section(context).blocks)
                      if isinstance(block, Figure)]  # fmt: skip
    found += [(f"{language} {name}", block) for name, block in shown(study, page)]
    assert len(found) > 40
    return found


def shown(study, page) -> list[tuple[str, Figure]]:
    """Figures of the notebooks' own views."""
    doses = study.dataset.doses["dose"]
    views = [level.trend(page), level.bands(page), level.national(page), level.ranking(page)]
    views += [inputs.heat_map(page), inputs.history(page), quality.coverage(page)]
    views += [value.responses(page), *(effect.scatter(page, dose) for dose in doses)]
    blocks = [block for view in views for block in view.blocks]
    return [(f"view {i}", block) for i, block in enumerate(blocks) if isinstance(block, Figure)]


def test_no_text_meets_another_or_leaves_its_drawing(figures):
    found = {
        f"{place} {width}": told
        for place, figure in figures
        for width in ("svg", "narrow")
        if (told := faults(getattr(figure, width)))
    }
    assert found == {}


def test_no_label_lies_on_a_dot(figures):
    hidden = []
    for place, figure in figures:
        for drawing in (Drawing(figure.svg), Drawing(figure.narrow)):
            dots = [*drawing.points("value"), *drawing.points("target-own")]
            dots += [*drawing.points("target-other"), *drawing.points("target")]
            for text in drawing.texts:
                left, top, right, bottom = text.box
                inside = [left < x < right and top < y < bottom for x, y in dots]
                hidden += [(place, text.text)] * any(inside)
    assert hidden == []


def test_figures_speak_the_language_of_their_page(figures):
    for place, figure in figures:
        words = " ".join(Drawing(figure.svg).words)
        assert bool(HAN.search(words)) == place.startswith("zh"), place
        assert missing_glyphs(words) == set(), place
        assert len(figure.alt) > 10


def test_both_languages_draw_the_same_marks(study):
    for code in ("150000", "150100"):
        drawn = []
        for language in LANGUAGES:
            context = report.open_report(study, code, language, date=DATE)
            blocks = [b for make in report.SECTIONS.values() for b in make(context).blocks]
            drawings = [Drawing(block.svg) for block in blocks if isinstance(block, Figure)]
            drawn.append([[e.get("data-mark") for e in d.root.iter() if e.get("data-mark")]
                          for d in drawings])  # fmt: skip
        assert drawn[0] == drawn[1]


def test_a_figure_survives_the_notebook(figures):
    for _, figure in figures[:5]:
        assert from_json(to_json(figure)) == figure


def test_a_page_colours_its_figures_for_light_and_dark():
    css = (ROOT / "src/evaluation/report/templates/report/report.css").read_text("utf-8")
    light, dark, *_ = re.split(r"@media \(prefers-color-scheme: dark\)", css)
    for colour, name in svg.VARIABLES.items():
        assert f"--f-{name}: {colour.lower()};" in light
        assert re.search(rf"--f-{name}: #[0-9a-f]{{6}};", dark), name
        assert f"--f-{name}: {colour.lower()};" in css.partition("@media print")[2]
    drawn = svg.figure(lambda page: page.title("x")).svg
    assert inline(drawn, "wide").startswith('<svg width="720"')
    assert 'fill="var(--f-quiet)"' in inline(drawn, "wide")
