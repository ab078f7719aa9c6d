"""A programme that regions got in unlike amounts: what each amount went with, and one unit more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles, Timed, require_one_dose, timed_panel
from evaluation.models.events import (
    MIN_GROUP,
    Estimates,
    Tested,
    bootstraps,
    tested,
)

NAME = "dose_response"
# Regions with an amount below which no slope among them is estimated.
FEWEST = 10
# Amounts at which the level is told: these quantiles of those the regions got.
QUANTILES = (0.1, 0.5, 0.9)
DEGREES = (1, 2)


def fit(
    panel: pd.DataFrame,
    roles: Roles,
    inference: Inference,
    *,
    amounts: Mapping[str, float],
    degree: int = 1,
) -> Result:
    """Differences of regions reached from those never reached, as a polynomial in the amount.

    Each reached region's change, from the last survey before its start to the mean of those after
    it, less that of regions never reached over the same surveys, is regressed on the amount. The
    estimate is the average slope over the regions' amounts (ACRT). ``details["levels"]`` has the
    differences at a few amounts (ATT(d)), ``details["overall"]`` their average.

    A level needs parallel trends. A slope says what more would do only if regions with unlike
    amounts would have changed alike had they got the same ("strong parallel trends").

    Parameters
    ----------
    panel, roles : as of :func:`evaluation.models.events.fit`. amounts : above 0, of every region
        reached. degree : of the polynomial, 1 or 2.

    Raises
    ------
    ModelError : fewer than 10 regions with an amount or 3 never reached, amounts that do not tell
        the polynomial, an amount that is missing or not above 0, gaps in the panel.

    Source
    ------
    Callaway, Goodman-Bacon & Sant'Anna (2024), NBER working paper 32117, section 3 and 5.
    """
    require_one_dose(roles, "The design with amounts")
    timed = timed_panel(panel, roles)
    amount = _amounts(timed, amounts, degree)
    design, average = _design(amount[timed.treated], degree)
    at = np.quantile(amount[timed.treated], QUANTILES)
    centre = amount[timed.treated].mean()
    levels = (at[:, None] - centre) ** np.arange(degree + 1)
    wanted = np.vstack([average, design.mean(axis=0), levels])  # slope, overall, levels
    test = tested(timed, _estimates(timed, design, wanted @ np.linalg.pinv(design)), inference)
    return _result(timed, roles, test, at, {"degree": degree})


def _result(
    timed: Timed, roles: Roles, test: Tested, at: np.ndarray, options: dict[str, int]
) -> Result:
    """The slope as the estimate; average and levels, at the amounts ``at``, among the details."""
    half = test.half_widths(slice(0, None), False)
    columns = {"estimate": test.value, "se": test.se, "low": test.value - half,
               "high": test.value + half}  # fmt: skip
    rows = pd.DataFrame(columns).to_dict("records")
    own = {"term": roles.dose, **rows[0], "p": test.p}
    own |= dict(zip(("low", "high"), test.interval, strict=True))
    levels = [{"amount": float(x), **row} for x, row in zip(at, rows[2:], strict=True)]
    return Result(
        model=NAME, outcome=roles.outcome, **own, level=test.level, inference=test.description,
        clusters=len(timed.start), observations=int(timed.observed.sum()),
        unit="percentage_point", draws=len(test.t), coefficients=(own,),
        details={"overall": rows[1], "levels": levels, "treated": int(timed.treated.sum())}
        | options | test.details,
    )  # fmt: skip


def _amounts(timed: Timed, amounts: Mapping[str, float], degree: int) -> np.ndarray:
    """(n,) amount of each region, 0 where it was never reached."""
    if degree not in DEGREES:
        raise ModelError(f"'degree' is {degree}; use {' or '.join(map(str, DEGREES))}.")
    if not timed.observed.all():
        gaps = timed.regions[~timed.observed.all(axis=1)]
        raise ModelError(f"Amounts need each region in every survey; {gaps[0]} has gaps.")
    found = np.array([float(amounts.get(str(region), np.nan)) for region in timed.regions])
    bad = timed.treated & ~(found > 0)
    if bad.any():
        raise ModelError(f"{timed.regions[bad][0]} was reached with no amount above 0; state it.")
    reached, never = int(timed.treated.sum()), int((~timed.treated).sum())
    if reached < FEWEST or never < MIN_GROUP or not bootstraps(timed):
        raise ModelError(
            f"{reached} regions were reached and {never} never; {FEWEST} with an amount, "
            f"{MIN_GROUP} of each date and as many never reached are needed."
        )
    if len(np.unique(found[timed.treated])) <= degree:
        raise ModelError(f"Amounts differ too little for a polynomial of degree {degree}.")
    return np.where(timed.treated, found, 0.0)


def _design(amount: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Powers of the centred amount (r, degree + 1), and the loading of the average slope."""
    centred = amount - amount.mean()
    powers = np.arange(degree + 1)
    slopes = [(power * centred ** (power - 1)).mean() if power else 0.0 for power in powers]
    return centred[:, None] ** powers, np.array(slopes)


def _estimates(timed: Timed, design: np.ndarray, loads: np.ndarray) -> Estimates:
    """K sums with loadings (K, r) of the changes of reached regions less those never reached.

    ``design`` (r, degree + 1) is what they are regressed on; its residuals carry the influence.
    """
    n, waves = timed.y.shape
    reached, never = np.flatnonzero(timed.treated), np.flatnonzero(~timed.treated)
    after = np.arange(waves) >= timed.start[reached, None]
    change = after / after.sum(axis=1, keepdims=True)  # (r, T) loadings of a region's own change
    change[np.arange(len(reached)), timed.start[reached] - 1] -= 1.0
    loading = np.zeros((len(loads), n, waves))
    loading[:, reached] = loads[:, :, None] * change
    loading[:, never] = -np.einsum("kr,rt->kt", loads, change)[:, None] / len(never)
    value = np.einsum("knt,nt->k", loading, timed.y)
    own = (change * timed.y[reached]).sum(axis=1) - change @ timed.y[never].mean(axis=0)
    basis = np.linalg.qr(design)[0]
    residual = own - basis @ (basis.T @ own)
    influence = np.zeros((n, len(loads)))
    influence[reached] = n * loads.T * residual[:, None]
    shared = np.einsum("knt,nt->kn", loading[:, never], timed.y[never])
    influence[never] = n * (shared - shared.mean(axis=1, keepdims=True)).T
    years = (after * timed.waves).sum(axis=1) / after.sum(axis=1) - timed.waves[
        timed.start[reached] - 1
    ]
    return Estimates(value, influence, loading, np.full(len(loads), float(years.mean())))
