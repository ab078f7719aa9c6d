"""The scenario explorer: bounds, numbers held to ``kepu scenario``, words, speed, and a table."""

from __future__ import annotations

import builtins
import re
import time

import numpy as np
import pytest
from bs4 import BeautifulSoup
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES
from evaluation.evidence.grade import said
from evaluation.report import explorer
from evaluation.report.explorer import _Panel, explore
from evaluation.value.scenario import Change, plans, scenario

REGION, YEAR = "150000", 2030


@pytest.fixture(scope="module")
def own(study):
    return plans(study, REGION, seed=1)


@pytest.mark.parametrize(
    "changes",
    [{"facility": 40}, {"fund": 30}, {"facility": 30, "activity": -20}],
    ids=["one", "funds", "several"],
)
def test_a_plan_has_the_gain_that_kepu_scenario_tells(study, own, changes):
    told = scenario(study, REGION, [Change(k, 1 + v / 100) for k, v in changes.items()])
    plan, numbers = own.plan(changes, YEAR), told.result.summary()
    expected = [numbers[key] for key in ("points", "points.low", "points.high")]
    assert plan.gain == pytest.approx(expected)
    assert (plan.verdict, plan.locks) == (told.verdict, told.locks)


def test_nothing_changed_is_the_forecast_of_the_outlook(study, own):
    plan, fan = own.plan({}, YEAR), study.outlook.fan(REGION, [YEAR]).iloc[0]
    assert plan.share == plan.unchanged
    assert plan.unchanged[1:] == pytest.approx(fan[["low_95", "high_95"]].tolist(), abs=0.4)
    assert plan.unchanged[0] == pytest.approx(fan["median"], abs=0.2)


def test_the_share_moves_by_the_gain_of_every_year_and_its_interval_holds_both_errors(
    own, monkeypatch
):
    wide = np.random.default_rng(2).normal(0.2, 0.15, len(own.forecasts))
    monkeypatch.setattr("evaluation.value.scenario.drawn_gain", lambda *_: wide)
    soon, late = (own.plan({"fund": 30}, year) for year in (own.start + 1, YEAR))
    for plan in (soon, late):
        shift = (plan.year - own.start) * plan.gain[0]
        assert plan.share[0] - plan.unchanged[0] == pytest.approx(shift, abs=0.25)
    share, unchanged, gain = (x[2] - x[1] for x in (late.share, late.unchanged, late.gain))
    assert share == pytest.approx(np.hypot(unchanged, (late.year - own.start) * gain), rel=0.04)


def test_bounds_stay_inside_what_provinces_have_shown(study, own):
    for lever in own.levers.values():
        low, high = study.value.support[lever.name]
        for change in (lever.low, lever.high):
            assert low <= lever.level * (1 + change / 100) <= high
        assert lever.low <= 0 <= lever.high


def test_support_counts_the_rows_of_the_panel_that_stand_at_least_as_far(study, own):
    rows = study.provinces["dose_facility"].dropna()
    level = own.levers["facility"].level
    more, less = (own.plan({"facility": change}, YEAR) for change in (50, -50))
    assert (more.support, more.rows) == ((rows >= 1.5 * level).sum(), len(rows))
    assert less.support == (rows <= 0.5 * level).sum()


@pytest.mark.parametrize(
    ("changes", "year", "message"),
    [
        ({"facility": 400}, YEAR, "outside -50 % to .* what provinces have shown"),
        ({"museums": 5}, YEAR, "No level of 'museums' is known .* known: facility"),
        ({"fund": 5, "facility": 5}, YEAR, "'fund' pays for the other inputs"),
        ({}, 2099, "forecasts reach 2030"),
    ],
)
def test_a_plan_that_cannot_be_worked_out_is_refused(own, changes, year, message):
    with pytest.raises(KepuError, match=message):
        own.plan(changes, year)


@pytest.mark.parametrize(
    ("region", "told"),
    [("150100", "compare provinces"), ("100000", "compare provinces"),
     ("999999", "is not in regions.csv")],
)  # fmt: skip
def test_only_provinces_have_plans(study, region, told):
    with pytest.raises(KepuError, match=told):
        plans(study, region, seed=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_those_the_locks_permit(study, language):
    found = explore(study, REGION, language, year=YEAR, seed=1)
    for changes in ({"facility": 40}, {"personnel": 30}, {"fund": 30}, {"activity": -40}):
        text = found.told(changes, YEAR).striptags()
        assert not said(text, language, study.headline.grade.locks)
        assert re.search("证据等级" if language == "zh" else "[Ee]vidence grade", text)


def test_an_unseen_combination_is_said_to_be_one(study):
    found = explore(study, REGION, "en", year=YEAR, seed=1)
    highest = {name: found.plans.levers[name].high for name in ("facility", "personnel")}
    assert found.plans.plan(highest, YEAR).support == 0
    assert "Not one of the provinces has shown these levels together" in found.told(highest, YEAR)


def test_sliders_move_the_panel_and_funds_set_the_inputs_back(study):
    panel = _Panel(explore(study, REGION, "zh", year=YEAR, seed=1))
    shown = [panel.panel.value]
    for name, value in (("facility", 20), ("personnel", 30), ("fund", 10)):
        panel.sliders[name].value = value
        shown.append(panel.panel.value)
    assert len(set(shown)) == len(shown)
    assert {k: s.value for k, s in panel.sliders.items()} == {
        "facility": 0, "personnel": 0, "activity": 0, "fund": 10,
    }  # fmt: skip
    panel.sliders["facility"].value = 5
    assert panel.sliders["fund"].value == 0
    panel.reset.click()
    assert panel.panel.value == shown[0]


def test_a_change_takes_less_than_a_tenth_of_a_second(study):
    panel = _Panel(explore(study, REGION, "zh", year=YEAR, seed=1))
    seconds = []
    for value in (5, 10, 15, 20, 25):
        begun = time.perf_counter()
        panel.sliders["facility"].value = value
        seconds.append(time.perf_counter() - begun)
    assert sorted(seconds)[len(seconds) // 2] < 0.1


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_widgets_a_table_of_common_plans_stands_in(study, language, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    bundle = explore(study, REGION, language, year=YEAR, seed=1)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    rows = BeautifulSoup(bundle["text/html"], "html.parser").select("tbody tr")
    assert len(rows) == 6 and all(len(row.select("td")) == 5 for row in rows)


def test_in_a_kernel_the_widget_stands_beside_the_table(study, monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    bundle = explore(study, REGION, "en", year=YEAR, seed=1)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "<table" in bundle["text/html"]


def test_simulated_plans_say_so(simulated):
    region = simulated.provinces["region_code"].iloc[0]
    found = plans(simulated, region, seed=1)
    shown = explorer.Explorer(found, "en", found.years[0]).told({}, found.years[0])
    assert "simulated" in Markup(shown).striptags()
