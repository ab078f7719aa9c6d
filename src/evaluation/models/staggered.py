"""Staggered designation: group-time differences, their averages, event study and pre-trend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.design import MIN_REGIONS
from evaluation.models.group_averages import averages, stack
from evaluation.models.group_time import (
    Cells,
    Estimates,
    cell_keys,
    counts,
    group_time,
)
from evaluation.models.staggered_inference import Tested, bootstraps, pre_trend, tested
from evaluation.models.timing import Timed, single_dose, timed_panel
from evaluation.results import Result

NAME = "staggered"
AVERAGES = ("group", "dynamic", "calendar", "simple")
# What the records of each average are keyed by.
KEYS = {"dynamic": "event", "group": "group", "calendar": "wave"}


def _check(panel: Timed, summary: str) -> None:
    if summary not in AVERAGES:
        raise ModelError(f"Unknown summary '{summary}': use one of {', '.join(AVERAGES)}.")
    regions, untreated = len(panel.start), int((~panel.treated).sum())
    if regions < MIN_REGIONS:
        raise ModelError(
            f"{regions} regions remain (left out: {panel.dropped} rows with missing values, "
            f"{panel.always} regions treated from the first wave); at least {MIN_REGIONS} are "
            "needed."
        )
    if untreated == 1:
        raise ModelError("Only one region is never treated; at least 2 are needed to compare with.")


def _records(keys: dict[str, Any], test: Tested, part: slice) -> list[dict[str, Any]]:
    """Estimate, standard error, pointwise interval and simultaneous band, a record a quantity."""
    value, alone, together = test.value[part], test.reach(part, False), test.reach(part, True)
    inferred = {
        "estimate": value,
        "se": test.se[part],
        "low": value - alone,
        "high": value + alone,
        "band_low": value - together,
        "band_high": value + together,
    }
    return pd.DataFrame({**keys, **inferred}).astype(object).to_dict("records")


def _sampling_se(panel: Timed, overall: Estimates) -> float | None:
    """Standard error that the known sampling variances alone give the overall estimate."""
    if panel.variance is None:
        return None
    return float(np.sqrt((overall.loading[0] ** 2 * np.nan_to_num(panel.variance)).sum()))


def _support(overall: Estimates, observations: int) -> float:
    squares = overall.loading[0] ** 2
    return float(squares.sum() ** 2 / (squares**2).sum() / observations)


def _coefficients(dose: str, order: list[str], test: Tested) -> tuple[dict[str, Any], ...]:
    """The reported average under the name of the dose, then the other three."""
    reach = test.reach(slice(0, len(order)), False)
    rows = []
    for k, by in enumerate(order):
        row = {"term": dose if k == 0 else f"{dose} ({by})", "estimate": float(test.value[k])}
        low, high = float(test.value[k] - reach[k]), float(test.value[k] + reach[k])
        rows.append(row | {"se": float(test.se[k]), "low": low, "high": high, "p": test.p_of(k)})
    rows[0] |= {"low": test.low, "high": test.high, "p": test.p}
    return tuple(rows)


def _tables(
    panel: Timed, cells: Cells, parts: dict[str, tuple], overall: Estimates, test: Tested
) -> dict[str, Any]:
    """Records by group, event and wave, group-time records, and the pre-trend."""
    tables, position = {}, len(AVERAGES)
    for by, key in KEYS.items():
        keys, estimates, _ = parts[by]
        part = slice(position, position + len(keys))
        labels = keys if by == "dynamic" else panel.waves[keys]
        columns = {key: labels, "years": estimates.years}
        tables[by] = _records(columns, test, part)
        if by == "dynamic":
            years = float(overall.years[0])
            tables["pre_trend"] = pre_trend(test, part, keys, estimates.years, years)
        position = part.stop
    part = slice(position, position + len(cells.group))
    return tables | {"group_time": _records(cell_keys(panel, cells), test, part)}


def estimate(
    panel: Timed, comparison: str, base: str, summary: str, draws: int, seed: int, level: float
) -> tuple[Tested, Estimates, dict[str, Any], list[str]]:
    """Averages with their test, the reported one alone, the details, and the order of averages."""
    cells = group_time(panel, comparison, base, minimum=2 if bootstraps(panel) else 1)
    parts = {by: averages(panel, cells, by) for by in AVERAGES}
    order = [summary, *(by for by in AVERAGES if by != summary)]
    every = [parts[by][2] for by in order] + [parts[by][1] for by in KEYS]
    test = tested(panel, stack([*every, cells.estimates]), draws, seed, level)
    overall = parts[summary][2]
    details = _tables(panel, cells, parts, overall, test) | test.details | counts(panel, cells)
    details |= {"comparison": comparison, "base": base, "summary": summary, "seed": seed}
    details["sampling_se"] = _sampling_se(panel, overall)
    return test, overall, details, order


def _result(
    panel: Timed,
    names: dict[str, str],
    unit: str,
    test: Tested,
    overall: Estimates,
    details: dict[str, Any],
    order: list[str],
) -> Result:
    observed = int(panel.observed.sum())
    return Result(
        model=NAME,
        outcome=names["outcome"],
        term=names["dose"],
        estimate=float(test.value[0]),
        se=float(test.se[0]),
        low=test.low,
        high=test.high,
        level=test.level,
        p=test.p,
        inference=test.description,
        clusters=len(panel.start),
        observations=observed,
        unit=unit,
        coefficients=_coefficients(names["dose"], order, test),
        draws=test.draws,
        support=_support(overall, observed),
        details=details,
    )


def fit(
    panel: pd.DataFrame,
    *,
    outcome: str,
    doses: Sequence[str],
    region: str,
    wave: str,
    covariates: Sequence[str] = (),
    variance: str | None = None,
    unit: str = "percentage_point",
    draws: int = 9999,
    seed: int = 1,
    level: float = 0.95,
    comparison: str = "never",
    base: str = "universal",
    summary: str = "group",
) -> Result:
    """Average of the group-time differences after Callaway and Sant'Anna, all regions equal.

    A region's change since its last untreated wave is set against the mean change of regions
    never (or not yet) treated. With 4 treated regions and 3 in every group: studentised bootstrap
    within groups; otherwise randomisation inference over the timings.

    Parameters
    ----------
    panel : one row a region and wave; gaps are allowed where the bootstrap is used.
    outcome : rate, percent. doses : one column, the region's first treated year (0 for never) or
        0/1 in each wave. wave : year. region : label. covariates : must be empty.
    variance : sampling variance of the rate; it does not weight, only ``details["sampling_se"]``
        is computed from it. unit : of the estimate.
    comparison, base : see :func:`evaluation.models.group_time.group_time`.
    summary : average reported, ``"group"``, ``"dynamic"``, ``"calendar"`` or ``"simple"``.
    draws, seed, level : of the test.

    Returns
    -------
    Result, ``coefficients`` the chosen average and then the others, ``details`` with
    ``group_time``, ``dynamic``, ``group``, ``calendar`` (records), ``pre_trend``, counts.

    Raises
    ------
    ModelError : nobody or everybody treated, fewer than 10 regions, one wave, a design in which
        no p-value could reach 1 - level, covariates, and what
        :func:`evaluation.models.timing.timed_panel` refuses.
    """
    dose = single_dose(doses, covariates, "The staggered design")
    names = {"outcome": outcome, "dose": dose, "region": region, "wave": wave}
    timed = timed_panel(panel, **names, variance=variance)
    _check(timed, summary)
    found = estimate(timed, comparison, base, summary, draws, seed, level)
    return _result(timed, names, unit, *found)
