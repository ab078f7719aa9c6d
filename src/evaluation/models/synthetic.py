"""One treated region: synthetic control or synthetic differences, tested on placebo regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linprog, nnls

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles, Timed, one_of, require_one_dose, timed_panel
from evaluation.stats.permutation import critical_value, detectable, p_among

CONTROL, DIFFERENCES = "synthetic_control", "synthetic_did"
METHODS = (CONTROL, DIFFERENCES, "did")
STATISTICS = ("studentised", "ratio")
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
    left_out : the same of the gap of each wave before treatment to donors weighed without it.
    """

    estimate: float
    donors: np.ndarray
    times: np.ndarray
    gaps: np.ndarray
    before: float
    after: float
    left_out: float

    @property
    def ratio(self) -> float:
        """Gap after treatment over the gap before; infinite for a perfect fit before."""
        return self.after / self.before if self.before > 0 else float("inf")


def compare(y: np.ndarray, others: np.ndarray, before: int, method: str) -> Fit:
    """Fit one region against its donors; arguments as in :func:`weights`."""
    donors, times, gaps = _gaps(y, others, before, method)
    apart = []
    for wave in range(before):
        # The wave left out stands first after the others, as if it were the treatment.
        order = [*(t for t in range(before) if t != wave), wave]
        apart.append(_gaps(y[order], others[:, order], before - 1, method)[2][-1])
    parts = (gaps[:before], gaps[before:], np.array(apart))
    size = [float(np.sqrt((part**2).mean())) for part in parts]
    return Fit(float(gaps[before:].mean()), donors, times, gaps, *size)


def _gaps(y: np.ndarray, others: np.ndarray, before: int, method: str) -> tuple[np.ndarray, ...]:
    """Weights of donors and of waves, and the gaps (T,)."""
    donors, times = weights(y, others, before, method)
    gaps = y - donors @ others
    # Synthetic control keeps the level of the gap; the others allow a constant one.
    return donors, times, gaps - float(times @ gaps[:before])


def outside(y: np.ndarray, others: np.ndarray, before: int) -> bool:
    """Whether the mean level before treatment lies above, or below, that of every donor."""
    own, donors = y[:before].mean(), others[:, :before].mean(axis=1)
    return bool(own > donors.max() or own < donors.min())


def is_unique(A: np.ndarray, found: np.ndarray) -> bool:
    """Whether no other weights on the simplex make the same mixture of the columns of A.

    Parameters
    ----------
    A : (m, J). found : (J,). Least and greatest value of one generic sum of the weights over all
    that make the mixture; they agree only where the weights are unique.
    """
    scale = float(np.abs(A).max()) or 1.0
    rows = np.vstack([A / scale, np.ones(A.shape[1])])
    right, ask = np.append(A @ found / scale, 1.0), np.sin(np.arange(1, A.shape[1] + 1))
    ends = [linprog(side * ask, A_eq=rows, b_eq=right) for side in (1, -1)]
    if any(end.status != 0 for end in ends):
        return True  # nothing but the weights found meets the mixture within the solver's tolerance
    return bool(abs(ends[0].fun + ends[1].fun) < 1e-4)


def _scale(fits: list[Fit], statistic: str) -> np.ndarray:
    """What each region's estimate is divided by."""
    if statistic == "studentised":
        return np.maximum([fit.left_out for fit in fits], 1e-12)
    before = np.array([fit.before for fit in fits])
    if (before <= 1e-4 * np.median([fit.after for fit in fits])).any():
        raise ModelError(
            "Some region is fitted perfectly before treatment, so that a ratio to that fit means "
            "nothing; use statistic='studentised'."
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


def _testable(count: int, level: float, what: str) -> None:
    """Refuse so few placebos that no p-value could reach 1 - level."""
    smallest = 1 / (1 + count)
    if smallest > 1 - level + 1e-12:
        raise ModelError(
            f"Not testable with this design: {count} {what} let no p-value go below "
            f"{smallest:.3g}; a level of {level:g} needs {1 - level:.3g}. More donors or a lower "
            "level are needed."
        )


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
    _testable(donors, level, f"donor regions{left_out}")
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
    panel: Timed, waves: np.ndarray, donors: np.ndarray, own: Fit, placebos: dict[str, Fit]
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
        "rmspe_left_out": own.left_out,
        "smallest_p": 1 / (1 + len(placebos)),
        "donor_weights": dict(zip(map(str, names), own.donors.tolist(), strict=True)),
        "time_weights": dict(zip(map(str, years), own.times.tolist(), strict=False)),
        "gaps": [
            {"wave": year, "gap": gap, "after": place >= before}
            for place, (year, gap) in enumerate(zip(years.tolist(), own.gaps.tolist(), strict=True))
        ],
        "placebos": [
            {
                "region": name,
                "estimate": fit.estimate,
                "rmspe_ratio": fit.ratio,
                "studentised": fit.estimate / max(fit.left_out, 1e-12),
            }
            for name, fit in placebos.items()
        ],
    }


def _placebos(y: np.ndarray, names: list[str], before: int, method: str) -> dict[str, Fit]:
    """Each donor in the treated region's place; of synthetic control those inside the others."""
    found = {}
    for j, name in enumerate(names):
        rest = np.delete(y, j, axis=0)
        if method == CONTROL and outside(y[j], rest, before):
            continue  # it would be refused as the treated region is
        found[name] = compare(y[j], rest, before, method)
    return found


def _inside(y: np.ndarray, others: np.ndarray, before: int, method: str, name: str) -> None:
    if method == CONTROL and outside(y, others, before):
        raise ModelError(
            f"{name} lies outside what donors span: its level before treatment is beyond that of "
            "every donor, so no mixture of them stands for it. Use synthetic_did, which compares "
            "movements and not levels."
        )


def fit(
    panel: pd.DataFrame,
    roles: Roles,
    inference: Inference,
    *,
    method: str = DIFFERENCES,
    statistic: str = "studentised",
) -> Result:
    """Mean gap of the one treated region to its weighted donors after treatment.

    Every donor is put in the treated region's place once; p = (1 + k) / (1 + J), the interval
    inverts that test. ``se`` is the placebos' root mean square deviation from their mean. Panel
    and roles as in :func:`evaluation.models.events.fit`, ``method`` as in :func:`weights`;
    ``statistic`` ``"studentised"`` divides each gap by the region's root mean square gap in earlier
    waves its weights were not fitted to, ``"ratio"`` by that in waves they were fitted to.

    Raises
    ------
    ModelError : not exactly one treated region, fewer than 3 waves before treatment, fewer than
        5 donors, or so few that no p-value could reach 1 - level; with synthetic control, a region
        whose level before treatment is above or below that of every donor.
    """
    _check_options(roles, method, statistic, inference.level)
    timed = timed_panel(panel, roles)
    row = _treated_row(timed)
    waves, donors = _used(timed, row, inference.level)
    before, others = int((waves < timed.start[row]).sum()), timed.y[np.ix_(donors, waves)]
    y, names = timed.y[row, waves], list(map(str, timed.regions[donors]))
    _inside(y, others, before, method, str(timed.regions[row]))
    tests = _both(y, others, names, before, method)
    own, placebos = tests[method]
    _testable(len(placebos), inference.level, "donor regions inside what the others span")
    main, more = _tested(own, list(placebos.values()), statistic, inference.level)
    details = _details(timed, waves, donors, own, placebos) | more | {"statistic": statistic}
    details |= {"method": method, "beside": _beside(tests, method, inference.level)}
    details |= {"weights_unique": is_unique(others[:, :before].T, own.donors)}
    details |= {"sampling_se": _sampling_se(timed, row, waves, donors, own)}
    count, main = 1 + len(donors), {"term": roles.dose, **main}
    return Result(
        model=method, outcome=roles.outcome, **main, level=inference.level,
        inference=f"placebo regions, {len(placebos)} of {len(donors)} donors, {statistic}",
        clusters=count, observations=len(waves) * count, unit="percentage_point",
        coefficients=(main,), draws=len(placebos),
        support=(1 + details["donors_effective"]) / count, details=details,
    )  # fmt: skip


def _both(y, others, names, before: int, method: str) -> dict[str, tuple]:
    """The method asked for and, where the region lies inside its donors, the other beside it."""
    return {
        name: (compare(y, others, before, name), _placebos(others, names, before, name))
        for name in dict.fromkeys([method, DIFFERENCES if method == CONTROL else CONTROL])
        if name == method or not (name == CONTROL and outside(y, others, before))
    }


def _beside(tests: dict, method: str, level: float) -> dict[str, Any]:
    """The other method on the same panel; ``refused`` where the region is outside its donors."""
    for name, (own, placebos) in tests.items():
        if name != method:
            found = _tested(own, list(placebos.values()), "studentised", level)[0]
            return {"method": name, **found}
    return {"method": CONTROL, "refused": True}


control = partial(fit, method=CONTROL)
differences = partial(fit, method=DIFFERENCES)
