"""The generator keeps its promises: a known truth, a stated sampling error, a labelled package."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.data import contract, package
from evaluation.data.contract import check
from evaluation.data.simulate import (
    DOSES,
    REFERENCE,
    SEED,
    Truth,
    rebuild,
    simulate_panel,
    simulated_descriptor,
    to_tables,
    truth_record,
)
from evaluation.data.tables import parse, read_descriptor, read_files
from evaluation.survey import panel

DATA = Path(__file__).parents[1] / "data"
PACKAGE = DATA / "simulated"
EFFECTS = [getattr(Truth(), dose) for dose in DOSES]


@pytest.fixture(scope="module")
def main():
    """Tables of the main package as text."""
    return contract.read(read_files(DATA)).tables


def members(main, name):
    sets = main["region_sets"]
    codes = sets.loc[sets["set"] == name, "code"]
    return main["regions"][main["regions"]["code"].isin(codes)]


@pytest.fixture(scope="module")
def leagues(main):
    return members(main, "inner_mongolia_leagues")


@pytest.fixture(scope="module")
def counties(main):
    return members(main, "inner_mongolia_counties")


@pytest.fixture(scope="module")
def many():
    """As many regions as a distribution needs to show itself."""
    return pd.DataFrame({"code": [f"R{i}" for i in range(5000)], "parent_code": "top"})


def coefficients(outcome, gains):
    """Least squares of a gain on the log2 doses, the opening level and a constant."""
    design = np.column_stack(
        [np.log2(gains[list(DOSES)]), gains["opening"] - Truth().opening_mean, np.ones(len(gains))]
    )
    return np.linalg.lstsq(design, outcome, rcond=None)[0]


def test_the_seed_decides_the_panel(leagues):
    first, again = simulate_panel(leagues, seed=7), simulate_panel(leagues, seed=7)
    pd.testing.assert_frame_equal(first.panel, again.panel)
    other = simulate_panel(leagues, seed=8).panel
    assert (first.panel["true_rate"] != other["true_rate"]).all()


def test_sample_size_and_missing_share_leave_the_truth_alone(leagues):
    plain = simulate_panel(leagues, seed=7)
    other = simulate_panel(leagues, seed=7, sample_size=5000, missing=0.3)
    pd.testing.assert_frame_equal(plain.gains, other.gains)
    assert (plain.panel["rate"] != other.panel["rate"]).any()


def test_regions_are_not_changed(leagues):
    before = leagues.copy()
    simulate_panel(leagues)
    pd.testing.assert_frame_equal(leagues, before)


def test_without_noise_a_regression_returns_the_effects(counties):
    truth = Truth(region_sd=0, residual_sd=0)
    gains = simulate_panel(counties, truth=truth, seed=1).gains
    expected = [*EFFECTS, truth.opening_effect, truth.trend]
    constant = [np.log2(REFERENCE[dose]) for dose in DOSES] @ np.array(EFFECTS)
    expected[-1] -= constant
    np.testing.assert_allclose(coefficients(gains["true_gain"], gains), expected, atol=1e-9)


def test_levels_add_up_the_gains(leagues):
    simulation = simulate_panel(leagues, (2015, 2018, 2023), seed=3)
    levels = simulation.panel.set_index(["wave", "region_code"])["true_rate"]
    gains = simulation.gains.assign(step=lambda x: x["years"] * x["true_gain"])
    total = gains.groupby("region_code")["step"].sum()
    change = levels[2023] - levels[2015]
    np.testing.assert_allclose(change, total.loc[change.index], atol=1e-9)


def test_the_trend_may_differ_between_intervals(leagues):
    truth = Truth(trend=(0.5, 2.0), region_sd=0, residual_sd=0, opening_sd=0)
    gains = simulate_panel(leagues, (2015, 2018, 2020), truth).gains
    assert gains.groupby("wave_from")["trend"].first().to_dict() == {2015: 0.5, 2018: 2.0}


def test_with_noise_estimates_centre_on_the_truth(counties):
    estimates = []
    for seed in range(60):
        simulation = simulate_panel(counties, seed=seed)
        rates = simulation.panel.set_index(["region_code", "wave"])["rate"]
        gains = simulation.gains
        start = pd.MultiIndex.from_frame(gains[["region_code", "wave_from"]])
        end = pd.MultiIndex.from_frame(gains[["region_code", "wave_to"]])
        change = rates.loc[end].to_numpy() - rates.loc[start].to_numpy()
        # The region term is in the opening level: take the known opening term out instead.
        known = Truth().opening_effect * (gains["opening"] - Truth().opening_mean)
        design = np.column_stack([np.log2(gains[list(DOSES)]), np.ones(len(gains))])
        outcome = change / gains["years"] - known
        estimates.append(np.linalg.lstsq(design, outcome, rcond=None)[0][: len(DOSES)])
    error = np.std(estimates, axis=0, ddof=1) / np.sqrt(len(estimates))
    assert (error < 0.03).all()
    assert (np.abs(np.mean(estimates, axis=0) - EFFECTS) < 3 * error).all()


@pytest.mark.parametrize("design_effect", [1.0, 2.0, 3.5])
def test_observed_rates_have_the_stated_variance(many, design_effect):
    still = dict.fromkeys(DOSES, 0.0) | dict.fromkeys(["region_sd", "residual_sd", "opening_sd"], 0)
    truth = Truth(**still, trend=0.0, opening_mean=15.0, design_effect=design_effect)
    rates = simulate_panel(many, (2015, 2018), truth, sample_size=400, seed=5).panel
    assert rates["true_rate"].round(9).unique().tolist() == [15.0]
    expected = design_effect * 15.0 * 85.0 / 400
    assert rates["rate"].var() == pytest.approx(expected, rel=0.06)
    assert rates["rate"].mean() == pytest.approx(15.0, abs=0.1)


def test_doses_have_the_stated_spread_correlation_and_persistence(many):
    annual = simulate_panel(many, seed=2).annual
    logs = np.log2(annual.loc[annual["year"] == 2015, list(DOSES)])
    np.testing.assert_allclose(logs.std(), Truth().dose_sd, rtol=0.05)
    np.testing.assert_allclose(logs.corr().to_numpy()[np.triu_indices(4, 1)], 0.6, atol=0.04)
    np.testing.assert_allclose(2 ** logs.median(), list(REFERENCE.values()), rtol=0.05)
    path = np.log2(annual.set_index(["year", "region_code"])["fund"])
    assert path[2020].corr(path[2021]) == pytest.approx(Truth().persistence, abs=0.005)


def test_counties_of_one_league_resemble_each_other(counties):
    truth = Truth(nesting=1.0)
    gains = simulate_panel(counties, truth=truth, seed=4).gains
    league = gains["region_code"].str[:4]
    assert gains["region_code"].nunique() == 103
    assert len(gains.assign(league=league)[["league", "region_term"]].drop_duplicates()) == 12


@pytest.mark.parametrize("missing", [0.0, 0.25, 0.5])
def test_the_missing_share_is_honoured(counties, missing):
    published = simulate_panel(counties, missing=missing, seed=6).panel["published"]
    assert (~published).sum() == round(missing * 103 * 5)


def test_unpublished_rates_are_no_facts(leagues, main):
    simulation = simulate_panel(leagues, missing=0.25, seed=6)
    facts = to_tables(simulation, main)["facts"]
    rates = facts[facts["indicator"] == "science_literacy_rate"]
    hidden = simulation.panel[~simulation.panel["published"]]
    assert len(hidden) == 15
    named = set(zip(rates["region_code"], rates["period_end"].astype(int), strict=True))
    assert not named & set(zip(hidden["region_code"], hidden["wave"], strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"waves": (2015,)}, "at least two increasing years"),
        ({"waves": (2018, 2015)}, "at least two increasing years"),
        ({"missing": 1.0}, "missing must lie"),
        ({"sample_size": 2}, "must exceed the design effect"),
        ({"truth": Truth(trend=(1.0, 2.0))}, "trend needs one number for each of 4 intervals"),
        ({"truth": Truth(trend=-3.0)}, r"true_rate leave \(0, 100\); raise opening_mean"),
        ({"sample_size": 10}, r"values of rate leave \(0, 100\)"),
    ],
)
def test_impossible_panels_are_refused(leagues, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_panel(leagues, **arguments)


def test_regions_named_twice_are_refused(leagues):
    with pytest.raises(ValueError, match="no code twice"):
        simulate_panel(pd.concat([leagues, leagues]))


@pytest.mark.parametrize(
    ("field", "value"), [("dose_sd", -1), ("correlation", 1.2), ("design_effect", 0.5)]
)
def test_an_impossible_truth_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        replace(Truth(), **{field: value})


def test_tables_have_the_shape_of_the_main_package(leagues, main):
    tables = to_tables(simulate_panel(leagues), main)
    assert {k: list(v.columns) for k, v in tables.items()} == {
        k: list(v.columns) for k, v in main.items()
    }


def test_counties_make_tables_with_their_leagues_and_the_nation(counties, main):
    simulation = simulate_panel(counties, (2015, 2018))
    tables = to_tables(simulation, main)
    assert len(tables["regions"]) == 103 + 12 + 2
    assert tables["region_sets"]["set"].unique().tolist() == ["inner_mongolia_counties"]
    facts = tables["facts"].set_index(["indicator", "region_code", "period_end"])["value"]
    below = simulation.panel.query("wave == 2018 and region_code.str.startswith('1501')")
    league = float(facts["science_literacy_rate", "150100", "2018"])
    assert league == pytest.approx(below["rate"].mean(), abs=0.005)
    assert int(facts["survey_sample_valid", "150100", "2018"]) == 700 * len(below)


def test_unknown_codes_are_refused(main):
    frame = pd.DataFrame({"code": ["150100", "999999"], "parent_code": "150000"})
    with pytest.raises(ValueError, match=r"unknown region codes \['999999'\]"):
        to_tables(simulate_panel(frame), main)


def test_the_panel_read_from_the_package_is_the_one_simulated(leagues):
    dataset = package.load(PACKAGE)
    assert dataset.simulated
    gains = panel.gains(panel.rates(dataset), dataset.waves)
    frame = panel.attach(dataset, gains)
    simulation = simulate_panel(leagues, seed=SEED)
    both = simulation.gains.merge(frame, on=["region_code", "wave_from", "wave_to"])
    assert len(both) == 48
    assert not both["crosses_break"].any()
    for dose in DOSES:
        np.testing.assert_allclose(both[f"dose_{dose}"], both[dose], rtol=1e-3)
    observed = simulation.panel.set_index(["region_code", "wave"])["rate"]
    keys = pd.MultiIndex.from_frame(both[["region_code", "wave_from"]])
    np.testing.assert_allclose(both["opening_y"], observed.reindex(keys), atol=0.005)


def test_the_committed_package_keeps_the_contract():
    assert check(PACKAGE) == []


def test_the_committed_package_regenerates(tmp_path):
    rebuild(DATA, tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in PACKAGE.iterdir() if path.suffix != ".md"}
    assert sorted(made) == sorted(kept)
    differing = [name for name in made if made[name] != kept[name]]
    assert not differing, "see data/simulated/README.md for how to write the package again"


def test_the_committed_package_is_small():
    assert sum(path.stat().st_size for path in PACKAGE.iterdir()) < 300_000


@pytest.mark.parametrize(
    "name", ["facts", "sources", "indicators", "doses", "waves", "assumptions"]
)
def test_every_row_with_a_figure_says_simulated(name):
    rows = parse(name, (PACKAGE / f"{name}.csv").read_bytes()).frame.agg(" ".join, axis=1)
    assert len(rows)
    assert rows.str.contains("模拟").all()
    assert rows.str.contains("simulated", case=False).all()


def test_every_title_says_simulated():
    descriptor = read_descriptor(PACKAGE)
    assert descriptor["name"] == "kepu-simulated"
    for part in [descriptor, *descriptor["resources"]]:
        for key in ("title", "description"):
            assert "simulated" in part[key].lower()
            assert "模拟" in part[key]


def test_the_descriptor_of_the_main_package_is_not_changed():
    descriptor = read_descriptor(DATA)
    simulated_descriptor(descriptor)
    assert descriptor == read_descriptor(DATA)


def test_the_truth_record_states_the_effects(leagues):
    truth = Truth(fund=0.7)
    record = truth_record(simulate_panel(leagues, truth=truth, missing=0.5, seed=9))
    assert record["effects"] == dict(zip(DOSES, [*EFFECTS[:3], 0.7], strict=True))
    assert (record["seed"], record["published_share"]) == (9, 0.5)


def test_the_readme_prints_the_effects():
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert "simulated" in text.lower()
    for dose, effect in zip(DOSES, EFFECTS, strict=True):
        row = next(line for line in text.splitlines() if line.startswith(f"| {dose} "))
        assert float(row.split("|")[-2]) == effect
        assert f" {REFERENCE[dose]:g} " in row.split("|")[3]
