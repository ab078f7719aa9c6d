"""The recovery table: its numbers follow from its panels, and every rung has a truth."""

import numpy as np
import pytest

from evaluation.base.errors import KepuError, ModelError
from evaluation.models import MODELS, fit
from evaluation.models.recovery import RUNGS, recover


def test_every_registered_rung_has_a_truth_but_the_foil():
    # Models of events have their own generators in test_models_events and _synthetic.
    events = {name for name, model in MODELS.items() if model.outcome == "event"}
    assert set(MODELS) - set(RUNGS) - events == {"elastic_net"}
    with pytest.raises(KepuError, match="No generated truth for model 'elastic_net'"):
        recover("elastic_net")


def test_the_numbers_follow_from_the_panels():
    found = recover("gain_regression", 12, 4, draws=99, level=0.9)
    rung, errors, held = RUNGS["gain_regression"], [], []
    for i, stream in enumerate(np.random.SeedSequence(4).spawn(12)):
        frame, truth = rung.draw(np.random.default_rng(stream), 31)
        run = {"draws": 99, "seed": 4 + i, "level": 0.9}
        result = fit("gain_regression", frame, **rung.arguments, **run)
        errors.append(result.estimate - truth)
        held.append(result.low <= truth <= result.high)
    assert found.bias == pytest.approx(np.mean(errors))
    assert found.bias_error == pytest.approx(np.std(errors, ddof=1) / np.sqrt(12))
    assert found.coverage == pytest.approx(np.mean(held))
    assert found.coverage_low < found.coverage <= found.coverage_high
    assert (found.panels, found.refused, found.level) == (12, 0, 0.9)
    assert found == recover("gain_regression", 12, 4, draws=99, level=0.9)


@pytest.mark.parametrize("model", ["mean_gain", "gain_regression", "two_way_fixed_effects"])
def test_quick_rungs_recover_their_truth(model):
    found = recover(model, 80, 2, draws=199)
    assert abs(found.bias) < 3.5 * found.bias_error
    # Four Monte Carlo standard errors below the nominal level.
    assert found.coverage >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / 80)
    assert found.spread < 0.6 * found.truth


def test_refused_panels_are_counted_with_their_reasons():
    with pytest.raises(ModelError, match="3 of 3 panels were refused, first: Column 'region'"):
        recover("gain_regression", 3, 1, regions=8, draws=99)
    found = recover("partial_pooling", 12, 1, regions=14, draws=99)
    assert found.refused == sum(count for _, count in found.reasons)
    assert found.refused > 0
    with pytest.raises(KepuError, match="1 panels are too few"):
        recover("mean_gain", 1)
