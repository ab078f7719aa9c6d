"""One treated region: synthetic control or synthetic differences, tested on placebo regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles
from evaluation.models.events import Timed, one_of, require_one_dose, timed_panel
from evaluation.stats.permutation import critical_value, detectable, p_among

CONTROL, DIFFERENCES = "synthetic_control", "synthetic_did"
METHODS = (CONTROL, DIFFERENCES, "did")
STATISTICS = ("gap", "ratio")
MIN_BEFORE, MIN_DONORS = 3, 5
# Share of the donors' noise that makes otherwise free weights unique.
TINY = 1e-6


def simplex_weights(A: np.ndarray, b: np.ndarray, ridge: float) -> np.ndarray:
    """Minimise ‖A w - b‖² + ridge ‖w‖² over w >= 0 with Σ w = 1, exactly.

    With M = [A - b 1'; √ridge I] this is the point of least norm in the convex hull of the
    columns of M. Non-negative least squares of [M; 1'] u on (0, 1) meets the same first-order
    conditions up to scale, so w = u / Σ u.

    Parameters
    ----------
    A : (m, J). b : (m,). ridge : positive, which makes the solution unique.

    >>> simplex_weights(np.array([[0.0, 2.0]]), np.array([1.5]), 1e-9).round(3)
    array([0.25, 0.75])
    """
    scale = float(np.abs(A - b[:, None]).max()) or 1.0
    stacked = np.vstack([(A - b[:, None]) / scale, np.sqrt(ridge) / scale * np.eye(A.shape[1])])
    target = np.append(np.zeros(len(stacked)), 1.0)
    try:
        u, _ = nnls(np.vstack([stacked, np.ones(A.shape[1])]), target, maxiter=100 * A.shape[1])
    except RuntimeError as error:
        raise ModelError(f"The weights of the donors did not converge: {error}.") from error
    return u / u.sum()


def _centred(rows: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """Simplex weights with a free intercept."""
    return simplex_weights(rows - rows.mean(axis=0), target - target.mean(), ridge)


def weights(y: np.ndarray, others: np.ndarray, before: int, method: str) -> tuple[np.ndarray, ...]:
    """Donor weights (J,) and time weights (T0,).

    Parameters
    ----------
    y : (T,) treated region. others : (J, T) donors. before : T0 waves before treatment.
    method : ``"synthetic_control"`` matches levels before treatment and weighs no wave before;
        ``"synthetic_did"`` matches movements, with a penalty ζ² = √T1 σ² that spreads the weights,
        and weighs the waves before treatment alike; ``"did"`` weighs all equally.

    Source
    ------
    Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association
    105:493-505; Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review
    111:4088-4118.
    """
    count, past = len(others), others[:, :before]
    if method == "did":
        return np.full(count, 1 / count), np.full(before, 1 / before)
    noise = max(float(np.diff(past, axis=1).std(ddof=1)), 1e-12)
    tiny = (TINY * noise) ** 2
    if method == CONTROL:
        return simplex_weights(past.T, y[:before], before * tiny), np.zeros(before)
    penalty = np.sqrt(len(y) - before) * noise**2
    donors = _centred(past.T, y[:before], before * penalty)
    return donors, _centred(past, others[:, before:].mean(axis=1), count * tiny)


@dataclass(frozen=True)
class Fit:
    """A treated region and its weighted donors.

    Attributes
    ----------
    estimate : mean gap after treatment less the weighted gap before it.
    donors : (J,) weights of the donors. times : (T0,) of the waves before treatment.
    gaps : (T,) outcome less that of the weighted donors, less the weighted gap before treatment.
    before, after : root mean square of the gaps before and after treatment.
    """

    estimate: float
    donors: np.ndarray
    times: np.ndarray
    gaps: np.ndarray
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """Gap after treatment over the gap before; infinite for a perfect fit before."""
        return self.after / self.before if self.before > 0 else float("inf")


def compare(y: np.ndarray, others: np.ndarray, before: int, method: str) -> Fit:
    """Fit one region against its donors; arguments as in :func:`weights`."""
    donors, times = weights(y, others, before, method)
    gaps = y - donors @ others
    # Synthetic control keeps the level of the gap; the others allow a constant one.
    gaps = gaps - float(times @ gaps[:before])
    size = [float(np.sqrt((part**2).mean())) for part in (gaps[:before], gaps[before:])]
    return Fit(float(gaps[before:].mean()), donors, times, gaps, *size)


def _scale(fits: list[Fit], statistic: str) -> np.ndarray:
    """What each region's estimate is divided by."""
    if statistic == "gap":
        return np.ones(len(fits))
    before = np.array([fit.before for fit in fits])
    if (before <= 1e-4 * np.median([fit.after for fit in fits])).any():
        raise ModelError(
            "Some region is fitted perfectly before treatment, so that a ratio to that fit means "
            "nothing; use statistic='gap'."
        )
    return before


def _tested(own: Fit, placebos: list[Fit], statistic: str, level: float) -> tuple[dict, dict]:
    """The region's place among the placebos: the estimate's test, and further numbers of it."""
    scale = _scale([own, *placebos], statistic)
    estimates = np.array([fit.estimate for fit in placebos])
    values = estimates / scale[1:]
    reach = float(critical_value(np.abs(values), level)) * scale[0]
    main = {
        "estimate": own.estimate,
        "se": float(np.std(estimates)),
        "p": p_among(abs(own.estimate) / scale[0], np.abs(values)),
        "low": own.estimate - reach,
        "high": own.estimate + reach,
    }
    return main, {
        "ratio_p": p_among(own.ratio, np.array([fit.ratio for fit in placebos])),
        "mde_approximate": detectable(np.array([1 / scale[0]]), values[:, None], level),
    }


def _treated_row(panel: Timed) -> int:
    rows = np.flatnonzero(panel.treated)
    if len(rows) != 1:
        names = ", ".join(map(str, panel.regions[rows][:5]))
        raise ModelError(
            f"{len(rows)} regions are treated ({names}); this model takes exactly one. Use the "
            "staggered design, or give the other treated regions no rows."
        )
    return int(rows[0])


def _check_options(roles: Roles, method: str, statistic: str, level: float) -> None:
    require_one_dose(roles, "A model of one treated region")
    one_of(method, METHODS)
    one_of(statistic, STATISTICS)
    if not 0 < level < 1:
        raise ModelError(f"'level' must lie strictly between 0 and 1; it is {level}.")


def _used(panel: Timed, row: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the waves (the treated region's) and of the donors (without gaps in them)."""
    waves = np.flatnonzero(panel.observed[row])
    complete = panel.observed[:, waves].all(axis=1)
    complete[row] = False
    before, donors = int((waves < panel.start[row]).sum()), int(complete.sum())
    gaps = len(panel.regions) - 1 - donors
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
    return waves, np.flatnonzero(complete)


def _sampling_se(
    panel: Timed, row: int, waves: np.ndarray, donors: np.ndarray, own: Fit
) -> float | None:
    """Standard error from the known sampling variances alone, the weights held fixed."""
    if panel.variance is None:
        return None
    after = len(waves) - len(own.times)
    over_time = np.concatenate([-own.times, np.full(after, 1 / after)])
    known = panel.variance[:, waves]
    return float(np.sqrt(over_time**2 @ (known[row] + own.donors**2 @ known[donors])))


def _details(
    panel: Timed, waves: np.ndarray, donors: np.ndarray, own: Fit, placebos: list[Fit]
) -> dict[str, Any]:
    """Weights, gaps by wave, fit before treatment and the placebos behind the test."""
    names, years, before = panel.regions[donors], panel.waves[waves], len(own.times)
    return {
        "donors": len(donors),
        "donors_effective": float(1 / (own.donors**2).sum()),
        "donors_left_out": len(panel.regions) - 1 - len(donors),
        "before": before,
        "after": len(years) - before,
        "dropped": panel.dropped,
        "rmspe_before": own.before,
        "rmspe_after": own.after,
        "rmspe_ratio": own.ratio,
        "smallest_p": 1 / (1 + len(donors)),
        "donor_weights": dict(zip(map(str, names), own.donors.tolist(), strict=True)),
        "time_weights": dict(zip(map(str, years), own.times.tolist(), strict=False)),
        "gaps": [
            {"wave": year, "gap": gap, "after": place >= before}
            for place, (year, gap) in enumerate(zip(years.tolist(), own.gaps.tolist(), strict=True))
        ],
        "placebos": [
            {"region": str(name), "estimate": fit.estimate, "rmspe_ratio": fit.ratio}
            for name, fit in zip(names, placebos, strict=True)
        ],
    }


def fit(
    panel: pd.DataFrame,
    roles: Roles,
    inference: Inference,
    *,
    method: str = DIFFERENCES,
    statistic: str = "gap",
) -> Result:
    """Mean gap of the one treated region to its weighted donors after treatment.

    Every donor is put in the treated region's place once; p = (1 + k) / (1 + J) and the interval
    inverts that test, of ``inference`` only the level is used. ``se`` is the placebos' root mean
    square deviation from their mean. Missing waves of the treated region are left out, and donors
    with gaps in the others. Panel and roles as in :func:`evaluation.models.events.fit`, ``method``
    as in :func:`weights`; ``statistic`` ``"gap"`` compares absolute gaps, ``"ratio"`` divides each
    by the region's root mean square gap before treatment.

    Raises
    ------
    ModelError : not exactly one treated region, fewer than 3 waves before treatment, fewer than
        5 donors, or so few that no p-value could reach 1 - level.
    """
    _check_options(roles, method, statistic, inference.level)
    timed = timed_panel(panel, roles)
    row = _treated_row(timed)
    waves, donors = _used(timed, row, inference.level)
    before, others = int((waves < timed.start[row]).sum()), timed.y[np.ix_(donors, waves)]
    own = compare(timed.y[row, waves], others, before, method)
    placebos = [
        compare(y, np.delete(others, j, axis=0), before, method) for j, y in enumerate(others)
    ]
    main, more = _tested(own, placebos, statistic, inference.level)
    details = _details(timed, waves, donors, own, placebos) | more
    details |= {"method": method, "statistic": statistic}
    details["sampling_se"] = _sampling_se(timed, row, waves, donors, own)
    count, main = 1 + len(donors), {"term": roles.dose, **main}
    return Result(
        model=method, outcome=roles.outcome, **main, level=inference.level,
        inference=f"placebo regions, all {len(donors)} donors, {statistic}", clusters=count,
        observations=len(waves) * count, unit="percentage_point", coefficients=(main,),
        draws=len(donors), support=(1 + details["donors_effective"]) / count, details=details,
    )  # fmt: skip


control = partial(fit, method=CONTROL)
differences = partial(fit, method=DIFFERENCES)
