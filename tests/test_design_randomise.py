"""Assignment by lot: the published list, balance, the size of its test, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import KepuError
from evaluation.evidence.design import power, randomise
from evaluation.evidence.design.power import Setting, Variance

DAY = "2027-03-01"
EXPECTED = "1121133311421444424422243241323312123343"
EXPECTED_INPUTS = "2994ac7812f71c58"
SETTING = Setting(Variance(9.0, 0.8, 900.0, 2.0), 400)


def weights(layout: power.Layout, count: int = 40) -> np.ndarray:
    return power.loadings(layout, layout.counts(count), SETTING)


def frame(count: int = 40) -> pd.DataFrame:
    """Units in strata of several sizes with two covariates, from a stream that never changes."""
    raw = np.random.PCG64(np.random.SeedSequence(5)).random_raw(2 * count).astype(float) / 2**64
    return pd.DataFrame(
        {
            "code": [f"{150100 + 7 * i}" for i in range(count)],
            "name": [f"unit {i}" for i in range(count)],
            "league": [str(i % 7) for i in range(count)],
            "rate": 5 + 10 * raw[:count],
            "people": 20 * raw[count:] ** 3,
        }
    )


@pytest.fixture(scope="module")
def given() -> randomise.Units:
    return randomise.units(frame(), "league", ["rate", "people"])


@pytest.fixture(scope="module")
def allocation(given) -> randomise.Allocation:
    return randomise.draw(given, power.stepped(4), 20270301, DAY)


# ------------------------------------------------------------------------------------------
# The list.


def test_the_list_of_a_seed_is_the_one_that_was_published(allocation):
    """Stored when it was first drawn: a difference on any machine would break a promise."""
    assert "".join(map(str, allocation.sequence + 1)) == EXPECTED
    assert allocation.record(power.stepped(4))["inputs"].startswith(EXPECTED_INPUTS)


def test_the_order_of_the_table_does_not_matter(allocation):
    shuffled = frame().sample(frac=1, random_state=1)
    again = randomise.units(shuffled, "league", ["rate", "people"])
    found = randomise.draw(again, power.stepped(4), 20270301, "2027-09-09")
    assert found.sequence.tolist() == allocation.sequence.tolist()
    records = [each.record(power.stepped(4))["inputs"] for each in (found, allocation)]
    assert records[0] == records[1]


def test_another_seed_gives_another_list(given, allocation):
    found = randomise.draw(given, power.stepped(4), 20270302, DAY)
    assert found.sequence.tolist() != allocation.sequence.tolist()


def test_groups_are_equal_over_all_and_within_strata(given, allocation):
    deals = allocation.accepted
    assert (np.stack([(deals == g).sum(axis=1) for g in range(4)]) == 10).all()
    for stratum in set(given.strata):
        inside = np.array(given.strata) == stratum
        sizes = np.stack([(deals[:, inside] == g).sum(axis=1) for g in range(4)])
        assert (sizes.max(axis=0) - sizes.min(axis=0) <= 1).all()


def test_every_unit_is_as_likely_in_every_group_before_the_restriction(given):
    deals = randomise.deals(given, power.stepped(4), 1, 20_000)
    shares = np.stack([(deals == g).mean(axis=0) for g in range(4)])
    assert np.abs(shares - 0.25).max() < 4.5 * np.sqrt(0.25 * 0.75 / 20_000)


def test_the_table_says_when_each_unit_begins(allocation):
    table = allocation.table(power.stepped(4))
    assert (table["start"] == table["group"] + 1).all()
    assert table["code"].is_monotonic_increasing
    halves = randomise.draw(allocation.units, power.with_baseline(), 1, DAY)
    table = halves.table(power.with_baseline())
    assert table.loc[table["group"] == 2, "start"].isna().all()
    assert (table.loc[table["group"] == 1, "start"] == 2).all()


# ------------------------------------------------------------------------------------------
# Balance.


def test_imbalance_is_the_variance_of_the_means_of_groups(given):
    deals = randomise.deals(given, power.stepped(3), 2, 5)
    found = randomise.imbalance(given.values, deals, 3)
    z = given.values / randomise.STEP
    for deal, score in zip(deals, found, strict=True):
        means = np.stack([z[deal == g].mean(axis=0) for g in range(3)])
        sizes = np.bincount(deal, minlength=3)
        expected = (sizes[:, None] * (means - z.mean(axis=0)) ** 2).sum() / len(deal)
        assert score == pytest.approx(expected)


def test_the_restricted_draw_is_better_balanced(given, allocation):
    scores = randomise.imbalance(
        given.values, randomise.deals(given, power.stepped(4), 99, 4000), 4
    )
    accepted = randomise.imbalance(given.values, allocation.accepted, 4)
    assert accepted.max() < np.quantile(scores, 0.13)  # a tenth of the deals, and its error
    assert accepted.mean() < 0.5 * scores.mean()
    assert allocation.score <= allocation.worst < allocation.median


def test_pairs_are_of_the_most_alike_and_split_by_every_deal(given):
    pairs, left = randomise.paired(randomise.units(frame(), None, ["rate", "people"]))
    assert left == ()
    deals = randomise.draw(pairs, power.pairs(0.5), 3, DAY).accepted
    labels = np.array(pairs.strata)
    for label in set(labels):
        assert (deals[:, labels == label].sum(axis=1) == 1).all()
    gaps = [np.ptp(pairs.values[labels == label], axis=0) for label in set(labels)]
    z = pairs.values.astype(float)
    apart = np.abs(z[:, None] - z).mean(axis=(0, 1))
    assert (np.mean(gaps, axis=0) < 0.5 * apart).all()


def squares(pairs):
    z, labels = pairs.values.astype(float) / randomise.STEP, np.array(pairs.strata)
    return sum((np.ptp(z[labels == label], axis=0) ** 2).sum() for label in set(labels))


def test_no_other_pairs_are_more_alike():
    """Ten units, all 945 ways to pair them; and where the nearest two first would be a mistake."""

    def ways(left):
        if not left:
            yield []
            return
        for other in left[1:]:
            rest = [unit for unit in left[1:] if unit != other]
            yield from ([(left[0], other), *more] for more in ways(rest))

    given = randomise.units(frame(10), None, ["rate", "people"])
    z = given.values / randomise.STEP
    least = min(sum(((z[i] - z[j]) ** 2).sum() for i, j in way) for way in ways(list(range(10))))
    assert squares(randomise.paired(given)[0]) == pytest.approx(least, rel=1e-3)
    chain = pd.DataFrame({"code": list("abcd"), "x": [0.0, 2.0, 3.0, 5.0]})
    pairs, _ = randomise.paired(randomise.units(chain, None, ["x"]))
    assert pairs.strata == ("a+b", "a+b", "c+d", "c+d")  # b+c are nearest, but leave a+d


def test_pairs_stay_within_strata_and_do_not_hang_on_the_order_of_rows():
    rows = frame(20).assign(part=["n", "s"] * 10)
    pairs, left = randomise.paired(randomise.units(rows, "part", ["rate"]))
    part = rows.set_index("code")["part"]
    assert all(part[a] == part[b] for a, b in (label.split("+") for label in pairs.strata))
    assert not left
    again, _ = randomise.paired(randomise.units(rows.iloc[::-1], "part", ["rate"]))
    assert again.strata == pairs.strata


def test_units_without_a_partner_are_named():
    pairs, left = randomise.paired(randomise.units(frame(9), None, ["rate"]))
    assert len(pairs.codes) == 8 and len(left) == 1 and left[0] not in pairs.codes


# ------------------------------------------------------------------------------------------
# The test.


@pytest.mark.parametrize("kind", ["stepped", "baseline"])
def test_the_size_of_the_test_is_its_nominal_level(given, kind):
    """2,000 lists of 2,000 seeds, outcomes tied to the covariates and to nothing of the lot."""
    layout = {"stepped": power.stepped(4), "baseline": power.with_baseline()}[kind]
    rng, p = np.random.default_rng(8), []
    expected = 10 + (given.values / randomise.STEP) @ [2.0, 1.0]
    for seed in range(2000):
        found = randomise.draw(given, layout, seed, DAY, candidates=400, share=0.25)
        rates = expected[:, None] + np.arange(layout.periods)
        rates = rates + rng.standard_t(3, rates.shape)
        p.append(randomise.tested(found, layout, rates, weights(layout)).p)
    assert 0.04 <= np.mean(np.array(p) <= 0.05) <= 0.06


def test_the_p_value_is_the_rank_among_the_accepted_deals(given, allocation):
    layout = power.stepped(4)
    rng = np.random.default_rng(2)
    rates = rng.normal(10, 2, (40, 5))
    found = randomise.tested(allocation, layout, rates, weights(layout))
    made = weights(layout)
    values = randomise.statistics(rates[None], allocation.accepted, made)[0]
    assert found.p == pytest.approx(np.mean(np.abs(values) >= abs(found.estimate) * (1 - 1e-9)))
    assert found.deals == len(allocation.accepted)


def test_a_large_effect_is_found_and_estimated(allocation):
    layout = power.stepped(4)
    rng = np.random.default_rng(2)
    rates = rng.normal(10, 0.5, (40, 5)) + np.arange(5)
    rates = rates + 3 * layout.matrix[allocation.sequence]
    found = randomise.tested(allocation, layout, rates, weights(layout))
    assert found.p == pytest.approx(1 / found.deals)
    assert found.estimate == pytest.approx(3, abs=0.5)


def test_waves_that_a_staircase_does_not_survey_are_not_read(given):
    layout = power.staircase(4, before=2)
    found = randomise.draw(given, layout, 4, DAY)
    seen = np.isfinite(layout.matrix[found.sequence])
    rates = np.random.default_rng(1).normal(10, 2, seen.shape)
    one = randomise.tested(found, layout, rates, weights(layout))
    two = randomise.tested(found, layout, np.where(seen, rates, np.nan), weights(layout))
    assert one.estimate == two.estimate


# ------------------------------------------------------------------------------------------
# What is refused.


def test_a_list_is_not_drawn_twice(given, allocation):
    layout = power.stepped(4)
    before = allocation.record(layout)
    randomise.refuse_another(before, before)
    other = randomise.draw(given, layout, 5, "2027-04-01").record(layout)
    with pytest.raises(KepuError, match=r"seed 20270301 on 2027-03-01.*another seed"):
        randomise.refuse_another(before, other)
    fewer = randomise.draw(
        randomise.units(frame(39), "league", ["rate", "people"]), layout, 20270301, DAY
    )
    with pytest.raises(KepuError, match="other units, strata or covariates"):
        randomise.refuse_another(before, fewer.record(layout))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"column": "area"}, "no column 'area'"),
        ({"set": ("code", 3, "150100")}, "The code '150100' stands twice"),
        ({"set": ("rate", 3, None)}, "Covariate 'rate' has no number for 1 units"),
        ({"constant": "rate"}, "is the same in all units"),
    ],
)
def test_units_that_cannot_be_dealt_are_refused(change, told):
    table = frame()
    names = ["rate", "people"]
    if "column" in change:
        names.append(change["column"])
    if "constant" in change:
        table[change["constant"]] = 1.0
    if "set" in change:
        column, row, value = change["set"]
        table.loc[row, column] = value
    with pytest.raises(KepuError, match=told):
        randomise.units(table, "league", names)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"seed": -1}, "'seed' is -1"),
        ({"date": "1 March"}, "write the day of the draw"),
        ({"candidates": 5}, "draw at least 20"),
        ({"share": 0.0}, "'share' must lie above 0"),
        ({"candidates": 100, "share": 0.1}, "Only 10 different deals are left of 100"),
        ({"layout": power.pairs(0.5)}, "needs two units in each"),
        ({"layout": power.stepped(41)}, "40 units cannot be dealt to 41 groups"),
    ],
)
def test_draws_that_cannot_be_made_are_refused(given, more, told):
    usual = {"layout": power.stepped(4), "seed": 1, "date": DAY}
    with pytest.raises(KepuError, match=told):
        randomise.draw(given, **usual | more)


def test_pairs_without_covariates_are_refused():
    with pytest.raises(KepuError, match="which units are alike"):
        randomise.paired(randomise.units(frame()))


def test_rates_of_another_shape_or_with_gaps_are_refused(allocation):
    layout = power.stepped(4)
    with pytest.raises(KepuError, match="must have the shape"):
        randomise.tested(allocation, layout, np.zeros((40, 4)), weights(layout))
    rates = np.ones((40, 5))
    rates[2, 1] = np.nan
    with pytest.raises(KepuError, match="1 surveyed cells have no rate, first of 150114"):
        randomise.tested(allocation, layout, rates, weights(layout))
