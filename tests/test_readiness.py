"""What the models can do with a package is told before a report is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation.data.package import SAMPLE, load
from evaluation.models.panels import readiness
from evaluation.study import build


@pytest.fixture(scope="module")
def leagues():
    return load("data/simulated")


def without(dataset, **columns):
    """The package less the facts that have all of these values."""
    facts = dataset.facts
    gone = True
    for column, value in columns.items():
        gone = gone & (facts[column] == value)
    return replace(dataset, facts=facts[~gone].reset_index(drop=True))


def test_rows_are_those_that_the_models_take(leagues):
    told = readiness(leagues).rows.set_index(["model", "dose"])
    for item in build(leagues, draws=99).estimates:
        assert told.at[(item.model, item.dose), "rows"] == item.result.observations
        assert told.at[(item.model, item.dose), "regions"] == item.result.clusters


def test_a_covariate_without_figures_is_named_with_its_remedy(leagues):
    package = without(leagues, indicator="gdp_per_capita_derived")
    told = readiness(package)
    assert not told.rows["enough"].any() and (told.rows["rows"] == 0).all()
    (gap,) = [gap for gap in told.gaps if gap.startswith("gdp_per_capita_derived")]
    assert gap.startswith("gdp_per_capita_derived for 48 of 48 gains, which no model takes")
    assert gap.endswith("give the figures, or take the row out of covariates.csv")
    assert "too few: 10 leagues and cities are needed" in "\n".join(told.lines(package))
    mended = replace(package, covariates=package.covariates.iloc[1:].reset_index(drop=True))
    assert readiness(mended).rows["enough"].all()


def test_gaps_say_what_filling_them_allows(leagues):
    assert any(gap.startswith("targets (") for gap in readiness(leagues).gaps)
    gaps = readiness(without(leagues, indicator=SAMPLE)).gaps
    assert any(f"the sample size ({SAMPLE}, or an assumption" in gap for gap in gaps)
    gaps = readiness(without(leagues, indicator=leagues.outcome, kind="survey")).gaps
    assert gaps[0].endswith("without them nothing can be compared")
    gaps = readiness(without(leagues, indicator="lecture_count", region_code="150100")).gaps
    assert any(gap.startswith("lecture_count or population_resident for 4 of 48") for gap in gaps)


def test_figures_that_no_model_reads_are_listed(leagues):
    facts = leagues.facts.copy()
    extra = facts[facts["indicator"] == "lecture_count"].assign(
        indicator="population_urban", series="population_urban"
    )
    facts = facts.merge(extra, how="outer")
    told = readiness(replace(leagues, facts=facts))
    assert told.unread.loc[0].tolist() == ["population_urban", len(extra)]
