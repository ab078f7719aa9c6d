"""The predictive foil: held-out predictions rebuilt by hand, its test, and known skills."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import ElasticNet

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.base.text import t
from evaluation.models import fit
from evaluation.models.prediction import SkillTest, held_out

ROLES = {"outcome": "gain", "region": "region", "wave": "wave"}
RUN = {"draws": 199, "seed": 1}


def panel(effect=0.0, seed=0, regions=16):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"region": np.repeat(np.arange(regions), 3), "wave": np.tile([2015, 2018, 2020], regions)}
    )
    frame["dose"], frame["income"], noise = rng.normal(size=(3, len(frame)))
    frame["gain"] = 1 + 0.5 * (frame["wave"] - 2015) + effect * frame["dose"] + noise
    return frame


def test_held_out_predictions_never_see_the_region_they_predict():
    frame = panel(effect=1.0)
    y, waves = frame["gain"].to_numpy(), frame["wave"].to_numpy()
    X, codes = frame[["dose", "income"]].to_numpy(), frame["region"].to_numpy()
    before = held_out(X, y, codes, waves, 1)
    changed = np.where(codes == 3, y + 1000, y)
    after = held_out(X, changed, codes, waves, 1)
    for old, new in zip(before[:2], after[:2], strict=True):
        np.testing.assert_array_equal(old[codes == 3], new[codes == 3])
        assert np.abs(old[codes != 3] - new[codes != 3]).min() > 1


def test_the_trend_is_the_mean_of_the_other_regions_in_the_same_interval():
    frame = panel()
    y, waves = frame["gain"].to_numpy(), frame["wave"].to_numpy()
    codes = frame["region"].to_numpy()
    lone = np.append(waves[:-1], 2025)
    trend = held_out(frame[["dose"]].to_numpy(), y, codes, lone, 1)[1]
    rest = codes != codes[4]
    assert trend[4] == pytest.approx(y[rest & (lone == lone[4])].mean())
    assert trend[-1] == pytest.approx(y[codes != codes[-1]].mean())


def test_predictions_come_from_an_elastic_net_on_scaled_inputs():
    frame = panel(effect=1.0)
    y, waves = frame["gain"].to_numpy(), frame["wave"].to_numpy()
    X, codes = frame[["dose", "income"]].to_numpy(), frame["region"].to_numpy()
    predicted, trend, coefficients = held_out(X, y, codes, waves, 1)
    train, test = codes != 5, codes == 5
    scaled = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    np.testing.assert_allclose(predicted[test], trend[test] + scaled[test] @ coefficients[5])
    target = y[train] - pd.Series(y[train]).groupby(waves[train]).transform("mean").to_numpy()

    def loss(alpha, ratio):
        net = ElasticNet(alpha=alpha, l1_ratio=ratio, fit_intercept=False)
        return np.abs(net.fit(scaled[train], target).coef_ - coefficients[5]).max()

    top = np.abs(scaled[train].T @ target).max() / train.sum()
    grid = [(top / r * 10 ** (-3 * i / 19), r) for i, r in product(range(20), (0.2, 0.9))]
    assert min(loss(*point) for point in grid) < 1e-3


def test_all_sign_changes_give_the_exact_p_and_the_interval_agrees():
    rng = np.random.default_rng(1)
    own, benchmark = rng.uniform(0.5, 1.5, 10), rng.uniform(0.8, 1.6, 10)
    test = SkillTest(own, benchmark, 9999, 1)
    signs = np.array(list(product([-1, 1], repeat=10)))
    for skill in (0.0, 0.1, test.estimate):
        z = own - (1 - skill) * benchmark
        extreme = np.abs(signs @ z) >= abs(z.sum()) - 1e-9
        assert test.p(skill) == pytest.approx(extreme.mean())
    low, high = test.end(-1, 0.05), test.end(1, 0.05)
    assert low < test.estimate < high
    assert test.estimate == pytest.approx(1 - own.sum() / benchmark.sum())
    for skill in np.linspace(low - 0.2, min(high + 0.2, 0.999), 41):
        assert (test.p(skill) <= 0.05) == (not low <= skill <= high)


def test_a_model_that_is_the_trend_has_no_skill_and_no_width():
    errors = np.random.default_rng(1).uniform(0.5, 1.5, 12)
    test = SkillTest(errors, errors, 999, 1)
    assert (test.estimate, test.p(0.0)) == (0.0, 1.0)
    assert (test.end(-1, 0.05), test.end(1, 0.05)) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_an_input_that_matters_has_skill_beyond_the_covariates():
    frame = panel(effect=1.5, regions=20)
    result = fit("elastic_net", frame, **ROLES, doses=["dose"], covariates=["income"], draws=999)
    assert (result.term, result.verdict, result.unit) == ("skill", "positive", "percent")
    details = result.details
    assert result.estimate == pytest.approx(100 * (1 - details["mae"] / details["mae_trend"]))
    assert details["skill_no_change"] == pytest.approx(
        100 * (1 - details["mae"] / details["mae_no_change"])
    )
    assert details["skill_covariates"] < 10 < details["skill_beyond_covariates"]
    assert details["selected"][0]["share_of_folds"] == 1.0
    assert details["keys"] == ["foil.helps", "foil.covariates"]
    assert Result.from_json(result.to_json()) == result
    again = fit("elastic_net", frame, **ROLES, doses=["dose"], covariates=["income"], draws=999)
    assert again == result


def test_noise_is_not_called_skill():
    found = [fit("elastic_net", panel(seed=s), **ROLES, doses=["dose"], **RUN) for s in range(8)]
    assert sum(result.low > 0 for result in found) <= 1
    assert np.mean([result.estimate for result in found]) < 2
    assert {"foil.unclear"} <= {key for result in found for key in result.details["keys"]}
    assert all((r.p <= 0.05) == (not r.low <= 0 <= r.high) for r in found)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_its_sentences_claim_prediction_only(language):
    values = {"skill": 1, "low": 2, "high": 3, "covariates": 4, "level": "95 %"}
    for key in ("foil.helps", "foil.harms", "foil.unclear", "foil.covariates"):
        text = t(key, language, **values)
        for word in ("导致", "影响", "effect", "caus", "led to"):
            assert word not in text


def test_refusals():
    frame = panel()
    arguments = {**ROLES, "doses": ["dose"], **RUN}
    with pytest.raises(ModelError, match="The national trend predicts without error"):
        fit("elastic_net", frame.assign(gain=1.0), **arguments)
    with pytest.raises(ModelError, match="10 draws are too few"):
        fit("elastic_net", frame, **{**arguments, "draws": 10})
    with pytest.raises(ModelError, match="'level' must lie strictly between 0 and 1"):
        fit("elastic_net", frame, **arguments, level=1.0)
    with pytest.raises(ModelError, match="'dose' is 1 in all 48 rows"):
        fit("elastic_net", frame.assign(dose=1.0), **arguments)
