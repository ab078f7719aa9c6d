"""One treated region: synthetic control or synthetic differences, tested on placebo regions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.synthetic_inference import STATISTICS, details, placebo_test, sampling_se
from evaluation.models.synthetic_weights import METHODS, compare, placebos
from evaluation.models.timing import Timed, single_dose, timed_panel
from evaluation.results import Result

CONTROL, DIFFERENCES = "synthetic_control", "synthetic_did"
MIN_BEFORE = 3
MIN_DONORS = 5


def _treated_row(panel: Timed) -> int:
    rows = np.flatnonzero(panel.treated)
    if len(rows) != 1:
        names = ", ".join(map(str, panel.regions[rows][:5]))
        raise ModelError(
            f"{len(rows)} regions are treated ({names}); this model takes exactly one. Use the "
            "staggered design, or give the other treated regions no rows."
        )
    return int(rows[0])


def _check_options(method: str, statistic: str, level: float) -> None:
    for value, known in ((method, METHODS), (statistic, STATISTICS)):
        if value not in known:
            raise ModelError(f"Unknown option '{value}': use {' or '.join(known)}.")
    if not 0 < level < 1:
        raise ModelError(f"'level' must lie strictly between 0 and 1; it is {level}.")


def _check_size(before: int, donors: int, gaps: int, level: float) -> None:
    left_out = f" ({gaps} regions with gaps were left out)" if gaps else ""
    if before < MIN_BEFORE:
        raise ModelError(
            f"{before} wave(s) before treatment; weights need at least {MIN_BEFORE} to be judged."
        )
    if donors < MIN_DONORS:
        raise ModelError(f"{donors} donor regions{left_out}; at least {MIN_DONORS} are needed.")
    smallest = 1 / (1 + donors)
    if smallest > 1 - level + 1e-12:
        raise ModelError(
            f"Not testable with this design: {donors} donor regions{left_out} let no p-value go "
            f"below {smallest:.3g}; a level of {level:g} needs {1 - level:.3g}. More donors or a "
            "lower level are needed."
        )


def _used(panel: Timed, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the waves (the treated region's) and of the donors (without gaps in them)."""
    waves = np.flatnonzero(panel.observed[row])
    complete = panel.observed[:, waves].all(axis=1)
    complete[row] = False
    return waves, np.flatnonzero(complete)


def _result(
    panel: Timed,
    names: dict[str, str],
    unit: str,
    level: float,
    method: str,
    statistic: str,
) -> Result:
    """Fit the treated region and every placebo, and read the test off them."""
    row = _treated_row(panel)
    waves, donors = _used(panel, row)
    before = int((waves < panel.start[row]).sum())
    _check_size(before, len(donors), len(panel.regions) - 1 - len(donors), level)
    y, others = panel.y[row, waves], panel.y[np.ix_(donors, waves)]
    own, rest = compare(y, others, before, method), placebos(others, before, method)
    test = placebo_test(own, rest, statistic, level)
    values = details(panel, waves, donors, own, rest)
    values |= {"method": method, "statistic": statistic, "ratio_p": test.pop("ratio_p")}
    values["mde_approximate"] = test.pop("mde_approximate")
    values["sampling_se"] = sampling_se(panel, row, waves, donors, own)
    main = {"estimate": own.estimate, "se": float(np.std([fit.estimate for fit in rest]))} | test
    return Result(
        model=method,
        outcome=names["outcome"],
        term=names["dose"],
        **main,
        level=level,
        inference=f"placebo regions, all {len(donors)} donors, {statistic}",
        clusters=1 + len(donors),
        observations=len(waves) * (1 + len(donors)),
        unit=unit,
        coefficients=({"term": names["dose"], **main},),
        draws=len(donors),
        support=(1 + values["donors_effective"]) / (1 + len(donors)),
        details=values,
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
    method: str = DIFFERENCES,
    statistic: str = "gap",
) -> Result:
    """Mean gap of the one treated region to its weighted donors after treatment.

    Every donor is put in the treated region's place once; p = (1 + k) / (1 + J) and the interval
    inverts that test. ``se`` is the placebos' root mean square deviation from their mean.

    Parameters
    ----------
    panel : one row a region and wave. outcome : rate, percent. doses : one column, the first
        treated year (0 for never) or 0/1 in each wave. covariates : must be empty.
    variance : sampling variance of the rate, for ``details["sampling_se"]`` only.
    draws, seed : not used, as all placebos are computed. level : of the interval.
    method : see :func:`evaluation.models.synthetic_weights.weights`.
    statistic : ``"gap"`` compares absolute gaps, ``"ratio"`` divides each by the region's
        root mean square gap before treatment.

    Raises
    ------
    ModelError : not exactly one treated region, fewer than 3 waves before treatment, fewer than
        5 donors, or so few that no p-value could reach 1 - level.

    Notes
    -----
    The treated region's missing waves are left out; donors with gaps in the others too. Both are
    counted. ``details["ratio_p"]`` ranks the ratio of mean square gaps after and before.
    """
    dose = single_dose(doses, covariates, "A model of one treated region")
    _check_options(method, statistic, level)
    names = {"outcome": outcome, "dose": dose, "region": region, "wave": wave}
    timed = timed_panel(panel, **names, variance=variance)
    return _result(timed, names, unit, level, method, statistic)


control = partial(fit, method=CONTROL)
differences = partial(fit, method=DIFFERENCES)
