"""Targets: a trend that recovers a known truth, its back-test, required gains, decompositions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel
from statsmodels.stats.oaxaca import OaxacaBlinder

from evaluation.base.errors import KepuError, ModelError
from evaluation.stats.least_squares import excess_variance
from evaluation.targets.gains import (
    WIDTH,
    Inputs,
    by_residence,
    comparable,
    decompose,
    education_gap,
    fastest,
    gap_bounds,
    group_rates,
    implied_share,
    inputs_part,
    joint_bounds,
    kitagawa,
    required,
    track,
)
from evaluation.targets.outlook import (
    AVERAGE,
    CANDIDATES,
    Mixture,
    Outlook,
    Points,
    backtest,
    covariance,
    fit_trend,
    logit_rates,
    mean_columns,
    outlook,
    percent,
    points_of,
    scores,
    to_logit,
    used,
    weights,
    word,
)

NATION = "100000"
WAVES = (2007, 2010, 2015, 2018, 2020, 2022, 2023)


# --- a known truth -------------------------------------------------------------------------------


def simulated(seed: int, last: int = 2022, regions: int = 30, life: float = 25.0):
    """Shares that converge on a common path, observed with known error; and the true shares."""
    rng = np.random.default_rng(seed)
    codes = [f"{i:06d}" for i in range(1, regions + 1)]
    years = np.arange(2007, 2031)
    common = -2.7 + 0.11 * (years - 2015)
    apart = rng.normal(0, 0.45, regions)[:, None] * np.exp(-(years - 2015) / life)
    walk = np.cumsum(rng.normal(0, 0.02, (regions, len(years))), axis=1)
    truth = pd.DataFrame(common + apart + walk, index=codes, columns=years)
    truth.loc[NATION] = common
    rows = []
    for code in truth.index:
        waves = WAVES if code == NATION else rng.choice(WAVES[1:], 5, replace=False)
        for wave in sorted(waves):
            size = 30_000 if code == NATION else 2_500
            p = rng.binomial(size, percent(truth.at[code, wave]) / 100) / size
            if p > 0:
                rows.append((code, int(wave), 100 * p, 1e4 * p * (1 - p) / size))
    rates = pd.DataFrame(rows, columns=["region_code", "wave", "rate", "variance"])
    frames = pd.DataFrame({"wave": WAVES, "frame": "regions"})
    series = logit_rates(rates[rates["wave"] <= last], frames, frozenset({NATION}))
    return series, truth


@pytest.fixture(scope="module")
def panels():
    return [simulated(seed) for seed in range(12)]


def test_intervals_hold_the_true_share_as_often_as_they_say(panels):
    """30 regions in 12 panels, two and eight years ahead; errors of one panel go together."""
    inside = {50: [], 80: [], 95: []}
    for series, truth in panels:
        trend = fit_trend(series, "converging")
        for year in (2024, 2030):
            at = Points(truth.index[:-1].to_numpy(str), np.full(30, float(year)), np.full(30, True))
            mean, spread = trend.predict(at)
            z = (truth[year].to_numpy()[:-1] - mean) / np.sqrt(np.diag(spread))
            for level in inside:
                inside[level].append(np.abs(z) < stats.norm.ppf(0.5 + level / 200))
    for level, found in inside.items():
        assert np.mean(found) == pytest.approx(level / 100, abs=0.09), level


def test_chances_come_true_as_often_as_they_say(panels):
    chances, came = [], []
    for series, truth in panels:
        trend = fit_trend(series, "converging")
        at = Points(truth.index[:-1].to_numpy(str), np.full(30, 2026.0), np.full(30, True))
        mean, spread = trend.predict(at)
        goal = truth[2026].median()
        chances += list(stats.norm.sf((goal - mean) / np.sqrt(np.diag(spread))))
        came += list(truth[2026].to_numpy()[:-1] >= goal)
    chances, came = np.array(chances), np.array(came)
    low, high = chances < 0.33, chances > 0.66
    assert came[low].mean() < 0.2
    assert came[high].mean() > 0.8
    assert abs(came.mean() - chances.mean()) < 0.05


def test_the_likelihood_knows_which_trend_made_the_data(panels):
    names = [
        max(CANDIDATES, key=lambda name: fit_trend(series, name).fit.loglike)
        for series, _ in panels[:4]
    ]
    assert names.count("converging") >= 3


def test_the_back_test_weighs_the_trend_that_made_the_data_most():
    rows = pd.concat([backtest(simulated(seed, last=2023)[0]) for seed in (1, 2)])
    weighed = dict(zip(CANDIDATES, weights(rows), strict=True))
    assert sum(weighed.values()) == pytest.approx(1)
    assert max(weighed, key=weighed.get) == "converging"
    table = scores(rows)
    assert used(table) == AVERAGE
    errors = table.set_index("model")["mae"]
    assert errors[AVERAGE] < 0.6 * errors["no_change"]
    assert errors[AVERAGE] < errors[list(CANDIDATES)].max()


def test_weights_are_inverse_mean_squared_errors():
    """Second computation: z times sd is the error in logits, however the two are split."""
    rows = pd.DataFrame(
        [(name, z, sd) for name, errors in
         (("drift", (2.0, -2.0)), ("slopes", (1.0, 1.0)), ("converging", (-1.0, 1.0)))
         for z, sd in zip((e / 0.5 for e in errors), (0.5, 0.5), strict=True)],
        columns=["model", "z", "sd"],
    )  # fmt: skip
    assert weights(rows) == pytest.approx([1 / 9, 4 / 9, 4 / 9])
    assert weights(rows.iloc[:0]) == pytest.approx([1 / 3] * 3)


def test_a_mixture_is_what_its_draws_are():
    law = Mixture(
        np.array([0.2, 0.8]), np.array([[0.0, 1.0], [3.0, 1.5]]), np.array([[1.0, 0.1], [0.5, 0.2]])
    )
    rng = np.random.default_rng(2)
    which = rng.random(400_000) < 0.2
    for place in (0, 1):
        one, two = (rng.normal(law.means[k, place], law.sds[k, place], 400_000) for k in (0, 1))
        drawn = np.where(which, one, two)
        for q in (0.025, 0.25, 0.5, 0.9):
            assert law.quantile(q)[place] == pytest.approx(np.quantile(drawn, q), abs=0.02)
        assert law.below(1.2)[place] == pytest.approx((drawn <= 1.2).mean(), abs=0.005)


class Known(Kernel):
    """The covariance of a fitted trend with a diffuse prior on its coefficients."""

    def __init__(self, trend):
        self.trend = trend

    def __call__(self, X, Y=None, eval_gradient=False):
        a, b = self._points(X), self._points(X if Y is None else Y)
        return self.trend._sum(a, b) + 1e5 * mean_columns(a) @ mean_columns(b).T

    def _points(self, X):
        return Points(X[:, 0].astype(int), X[:, 1], X[:, 2].astype(bool))

    def diag(self, X):
        return np.diag(self(X))

    def is_stationary(self):
        return False


@pytest.mark.parametrize("name", CANDIDATES)
def test_paths_are_those_of_a_gaussian_process(panels, name):
    """Second implementation: scikit-learn with the same covariance."""
    series, _ = panels[0]
    trend = fit_trend(series, name, (2018,))
    numbers = {code: i for i, code in enumerate(sorted(series["region_code"].unique()))}

    def columns(frame):
        return np.column_stack(
            [frame["region_code"].map(numbers), frame["wave"].astype(float), frame["own"]]
        ).astype(float)

    ask = series.iloc[[0, 3, 9, -1]].assign(wave=[2024, 2027, 2030, 2035])
    process = GaussianProcessRegressor(Known(trend), alpha=series["v"].to_numpy(), optimizer=None)
    mean, cov = process.fit(columns(series), series["y"]).predict(columns(ask), return_cov=True)
    own_mean, own_cov = trend.predict(points_of(ask))
    assert own_mean == pytest.approx(mean, abs=1e-4)
    assert own_cov == pytest.approx(cov, abs=1e-3)


def test_a_region_outside_the_panel_is_read_without_a_new_fit(panels):
    series, _ = panels[0]
    outside = series["region_code"] == "000007"
    trend = fit_trend(series[~outside], "converging")
    ask = points_of(series[outside].iloc[[-1]].assign(wave=2025))
    far, near = trend.predict(ask), trend.given(series[outside]).predict(ask)
    assert near[1][0, 0] < 0.2 * far[1][0, 0]
    everything = fit_trend(series, "converging").predict(ask)
    assert near[0] == pytest.approx(everything[0], abs=0.05)


@pytest.mark.parametrize(
    "name", ["level", "slope", "distance", "walk", "step", "wave", "shift", "common_slope"]
)
def test_every_component_is_a_covariance(name):
    rng = np.random.default_rng(1)
    points = Points(
        rng.integers(0, 4, 20), rng.integers(2007, 2030, 20) * 1.0, rng.random(20) > 0.2
    )
    K = covariance(name, points, points, 2007, 25.0, (2020, 2022))
    assert pytest.approx(K.T) == K
    assert np.linalg.eigvalsh(K).min() > -1e-8


# --- refusals ------------------------------------------------------------------------------------


def test_what_carries_no_trend_is_refused(panels):
    series, _ = panels[0]
    with pytest.raises(ModelError, match=r"needs 3 waves and 5 regions .* there are 2 and"):
        fit_trend(series[series["wave"] <= 2010], "drift")
    with pytest.raises(ModelError, match="needs the rates of the whole"):
        fit_trend(series[series["own"]], "drift")
    with pytest.raises(ModelError, match="Unknown trend 'cubic'; known: drift, slopes, converging"):
        fit_trend(series, "cubic")
    with pytest.raises(ModelError, match="No wave can be held out"):
        backtest(series[series["wave"] <= 2010])


def test_rates_without_a_logit_are_refused(study):
    waves = study.dataset.waves
    with pytest.raises(KepuError, match="lack variance"):
        logit_rates(study.rates.drop(columns="variance"), waves, frozenset())
    with pytest.raises(KepuError, match="strictly between 0 and 100"):
        logit_rates(study.rates.assign(rate=100.0), waves, frozenset())


def test_a_region_without_a_survey_has_no_forecast(study):
    with pytest.raises(KepuError, match="No forecast of 150100: it has no survey"):
        study.outlook.paths("150100", [2025])
    with pytest.raises(KepuError, match="A forecast of 150000 starts in 2022"):
        study.outlook.chance("150000", 2021, 10.0)


def test_nothing_is_forecast_beyond_the_horizon_that_was_tested(study):
    found = study.outlook
    ahead = found.records["wave"] - found.records["origin"]
    tested = ahead[found.records["model"] == found.model].value_counts()
    assert found.reach == max(tested.index[tested >= 5]) == 8
    assert found.within("150000", 2030) and not found.within("150000", 2031)
    message = "No forecast of 150000 for 2035: its last survey is of 2022, .* reached 8 years"
    for ask in (
        lambda: found.chance("150000", 2035, 25.0),
        lambda: found.fan("150000", [2030, 2035]),
        lambda: found.draws("150000", [2035], 5, seed=1),
    ):
        with pytest.raises(KepuError, match=message):
            ask()


def test_a_forecast_that_a_caller_changes_stays_what_it_was(study):
    found = study.outlook
    first = found.fan("150000", [2025, 2030])
    first["median"] = 0.0
    again = found.fan("150000", [2025, 2030])
    assert (again["median"] > 5).all() and again["year"].tolist() == [2025, 2030]
    alone = found.fan("150000", [2030])["median"].iloc[0]
    assert alone == pytest.approx(again["median"].iloc[1], abs=1e-9)
    assert (found.fan("110000", [2025, 2030])["median"] > again["median"]).all()


# --- the real series -----------------------------------------------------------------------------


def test_the_average_beats_both_benchmarks_on_the_real_series(study):
    found = study.outlook
    assert isinstance(found, Outlook)
    best = found.score()
    assert best["rates"] > 100
    assert best["cover_50"] < best["cover_80"] < best["cover_95"]
    assert best["mae"] < min(found.score(name)["mae"] for name in ("no_change", "national_trend"))
    assert found.beats_benchmarks
    assert {2018, 2020, 2022, 2023} <= set(found.records["wave"])
    assert {2015, 2018, 2020, 2022} <= set(found.records["origin"])


def test_an_average_at_a_wave_knows_no_later_error(study):
    """Weights and law worked out again from the errors known by then alone."""
    rows = study.outlook.records
    for origin in (2015, 2020, 2022):
        known = rows[rows["wave"] <= origin]
        weighed = weights(known)
        asked = rows[(rows["origin"] == origin) & rows["model"].isin(CANDIDATES)]
        mean = asked.pivot_table(index=["region_code", "wave"], columns="model", values="mean")
        own = rows[(rows["origin"] == origin) & (rows["model"] == AVERAGE)]
        own = own.set_index(["region_code", "wave"])["mean"].sort_index()
        assert own.to_numpy() == pytest.approx(mean[list(CANDIDATES)].to_numpy() @ weighed)
    assert weights(rows[rows["wave"] <= 2015]) == pytest.approx([1 / 3] * 3)


def with_coverage(study, **shares: float):
    scores = study.outlook.scores.copy()
    for name, share in shares.items():
        scores.loc[scores["model"] == AVERAGE, name] = share
    return replace(study.outlook, scores=scores)


@pytest.mark.parametrize(
    ("shares", "said"),
    [((0.5, 0.8, 0.95), "fair"), ((0.64, 0.8, 0.95), "wide"), ((0.5, 0.8, 1.0), "wide"),
     ((0.5, 0.70, 0.95), "narrow"), ((0.64, 0.8, 0.88), "uneven")],
)  # fmt: skip
def test_intervals_are_as_wide_as_they_claim_only_at_every_level(study, shares, said):
    names = ("cover_50", "cover_80", "cover_95")
    assert with_coverage(study, **dict(zip(names, shares, strict=True))).width == said


def test_the_bands_of_coverage_are_binomial(study):
    n = int(study.outlook.score()["rates"])
    low, high = study.outlook.band(80)
    counts = np.arange(n + 1)
    mass = stats.binom.pmf(counts, n, 0.8)
    assert mass[counts < n * low - 1e-9].sum() <= 0.025 >= mass[counts > n * high + 1e-9].sum()
    assert low < 0.8 < high < low + 0.2


def test_inner_mongolia_was_always_forecast_too_high(study):
    found = study.outlook.errors("150000")
    rows = study.outlook.records
    rows = rows[(rows["region_code"] == "150000") & (rows["model"] == AVERAGE)]
    assert (found.rates, found.waves, found.way) == (6, 3, "over")
    assert found.mean == found.mae == pytest.approx((rows["point"] - rows["rate"]).mean())
    assert study.outlook.errors("150100") is None
    once = study.outlook.errors("210000")  # two forecasts of one survey, both too high
    assert (once.waves, once.mean > 0, once.way) == (1, True, "")


def shifted(study, region, points):
    """The outlook with every error of a region in the back-test moved to the same number."""
    records = study.outlook.records.copy()
    records.loc[records["region_code"] == region, "error"] = points
    return replace(study.outlook, records=records)


def test_a_chance_is_told_only_if_the_region_s_own_errors_leave_its_word(study):
    median = study.outlook.fan("110000", [2025])["median"].iloc[0]
    sure, close = median - 8, median - 2  # both very likely by the trend alone
    assert word(study.outlook.chance("110000", 2025, close)) == "very_likely"
    over = shifted(study, "110000", 2.5)
    assert over.holds("110000", 2025, sure) and not over.holds("110000", 2025, close)
    assert shifted(study, "110000", -2.5).holds("110000", 2025, close)
    assert not shifted(study, "110000", -2.5).holds("110000", 2025, median + 2)
    mixed = study.outlook.records.copy()
    rows = mixed.index[mixed["region_code"] == "110000"]
    mixed.loc[rows, "error"] = np.where(np.arange(len(rows)) % 2, 2.5, -2.5)
    assert replace(study.outlook, records=mixed).holds("110000", 2025, close)
    assert study.outlook.holds("150000", 2025, 15)  # too high as well, and very unlikely anyway


def test_held_out_rates_are_never_seen(study):
    """A forecast made up to a wave stays the same when later rates change."""
    found = study.outlook
    panel = found.series[found.series["region_code"].isin(found.trends[0].points.region)]
    later = panel["wave"] > 2018
    spoilt = panel.assign(y=panel["y"] + 2.0 * later, rate=panel["rate"] * np.where(later, 3, 1))
    rows = {
        name: frame[(frame["origin"] == 2018)].sort_values(["model", "region_code", "wave"])
        for name, frame in (("true", found.records), ("spoilt", backtest(spoilt, (2020, 2022))))
    }
    assert list(rows["true"]["point"]) == pytest.approx(list(rows["spoilt"]["point"]), rel=1e-6)


def test_benchmarks_are_what_they_are_called(study):
    rows = study.outlook.records
    row = rows[
        (rows["region_code"] == "150000") & (rows["origin"] == 2018) & (rows["wave"] == 2022)
    ].set_index("model")["point"]
    assert row["no_change"] == pytest.approx(7.63)
    assert row["national_trend"] == pytest.approx(7.63 + 4 * (8.47 - 6.20) / 3)


def test_where_the_average_loses_the_benchmark_makes_the_forecast(study):
    table = study.outlook.scores.copy()
    table.loc[table["model"] == "national_trend", "mae"] = 0.1
    assert used(table.sort_values("mae")) == "national_trend"
    lost = replace(study.outlook, model="national_trend")
    assert not lost.beats_benchmarks
    fan = lost.fan("150000", [2022, 2024])
    assert list(fan["median"]) == pytest.approx([10.04, 10.04 + 2 * (16.74 - 15.37)])
    assert (np.diff(fan["high_80"] - fan["low_80"]) > 0).all()


def test_draws_agree_with_the_fan_and_the_chance(study):
    found, years = study.outlook, [2025, 2028, 2030]
    drawn = found.draws("150000", years, 20_000, seed=3)
    fan = found.fan("150000", years)
    assert np.quantile(drawn, 0.1, axis=0) == pytest.approx(fan["low_80"], rel=0.015)
    assert np.median(drawn, axis=0) == pytest.approx(fan["median"], rel=0.015)
    p = (drawn[:, 0] >= 15).mean()
    assert p == pytest.approx(found.chance("150000", 2025, 15.0), abs=0.012)
    weighed, means, spreads = found.paths("150000", years)
    mean = weighed @ means
    within = np.tensordot(weighed, spreads, axes=1)
    between = np.einsum("k,ki,kj->ij", weighed, means - mean, means - mean)
    assert np.cov(to_logit(drawn).T) == pytest.approx(within + between, rel=0.1, abs=1e-4)
    assert (
        found.draws("150000", years, 5, seed=3) == found.draws("150000", years, 5, seed=3)
    ).all()


def test_forecasts_of_the_shares_stay_shares(study):
    for code in study.outlook.regions:
        last = study.outlook.series.loc[study.outlook.series["region_code"] == code, "wave"].max()
        fan = study.outlook.fan(code, range(int(last), int(last) + study.outlook.reach + 1))
        assert fan.drop(columns="year").stack().between(0, 100).all()
        assert (fan["low_95"] <= fan["low_50"]).all() and (fan["high_50"] <= fan["high_95"]).all()


def test_too_few_waves_give_a_reason(study):
    few = study.rates[study.rates["wave"].isin([2010, 2015])]
    assert "No wave can be held out" in outlook(study.dataset, few)


@pytest.mark.parametrize(
    ("chance", "said"),
    [(0.95, "very_likely"), (0.9, "very_likely"), (0.7, "likely"), (0.5, "even"),
     (0.2, "unlikely"), (0.05, "remote"), (0.0, "remote")],
)  # fmt: skip
def test_words_of_a_chance(chance, said):
    assert word(chance) == said


# --- needed gains --------------------------------------------------------------------------------


def provinces(study) -> set[str]:
    regions = study.dataset.regions
    return set(regions.loc[regions["level"] == "province", "code"])


def latest(study, code: str) -> pd.Series:
    rows = study.rates[(study.rates["region_code"] == code) & study.rates["variance"].notna()]
    return rows.sort_values("wave").iloc[-1]


def test_comparable_gains_started_near_the_region(study):
    near = comparable(study.gains, 10.04, provinces(study))
    odds = near["opening"] / (100 - near["opening"])
    own = 10.04 / (100 - 10.04)
    assert odds.between(own * np.exp(-WIDTH), own * np.exp(WIDTH)).all()
    assert NATION not in set(near["region_code"])
    assert len(near) > 10


def test_the_fastest_gain_is_shrunk_by_its_own_error(study):
    near = comparable(study.gains, 10.04, provinces(study))
    best = fastest(near)
    g, v = near["annual"].to_numpy(), near["annual_variance"].to_numpy()
    s2 = max(0.0, excess_variance(g, pd.DataFrame({"one": np.ones(len(g))}), v))
    mean = (g / (s2 + v)).sum() / (1 / (s2 + v)).sum()
    posterior = mean + s2 / (s2 + v) * (g - mean)
    assert best.shrunk == pytest.approx(posterior.max())
    assert best.shrunk <= best.value
    assert best.low < best.value < best.high


def test_equal_gains_shrink_to_their_mean():
    gains = pd.DataFrame(
        {"region_code": list("abc"), "wave_from": 2015, "wave_to": 2020, "annual": [1.0, 1.1, 0.9],
         "annual_variance": 4.0, "crosses_break": False}
    )  # fmt: skip
    best = fastest(gains)
    assert (best.region, best.shrunk) == ("b", pytest.approx(1.0))
    assert fastest(gains.iloc[:2]) is None


@pytest.mark.parametrize(
    ("target", "year", "verdict"),
    [(9.0, 2030, "met"), (11.0, 2035, "seen"), (15.0, 2025, "open"), (40.0, 2025, "unseen")],
)
def test_needed_gains_of_inner_mongolia(study, target, year, verdict):
    found = required(target, year, latest(study, "150000"), study.gains, provinces(study))
    assert found.verdict == verdict
    if verdict != "met":
        assert found.value == pytest.approx((target - 10.04) / (year - 2022))
        assert found.low < found.value < found.high


def test_a_due_year_that_was_surveyed_asks_no_gain(study):
    with pytest.raises(ModelError, match="The survey of 2022 decides a target due in 2020"):
        required(20.0, 2020, latest(study, "150000"), study.gains, provinces(study))


def test_without_comparable_gains_nothing_is_compared(study):
    found = required(30.0, 2030, latest(study, "150000"), study.gains.iloc[:0], provinces(study))
    assert (found.verdict, found.fastest) == ("alone", None)


# --- tracker -------------------------------------------------------------------------------------


def test_hohhots_targets_say_that_no_value_is_published(study):
    found = {item.target["indicator"]: item for item in track(study.dataset, "150100")}
    assert found["county_units_with_science_museum"].target["value"] == 9
    assert found["kepu_bases"].target["value"] == 100
    assert found["kepu_base_visits_per_year"].target["value"] == 1e6
    assert {item.status for item in found.values()} == {"unknown"}
    assert all(item.last is None for item in found.values())


@pytest.mark.parametrize(
    ("value", "year", "caveats", "status"),
    [(120, "2024", "", "reached"), (80, "2025", "", "short"), (80, "2024", "", "below"),
     (120, "2024", "suspect", "flagged")],
)  # fmt: skip
def test_a_published_value_is_judged(study, value, year, caveats, status):
    facts = study.dataset.facts
    known = facts[facts["indicator"] == "kepu_education_bases_total"].iloc[[0]]
    known = known.assign(
        region_code="150100", value=float(value), period_end=year, caveats=caveats, unit="count",
        indicator="kepu_bases",
    )  # fmt: skip
    found = track(replace(study.dataset, facts=pd.concat([facts, known])), "150100")
    told = {item.target["indicator"]: item for item in found}["kepu_bases"]
    assert told.status == status
    assert told.last["value"] == value


def test_only_the_same_thing_is_compared(study):
    """Visits to all venues and museums of all levels decide nothing of bases and of counties."""
    facts = study.dataset.facts
    others = ["venue_visitors_total", "kepu_education_bases_total",
              "science_museums_banner_level_and_above"]  # fmt: skip
    known = facts[facts["indicator"].isin(others) & facts["caveats"].eq("")]
    assert set(known["indicator"]) == set(others)
    known = known.assign(region_code="150100", value=1e9, period_end="2025")
    assert {
        item.status
        for item in track(replace(study.dataset, facts=pd.concat([facts, known])), "150100")
    } == {"unknown"}


# --- decomposition -------------------------------------------------------------------------------

# Household headship rates per 100, United States, 1970 and 1985: Das Gupta (1993), Standardization
# and Decomposition of Rates, Current Population Reports P23-186, example 5.1; table and
# decomposition as printed in the README of the R package DasGuptR: standardised 45.5876 and 46.8145
# for age, 45.3309 and 47.0712 for the rates.
SIZE = {
    1970: (12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9),
    1985: (10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5),
}
HEADS = {
    1970: (1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8),
    1985: (2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2),
}


def headship():
    shares = {year: np.array(size) / 100 for year, size in SIZE.items()}
    return kitagawa(shares[1970], HEADS[1970], shares[1985], HEADS[1985])


def test_a_published_decomposition_is_reproduced():
    composition, rates = (part.sum() for part in headship())
    assert composition == pytest.approx(46.8145 - 45.5876, abs=1e-4)
    assert rates == pytest.approx(47.0712 - 45.3309, abs=1e-4)
    assert composition + rates == pytest.approx(47.6940 - 44.7268, abs=5e-5)
    assert 100 * composition / (composition + rates) == pytest.approx(41.35, abs=0.005)


def test_kitagawa_is_the_mean_of_two_oaxaca_blinder_decompositions():
    """Second implementation: statsmodels on persons, group indicators as regressors."""
    counts = {0: {"a": (60, 12), "b": (40, 2)}, 1: {"a": (45, 18), "b": (55, 11)}}
    rows = [
        (int(k < literate), int(group == "b"), when)
        for when, groups in counts.items()
        for group, (people, literate) in groups.items()
        for k in range(people)
    ]
    y, b, when = np.array(rows, dtype=float).T
    exog = np.column_stack([b, when, np.ones(len(y))])
    model = OaxacaBlinder(y, exog, 1, swap=False)
    endowment, coefficient, interaction, gap = model.three_fold().params
    parts = kitagawa((0.6, 0.4), (0.2, 0.05), (0.45, 0.55), (0.4, 0.2))
    composition, rates = (part.sum() for part in parts)
    sign = np.sign(gap) * np.sign(composition + rates)
    assert sign * gap == pytest.approx(composition + rates)
    assert sign * (endowment + interaction / 2) == pytest.approx(composition)
    assert sign * (coefficient + interaction / 2) == pytest.approx(rates)


@pytest.mark.parametrize(
    ("shares", "message"),
    [((0.5, 0.4), "'shares0' must be at least 0 and add to 1; they add to 0.9"),
     ((1.2, -0.2), "'shares0' must be at least 0"), ((1.0,), "one value for each group")],
)  # fmt: skip
def test_shares_that_are_none_are_refused(shares, message):
    with pytest.raises(KepuError, match=message):
        kitagawa(shares, (1, 2), (0.5, 0.5), (1, 2))


def test_the_implied_share_reproduces_the_total():
    share = implied_share(10.56, 13.75, 6.45)
    assert share * 13.75 + (1 - share) * 6.45 == pytest.approx(10.56)
    with pytest.raises(KepuError, match=r"No mix of 13\.75 and 6\.45 averages to 20"):
        implied_share(20.0, 13.75, 6.45)


def test_bounds_of_a_gap_hold_every_population_with_those_margins():
    rng = np.random.default_rng(5)
    for _ in range(200):
        w = rng.dirichlet(np.ones(4))
        r = np.sort(rng.uniform(0, 60, 4))
        total, share = float(w @ r), w[2:].sum()
        above, below = w[2:] @ r[2:] / share, w[:2] @ r[:2] / (1 - share)
        low, high = gap_bounds(total, 0.6 * share, (r[2], r[3]), (r[0], r[1]))
        assert low - 1e-3 <= above - below <= high + 1e-3
    with pytest.raises(KepuError, match="No share of the group reconciles"):
        gap_bounds(50.0, 0.1, (20, 30), (1, 5))


def test_joint_bounds_hold_every_additive_population():
    rng = np.random.default_rng(6)
    for _ in range(100):
        e, u = rng.uniform(0.1, 0.9, 2)
        phi = rng.uniform(0, 0.95) * min(
            np.sqrt(e * (1 - u) / (u * (1 - e))), np.sqrt(u * (1 - e) / (e * (1 - u)))
        )
        s = np.sqrt(u * (1 - u) / (e * (1 - e)))
        b, c = rng.uniform(0, 20, 2)
        gaps = ((b + c * phi * s,) * 2, (c + b * phi / s,) * 2)
        changes = tuple(rng.uniform(-0.1, 0.2, 2))
        low, high = joint_bounds(gaps, changes, (e, u))
        assert low - 0.02 <= b * changes[0] + c * changes[1] <= high + 0.02


def test_the_nations_gain_by_residence_is_exact(study):
    found = by_residence(study.dataset, study.rates, NATION)
    assert (found.first, found.last) == (2010, 2023)
    assert found.gain == pytest.approx(14.14 - 3.27)
    w0, w1 = (3.27 - 1.83) / (4.86 - 1.83), (14.14 - 9.16) / (17.25 - 9.16)
    part = (w1 - w0) * ((4.86 - 1.83) + (17.25 - 9.16)) / 2
    assert found.joint == pytest.approx((part, part))
    assert found.rest[0] == pytest.approx(found.gain - part)
    assert found.absent == ("age",)


def test_a_regions_parts_and_rest_add_to_its_gain(study):
    found = decompose(study.dataset, study.rates, "150000", NATION)
    assert [part.name for part in found.parts] == ["residence", "education"]
    assert found.gain == pytest.approx(7.00)
    assert found.joint[0] + found.rest[1] == pytest.approx(found.gain)
    assert found.joint[1] + found.rest[0] == pytest.approx(found.gain)
    assert found.joint[1] <= sum(part.high for part in found.parts) + 1e-9
    assert decompose(study.dataset, study.rates, "150100", NATION) is None


def test_the_education_gap_reconciles_what_the_nation_prints(study):
    low, high = education_gap(study.dataset, study.rates, NATION)
    printed = group_rates(study.dataset, NATION, "education").loc[2023]
    assert 0 < low < high <= printed["bachelor or above"] - printed["primary or below"] + 1e-3


def test_inputs_are_bounded_only_where_the_locks_permit(study):
    """An interval that holds zero permits no statement; else it is given times the change."""
    assert study.headline.grade.locks == 1 and study.headline.result.verdict == "unknown"
    assert inputs_part(study.headline, study.levels, "150000") == Inputs("silent")
    assert inputs_part("no headline", study.levels, "150000").status == "refused"
    first, *rest = study.headline.ladder
    first = replace(first, result=replace(first.result, low=0.01))
    told = replace(study.headline, ladder=(first, *rest))
    unsure = replace(told, grade=replace(told.grade, locks=0))
    assert inputs_part(unsure, study.levels, "150000") == Inputs("silent")
    found = inputs_part(told, study.levels, "150000")
    assert found.status == "bounded"
    result = next(r.result for r in told.ladder if r.model == "two_way_fixed_effects")
    assert found.high == pytest.approx(max(result.low * found.change, result.high * found.change))
    assert found.most >= 0
    assert inputs_part(told, study.levels, "150100").status == "missing"


def test_the_logit_keeps_a_rate_from_a_handful_of_respondents():
    rates = pd.DataFrame(
        {"region_code": ["a"], "wave": [2010], "rate": [0.1], "variance": [0.1 * 99.9 / 1100]}
    )
    found = logit_rates(rates, pd.DataFrame({"wave": [2010], "frame": ["x"]}), frozenset()).iloc[0]
    assert found["y"] == pytest.approx(np.log((1.1 + 0.5) / (1098.9 + 0.5)))
    assert percent(to_logit(12.5)) == pytest.approx(12.5)
