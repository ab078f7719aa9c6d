"""Figures that look implausible are named, confirmed by a person, and never refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import slips
from evaluation.batch import cli
from evaluation.data import plausible
from evaluation.data.package import load
from evaluation.data.tables import package_hash

ROOT = Path(__file__).resolve().parents[1]


def named(dataset) -> dict[str, plausible.Implausible]:
    return {warning.fact_id: warning for warning in plausible.warnings(dataset)}


def changed(dataset, fact_id: str, **cells):
    facts = dataset.facts.copy()
    for column, value in cells.items():
        if column not in facts:
            facts[column] = ""
        facts.loc[facts["fact_id"] == fact_id, column] = value
    return replace(dataset, facts=facts)


@pytest.fixture(scope="module")
def simulated():
    root = ROOT / "data" / "simulated"
    return load(root, checked_hash=package_hash(root))


@pytest.fixture(scope="module")
def small(simulated):
    """Twelve regions, two years, one survey: too few figures for most scales."""
    regions = sorted(simulated.facts["region_code"].unique())[:12]
    facts = simulated.facts
    years = facts.loc[facts["indicator"] == slips.RATE, "year"].unique()[:2]
    kept = facts["region_code"].isin(regions) & facts["year"].isin(years)
    return replace(simulated, facts=facts[kept].reset_index(drop=True))


def test_fewer_than_one_true_figure_in_a_thousand_is_named(dataset, simulated):
    assert len(plausible.warnings(dataset)) < len(dataset.facts) / 1000
    assert plausible.warnings(simulated) == []


def test_nine_slips_in_ten_are_named(dataset):
    planted = named_slips = 0
    for chosen in slips.draw(dataset, count=200, seed=20250101, times=2):
        found = named(slips.plant(dataset, chosen))
        planted += len(chosen)
        named_slips += sum(dataset.facts.at[index, "fact_id"] in found for _, index in chosen)
    assert planted == 200
    assert named_slips / planted >= 0.9


@pytest.mark.parametrize(
    ("cells", "rule", "said"),
    [
        ({"value": 0.0873}, "change", ["0.0873 percent in 2020", "2018: 7.63", "2022"]),
        ({"value": 99.0}, "change", ["99 percent in 2020", "2018: 7.63"]),
        ({"period_end": "9999", "year": 9999}, "period", ["9999"]),
        ({"figure_as_written": "8.37%"}, "printed", ["8.73 percent", "8.37%"]),
    ],
)
def test_a_warning_says_what_it_compared(dataset, cells, rule, said):
    changes = {"figure_as_written": "", **cells}  # what is printed is compared by its own rule
    warning = named(changed(dataset, "F00046", **changes))["F00046"]
    assert (warning.file, warning.row, warning.rule) == ("facts.csv", 47, rule)
    assert all(part in warning.sentence for part in said)
    assert "confirmed_by" in warning.remedy


def test_a_fraction_is_odd_only_where_things_are_counted_whole(dataset):
    facts = dataset.facts
    person = facts.loc[facts["unit"] == "person", "fact_id"].iloc[0]
    assert named(changed(dataset, person, value=12.5))[person].rule == "fraction"
    thousands = facts.loc[facts["unit"] == "1000_piece"].iloc[0]
    whole, half = thousands["value"] + 0.001, thousands["value"] + 0.0005
    assert thousands["fact_id"] not in named(changed(dataset, thousands["fact_id"], value=whole))
    found = named(changed(dataset, thousands["fact_id"], value=half))
    assert found[thousands["fact_id"]].rule == "fraction"
    years = facts.loc[(facts["unit"] == "year") & (facts["value"] % 1 != 0), "fact_id"]
    assert len(years) and not set(years) & set(named(dataset))


def test_a_sample_of_five_is_named_published_or_assumed(dataset):
    n = dataset.facts.loc[dataset.facts["indicator"] == "survey_sample_valid", "fact_id"].iloc[-1]
    assert named(changed(dataset, n, value=5.0))[n].column == "value"
    assumed = dataset.assumptions.copy()
    assumed.loc[assumed["assumption_id"] == "A03", "value"] = 5.0
    (warning,) = [
        w for w in plausible.warnings(replace(dataset, assumptions=assumed)) if w.rule == "sample"
    ]
    assert (warning.file, warning.row, warning.fact_id) == ("assumptions.csv", 4, "A03")


def open_(dataset) -> int:
    return sum(not warning.confirmed_by for warning in plausible.warnings(dataset))


def test_what_a_person_confirmed_is_counted_and_no_longer_open(dataset):
    slip = changed(dataset, "F00046", value=99.0)
    confirmed = changed(slip, "F00046", confirmed_by="Li Hua, 2026-03-01")
    assert open_(confirmed) == open_(slip) - 1
    assert named(confirmed)["F00046"].confirmed_by == "Li Hua, 2026-03-01"
    lines = plausible.listing(plausible.warnings(confirmed))
    assert "1 confirmed" in lines[-1] and not any("F00046" in line for line in lines)


def test_nothing_is_changed(dataset):
    before = dataset.facts.copy(deep=True)
    plausible.warnings(dataset)
    pd.testing.assert_frame_equal(dataset.facts, before)


def test_a_small_package_names_gross_slips_only(small):
    assert len(small.facts) < 300 and plausible.warnings(small) == []
    rate = small.facts[small.facts["indicator"] == slips.RATE].iloc[0]
    assert named(changed(small, rate["fact_id"], value=99.0))[rate["fact_id"]].rule
    far = changed(small, rate["fact_id"], period_end="9999", year=9999)
    assert named(far)[rate["fact_id"]].rule == "period"


def test_missing_values_and_empty_tables_are_passed_over(small):
    facts = small.facts.copy()
    facts.loc[::3, "value"] = np.nan
    facts.loc[1::5, ["period_start", "period_end"]] = ""
    facts.loc[1::5, "year"] = pd.NA
    facts["confirmed_by"] = np.nan
    assert plausible.warnings(replace(small, facts=facts)) == []
    bare = {
        "units": small.units.drop(columns="countable"),
        "sources": small.sources.assign(date=""),
        "assumptions": small.assumptions.iloc[:0],
        "doses": small.doses.iloc[:0],
    }
    assert plausible.warnings(replace(small, facts=facts.iloc[:0], **bare)) == []
    assert plausible.warnings(replace(small, **bare)) == []


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of the simulated package with one rate of 99 %; the column is not there yet."""
    root = tmp_path / "data"
    shutil.copytree(ROOT / "data" / "simulated", root)
    lines = (root / "facts.csv").read_text("utf-8").splitlines()
    facts = pd.read_csv(root / "facts.csv", dtype=str, keep_default_na=False)
    index = facts.index[facts["indicator"] == slips.RATE][7]
    value = facts.at[index, "value"]
    lines[index + 1] = lines[index + 1].replace(f",{value},percent", ",99,percent")
    (root / "facts.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return root


def confirm(root: Path) -> None:
    """Confirm every figure in a column of its own; the descriptor stays as it is."""
    facts = pd.read_csv(root / "facts.csv", dtype=str, keep_default_na=False)
    facts.assign(confirmed_by="Li Hua").to_csv(root / "facts.csv", index=False)


def test_check_names_the_figure_and_exits_0(package):
    result = CliRunner().invoke(cli.app, ["check", "--data", str(package)])
    assert result.exit_code == 0
    assert "99 percent" in result.stderr and "column value" in result.stderr
    assert "confirmed_by" in result.stderr and "0 confirmed" in result.stderr
    confirm(package)
    result = CliRunner().invoke(cli.app, ["check", "--data", str(package)])
    assert result.exit_code == 0
    assert "99 percent" not in result.stderr and ": 0 nobody has confirmed" in result.stderr


def test_a_run_says_how_many_and_keeps_the_count(package, tmp_path, monkeypatch):
    from evaluation.batch import plan, run

    monkeypatch.setenv("KEPU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(run, "run", lambda *_: [])
    region = load(package).regions["code"].iloc[-1]
    command = ["report", region, "--data", str(package)]
    command += ["--notebooks", str(ROOT / "notebooks"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0
    assert "look implausible and nobody has confirmed them" in result.stderr
    place = {"data": package, "notebooks": ROOT / "notebooks", "out": tmp_path / "out"}
    batch = {"notebook": "region_report", "regions": [region], "languages": ["en"]}
    _, how = run.planned(batch, plan.Choice("b"), place)
    assert how.state.implausible == open_(load(package)) > 0

    def refuse(dataset):
        raise AssertionError("counted again")

    monkeypatch.setattr(plausible, "warnings", refuse)
    assert CliRunner().invoke(cli.app, command).exit_code == 0
