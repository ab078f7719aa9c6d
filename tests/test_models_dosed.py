"""A programme in unlike amounts: another package's answers, a simulated truth, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import ModelError
from evaluation.models import dosed
from evaluation.models.columns import Inference, Roles

ROLES = Roles(outcome="y", doses=("first",), region="unit", wave="time")
RUN = Inference(499, 1)
# `diff-diff` 3.13.0, ContinuousDiD without knots on amounts.csv: average slope, average
# difference, differences at the 10, 50 and 90 % quantiles of the amounts.
ANSWERS = {
    1: (0.8373010013010102, 1.8326066666666665, [1.171976176640169, 1.9113129607889612,
                                                 2.586177567837576]),
    2: (0.8430136240536528, 1.8326066666666665, [1.1565745815665707, 1.9349895270487245,
                                                 2.570027329447934]),
}  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    file = Path(__file__).resolve().parent / "reference" / "amounts.csv"
    return pd.read_csv(file, dtype={"unit": str})


def amounts(panel: pd.DataFrame) -> dict[str, float]:
    return panel.groupby("unit")["dose"].first().to_dict()


@pytest.mark.parametrize("degree", ANSWERS)
def test_slope_average_and_levels_are_those_of_another_package(panel, degree):
    found = dosed.fit(panel, ROLES, RUN, amounts=amounts(panel), degree=degree)
    slope, overall, levels = ANSWERS[degree]
    assert found.estimate == pytest.approx(slope, rel=1e-9)
    assert found.details["overall"]["estimate"] == pytest.approx(overall, rel=1e-9)
    assert [row["estimate"] for row in found.details["levels"]] == pytest.approx(levels, rel=1e-9)


def test_the_error_is_the_robust_one_of_the_regression(panel):
    """HC0 of the slope as statsmodels and diff-diff print it, times the cohort's 60 / 59."""
    found = dosed.fit(panel, ROLES, RUN, amounts=amounts(panel))
    assert found.se == pytest.approx(0.08857375111063387 * np.sqrt(60 / 59), rel=1e-6)
    assert found.low < 0.8 < found.high  # the slope amounts.csv was made with


def drawn(seed: int, slope: float, regions: int = 60) -> tuple[pd.DataFrame, dict[str, float]]:
    """Three dates and never; the difference is 0.5 and ``slope`` for each unit of the amount."""
    rng, rows, given = np.random.default_rng(seed), [], {}
    for i in range(regions):
        first = (0, 2014, 2016, 2018)[i % 4]
        given[str(i)] = amount = float(rng.uniform(1, 4)) if first else 0.0
        level = rng.normal()
        for year in (2012, 2014, 2016, 2018, 2020):
            on = first and year >= first
            y = level + 0.2 * (year - 2012) + (0.5 + slope * amount if on else 0) + rng.normal() / 2
            rows.append((str(i), year, y, first))
    return pd.DataFrame(rows, columns=["unit", "time", "y", "first"]), given


def test_several_dates_cover_the_slope_and_claim_none_where_there_is_none():
    held, claimed = 0, 0
    for seed in range(40):
        frame, given = drawn(seed, 0.6)
        found = dosed.fit(frame, ROLES, Inference(199, seed), amounts=given)
        held += found.low <= 0.6 <= found.high
        frame, given = drawn(100 + seed, 0.0)
        claimed += dosed.fit(frame, ROLES, Inference(199, seed), amounts=given).p <= 0.05
    assert held >= 34 and claimed <= 6  # at 95 and 5 %: once in a thousand each


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f, a: (f, a | {"40": 0.0}), "40 was reached with no amount above 0"),
        (lambda f, a: (f, {k: v for k, v in a.items() if k != "40"}), "40 was reached with no"),
        (lambda f, a: (f[f["unit"].astype(int) < 39], a), "9 regions were reached and 30 never"),
        (lambda f, a: (f, {k: 2.0 * (v > 0) for k, v in a.items()}), "differ too little"),
        (lambda f, a: (f.drop(f.index[-1]), a), "89 has gaps"),
    ],
)
def test_what_cannot_be_compared_by_amount_is_refused(panel, change, told):
    frame, given = change(panel, amounts(panel))
    with pytest.raises(ModelError, match=told):
        dosed.fit(frame, ROLES, RUN, amounts=given)


def test_a_degree_that_does_not_exist_is_refused(panel):
    with pytest.raises(ModelError, match="'degree' is 3; use 1 or 2"):
        dosed.fit(panel, ROLES, RUN, amounts=amounts(panel), degree=3)
