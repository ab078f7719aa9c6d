"""The notebook that plans: its views say what the comparison computed, its sliders move them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from bs4 import BeautifulSoup

from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES
from evaluation.data.package import load
from evaluation.evidence.design import candidates
from evaluation.evidence.grade import said
from evaluation.figures import rollout
from evaluation.report import planner
from evaluation.report.page import View
from evaluation.report.planner import Planner
from evaluation.study import Study

ASKED = {"effect": 1.5, "waves": 4, "respondents": 400, "seed": 1}


@pytest.fixture(scope="module", params=LANGUAGES)
def own(request, dataset) -> Planner:
    return planner.planner(dataset, "150000", request.param, **ASKED)


def text(view: View) -> str:
    html = re.sub(r"<style>.*?</style>", "", view._repr_html_())
    return BeautifulSoup(html, "html.parser").get_text(" ")


def test_the_units_are_the_leagues_and_counties_of_the_region(own):
    assert {"12", "103"} <= set(re.findall(r"\d+", text(planner.units(own))))


def test_the_table_has_the_numbers_of_the_comparison(own):
    shown = BeautifulSoup(planner.compared(own, 0)._repr_html_(), "html.parser")
    made = candidates.compare(own.question, own.baseline)
    rows = shown.select("tbody tr")
    assert len(rows) == len(made) == 5
    for row, each in zip(rows, made, strict=True):
        values = [float(tag["value"]) for tag in row.select("data")]
        assert values[0] == pytest.approx(100 * each.assessed.power)
        assert each.assessed.detectable == pytest.approx(values[3], rel=1e-6)
        assert values[-1] == each.interviews


def test_leagues_are_worked_out_with_their_own_number(own):
    shown = text(planner.compared(own, 0, "league"))
    assert "12" in shown and "103" not in shown


def test_the_order_names_every_unit_once(own):
    shown = BeautifulSoup(planner.order(own, 7, 2027)._repr_html_(), "html.parser")
    rows = [[cell.get_text() for cell in row.select("td")] for row in shown.select("tbody tr")]
    assert [row[0] for row in rows] == ["2028", "2029", "2030"]
    mark = "、" if own.language == "zh" else ", "
    names = [name for row in rows for name in row[2].split(mark)]
    codes = candidates.below(own.dataset, "150000")["county"]
    assert sorted(names) == sorted(own.writer.short(code) for code in codes)


def test_sliders_move_the_table(own):
    panel = planner._Panel(planner.explore(own))
    before = panel.panel.value
    panel.sliders["respondents"].value = 1000
    assert panel.panel.value != before
    expected = planner.explore(own).told(4, 1000, 1.5)
    assert panel.panel.value == str(expected)


def test_where_no_slider_can_move_the_table_stands(own):
    shown = planner.explore(own)._repr_html_()
    assert own.writer.t("planner.static") in shown and "<table" in shown


def test_no_view_says_what_evidence_would_have_to_permit(own):
    views = (planner.units(own), planner.rests(own), planner.compared(own, 0),
             planner.curve(own), planner.order(own, 7, 2027), planner.unknown(own))  # fmt: skip
    for view in views:
        assert said(text(view), own.language, 0) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [({"waves": 2}, "at least 3 waves"), ({"effect": 0.0}, "'effect' must be positive"),
     ({"respondents": 0}, "'respondents' must be whole")],
)  # fmt: skip
def test_questions_that_cannot_be_asked_are_refused(change, told, dataset):
    with pytest.raises(KepuError, match=told):
        planner.planner(dataset, "150000", "en", **ASKED | change)
    with pytest.raises(KepuError, match="Unknown language 'fr'"):
        planner.planner(dataset, "150000", "fr", **ASKED)
    with pytest.raises(KepuError, match="lists no unit"):
        planner.planner(dataset, "120000", "en", **ASKED)


def test_simulated_data_are_called_simulated(simulated):
    found = planner.planner(load(simulated.dataset.root), "150000", "en", **ASKED)
    assert "simulated" in text(planner.units(found))


# ------------------------------------------------------------------------------------------
# What a report quotes.


def test_a_report_that_cannot_tell_quotes_three_sentences_and_a_figure(study: Study):
    from evaluation.report import open_report

    found = candidates.quoted(study.dataset, "150000")
    for language in LANGUAGES:
        context = open_report(study, "150000", language, date="2026-03-01")
        paragraph, figure = planner.quoted(context)
        told = BeautifulSoup(str(paragraph.text), "html.parser")
        ends = "。" if language == "zh" else ". "
        assert f"{told.get_text()} ".count(ends) == 3
        values = {tag["data-result"].rpartition(".")[2]: float(tag["value"]) for tag in
                  told.select("data")}  # fmt: skip
        assert values["count"] == 103
        assert values["detectable"] == pytest.approx(found.candidate.assessed.detectable)
        assert figure.svg.startswith("<svg")
        assert said(told.get_text(), language, 0) == []


def test_a_region_without_units_is_told_what_list_would_help(study: Study):
    from evaluation.report import open_report

    context = open_report(study, "620000", "en", date="2026-03-01")
    (missing,) = planner.quoted(context)
    assert missing.style == "missing" and "the list of its units" in missing.text


def test_the_curve_passes_through_what_the_design_can_tell(dataset):
    found = candidates.quoted(dataset, "150000")
    x, y = ([row[name] for row in found.curve] for name in ("difference", "power"))
    own = found.candidate.assessed
    assert np.interp(own.detectable, x, y) == pytest.approx(0.8, abs=0.01)
    assert np.interp(own.effect, x, y) == pytest.approx(own.power, abs=0.01)
    assert all(row["low"] <= row["power"] <= row["high"] for row in found.curve)


# ------------------------------------------------------------------------------------------
# Figures.


def test_tiles_are_dark_where_the_programme_has_begun():
    begun = np.array([[0, 1, 1], [0, 0, np.nan]])
    figure = rollout.rollout(begun, groups=["1", "2"], waves=["a", "b", "c"])
    for drawn in (figure.svg, figure.narrow):
        tiles = re.findall(r'<rect [^>]*fill="([^"]+)"[^>]*data-mark="tile"', drawn)
        assert len(tiles) == 5 and len(set(tiles)) == 2  # one cell is not surveyed
    with pytest.raises(ValueError, match="1 groups, 3 waves"):
        rollout.rollout(begun, groups=["1"], waves=["a", "b", "c"])
