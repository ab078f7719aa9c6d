"""Small counts: an attacker who knows every total and subtracts learns nothing near.

The attacker here is written apart from the program: one linear programme in each direction for each
withheld cell, over the whole table.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from evaluation.base.errors import KepuError
from evaluation.data.office.protect import Group, suppress

TABLES = int(os.environ.get("KEPU_TABLES", "12"))


def attacked(shown: pd.Series, groups: list[Group], label: str) -> tuple[float, float]:
    """Least and largest value of a cell, from what is shown, the totals and signs."""
    names = list(shown.index) + sorted(
        {n for g in groups for n in (g.total, *g.parts)} - set(shown.index)
    )
    place = {name: i for i, name in enumerate(names)}
    known = {name: value for name, value in shown.items() if not np.isnan(value)}
    equal = np.zeros((len(groups), len(names)))
    for row, group in enumerate(groups):
        equal[row, place[group.total]] -= 1
        for part in group.parts:
            equal[row, place[part]] += 1
    limits = [(known.get(name, 0), known.get(name)) for name in names]
    ends = []
    for sign in (1, -1):
        aim = np.zeros(len(names))
        aim[place[label]] = sign
        found = linprog(aim, A_eq=equal, b_eq=np.zeros(len(groups)), bounds=limits)
        ends.append(sign * found.fun if found.status == 0 else -sign * np.inf)
    return ends[0], ends[1]


def crossed(values: np.ndarray) -> tuple[pd.DataFrame, list[Group]]:
    """A table of rows and columns with all its totals."""
    rows, columns = values.shape
    full = np.vstack([values, values.sum(axis=0)])
    full = np.hstack([full, full.sum(axis=1, keepdims=True)])
    cells = {f"{i},{j}": full[i, j] for i in range(rows + 1) for j in range(columns + 1)}
    groups = [
        Group(f"{i},{columns}", tuple(f"{i},{j}" for j in range(columns))) for i in range(rows + 1)
    ]
    groups += [
        Group(f"{rows},{j}", tuple(f"{i},{j}" for i in range(rows))) for j in range(columns + 1)
    ]
    return pd.DataFrame({"value": pd.Series(cells, dtype=float)}), groups


def assert_safe(frame: pd.DataFrame, out: pd.DataFrame, groups: list[Group], width: float) -> None:
    """Every withheld cell has a wide interval that holds its value; nothing shown was altered."""
    kept = out["suppressed"] == ""
    pd.testing.assert_series_equal(out.loc[kept, "value"], frame.loc[kept, "value"])
    assert out.loc[~kept, "value"].isna().all()
    for label in out.index[~kept]:
        low, high = attacked(out["value"], groups, label)
        assert high - low >= width - 1e-6, f"{label}: {low:g} to {high:g}"
        assert low - 1e-6 <= frame.at[label, "value"] <= high + 1e-6


@pytest.mark.parametrize("seed", range(TABLES))
def test_no_cell_of_a_table_can_be_worked_out_by_subtraction(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 9, size=2))
    frame, groups = crossed(rng.poisson(rng.gamma(1.2, 18, size=shape)).astype(float))
    threshold = float(rng.choice([3, 5, 10]))
    out = suppress(frame, threshold, groups)
    small = (frame["value"] > 0) & (frame["value"] < threshold)
    assert (out.loc[small, "suppressed"] == "primary").all()
    assert not (out.loc[~small, "suppressed"] == "primary").any()
    assert_safe(frame, out, groups, threshold)


def test_without_complementary_cells_subtraction_would_tell_the_count():
    """The attacker of this file is one: what primary suppression leaves he works out."""
    frame, groups = crossed(np.array([[2.0, 40], [30, 50]]))
    shown = frame["value"].mask(frame["value"] == 2)
    assert attacked(shown, groups, "0,0") == pytest.approx((2, 2))
    out = suppress(frame, 5, groups)
    assert set(out.index[out["suppressed"] != ""]) == {"0,0", "0,1", "1,0", "1,1"}


def test_few_more_cells_than_must_are_withheld():
    values = np.random.default_rng(3).integers(10, 90, size=(12, 5)).astype(float)
    values[4, 2] = 3
    frame, groups = crossed(values)
    out = suppress(frame, 5, groups)
    assert (out["suppressed"] != "").sum() == 4  # a rectangle, the fewest that protect one cell


def test_totals_over_three_levels_and_over_kinds_bind_the_same_cells():
    """Counties make cities, cities make the region, and men and women make each."""
    rng = np.random.default_rng(8)
    cells, groups = {}, []
    for kind in ("men", "women"):
        for city in "ABC":
            for county in range(3):
                cells[f"{city}{county} {kind}"] = float(rng.poisson(7))
            parts = tuple(f"{city}{county} {kind}" for county in range(3))
            cells[f"{city} {kind}"] = sum(cells[part] for part in parts)
            groups.append(Group(f"{city} {kind}", parts))
        cells[f"all {kind}"] = sum(cells[f"{city} {kind}"] for city in "ABC")
        groups.append(Group(f"all {kind}", tuple(f"{city} {kind}" for city in "ABC")))
    for place in ["all", *"ABC", *(f"{city}{county}" for city in "ABC" for county in range(3))]:
        cells[place] = cells[f"{place} men"] + cells[f"{place} women"]
        groups.append(Group(place, (f"{place} men", f"{place} women")))
    frame = pd.DataFrame({"value": pd.Series(cells)})
    out = suppress(frame, 6, groups, protection=8)
    assert (out["suppressed"] == "primary").sum() >= 3
    assert_safe(frame, out, groups, 8)


def test_a_part_no_one_publishes_protects_and_is_not_needed_twice():
    frame = pd.DataFrame({"value": {"total": 50.0, "a": 3.0, "b": 20.0}})
    groups = [Group("total", ("a", "b", "never published"))]
    out = suppress(frame, 5, groups)
    assert list(out["suppressed"]) == ["", "primary", ""]
    assert_safe(frame, out, groups, 5)


def test_a_figure_printed_twice_is_withheld_twice():
    frame = pd.DataFrame({"value": {"here": 3.0, "there": 3.0, "other": 9.0}})
    out = suppress(frame, 5, [Group("here", ("there",))])
    assert list(out["suppressed"] != "") == [True, True, False]


def test_a_rate_on_too_few_goes_and_so_does_the_change_that_would_tell_it():
    cells = {"rate 2020": 8.0, "change": -1.5, "rate 2022": 6.5, "rate 2015": 4.0}
    frame = pd.DataFrame({"value": cells})
    frame["withhold"] = frame.index == "rate 2022"
    frame["count"] = False
    out = suppress(frame, 5, [Group("rate 2022", ("rate 2020", "change"))])
    assert out.at["rate 2022", "suppressed"] == "primary"
    assert out.at["rate 2015", "suppressed"] == ""
    assert "complementary" in set(out.loc[["change", "rate 2020"], "suppressed"])


def test_zeros_are_shown_and_missing_cells_stay_missing():
    frame = pd.DataFrame({"value": {"a": 0.0, "b": float("nan"), "c": 4.0, "d": 5.0}})
    out = suppress(frame, 5, [])
    assert list(out["suppressed"]) == ["", "", "primary", ""]


@pytest.mark.parametrize(
    ("threshold", "protection", "said"),
    [(1, 0, "1 is no threshold"), (float("inf"), 0, "no threshold"), (5, -1, "-1 no protection")],
)
def test_a_threshold_that_is_none_is_refused(threshold, protection, said):
    with pytest.raises(KepuError, match=said):
        suppress(pd.DataFrame({"value": {"a": 1.0}}), threshold, [], protection)


def test_labels_that_are_there_twice_are_refused():
    with pytest.raises(KepuError, match="two cells have the same label"):
        suppress(pd.DataFrame({"value": [1.0, 2.0]}, index=["a", "a"]), 5, [])
