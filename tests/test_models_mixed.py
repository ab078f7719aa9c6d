"""Partial pooling against published small-area and meta-analysis fits and statsmodels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models import fit
from evaluation.models.columns import Roles, mundlak
from evaluation.models.recovery import levels, recover
from evaluation.stats.reml import reml

REFERENCE = Path(__file__).parent / "reference"
PUBLISHED = pd.read_csv(REFERENCE / "published_rungs.csv").set_index("case")
ROLES = {"outcome": "rate", "doses": ["dose"], "region": "region", "wave": "wave"}
RUN = {"draws": 199, "seed": 1}


@pytest.fixture(scope="module")
def milk():
    frame = pd.read_csv(REFERENCE / "milk.csv")
    X = pd.get_dummies(frame["major_area"], dtype=float).assign(**{"1": 1.0}).to_numpy()
    X = np.column_stack([np.ones(len(frame)), X[:, 1:4]])
    y, known = frame["direct_est"].to_numpy(), frame["std_error"].to_numpy() ** 2
    return y, X, known, reml(y, X, known, {"area": np.eye(len(y))})


@pytest.fixture(scope="module")
def panel():
    return levels(np.random.default_rng(2), 31)[0]


def test_the_milk_coefficients_and_errors_are_the_published_ones(milk):
    # The published scoring stopped at a tolerance of 1e-4, which moves the seventh digit.
    fitted = milk[3]
    published = PUBLISHED.loc["milk"]
    np.testing.assert_allclose(fitted.coefficients, published["estimate"], atol=5e-7)
    se = np.sqrt(np.diag(fitted.covariance))
    np.testing.assert_allclose(se, published["se"], atol=5e-7)


def test_the_milk_predictions_are_the_published_ones(milk):
    y, X, _, fitted = milk
    fixed = X @ fitted.coefficients  # Xb + θ V⁻¹(y - Xb)
    drawn = np.linalg.solve(fitted.factor.T, fitted.whiten(y - fixed))
    found = fixed + fitted.variances["area"] * drawn
    np.testing.assert_allclose(found, PUBLISHED.loc["milk_eblup"]["estimate"], atol=1e-6)


def test_the_published_milk_likelihood_is_that_of_another_covariance(milk):
    """samplics prints -9.40346, which follows from one effect common to all areas."""
    y, X, known, fitted = milk
    tau2 = fitted.variances["area"]

    def loglike(V):
        _, logs = np.linalg.slogdet(V)
        information = X.T @ np.linalg.inv(V) @ X
        r = y - X @ fitted.coefficients
        terms = logs + np.linalg.slogdet(information)[1] + y @ np.linalg.inv(V) @ r
        return -0.5 * (len(y) * np.log(2 * np.pi) + terms)

    common = np.diag(known) + tau2 * np.ones((len(y), len(y)))
    assert loglike(common) == pytest.approx(PUBLISHED.loc["milk_samplics", "estimate"], abs=1e-4)
    own = loglike(np.diag(known + tau2)) + 2 * np.log(2 * np.pi)
    assert fitted.loglike == pytest.approx(own, abs=1e-8)


def test_the_vaccine_trials_give_the_published_random_effects():
    a, b, c, d = pd.read_csv(REFERENCE / "bcg.csv").to_numpy(dtype=float).T
    y, v = np.log(a / (a + b) / (c / (c + d))), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    fitted = reml(y, np.ones((13, 1)), v, {"trial": np.eye(13)})
    published = PUBLISHED.loc["bcg"].set_index("term")
    assert fitted.variances["trial"] == pytest.approx(published.loc["tau2", "estimate"], abs=5e-5)
    assert fitted.coefficients[0] == pytest.approx(published.loc["mean", "estimate"], abs=5e-5)
    se = np.sqrt(fitted.covariance[0, 0])
    assert se == pytest.approx(published.loc["mean", "se"], abs=5e-5)


@pytest.mark.parametrize("slope", [False, True])
def test_without_known_variances_it_is_the_mixed_model_of_statsmodels(panel, slope):
    rng = np.random.default_rng(1)
    own = rng.normal(size=31)[panel["region"]]
    frame = panel.assign(rate=panel["rate"] + own * panel["dose"])
    made, rows = mundlak(frame, Roles(**ROLES, covariates=[], variance=None))
    within = rows["dose"] - rows.groupby("region")["dose"].transform("mean")
    groups = made.clusters
    if slope:
        vc = sm.regression.mixed_linear_model.VCSpec(
            ["s"],
            [[["s"] for g in np.unique(groups)]],
            [[within[groups == g].to_numpy()[:, None] for g in np.unique(groups)]],
        )
        components = {"exog_vc": vc, "exog_re": np.ones((len(rows), 1))}
    else:
        components = {"exog_re": np.ones((len(rows), 1))}
    other = sm.MixedLM(made.y, made.X, groups, **components).fit(reml=True, method="lbfgs")
    found = fit("partial_pooling", frame, **ROLES, slope=slope, **RUN)
    assert found.estimate == pytest.approx(other.params["dose"], rel=2e-4)
    assert found.details["tau2"] == pytest.approx(other.cov_re.iloc[0, 0], rel=2e-3)
    assert found.details["sigma2"] == pytest.approx(other.scale, rel=2e-3)
    if slope:
        assert found.details["tau2_slope"] == pytest.approx(other.vcomp[0], rel=2e-3)


def test_regional_means_make_pooled_least_squares_the_fixed_effects(panel):
    roles = Roles(**ROLES, covariates=["v"], variance=None)
    made, _ = mundlak(panel, roles)
    pooled = np.linalg.lstsq(made.X.to_numpy(), made.y, rcond=None)[0][-1]
    arguments = {**ROLES, "covariates": ["v"]}
    assert pooled == pytest.approx(
        fit("two_way_fixed_effects", panel, **arguments, **RUN).estimate, rel=1e-8
    )


def test_a_balanced_panel_needs_no_means_of_waves():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"region": np.repeat(np.arange(12), 3), "wave": np.tile([1, 2, 3], 12), "v": 0.1}
    )
    frame["dose"], frame["rate"] = rng.normal(size=(2, 36))
    frame["kind"] = (frame["region"] % 3).astype(float)
    made, _ = mundlak(frame, Roles(**ROLES, covariates=["kind"], variance=None))
    left = list(made.X.columns[: made.effects])
    assert left == ["intercept", "wave=2", "wave=3", "mean of dose"]
    counted, _ = mundlak(
        frame.drop(index=[0, 5]),
        Roles(**ROLES, covariates=[], variance=None),
        unbalanced="wave_counts",
    )
    assert "waves seen=3" in counted.X.columns


def test_known_variances_and_coefficients_of_every_dose(panel):
    frame = panel.assign(other=np.random.default_rng(5).normal(size=len(panel)))
    arguments = {**ROLES, "doses": ["dose", "other"], "variance": "v"}
    result = fit("partial_pooling", frame, **arguments, **RUN)
    assert [row["term"] for row in result.coefficients[:2]] == ["dose", "other"]
    for row in result.coefficients[:2]:
        assert row["low"] < row["estimate"] < row["high"]
        assert (row["p"] <= 0.05) == (not row["low"] <= 0 <= row["high"])
    assert result.details["boundary"] is False
    assert result.details["tau2"] > 1
    assert 0 < result.details["p_boundary"]["region"] < 1e-6
    assert Result.from_json(result.to_json()) == result


def test_partial_pooling_lies_between_pooled_and_fixed_effects_without_means(panel):
    pooled = np.linalg.lstsq(
        pd.get_dummies(panel["wave"], dtype=float).assign(dose=panel["dose"]).to_numpy(),
        panel["rate"],
        rcond=None,
    )[0][-1]
    within = fit("two_way_fixed_effects", panel, **ROLES, **RUN).estimate
    found = fit("partial_pooling", panel, **ROLES, means=False, **RUN).estimate
    assert min(within, pooled) < found < max(within, pooled)


def test_nothing_to_pool_is_refused_in_words(panel):
    rng = np.random.default_rng(8)
    frame = panel.assign(rate=10 + rng.normal(size=len(panel)))
    other = frame.groupby("region")["rate"].transform("mean")
    frame["rate"] -= other
    with pytest.raises(ModelError) as caught:
        fit("partial_pooling", frame, **ROLES, **RUN)
    assert str(caught.value) == (
        "Partial pooling is not reported: the variance between regions is estimated at 0, the "
        "boundary of its range, where the weights and the inference of the model do not hold. Use "
        "fixed effects."
    )


def test_sampling_errors_that_explain_everything_are_refused_too(panel):
    with pytest.raises(ModelError, match="the variance beyond sampling error is estimated at 0"):
        fit("partial_pooling", panel.assign(v=5.0), **ROLES, variance="v", **RUN)


def test_refusals(panel):
    still = panel.assign(dose=panel.groupby("region")["dose"].transform("mean"))
    with pytest.raises(ModelError, match="'dose' is constant within every region"):
        fit("partial_pooling", still, **ROLES, **RUN)
    with pytest.raises(ModelError, match="Unknown 'unbalanced' rule 'drop'"):
        fit("partial_pooling", panel, **ROLES, unbalanced="drop", **RUN)
    with pytest.raises(ModelError, match="have two waves or more"):
        fit(
            "partial_pooling",
            panel.drop_duplicates("region").assign(wave=range(31)),
            **ROLES,
            **RUN,
        )
    few = panel.assign(dose=((panel["region"] < 3) & (panel["wave"] > 2015)).astype(float))
    with pytest.raises(ModelError, match="clusters apart"):
        fit("partial_pooling", few, **ROLES, **RUN)


def test_the_truth_is_recovered():
    found = recover("partial_pooling", 40, 3, draws=199)
    assert abs(found.bias) < 3.5 * found.bias_error
    # Four Monte Carlo standard errors below the nominal level.
    assert found.coverage >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / (found.panels - found.refused))
    assert found.refused < 6
