"""Costs, draws, reallocation, efficiency and scenarios on the real data and on known truths."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from typer.testing import CliRunner

from evaluation.base.errors import KepuError, ModelError
from evaluation.batch.cli import app
from evaluation.evidence.headline import TERM
from evaluation.models.columns import Inference
from evaluation.value import costs
from evaluation.value.costs import price_level
from evaluation.value.effects import Joint, confidence_draws, response
from evaluation.value.efficiency import bootstrap_scores
from evaluation.value.reallocate import (
    ROLES,
    RULE,
    best_multiples,
    gained,
    panel,
    reallocate,
    trial,
)
from evaluation.value.scenario import Change, assess, parse, scenario

# --- costs -----------------------------------------------------------------------------------


def test_constant_prices_by_hand(dataset):
    level = price_level(dataset)
    assert level[2024] == 1
    assert level[2023] == pytest.approx(1 / 1.002)
    assert level[2022] == pytest.approx(1 / 1.002**2)


def test_funds_of_inner_mongolia_by_hand(study):
    funds = study.value.funds.set_index("fact_id")
    money = funds.loc["F14566"]  # 118 million yuan from January 2021 to September 2023
    assert money["a_year"] == pytest.approx(118e6 / 2.75)
    prices = study.dataset.facts.query("indicator == 'consumer_price_index'")
    index = prices.set_index("period_end")["value"] / 100
    level = {2024: 1.0}
    for year in (2023, 2022, 2021):
        level[year] = level[year + 1] / index[str(year + 1)]
    mean = (level[2021] + level[2022] + level[2023]) / 3
    assert money["real"] == pytest.approx(118e6 / 2.75 / mean)
    assert np.isnan(funds.at["F14626", "a_year"])  # 62.7 million: no beginning is stated


def test_one_figure_printed_twice_is_one_figure(study):
    own = study.value.funds.query("region_code == '150000' and item == 'raised'")
    assert own["yuan"].tolist() == [1.81e8]


def test_national_shares_are_the_printed_parts(study):
    assert study.value.share_year == 2024
    expected = {"facility": (2960 + 2402) / 22220, "activity": 8055 / 22220}
    for name, share in expected.items():
        assert study.value.shares[name] == pytest.approx(share)
    assert study.value.shares.sum() == pytest.approx(1)


def test_the_nation_is_the_sum_of_its_provinces(study):
    people = study.value.people
    provinces = people[people.index.get_level_values(0) != "100000"].xs(2024, level=1)
    assert people["100000", 2024] == pytest.approx(provinces.sum())
    assert 1.38e9 < people["100000", 2024] < 1.42e9


def test_programme_funds_carry_the_region_s_own_ratio_or_a_declared_range(study):
    funds = study.value.funds
    own = costs.programme(study.dataset, funds, "150000")
    assert own["own_year"] == 2015 and own["ratio"] == pytest.approx(0.7255, abs=1e-4)
    assert own["high"] / own["per_head"] == pytest.approx(1.25)
    other = costs.programme(study.dataset, funds, "110000")
    assert (other["own_year"], other["ratio"]) == (0, 1)
    assert other["per_head"] / other["low"] == pytest.approx(2)


# --- draws -----------------------------------------------------------------------------------


def test_the_draws_give_back_the_printed_interval(study):
    result = study.headline.result
    low, high = np.quantile(study.value.effects[TERM], [0.025, 0.975])
    width = result.high - result.low
    assert low == pytest.approx(result.low, abs=0.03 * width)
    assert high == pytest.approx(result.high, abs=0.03 * width)


def test_the_draws_cover_a_known_truth():
    truth, hits = 0.1, 0
    for seed in range(120):
        frame = panel([truth, 0, 0], np.random.default_rng(seed))
        roles = replace(ROLES, doses=["log2_a"], covariates=("x", "log2_b", "log2_c"))
        draws = confidence_draws(frame, roles, Inference(draws=199), size=400, seed=seed)
        low, high = np.quantile(draws, [0.025, 0.975])
        hits += low <= truth <= high
    assert 107 <= hits <= 119  # 95 % of 120 is 114, three standard errors 7


# --- reallocation ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_best_allocation_is_what_a_general_solver_finds(seed):
    rng = np.random.default_rng(seed)
    gains, spent = rng.uniform(0.05, 1, 6), rng.uniform(0.5, 2, 6)
    lower, upper = np.full(6, 0.7), np.full(6, 1.3)
    found = best_multiples(gains, spent, lower, upper)[0]
    solved = optimize.minimize(
        lambda m: -(gains @ np.log2(m)), np.ones(6), bounds=list(zip(lower, upper, strict=True)),
        constraints={"type": "ineq", "fun": lambda m: spent.sum() - spent @ m},
        options={"ftol": 1e-12},
    )  # fmt: skip
    assert gained(gains, found) == pytest.approx(-solved.fun, abs=1e-6)
    assert spent @ found <= spent.sum() * (1 + 1e-12)


def test_an_entry_that_does_harm_is_cut_and_bounds_are_kept():
    found = best_multiples([-1.0, 0.5, 0.0], [1, 1, 1], np.full(3, 0.7), np.full(3, 1.3))[0]
    assert found == pytest.approx([0.7, 1.3, 0.7])
    with pytest.raises(ModelError, match="bounds must hold today"):
        best_multiples([1.0], [1.0], [1.1], [1.3])


def test_a_known_optimum_is_found_within_the_stated_regret():
    """The regret is stated for the average over what the data allow; so is it judged here."""
    found = trial([0.02, 0.25, 0.1], panels=60, seed=5)
    short = np.array([item.shortfall for item in found])
    stated = np.array([item.found.regret for item in found])
    high = np.array([item.found.regret_high for item in found])
    assert short.min() >= -1e-9
    assert short.mean() <= stated.mean() * 1.25
    assert np.mean(short <= high) >= 0.9
    assert np.mean([item.found.recommended for item in found]) > 0.8


def test_with_no_effect_nothing_is_recommended_in_95_of_100_panels():
    """The probability alone, read off the draws the allocation was chosen on, would fail this."""
    found = trial([0, 0, 0], panels=500, seed=6)
    assert np.mean([item.found.recommended for item in found]) <= 0.05
    assert np.mean([item.found.probability >= RULE.probability for item in found]) > 0.1


def test_little_evidence_or_levers_not_told_apart_recommend_nothing():
    rng = np.random.default_rng(1)
    draws, null = rng.normal([1.0, 0.1], 0.01, (500, 2)), rng.normal(0, 0.01, (500, 2))
    spread = np.eye(2) * 1e-4
    sure = Joint(
        ("a", "b"), np.array([1.0, 0.1]), draws, spread, null, np.tile(spread, (500, 1, 1)),
        1.0, 1.0, 90, 30,
    )  # fmt: skip
    limits = (np.full(2, 0.7), np.full(2, 1.3))
    given = ("ab", sure, np.eye(2), [1.0, 1.0], limits)
    assert reallocate(*given, rule=RULE, locks=3).recommended
    assert reallocate(*given, rule=RULE, locks=2).failed == ("locks",)
    assert reallocate(*given, rule=RULE, locks=3, told_apart=False).failed == ("told_apart",)


def test_the_real_data_support_no_reallocation(study):
    for part in (study.value.between_levers, study.value.between_regions):
        assert not part.recommended and "locks" in part.failed
        assert sum(t * m for t, m in zip(part.today, part.multiples, strict=True)) <= 1 + 1e-9
        assert min(part.multiples) >= 0.7 - 1e-9 and max(part.multiples) <= 1.3 + 1e-9
        assert part.regret <= part.today_regret + 1e-12


# --- response curves and efficiency ----------------------------------------------------------


def levels(kind: str) -> pd.DataFrame:
    frame = panel([0, 0, 0], np.random.default_rng(7), regions=30, waves=4, noise=0.1)
    dose = np.random.default_rng(8).uniform(1, 9, len(frame))
    shape = {"line": 0.1 * dose, "log": 0.9 * np.log2(dose)}[kind]
    return frame.assign(dose_a=dose, annual=frame["annual"] + shape)


@pytest.mark.parametrize(("kind", "verdict"), [("log", "diminishing"), ("line", "linear")])
def test_diminishing_returns_are_told_from_a_line(kind, verdict):
    found = response(levels(kind), "a", ROLES, Inference(draws=499))
    assert found.verdict == verdict
    assert (found.p < 0.05) == (verdict == "diminishing")
    assert found.curve["level"].between(1, 9).all()


def test_a_lever_without_data_says_why():
    found = response(levels("line").assign(dose_a=np.nan), "a", ROLES, Inference(draws=99))
    assert found.curve is None and "No row of the panel is complete" in found.reason


def test_bias_correction_lowers_scores_and_intervals_cover_most_true_ones():
    rng, hits, raw, corrected = np.random.default_rng(9), [], [], []
    for _ in range(30):
        x = rng.uniform(1, 5, (40, 1))
        true = np.exp(-np.abs(rng.normal(0, 0.25, 40)))
        found = bootstrap_scores(x, np.sqrt(x[:, 0]) * true, size=200, seed=1)
        hits.append(((found["low"] <= true) & (true <= found["high"])).mean())
        raw.append((found["score"] - true).mean())
        corrected.append((found["corrected"] - true).mean())
    assert np.mean(raw) > 0.01  # an estimated frontier lies inside the true one
    assert abs(np.mean(corrected)) < np.mean(raw) / 2
    assert np.mean(hits) > 0.85


def test_efficiency_has_an_interval_for_every_region(study):
    table = study.value.efficiency.table
    assert len(table) >= 20
    assert table[["low", "high"]].notna().all().all()
    assert (table["low"] < table["high"]).all() and (table["high"] <= 1).all()
    with pytest.raises(ModelError, match="5 units are too few for a frontier"):
        bootstrap_scores(np.ones((5, 1)), np.ones(5), seed=1)


# --- one region and scenarios ----------------------------------------------------------------


def test_a_step_prints_no_ratio_and_sums_to_its_parts(study):
    found = assess(study.value, study.dataset, "150000", seed=1)
    assert found.ratio is None
    told = found.summary()
    assert told["adults"] == pytest.approx(told["points"] / 100 * found.people * 0.7)
    assert told["points.low"] < 0 < told["points.high"]
    curves = found.curves()
    assert (curves["probability"] <= told["positive"] + 1e-9).all()
    assert (curves["information"] >= -1e-12).all()


def test_curves_of_the_decision_agree_with_its_draws(study):
    """At a worth k the mean of k·adults - cost; its sign says which choice the frontier is of."""
    found = assess(study.value, study.dataset, "150000", seed=1)
    told, people = found.benefits(), found.people
    for place in (0, 40, 81):
        drawn = (told["wtp"][place] * found.gained - found.spent) / people
        assert told["benefit"][place] == pytest.approx(drawn.mean())
        assert told["low"][place] == pytest.approx(np.quantile(drawn, 0.025))
        assert told["high"][place] == pytest.approx(np.quantile(drawn, 0.975))
        best = drawn > 0 if drawn.mean() > 0 else drawn <= 0
        assert told["frontier"][place] == pytest.approx(best.mean(), abs=1e-3)


def test_changes_are_read_in_two_forms_and_others_are_refused():
    assert parse(["facility=60:84"])[0].factor == pytest.approx(1.4)
    assert parse(["facility=+40%", "activity=-10%"])[1] == Change("activity", 0.9)
    for text, message in {
        "facility=40": "write facility=\\+40% or facility=60:84",
        "facility=0:4": "starts from 0",
        "facility=-100%": "leaves nothing",
    }.items():
        with pytest.raises(KepuError, match=message):
            parse([text])
    with pytest.raises(KepuError, match="changed twice"):
        parse(["fund=+1%", "fund=+2%"])
    with pytest.raises(KepuError, match="at least one change"):
        parse([])


def test_sixty_to_eighty_four_museums_with_118_million(study):
    found = scenario(study, "150000", parse(["facility=60:84"]), budget=118e6)
    facility = next(e.result for e in study.estimates if e.dose == "facility")
    record = found.record()["results"]
    width = facility.high - facility.low
    assert record["points.low"] / np.log2(1.4) == pytest.approx(facility.low, abs=0.03 * width)
    assert found.verdict == "unknown" and found.result.ratio is None
    assert not {"ratio", "break_even"} & set(record)
    assert record["benefit"] == pytest.approx(record["adults"] * 10000 - 118e6)


def test_one_input_of_four_that_stands_out_alone_carries_no_ratio(study):
    found = scenario(study, "150000", parse(["personnel=+30%"]), budget=1e8)
    assert found.record()["results"]["points.low"] > 0
    assert found.verdict == "unknown" and found.result.ratio is None


@pytest.mark.parametrize(
    ("region", "change", "message"),
    [
        ("150000", "facility=+200%", "outside the 0.6667 to 8.549 seen among provinces; 150000"),
        ("150100", "facility=+10%", "compare provinces, and 150100 is not among them"),
        ("150000", "museums=+10%", "Unknown lever 'museums'; known: facility, personnel"),
    ],
)
def test_plans_beyond_what_was_seen_are_refused(study, region, change, message):
    with pytest.raises(KepuError, match=message):
        scenario(study, region, parse([change]))


def test_money_and_what_it_pays_for_are_not_changed_together(study):
    with pytest.raises(KepuError, match="pays for the other inputs"):
        scenario(study, "150000", parse(["fund=+10%", "facility=+10%"]))


def test_the_command_prints_text_and_json(study, monkeypatch):
    monkeypatch.setattr("evaluation.study.load_study", lambda *_, **__: study)
    plan = ["scenario", "150000", "--set", "facility=+40%", "--budget", "118000000"]
    said = CliRunner().invoke(app, plan)
    assert said.exit_code == 0, said.output
    assert "cannot be told from these data" in said.output
    assert "a sum, not a forecast" in said.output
    assert "Budget 118,000,000 yuan, 4.94 yuan per head" in said.output
    record = json.loads(CliRunner().invoke(app, [*plan, "--json"]).output)
    assert record["changes"] == {"facility": 1.4}
    chinese = CliRunner().invoke(app, [*plan, "--language", "zh"])
    assert "这些数据无法判断" in chinese.output
    refused = CliRunner().invoke(app, ["scenario", "150000", "--set", "facility=40"])
    assert refused.exit_code == 2


def test_a_package_without_costs_keeps_the_reasons(simulated):
    value = simulated.value
    assert value.funds.empty
    assert "constant prices need a deflator" in value.reasons["funds"]
    assert value.reasons["shares"] == value.reasons["funds"]
    with pytest.raises(ModelError):
        assess(value, simulated.dataset, "150100", seed=1)
