"""Which facts may enter an estimate: flags, duplicates, raised targets, first prints."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from evaluation.data import package as observations

BARRED = ("conflict", "weak_source", "suspect", "off_wave", "provincial_survey", "basis_unstated")
SHOWN_AND_USED = ("", "proxy", "derived", "scope_change", "lower_bound", "proxy;derived")

SOURCES = pd.DataFrame({"source_id": ["SA", "SB", "SC"], "grade": ["A", "B", "C"]})


def fact(number: int, **values) -> dict:
    base = {
        "fact_id": f"F{number:05d}",
        "region_code": "150000",
        "period_start": "2020",
        "period_end": "2020",
        "year": 2020,
        "indicator": "science_literacy_rate",
        "series": values.get("indicator", "science_literacy_rate"),
        "group": "",
        "value": 8.73,
        "kind": "survey",
        "comparator": "=",
        "source_id": "SB",
        "corroborated": 1,
        "caveats": "",
    }
    return base | values


def frame(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).astype({"year": "Int64"})


@pytest.mark.parametrize("caveat", BARRED)
def test_a_barred_caveat_keeps_a_fact_out_of_every_selection(dataset, caveat):
    rows = frame(
        fact(1, caveats=caveat),
        fact(2, caveats=f"derived;{caveat}", region_code="110000"),
        fact(3, caveats=f"{caveat};proxy", kind="statistic", indicator="museum_count"),
    )
    assert observations.usable(rows, SOURCES).empty
    held = replace(dataset, facts=rows, sources=SOURCES)
    assert observations.surveyed_rates(held).empty
    assert observations.by_year(held, "museum_count").empty
    flagged = observations.surveyed_rates(held, flagged=True)
    assert list(flagged["fact_id"]) == ["F00001", "F00002"]


@pytest.mark.parametrize("caveat", SHOWN_AND_USED)
def test_other_caveats_do_not_keep_a_fact_out(caveat):
    assert len(observations.usable(frame(fact(1, caveats=caveat)), SOURCES)) == 1


def test_no_barred_fact_of_the_package_comes_out(dataset):
    facts = dataset.facts.set_index("fact_id")
    pattern = "|".join(rf"\b{name}\b" for name in BARRED)
    barred = set(facts.index[facts["caveats"].str.contains(pattern)])
    assert barred
    out = observations.usable(dataset.facts, dataset.sources)
    assert barred.isdisjoint(out["fact_id"])
    for others in out["also_printed_by"]:
        assert barred.isdisjoint(others.split(";"))
    flagged = observations.surveyed_rates(dataset, flagged=True)
    assert set(flagged["fact_id"]) <= barred
    assert {"F00042", "F14918", "F14919", "F15007"} <= set(flagged["fact_id"])


def test_duplicates_collapse_to_the_best_grade_then_to_the_best_corroborated():
    rows = frame(
        fact(1, source_id="SC", corroborated=9),
        fact(2, source_id="SC;SA"),
        fact(3, source_id="SB", corroborated=4),
        fact(4, region_code="110000", source_id="SB"),
        fact(5, region_code="110000", source_id="SB", corroborated=3),
    )
    out = observations.usable(rows, SOURCES).set_index("region_code")
    assert out.loc["150000", ["fact_id", "grade"]].tolist() == ["F00002", "A"]
    assert set(out.at["150000", "also_printed_by"].split(";")) == {"F00001", "F00003"}
    assert out.loc["110000", ["fact_id", "also_printed_by"]].tolist() == ["F00005", "F00004"]


@pytest.mark.parametrize(
    "other",
    [
        {"group": "sex=male"},
        {"period_start": "2019"},
        {"series": "science_literacy_rate@other"},
        {"kind": "target"},
        {"region_code": "110000"},
    ],
)
def test_facts_that_differ_in_what_they_measure_are_not_duplicates(other):
    out = observations.usable(frame(fact(1), fact(2, **other)), SOURCES)
    assert list(out["fact_id"]) == ["F00001", "F00002"]
    assert (out["also_printed_by"] == "").all()


def test_a_figure_that_several_sources_print_stands_in_one_row(dataset):
    out = observations.usable(dataset.facts, dataset.sources)
    out = out[out["kind"] != "target"]  # a raised target is no confirmation and not one fact
    assert out.loc[out["also_printed_by"] != "", "fact_id"].tolist() == []
    assert out["source_id"].str.contains(";").sum() > 10


def test_inner_mongolia_2020_stands_once_with_the_documents_grade(dataset):
    rates = observations.surveyed_rates(dataset)
    row = rates[(rates["region_code"] == "150000") & (rates["year"] == 2020)]
    assert row[["value", "source_id", "grade", "also_printed_by"]].to_numpy().tolist() == [
        [8.73, "S018;IM2021", "A", ""]
    ]


def test_rates_of_groups_are_not_rates_of_the_region(dataset):
    rates = observations.surveyed_rates(dataset)
    assert (rates["group"] == "").all()
    assert not rates.duplicated(["region_code", "year", "series"]).any()


def test_a_raised_target_replaces_the_first(dataset):
    out = observations.targets(dataset)
    anhui = out[(out["region_code"] == "340000") & (out["year"] == 2025)]
    assert anhui[["value", "fact_id"]].to_numpy().tolist() == [[16.0, "F00084"]]
    raised = dataset.contradictions["kind"] == "target_raised"
    unraised = replace(dataset, contradictions=dataset.contradictions[~raised])
    without = observations.targets(unraised)
    assert "F00084" not in set(without["fact_id"]), "the contradictions table decides"


def test_each_region_has_one_target_a_year(dataset):
    out = observations.targets(dataset)
    assert not out.duplicated(["region_code", "year"]).any()
    facts = dataset.facts
    known = facts[(facts["kind"] == "target") & (facts["indicator"] == "science_literacy_rate")]
    pairs = set(zip(known["region_code"], known["year"], strict=True))
    assert set(zip(out["region_code"], out["year"], strict=True)) == pairs


def test_a_first_print_gives_way_to_the_revised_statistic(dataset):
    out = observations.by_year(dataset, "gdp_per_capita")
    row = out[(out["region_code"] == "150000") & (out["year"] == 2021)]
    assert row[["value", "series"]].to_numpy().tolist() == [[89880.0, "gdp_per_capita"]]
    printed = dataset.facts.set_index("fact_id").loc["F14787"]
    assert printed["value"] == 85422.0, "the first print is on file and was not taken"
    only = dataset.facts[dataset.facts["fact_id"] == "F14787"]
    alone = observations.by_year(replace(dataset, facts=only), "gdp_per_capita")
    assert alone["value"].tolist() == [85422.0], "without a revision the first print stands"


def test_by_year_takes_statistics_of_the_whole_region_with_a_year(dataset):
    base = {"indicator": "museum_count", "kind": "statistic"}
    rows = frame(
        fact(1, **base, value=5.0),
        fact(2, **base, region_code="1", group="key_group=youth"),
        fact(3, **base, region_code="2", year=pd.NA, period_end=""),
        fact(4, indicator="museum_count", region_code="3", kind="target"),
    )
    out = observations.by_year(replace(dataset, facts=rows, sources=SOURCES), "museum_count")
    assert out[["region_code", "value"]].to_numpy().tolist() == [["150000", 5.0]]


def test_selections_leave_the_facts_as_they_were(dataset):
    before = dataset.facts.copy()
    observations.usable(dataset.facts, dataset.sources)
    observations.targets(dataset)
    observations.by_year(dataset, "gdp_per_capita")
    observations.surveyed_rates(dataset, flagged=True)
    pd.testing.assert_frame_equal(dataset.facts, before)
