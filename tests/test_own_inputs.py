"""A package may have inputs of its own: pages, estimates and plans take them from its tables."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation import report
from evaluation.data.package import load
from evaluation.data.rules import a_design_effect_holds_for_all
from evaluation.study import build
from evaluation.survey.panel import rates
from evaluation.value.costs import population
from evaluation.value.scenario import drawn_gain, parse

ROOT = Path(__file__).resolve().parents[1]
HEADER = "dose,domain,indicator,denominator,scale,timing,unit,label_zh,label_en,short_zh,short_en"
VENUES = (
    "venues,facility,museum_count,population_resident,1000000,stock,per_million,"
    "每百万人场馆数,Venues per million residents,场馆,venues"
)
VISITS = (
    "visits,activity,museum_visitors,population_resident,1,flow,visit_per_person,"
    "人均参观次数,Visits & calls per resident,,"
)
STAFF = (
    "staff,volunteer,rd_personnel_fte,population_resident,10000,stock,person_year_per_10k,"
    "每万人志愿者,Volunteers per ten thousand residents,志愿者,volunteers"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The project's package with three inputs of other names and no money."""
    folder = tmp_path_factory.mktemp("own") / "data"
    shutil.copytree(ROOT / "data", folder, ignore=shutil.ignore_patterns("simulated"))
    lines = "\n".join((HEADER, VENUES, STAFF, VISITS)) + "\n"
    (folder / "doses.csv").write_text(lines, "utf-8")
    return build(load(folder), draws=99, seed=1)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", ["150000", "150100"])
def test_every_section_is_made_under_the_names_of_the_package(own, code, language):
    page = report.open_report(own, code, language, date="2026-03-01")
    html = "".join(str(section(page).html()) for section in report.SECTIONS.values())
    name = {"zh": "每万人志愿者", "en": "Volunteers per ten thousand residents"}[language]
    assert name in html
    assert "R&D" not in html
    assert "研发人员全时" not in html
    if language == "en":
        assert "Visits &amp; calls per resident" in html


def test_without_money_the_other_parts_are_there_and_the_reason_is_given(own):
    assert own.dataset.levers == ("venues", "staff", "visits")
    assert own.dataset.money == ""
    assert not own.value.funds.empty
    assert "moves no money" in own.value.reasons["between_regions"]
    assert "moves no money" in own.value.reasons["between_levers"]
    assert own.value.names["en"]["venues"] == "Venues per million residents"


def test_plan_of_several_inputs_takes_each_by_its_place(own):
    draws = own.value.levers.draws
    gain = drawn_gain(own, parse(["visits=+100%", "venues=+100%"]))
    np.testing.assert_allclose(gain, draws[:, 0] + draws[:, 2])


def test_short_name_falls_back_on_the_label(own):
    assert own.dataset.dose_label("visits", "zh", short=True) == "人均参观次数"
    assert own.dataset.dose_label("staff", "zh", short=True) == "志愿者"


def test_total_of_the_nation_needs_every_part(dataset):
    whole = population(dataset)
    assert 1.39e9 < whole["100000", 2020] < 1.42e9
    regions = dataset.regions[dataset.regions["code"] != "440000"]
    assert "100000" not in population(replace(dataset, regions=regions)).index
    unsaid = dataset.regions.assign(parts=pd.NA)
    assert "100000" not in population(replace(dataset, regions=unsaid)).index


def test_rate_has_the_design_effect_of_its_level_before_that_of_all(dataset):
    row = dataset.assumptions[dataset.assumptions["parameter"] == "design_effect"]
    more = [row.assign(level="prefecture", value=8.0), row.assign(wave="2020", value=4.0)]
    changed = replace(dataset, assumptions=pd.concat([dataset.assumptions, *more]))
    before, after = (rates(data).set_index(["region_code", "wave"]) for data in (dataset, changed))
    ratio = (after["variance"] / before["variance"]).dropna()
    assert ratio["110108", 2020] == pytest.approx(4)
    assert ratio["150000", 2020] == pytest.approx(2)
    assert ratio["150000", 2018] == pytest.approx(1)


def test_package_without_a_general_design_effect_is_refused(dataset):
    table = dataset.assumptions
    table = table[table["parameter"] != "design_effect"]
    (violation,) = a_design_effect_holds_for_all({"assumptions": table})
    assert "no design_effect holds for all levels and waves" in str(violation)


def test_package_of_an_earlier_version_without_the_new_columns_is_read(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(ROOT / "data", folder, ignore=shutil.ignore_patterns("simulated"))
    descriptor = json.loads((folder / "datapackage.json").read_text("utf-8"))
    for name, gone in (("doses", {"short_zh", "short_en"}), ("regions", {"parts"})):
        path = folder / f"{name}.csv"
        pd.read_csv(path, dtype=str).drop(columns=list(gone)).to_csv(path, index=False)
        (table,) = [item for item in descriptor["resources"] if item["name"] == name]
        fields = table["schema"]["fields"]
        table["schema"]["fields"] = [item for item in fields if item["name"] not in gone]
    (folder / "datapackage.json").write_text(json.dumps(descriptor), "utf-8")
    data = load(folder)
    assert data.dose_label("fund", "en", short=True) == data.dose_label("fund", "en")
    assert "100000" not in population(data).index


def test_package_with_money_alone_says_so(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(ROOT / "data", folder, ignore=shutil.ignore_patterns("simulated"))
    path = folder / "doses.csv"
    doses = pd.read_csv(path, dtype=str)
    doses.assign(domain="fund").to_csv(path, index=False)
    value = build(load(folder), draws=99, seed=1).value
    assert value.reasons["levers"] == "The package has no input but money."
    assert value.responses == ()
