"""Costs, draws, reallocation and scenarios on the real data and on known truths."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from scipy import optimize
from typer.testing import CliRunner

from evaluation.base.errors import KepuError, ModelError
from evaluation.batch.cli import app
from evaluation.evidence.headline import TERM
from evaluation.models.columns import Inference
from evaluation.models.panels import panels
from evaluation.report import SECTIONS, open_report
from evaluation.value import costs
from evaluation.value.analysis import assemble
from evaluation.value.costs import price_level
from evaluation.value.effects import Joint, confidence_draws, response
from evaluation.value.reallocate import (
    ROLES,
    RULE,
    best_multiples,
    gained,
    panel,
    reallocate,
    trial,
)
from evaluation.value.scenario import Change, assess, parse, scenario, verdict_of

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
    assert sorted(own["yuan"]) == [1.4179e8, 1.81e8]  # 2014 and 2015, the latter printed twice


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
    assert short.min() >= -1e-9
    assert short.mean() <= stated.mean() * 1.25
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


def graded(study, locks: int):
    """The study as it would be with other evidence: money may be judged from one lock on."""
    head = study.headline
    told = replace(head.ladder[0], result=replace(head.result, low=head.result.estimate / 2))
    graded = replace(head.grade, locks=locks)
    head = replace(head, grade=graded, ladder=(told, *head.ladder[1:]))
    frames = panels(study.dataset)
    value = assemble(study.dataset, frames, head, draws=499, seed=1)
    return replace(study, headline=head, value=value)


@pytest.fixture(scope="module")
def one_lock(study):
    return graded(study, 1)


def test_no_money_is_moved_where_nothing_can_be_told(study):
    assert study.headline.grade.locks == 1 and study.headline.result.verdict == "unknown"
    reason = "Evidence of 1 of 5 locks whose interval holds zero moves no money."
    assert not study.headline.priced and not study.value.priced
    assert study.value.between_levers is None and study.value.between_regions is None
    for part in ("between_levers", "between_regions"):
        assert study.value.reasons[part] == reason


def test_without_a_lock_no_money_is_moved(study):
    value = graded(study, 0).value
    for part in ("between_levers", "between_regions"):
        assert value.reasons[part] == "Evidence of 0 of 5 locks moves no money."


def test_one_lock_supports_no_reallocation(one_lock):
    for part in (one_lock.value.between_levers, one_lock.value.between_regions):
        assert not part.recommended and "locks" in part.failed
        assert sum(t * m for t, m in zip(part.today, part.multiples, strict=True)) <= 1 + 1e-9
        assert min(part.multiples) >= 0.7 - 1e-9 and max(part.multiples) <= 1.3 + 1e-9


# --- response curves ----------------------------------------------------------


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


# --- one region and scenarios ----------------------------------------------------------------


def with_terms(study, **terms: float):
    """The study under other declared terms of value."""
    table = study.dataset.assumptions
    table = table[~table["parameter"].isin(terms)]
    more = pd.DataFrame(
        [{"assumption_id": f"A9{i}", "parameter": name, "level": "all", "wave": "", "value": value}
         for i, (name, value) in enumerate(terms.items())]
    )  # fmt: skip
    return replace(study, dataset=replace(study.dataset, assumptions=pd.concat([table, more])))


MONEY = {"ratio", "positive", "probability", "benefit", "information", "break_even", "years"}


def test_without_a_lock_a_step_has_no_verdict(study):
    found = assess(study.value, study.dataset, "150000", seed=1, wtp=1e5)
    told = found.summary()
    assert not MONEY & {name.split(".")[0] for name in told}
    assert found.ratio is None and found.decision is None
    assert told["adults"] == pytest.approx(told["points"] / 100 * found.people * 0.7)
    for curves in (found.curves, found.benefits):
        with pytest.raises(ModelError, match="No verdict on money"):
            curves()


def test_a_step_is_judged_only_at_a_worth_that_was_stated(one_lock):
    found = assess(one_lock.value, one_lock.dataset, "150000", seed=1)
    assert found.wtp is None and found.ratio is None
    assert not {"probability", "benefit", "information"} & set(found.summary())
    stated = assess(one_lock.value, one_lock.dataset, "150000", seed=1, wtp=1e4).summary()
    net = 1e4 * found.gained * found.years - found.spent
    assert stated["probability"] == pytest.approx((net > 0).mean())
    assert stated["benefit"] == pytest.approx(net.mean())
    declared = with_terms(one_lock, willingness_to_pay=1e4)
    own = assess(declared.value, declared.dataset, "150000", seed=1).summary()
    assert own == stated
    curves = found.curves()
    assert (curves["probability"] <= stated["positive"] + 1e-9).all()
    assert (curves["information"] >= -1e-12).all()


@pytest.mark.parametrize(
    ("horizon", "left", "years"), [(1, 80, 1.0), (3, 100, 3.0), (3, 50, 1.75), (5, 80, 3.3616)]
)
def test_a_gain_counts_as_long_as_declared(study, horizon, left, years):
    told = with_terms(study, gain_horizon=horizon, gain_durability=left).dataset
    assert costs.adult_years(told) == pytest.approx(years)


def test_terms_that_are_not_declared_are_asked_for(study):
    table = study.dataset.assumptions
    bare = replace(study.dataset, assumptions=table[table["parameter"] != "gain_horizon"])
    with pytest.raises(ModelError, match="declares no 'gain_horizon'; add a row to assumptions"):
        costs.adult_years(bare)


def test_curves_of_the_decision_agree_with_its_draws(one_lock):
    """At a worth k the mean of k·adult years - cost; its sign says which choice is the best."""
    found = assess(one_lock.value, one_lock.dataset, "150000", seed=1)
    told, people = found.benefits(), found.people
    for place in (0, 40, 81):
        worth = told["wtp"][place] * found.years
        drawn = (worth * found.gained - found.spent) / people
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
    assert not MONEY & {name.split(".")[0] for name in record}


def test_with_a_lock_and_a_stated_worth_a_budget_is_judged(one_lock):
    plan = parse(["facility=60:84"])
    silent = scenario(one_lock, "150000", plan, budget=118e6).record()
    assert silent["wtp"] is None and not {"probability", "benefit"} & set(silent["results"])
    record = scenario(one_lock, "150000", plan, budget=118e6, wtp=1e4).record()["results"]
    assert record["benefit"] == pytest.approx(record["adults"] * 3.3616 * 1e4 - 118e6)
    assert not {"ratio", "ratio.low"} & set(record)
    assert "years" not in scenario(one_lock, "150000", plan, wtp=1e4).record()["results"]


def test_one_input_of_four_that_stands_out_alone_is_told_only_where_holm_upholds_it(study):
    points, plan = np.linspace(0.1, 0.5, 99), (Change("personnel", 1.3),)
    assert verdict_of(study, plan, points) == "unknown"
    upheld = [replace(item, p_holm=0.01) for item in study.estimates]
    assert verdict_of(replace(study, estimates=upheld), plan, points) == "positive"
    assert scenario(study, "150000", parse(["personnel=+30%"]), budget=1e8).result.ratio is None


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
    assert "nothing is said on whether the money is well spent" in said.output
    assert "chance that" not in said.output
    record = json.loads(CliRunner().invoke(app, [*plan, "--json"]).output)
    assert record["changes"] == {"facility": 1.4}
    assert not MONEY & {name.split(".")[0] for name in record["results"]}
    chinese = CliRunner().invoke(app, [*plan, "--language", "zh"])
    assert "这些数据无法判断" in chinese.output
    refused = CliRunner().invoke(app, ["scenario", "150000", "--set", "facility=40"])
    assert refused.exit_code == 2


# --- pages -----------------------------------------------------------------------------------

VERDICTS = re.compile(r"(move\.|value\..*\.(positive|probability|benefit|information|ratio|cost))")
LEAGUES = "inner_mongolia_leagues"
REFUSED = {
    "en": "nothing is said on whether the money is well spent",
    "zh": "花得值不值也就无从判断",
}


def told(study, code, language, *names):
    page = open_report(study, code, language, date="2026-03-01")
    html = "".join(str(SECTIONS[name](page).html()) for name in names)
    return page.writer, BeautifulSoup(html, "html.parser").get_text(" ")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_without_a_lock_no_report_has_a_verdict_on_money(study, parts, language):
    """In every report: one sentence and what would settle it, and no number of a verdict."""
    regions, sets = study.dataset.regions, study.dataset.region_sets
    compared = {*study.dataset.model_regions, *sets.loc[sets["set"] == LEAGUES, "code"]}
    for code in regions.loc[regions["code"] != study.dataset.whole, "code"]:
        if code in compared:  # other tests read the whole report too
            page = parts(code, language)
            html = "".join(page.html[name] for name in ("chain", "value", "moves"))
            text, computed = BeautifulSoup(html, "html.parser").get_text(" "), page.computed
        elif code.startswith("15"):
            w, text = told(study, code, language, "chain", "value", "moves")
            computed = w.computed
        else:
            continue
        assert not [key for key in computed if VERDICTS.match(key)], code
        assert REFUSED[language] in text, code


@pytest.mark.parametrize("language", ["zh", "en"])
def test_with_a_lock_money_is_judged_at_a_worth_that_was_stated(one_lock, language):
    w, text = told(one_lock, "150000", language, "value", "moves")
    assert REFUSED[language] not in text
    assert {"value.150000.positive", "value.years", "move.levers.p"} <= set(w.computed)
    assert not {"value.150000.probability", "value.150000.benefit"} & set(w.computed)
    assert {"en": "is not judged", "zh": "不作判断"}[language] in text
    w, _ = told(with_terms(one_lock, willingness_to_pay=1e4), "150000", language, "value")
    found = assess(one_lock.value, one_lock.dataset, "150000", seed=20250101, wtp=1e4).summary()
    assert w.computed["value.150000.probability"] == pytest.approx(100 * found["probability"])


def test_a_package_without_costs_keeps_the_reasons(simulated):
    value = simulated.value
    assert value.funds.empty
    assert "constant prices need a deflator" in value.reasons["funds"]
    assert value.reasons["shares"] == value.reasons["funds"]
    with pytest.raises(ModelError):
        assess(value, simulated.dataset, "150100", seed=1)
