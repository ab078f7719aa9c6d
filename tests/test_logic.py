"""The logic model: what stands in each box, what each arrow says, and that it can be read."""

from __future__ import annotations

import pytest

from drawings import Drawing, faults
from evaluation import report
from evaluation.figures.logic import logic_model
from evaluation.report import logic, officer
from evaluation.targets import assess

TODAY = "2026-11-28"
LANGUAGES = ("zh", "en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["150000", "150600", "110000"])
def test_it_can_be_read_at_both_widths_and_without_eyes(study, code, language):
    found = logic.model(report.open_report(study, code, language, date=TODAY))
    for drawing in (found.svg, found.narrow):
        assert faults(drawing) == []
        seen = Drawing(drawing)
        assert [len(seen.marks(name)) for name in ("stage", "arrow", "whole")] == [5, 4, 1]
        told = "".join("".join(seen.words).split())
        assert all("".join(text.split()) in "".join(found.alt.split()) for text in seen.words)
        assert told


def test_boxes_count_the_figures_of_their_stage(study, dataset):
    """The same count by another way: a merge with the indicators."""
    page = report.open_report(study, "150000", "en", date=TODAY)
    rows = dataset.facts.merge(dataset.indicators, on="indicator", suffixes=("", "_of"))
    rows = rows[(rows["region_code"] == "150000") & rows["kind"].isin(["statistic", "survey"])]
    rows = rows[rows["scope"].isin(["", "kepu"]) | rows["proxy"]]
    inputs = rows[rows["domain"].isin(["fund", "facility", "personnel", "volunteer"])]
    alt = logic.model(page).alt
    assert f"Inputs: {len(inputs)} published figures, {inputs['proxy'].sum()} of them" in alt
    assert len(inputs) > 100
    last = study.rates[study.rates["region_code"] == "150000"].sort_values("wave").iloc[-1]
    assert f"{last['rate']:g}% ({last['wave']})" in alt


def test_shares_of_people_are_outcomes_and_no_output(study):
    whole = report.open_overview(study, "provinces", "en", date=TODAY)
    stages = logic._stages(whole)
    rows = whole.facts.loc[stages.index]
    people = rows["indicator"].str.startswith(("st_information", "visited"))
    assert set(stages[people]) == {"outcomes"}
    assert "outcomes" not in set(stages[~people & ~rows["indicator"].str.startswith("st_venue")])


def test_what_is_not_known_of_a_region_is_said(study):
    alt = logic.model(report.open_report(study, "150600", "en", date=TODAY)).alt
    assert "The region was not surveyed." in alt
    assert alt.count("Not examined.") == 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_programme_has_its_objectives_in_the_boxes(dataset, language):
    board = officer.board(dataset, "150100", language, TODAY)
    (figure,) = officer.logic(board, "P060").blocks
    made = assess.assess(dataset, "P060")
    for title in made.lines[f"title_{language}"]:
        assert title in figure.alt
    assert {"zh": "满意度：未公布", "en": "not published"}[language] in figure.alt
    assert faults(figure.svg) == faults(figure.narrow) == []


def test_arrows_that_lie_between_no_stages_are_refused():
    with pytest.raises(ValueError, match="2 stages and 2 arrows"):
        logic_model([("a", "b"), ("c", "d")], ["e", "f"])
