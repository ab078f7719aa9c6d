"""A bad panel gets one clear refusal, the same from every model: column, rows and remedy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import ModelError
from evaluation.models import fit
from evaluation.models.columns import EFFECTS, Roles, checked

ROLES = {"outcome": "y", "region": "region", "wave": "wave", "variance": "v"}


def panel(regions: int = 12, waves: int = 3) -> pd.DataFrame:
    """Generated, balanced; index labels start at 100 so that they cannot pass for positions."""
    rng = np.random.default_rng(5)
    size = regions * waves
    frame = pd.DataFrame(
        {
            "region": np.repeat([f"r{i:02d}" for i in range(regions)], waves),
            "wave": np.tile(range(2015, 2015 + waves), regions),
            "y": rng.normal(size=size),
            "fund": rng.normal(size=size),
            "museum": rng.normal(size=size),
            "income": rng.normal(size=size),
            "v": rng.uniform(0.1, 0.4, size),
        }
    )
    return frame.set_axis(frame.index + 100)


def altered(column: str, rows: list[int], value: object) -> pd.DataFrame:
    frame = panel()
    frame.loc[rows, column] = value
    return frame


def refusal(model, frame, **changes) -> str:
    arguments = {**ROLES, "doses": ["fund", "museum"], "covariates": ["income"], "draws": 99}
    with pytest.raises(ModelError) as caught:
        fit(model, frame, **{**arguments, **changes})
    return str(caught.value)


BAD = {
    "one region": (
        lambda: panel(regions=1),
        "Column 'region' holds 1 value in the 3 rows that remain after dropping 0 with missing "
        "values; at least 10 are needed.",
    ),
    "an empty panel": (
        lambda: panel().iloc[:0],
        "Column 'region' holds 0 values in the 0 rows that remain after dropping 0 with missing "
        "values; at least 10 are needed.",
    ),
    "a constant dose": (
        lambda: panel().assign(fund=2.5),
        "Column 'fund' is 2.5 in all 36 rows: a constant dose says nothing. Leave it out.",
    ),
    "collinear doses": (
        lambda: panel().assign(museum=lambda x: 3 - 2 * x["fund"]),
        "Doses 'fund' and 'museum' are perfectly collinear in all 36 rows: the panel cannot tell "
        "them apart. Leave one out.",
    ),
    "an infinite dose": (
        lambda: altered("fund", [103], np.inf),
        "Column 'fund' holds infinite values: row 103.",
    ),
    "infinite outcomes": (
        lambda: altered("y", list(range(100, 108)), -np.inf),
        "Column 'y' holds infinite values: rows 100, 101, 102, 103, 104 and 3 more.",
    ),
    "a repeated region and wave": (
        lambda: altered("wave", [104], 2015),
        "1 row repeats a region and wave (row 104), first region = r01, wave = 2015.",
    ),
    "a negative variance": (
        lambda: altered("v", [110, 111], -0.1),
        "Column 'v' holds negative variances: rows 110, 111.",
    ),
    "a column of text": (
        lambda: panel().astype({"income": str}),
        "Column 'income' must be numeric; it is str.",
    ),
    "an absent column": (
        lambda: panel().drop(columns="museum"),
        "Columns not in the panel: museum. It has: region, wave, y, fund, income, v.",
    ),
    "nothing but missing values": (
        lambda: panel().assign(museum=np.nan),
        "Column 'region' holds 0 values in the 0 rows that remain after dropping 36 with missing "
        "values; at least 10 are needed.",
    ),
}


@pytest.mark.parametrize("model", EFFECTS)
@pytest.mark.parametrize("case", BAD)
def test_every_model_refuses_a_bad_panel_with_the_same_words(model, case):
    make, message = BAD[case]
    assert refusal(model, make()) == message


def test_one_wave_is_no_panel_of_levels_but_one_interval_is_one_of_gains():
    frame = panel(regions=40, waves=1)
    assert refusal("two_way_fixed_effects", frame) == (
        "Column 'wave' holds 1 value in the 40 rows that remain after dropping 0 with missing "
        "values; at least 2 are needed."
    )
    assert fit("gain_regression", frame, **ROLES, doses=["fund"], draws=99).observations == 40


@pytest.mark.parametrize(("part", "value"), [("doses", "fund"), ("covariates", "income")])
def test_a_text_in_place_of_a_list_is_refused(part, value):
    message = refusal("gain_regression", panel(), **{part: value})
    assert message == f"'{part}' must be a list of columns, not the text '{value}'."


def test_no_dose_and_a_column_in_two_parts_are_refused():
    assert "name at least one" in refusal("gain_regression", panel(), doses=[])
    twice = refusal("gain_regression", panel(), doses=["fund", "fund"])
    assert twice == "Column used in two parts of one model: fund."
    assert "two parts of one model: y" in refusal("gain_regression", panel(), covariates=["y"])


def test_missing_values_are_dropped_counted_and_infinite_ones_elsewhere_do_not_matter():
    frame = panel().assign(unused=np.inf)
    frame.loc[[100, 107], "income"] = np.nan
    frame.loc[120, "region"] = None
    roles = Roles("y", ["fund"], "region", "wave", "v", ["income"])
    kept, dropped = checked(frame, roles)
    assert dropped == 3
    assert list(kept.index) == list(range(33))
    left = frame.drop(index=[100, 107, 120])
    pd.testing.assert_series_equal(kept["fund"], left["fund"].reset_index(drop=True))
    assert not set(kept.columns) & {"unused", "museum"}


def test_doses_that_sum_to_another_are_collinear_and_similar_ones_are_not():
    frame = panel()
    frame["total"] = frame["fund"] + frame["museum"] + 7
    message = refusal("gain_regression", frame, doses=["total", "museum", "fund"])
    assert message.startswith("Doses 'total', 'museum' and 'fund' are perfectly collinear")
    frame["total"] += 1e-4 * np.sin(np.arange(36))
    result = fit("gain_regression", frame, **ROLES, doses=["total", "museum", "fund"], draws=99)
    assert result.details["vif"] > 1e4


def test_a_dose_no_wave_or_region_varies_is_named_by_the_model_that_absorbs_it():
    frame = panel()
    frame["fund"] = frame["region"].str[1:].astype(float)
    assert "rank-deficient: 'fund'" in refusal("two_way_fixed_effects", frame, doses=["fund"])
    assert fit("gain_regression", frame, **ROLES, doses=["fund"], draws=99).clusters == 12
