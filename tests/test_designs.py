"""Declared programmes through the whole chain: package, estimate, grade, printed sentence."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from scipy.optimize import linprog
from scipy.stats import norm

from evaluation import report
from evaluation.base.errors import DataError, ModelError
from evaluation.base.results import Check
from evaluation.base.text import LANGUAGES
from evaluation.data.package import load
from evaluation.data.rollout import PROGRAMME, Scheme, Survey, write_package
from evaluation.evidence.designs import Differences, banded, designs, differences
from evaluation.evidence.grade import BELONGS, Design, gate, grade_programme, permitted, said
from evaluation.models import events
from evaluation.models.columns import Roles
from evaluation.report import designs as report_designs
from evaluation.report import overview
from evaluation.report.blocks import Figure
from evaluation.study import build
from evaluation.survey import panel
from evaluation.survey.panel import rollouts

DATA = Path(__file__).resolve().parents[1] / "data"
DRAWS, SEED = 499, 1
PHASED, LOT = (0, 2016, 2018, 2020), (0, 2018)


@pytest.fixture(scope="module")
def codes(dataset):
    kinds = dataset.kinds
    return {level: kinds.index[kinds == level].tolist()[:100] for level in
            ("league", "county", "province")}  # fmt: skip


@pytest.fixture(scope="module")
def made(codes, tmp_path_factory):
    """A package written to disk and loaded again: ``made(level, scheme, seed)``."""

    def make(level, scheme, seed=1, **options):
        folder = tmp_path_factory.mktemp("package")
        write_package(DATA, folder, codes[level], scheme, seed=seed, **options)
        return load(folder)

    return make


def studied(data):
    return designs(data, panel.rates(data), draws=DRAWS, seed=SEED)[0]


CELLS = {
    "randomised counties": ("county", ("randomised", LOT), 5),
    "phased-in counties": ("county", ("phased_in", PHASED), 4),
    "phased-in leagues": ("league", ("phased_in", PHASED), 3),
    "one province": ("province", ("chosen", (2018, *[0] * 30)), 2),
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_large_effect_is_told_as_far_as_its_design_permits(made, cell):
    level, (assignment, starts), most = CELLS[cell]
    found = studied(made(level, Scheme(assignment, starts, 3.0)))
    assert found.locks == most, found.grade
    assert found.result.low <= 3.0 <= found.result.high
    key = permitted(found.grade, found.verdict, "en", of="programme")
    if cell == "one province":  # too noisy at this sample: an estimate is never told by its size
        assert key == "evidence.says.unknown.programme"
    else:
        strong = {5: "effect", 4: "consistent", 3: "consistent"}[most]
        assert key == f"evidence.says.{strong}.up.programme"
    for language in LANGUAGES:
        assert said(found.summary(language), language, found.locks) == []


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_is_claimed_of_a_programme_without_effect(made, cell):
    level, (assignment, starts), _ = CELLS[cell]
    claims = []
    for seed in range(1, 4):
        found = studied(made(level, Scheme(assignment, starts, 0.0), seed))
        claims.append(found.verdict != "unknown")
    assert sum(claims) <= 1  # two or more of three at 5 % come once in 140


def test_locks_do_not_see_the_effect(made):
    """The same figures, those of regions reached higher or lower by a constant: the same grade."""
    for assignment, starts in (("randomised", LOT), ("phased_in", PHASED)):
        data = made("county", Scheme(assignment, starts, 0.0), 5)
        first = data.events.set_index("region_code")["start"].replace("", "9999").astype(int)
        since, facts = data.facts["region_code"].map(first), data.facts
        on = (facts["indicator"] == data.outcome) & (facts["year"] >= since)
        found = {}
        for effect in (-3.0, 0.0, 3.0):
            value = facts["value"].where(~on, facts["value"] + effect)
            found[effect] = studied(replace(data, facts=facts.assign(value=value)))
        assert found[-3.0].verdict == "negative" and found[3.0].verdict == "positive"
        assert found[-3.0].grade == found[0.0].grade == found[3.0].grade


# --- from events to a panel -------------------------------------------------------------------


@pytest.fixture(scope="module")
def phased(made):
    """Twelve leagues in four parts, with samples large enough to see an earlier trend."""
    return made("league", Scheme("phased_in", PHASED, 3.0), survey=Survey(sample_size=4000))


def test_a_region_counts_from_the_first_survey_in_or_after_its_start(phased):
    rows = phased.events.copy()
    rows.loc[rows["start"] == "2016", "start"] = "2016-11"
    rows.loc[rows["start"] == "2018", "start"] = "2017-03-02"
    rows.loc[rows["start"] == "2020", "start"] = "2023"
    moved = rollouts(replace(phased, events=rows), panel.rates(phased))[0]
    expected = (
        rows.set_index("region_code")["start"]
        .str[:4]
        .map({"2016": 2016, "2017": 2018, "2023": 0, "": 0})
    )
    pd.testing.assert_series_equal(
        moved.cohorts.sort_index(), expected.sort_index(), check_names=False
    )
    assert moved.waves == [2012, 2014, 2016, 2018, 2020, 2022]


def test_only_listed_regions_are_compared_where_one_has_no_start(phased):
    rates = panel.rates(phased)
    assert len(rollouts(phased, rates)[0].regions) == 12
    without = phased.events[phased.events["start"] != ""]
    some = pd.concat([without, phased.events[phased.events["start"] == ""].head(1)])
    assert len(rollouts(replace(phased, events=some), rates)[0].regions) == 10
    assert len(rollouts(replace(phased, events=without), rates)[0].regions) == 12


def test_rates_after_a_programme_ended_are_left_out(phased):
    rows = phased.events.copy()
    code = rows.loc[rows["start"] == "2016", "region_code"].iloc[0]
    rows.loc[rows["region_code"] == code, "end"] = "2018-12"
    own = rollouts(replace(phased, events=rows), panel.rates(phased))[0].panel
    assert own.loc[own["region_code"] == code, "wave"].max() == 2018


def test_a_programme_nobody_was_surveyed_around_has_a_reason_and_no_grade(dataset):
    found = designs(dataset, panel.rates(dataset), draws=99, seed=1)
    assert [item.rollout.programme for item in found] == list(dataset.events["programme"].unique())
    for item in found:
        assert item.result is None and item.grade is None and item.reason
        assert item.verdict == "not_estimable" and item.locks == 0


# --- rules of the contract --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "column", "told"),
    [
        ("E901,150100,p,甲,A,2020,2019,chosen,,S001,,,", "end", "before its start in 2020"),
        ("E901,150100,p,甲,A,2020,,chosen,,S001,,,\nE902,150100,p,甲,A,2021,,chosen,,S001,,,",
         "region_code", "reaches 150100 in an earlier row"),
        ("E901,150100,p,甲,A,2020,,chosen,,S001,,,\nE902,150200,p,乙,A,2021,,chosen,,S001,,,",
         "programme_zh", "another programme_zh"),
        ("E901,150100,p,甲,A,,,chosen,,S001,,,", "start", "no start in any row"),
        ("E901,150100,p,甲,A,2020-13,,chosen,,S001,,,", "start", "does not match"),
        ("E901,150100,p,甲,A,2020,,by lot,,S001,,,", "assignment", "'by lot' is not allowed"),
        ("E901,150100,p,甲,A,2020,,chosen,,S999X,,,", "source_id", "is not in sources.csv"),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_is_refused_with_its_place(tmp_path, line, column, told):
    folder = Path(shutil.copytree(DATA, tmp_path / "data", ignore=shutil.ignore_patterns("sim*")))
    with (folder / "events.csv").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError) as refused:
        load(folder)
    found = [v for v in refused.value.violations if v.file == "events.csv"]
    assert [v.column for v in found] == [column]
    assert told in found[0].rule and found[0].remedy


@pytest.mark.parametrize(("dose", "refused"), [("2.5", True), ("", False), ("0", False)])
def test_a_dose_without_a_start_is_refused(tmp_path, dose, refused):
    folder = Path(shutil.copytree(DATA, tmp_path / "data", ignore=shutil.ignore_patterns("sim*")))
    events = pd.read_csv(folder / "events.csv", dtype=str, keep_default_na=False)
    place = list(events.columns).index("stratum") + 1
    events.insert(place, "dose", ["1", *[""] * (len(events) - 1)])
    other = events.iloc[0].to_dict() | {"event_id": "E901", "region_code": "150102"}
    events.loc[len(events)] = other | {"start": "", "dose": dose}
    events.to_csv(folder / "events.csv", index=False)
    if not refused:
        assert len(load(folder).events) == len(events)
        return
    with pytest.raises(
        DataError, match=r"dose 2\.5 of demonstration_counties\S* in a region it ne"
    ):
        load(folder)


@pytest.mark.parametrize("rows", ["150100,150100", "150100,150200\n150200,150100"])
def test_neighbours_are_two_regions_named_once(tmp_path, rows):
    folder = Path(shutil.copytree(DATA, tmp_path / "data", ignore=shutil.ignore_patterns("sim*")))
    with (folder / "neighbours.csv").open("a", encoding="utf-8") as stream:
        stream.write(rows + "\n")
    with pytest.raises(DataError, match=r"own neighbour|paired already"):
        load(folder)


# --- timings drawn by lot are drawn again -----------------------------------------------------


def drawn(seed=0, effect=0.0, regions=24):
    """Two strata of unlike level and trend; within each a third is reached at 3 of 5 waves."""
    rng = np.random.default_rng(seed)
    stratum = np.repeat(["a", "b"], regions // 2)
    first = np.zeros(regions, int)
    for name in "ab":
        members = np.flatnonzero(stratum == name)
        share = 2 if name == "a" else 4
        first[rng.choice(members, len(members) // share, replace=False)] = 3
    waves = np.arange(1, 6)
    trend = np.where(stratum == "a", 2.0, 0.0)
    y = trend[:, None] * waves + rng.normal(size=(regions, 5))
    y = y + effect * ((first[:, None] > 0) & (waves >= 3))
    names = [f"r{i:02d}" for i in range(regions)]
    frame = pd.DataFrame(
        {
            "region": np.repeat(names, 5), "wave": np.tile(waves, regions), "rate": y.ravel(),
            "first": np.repeat(first, 5),
        }
    )  # fmt: skip
    return frame, dict(zip(names, stratum, strict=True))


ROLES = Roles(outcome="rate", doses=("first",), region="region", wave="wave")


def test_each_order_keeps_regions_within_their_lot():
    lots = np.array([0, 1, 0, 1, 1, 0])
    orders = events.within(lots, 50, 3)
    assert (lots[orders] == lots).all()
    assert len({tuple(order) for order in orders}) > 20


def test_the_lot_drawn_again_within_strata_keeps_its_level():
    """Strata of unlike trend and unlike share: 60 lots at a nominal 10 %, none with an effect."""
    run = events.Inference(199, 1, 0.9)
    strata, plain = [], []
    for seed in range(60):
        frame, lots = drawn(seed)
        strata.append(events.fit(frame, ROLES, run, lots=lots).p <= 0.1)
        plain.append(events.fit(frame, ROLES, run, lots=dict.fromkeys(lots, "")).p <= 0.1)
    assert sum(strata) <= 14  # of 60 at 10 %: more than 14 come once in 1,000
    assert sum(plain) > sum(strata)


def test_a_region_without_a_stratum_is_named():
    frame, lots = drawn()
    lots.pop("r03")
    with pytest.raises(ModelError, match="no stratum for r03"):
        events.fit(frame, ROLES, events.Inference(99, 1), lots=lots)


# --- departures from parallel trends ----------------------------------------------------------


REFERENCE = Path(__file__).resolve().parent / "reference"
Z = norm.ppf(0.975)


def jointly(values, years, covariance, weights):
    """Differences of surveys with an average of those after the start in front."""
    loads = np.vstack([np.zeros(len(values)), np.eye(len(values))])
    loads[0, years > 0] = weights
    return Differences(loads @ values, loads @ years, loads @ covariance @ loads.T,
                       np.full(len(loads), Z))  # fmt: skip


def test_the_worst_departure_equals_that_of_a_linear_programme():
    """Rambachan & Roth's relative magnitudes by brute force: maximise over all allowed paths."""
    rng = np.random.default_rng(4)
    years = np.array([-2.0, -1.0, 1.0, 2.0, 3.0, 4.0])
    for multiple in (0.5, 1.0, 2.0):
        weights = rng.random(4)
        weights /= weights.sum()
        values = rng.normal(size=6)
        found = jointly(values, years, np.zeros((6, 6)), weights)
        bound = multiple * max(abs(values[1] - values[0]), abs(values[1]))
        # Departure of the k-th survey after: the sum of its steps, each at most ``bound``.
        steps = np.tril(np.ones((4, 4)))
        worst = linprog(-(weights @ steps), bounds=[(-bound, bound)] * 4)
        own = weights @ values[2:]
        assert found.interval(0, multiple) == pytest.approx((own + worst.fun, own - worst.fun))


def test_the_largest_departure_counts_the_step_to_the_base_and_the_years_between():
    values, years = np.array([9.0, 1.0, 0.6, 9.0]), np.array([2.0, -5.0, -3.0, 2.0])
    found = Differences(values, years, np.eye(4), np.ones(4))
    assert found.largest == pytest.approx(max(0.4 / 2, 0.6 / 3))
    with pytest.raises(ModelError, match="no survey before"):
        _ = replace(found, years=np.abs(years)).largest


# HonestDiD 0.2.8 on its own data of Benzarti & Carloni (2019), average of four years: the set
# that parallel trends relaxed by a multiple allow, and the hybrid interval (C-LF) about it.
EMPLOYMENT = {
    0.5: ((0.1190423143561929, 0.3177622186485678), (0.06775439808538886, 0.3691913893670205)),
    1.0: ((0.01968236221000552, 0.4171221707947552), (-0.06968617947647976, 0.506631966928889)),
}


def test_what_relaxed_trends_allow_is_that_of_honestdid():
    rows = pd.read_csv(REFERENCE / "employment.csv")
    values, years = rows["estimate"].to_numpy(), rows["years"].to_numpy(dtype=float)
    covariance = rows.filter(like="with_").to_numpy()
    exact = jointly(values, years, 0 * covariance, np.full(4, 0.25))
    found = jointly(values, years, covariance, np.full(4, 0.25))
    assert found.interval(0, 0.0) == pytest.approx((0.1837990234, 0.2530055096), abs=1e-9)
    for multiple, (allowed, hybrid) in EMPLOYMENT.items():
        assert exact.interval(0, multiple) == pytest.approx(allowed, abs=1e-9)
        low, high = found.interval(0, multiple)
        width = hybrid[1] - hybrid[0]
        assert low <= hybrid[0] and hybrid[1] <= high  # never narrower than the paper's own
        assert high - low <= 1.1 * width


# HonestDiD's README, Medicaid expansion of 2014 on the share insured, its first year (C-LF).
MEDICAID = {0.5: (0.0240, 0.0672), 1.0: (0.0170, 0.0720), 1.5: (0.00824, 0.0797),
            2.0: (-0.000916, 0.0881)}  # fmt: skip


def test_the_medicaid_example_of_honestdid_comes_out():
    frame = pd.read_csv(REFERENCE / "medicaid.csv")
    roles = Roles(outcome="insured", doses=("first",), region="state", wave="year")
    result = events.fit(frame, roles, events.Inference(9999, 1), comparison="never")
    first = result.details["dynamic"][5]
    assert first["event"] == 0 and first["estimate"] == pytest.approx(0.0464, abs=5e-5)
    found = differences(result, 1.5)
    for multiple, published in MEDICAID.items():
        low, high = found.interval(6, multiple)
        assert low <= published[0] and published[1] <= high
        assert (low, high) == pytest.approx(published, abs=0.0065)
    # Published: about 2. The wider interval bears somewhat less, never more.
    assert 1.5 < found.breakdown(6) < 2.0
    table = banded(result).set_index("event")
    assert table.loc[0, ["honest_low", "honest_high"]].tolist() == list(found.interval(6, 1.0))
    assert table.loc[-6:-2, "honest_low"].isna().all()


def test_relaxed_intervals_cover_the_truth_where_the_plain_bound_does_not():
    """One early step of 0.5 a year, exactly repeated after the start; nothing else happened."""
    rng, sd, runs = np.random.default_rng(5), 0.2, 2000
    years = np.array([-6.0, -4.0, -2.0, 2.0, 4.0])
    covariance = sd**2 * (np.eye(5) + 1)  # every difference shares the base
    truth = np.array([-1.0, -1.0, 0.0, 1.0, 2.0])  # 0.5 a year from -4 to -2 and from 0 on
    weights, held, plain = np.array([0.5, 0.5]), 0, 0
    for values in rng.multivariate_normal(truth, covariance, runs):
        found = jointly(values, years, covariance, weights)
        low, high = found.interval(0, 1.0)
        held += low <= 0 <= high
        half = found.largest * found.years[0] + Z * np.sqrt(found.covariance[0, 0])
        plain += abs(found.values[0]) <= half
    margin = 3 * np.sqrt(0.05 * 0.95 / runs)
    assert held / runs >= 0.95 - margin
    assert plain / runs < 0.9


# --- grade of a declared programme ------------------------------------------------------------

BEST = {kind: Design(kind, 6, True, 40, 20, "published", 0.0, False, 20) for kind in BELONGS}
GOOD = {
    "pre_trend": Check("pre_trend", True, "", {"minimum_detectable": 0.1, "smallest": 0.5, "p": 1}),
    "departures": Check("departures", True, "", {"multiple": 2.0}),
    "leave_one_region_out": Check("leave_one_region_out", True, "", {"changes": 0}),
    "balance": Check("balance", True, "", {"p": 0.5}),
    "attrition": Check("attrition", True, "", {"lost": 0.0}),
    "pre_fit": Check("pre_fit", True, "", {"error": 0.1}),
}
STARTS = {"randomised": 5, "phased_in": 4, "chosen": 3, "one_region": 3}


def graded(kind, changes=None, **design):
    checks = {**{name: GOOD[name] for name in BELONGS[kind]}, **(changes or {})}
    return grade_programme(replace(BEST[kind], **design), checks.values())


@pytest.mark.parametrize("kind", BELONGS)
def test_each_design_starts_where_its_assignment_puts_it(kind):
    assert graded(kind).locks == STARTS[kind]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in BELONGS for name in BELONGS[kind]]
)
def test_each_check_of_a_design_takes_one_lock_failed_or_not_made(kind, name):
    failed = replace(GOOD[name], passed=False)
    impossible = Check(name, None, "check.impossible")
    for bad in (failed, impossible):
        found = graded(kind, {name: bad})
        assert found.locks == STARTS[kind] - 1
        assert found.summary("zh") and found.summary("en")


def test_an_underpowered_test_of_earlier_trends_takes_a_lock():
    weak = replace(GOOD["pre_trend"], passed=None, values={"minimum_detectable": 0.6,
                                                           "smallest": 0.5, "p": 0.5})  # fmt: skip
    assert graded("phased_in", {"pre_trend": weak}).locks == 3


def test_what_does_not_belong_to_a_lot_is_not_held_against_it():
    assert graded("randomised", waves=2, pre_period=False, mode_changed=True).locks == 5
    assert graded("phased_in", mode_changed=True).locks == 3
    assert graded("phased_in", pre_period=False).locks == 2
    assert graded("phased_in", waves=2).locks == 2


@pytest.mark.parametrize("kind", ["randomised", "phased_in"])
def test_few_regions_on_either_side_cap_the_grade(kind):
    assert graded(kind, treated=3).locks == graded(kind, compared=3).locks == 2
    assert graded(kind, regions=19).locks == 3


def test_neighbours_that_change_otherwise_take_a_lock_and_others_none():
    fail = Check("spillover", False, "", {"p": 0.01})
    assert graded("phased_in", {"spillover": fail}).locks == 3
    for other in (replace(fail, passed=True), Check("spillover", None, "check.impossible")):
        assert graded("phased_in", {"spillover": other}).locks == 4


def test_a_spillover_is_found_through_declared_neighbours(made, codes):
    data = made("county", Scheme("phased_in", LOT, 3.0), 3)
    first = rollouts(data, panel.rates(data))[0].cohorts
    reached, never = first.index[first > 0], first.index[first == 0]
    half = never[: len(never) // 2]
    pairs = pd.DataFrame({"region_code": reached[: len(half)], "neighbour_code": half})
    facts = data.facts.copy()
    rows = facts["region_code"].isin(half) & (facts["indicator"] == data.outcome)
    facts.loc[rows & (facts["year"] >= 2018), "value"] += 2.0
    for table, passed in ((data.facts, {True, None}), (facts, {False})):
        found = studied(replace(data, neighbours=pairs, facts=table))
        check = next(item for item in found.checks if item.name == "spillover")
        assert check.passed in passed and check.state != "impossible", check


def test_a_programme_of_a_wide_sentence_passes_the_gate():
    for kind, locks in STARTS.items():
        found = graded(kind)
        for verdict in ("positive", "negative", "unknown"):
            for language in LANGUAGES:
                key = permitted(found, verdict, language, of="programme")
                assert key.endswith(".programme")
                assert gate(key, "en", locks) == key


# --- the page ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(phased):
    return build(phased, draws=199, seed=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_who_got_it_when_and_what_differs(told, language):
    best = told.strongest
    assert best.rollout.programme == PROGRAMME and best.locks == 3
    page = report.open_report(told, best.rollout.events["region_code"].iloc[-1], language,
                              date="2026-01-01")  # fmt: skip
    text = BeautifulSoup(str(report.SECTIONS["designs"](page).html()), "html.parser")
    assert len(text.find_all("table")) == 2 and len(text.find_all("figure")) == 2
    study, tiles = (figure.find("img")["alt"] for figure in text.find_all("figure"))
    # The finding comes first: all four clear, none before, one when trends may part.
    assert [int(n) for n in re.findall(r"\d+", study)] == [4, 4, 3, 0, 1]
    shown = report.SECTIONS["designs"](page).blocks
    drawn = next(block for block in shown if isinstance(block, Figure) and "tile" in block.svg)
    assert all(f"{year}" in drawn.svg for year in (2016, 2018, 2020)) and tiles
    rows = text.find("table").find("tbody").find_all("tr")
    assert [row.find("time").get_text() for row in rows] == ["2016", "2018", "2020"]
    lead = text.find("p", class_="lead").get_text()
    assert said(lead, language, 3) == []
    summary = overview.summarise(page)["evidence"]
    assert (summary["locks"], summary["statement"][language]) == (3, lead)
    head = BeautifulSoup(str(report.SECTIONS["findings"](page).html()), "html.parser").get_text()
    assert lead in head


def test_amounts_of_a_programme_are_compared_or_said_to_be_too_few(made, told):
    data = made("county", Scheme("phased_in", PHASED, 1.0))
    rows = data.events.copy()
    rng = np.random.default_rng(0)
    rows["dose"] = np.where(rows["start"] != "", rng.uniform(1, 4, len(rows)), np.nan)
    found = studied(replace(data, events=rows))
    assert found.amounts.low <= 0.0 <= found.amounts.high  # the effect is the same for all
    assert (
        found.amounts.details["overall"]["low"] <= 1.0 <= found.amounts.details["overall"]["high"]
    )
    assert studied(data).amounts is None and studied(data).amounts_reason == ""
    few = studied(replace(data, events=rows.assign(dose=rows["dose"].where(rows.index > 50))))
    assert few.amounts is None and "with no amount above 0" in few.amounts_reason
    for item, key in ((found, "one unit more went with"), (few, "they cannot be compared")):
        page = report.open_overview(
            replace(told, designs=(item,), dataset=data),
            "simulated",
            "en",
            date="2026-01-01",
        )
        (paragraph,) = report_designs.programme(page, item)["amounts"]
        text = paragraph.text.striptags()
        assert key in text and said(text, "en", item.locks) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_package_without_events_says_so_in_one_sentence(told, language):
    bare = replace(told, designs=())
    page = report.open_overview(bare, "inner_mongolia_leagues", language, date="2026-01-01")
    blocks = report.OVERVIEW["designs"](page).blocks
    assert len(blocks) == 1 and "events.csv" in blocks[0].text


def test_too_few_regions_are_one_sentence(dataset, told):
    few = designs(dataset, panel.rates(dataset), draws=99, seed=1)
    page = report.open_overview(
        replace(told, dataset=dataset, designs=few), "provinces", "en", date="2026-01-01"
    )
    blocks = report.OVERVIEW["designs"](page).blocks
    assert len(blocks) == 1
    assert "6 regions named, 0 of them surveyed before and after" in blocks[0].text.striptags()


def test_survey_defaults_declare_their_smallest_difference(phased):
    assert phased.assumed("smallest_effect") == Survey().smallest
