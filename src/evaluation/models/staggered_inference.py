"""The test of a staggered design: which one its groups allow, and what the pre-trend could show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.errors import ModelError
from evaluation.models.cohort_bootstrap import bootstrap, standard_errors
from evaluation.models.dealings import deal, invert
from evaluation.models.drawn import POWER, critical_value, detectable, p_value
from evaluation.models.group_time import Estimates, cohorts
from evaluation.models.timing import Timed

MIN_TREATED = 4
MIN_GROUP = 3
# A standard error below this share of the outcome is rounding.
_SMALL = 1e-10


@dataclass(frozen=True)
class Tested:
    """K estimates with their joint test, the headline first.

    Attributes
    ----------
    value, se : (K,). t : (B, K) signed statistics under the null, in standard errors.
    low, high, p : of the first. level : coverage. description : the procedure in words.
    pointwise : whether intervals of the others rest on ``t`` (not under randomisation).
    details : numbers of the test.
    """

    value: np.ndarray
    se: np.ndarray
    t: np.ndarray
    low: float
    high: float
    p: float
    level: float
    description: str
    pointwise: bool
    details: dict[str, Any]

    @property
    def draws(self) -> int:
        """Number of draws or dealings."""
        return len(self.t)

    def reach(self, part: slice, together: bool) -> np.ndarray:
        """Half-widths of intervals of some quantities, each alone or all together."""
        if not self.pointwise:
            return np.full(len(self.value[part]), np.nan)
        drawn = np.abs(self.t[:, part])
        c = critical_value(drawn.max(axis=1) if together else drawn, self.level)
        return c * self.se[part]

    def p_of(self, k: int) -> float:
        """p-value of one quantity."""
        return p_value(abs(self.value[k] / self.se[k]), np.abs(self.t[:, k]))


def bootstraps(panel: Timed) -> bool:
    """Whether the groups are large enough to learn their variances from."""
    sizes = np.unique(panel.start[panel.treated], return_counts=True)[1]
    return bool(sizes.sum() >= MIN_TREATED and sizes.min() >= MIN_GROUP)


def _by_bootstrap(
    panel: Timed, estimates: Estimates, draws: int, seed: int, level: float
) -> Tested:
    codes = cohorts(panel)
    se = standard_errors(estimates.influence, codes)
    if se[0] <= _SMALL * np.abs(np.nan_to_num(panel.y)).max():
        raise ModelError(
            "The regions of every group change alike: there is no variation to test with."
        )
    t = bootstrap(estimates.influence, codes, draws, seed)
    analytic = standard_errors(estimates.influence, codes, corrected=False)
    c = float(critical_value(np.abs(t[:, 0]), level))
    value = estimates.value
    details = {"se_analytic": float(analytic[0]), "critical_value": c}
    if panel.observed.all():
        first = estimates[np.arange(len(value)) == 0]
        dealt = deal(panel, first, draws, seed)
        details["randomisation_p"] = p_value(abs(value[0]), np.abs(dealt.drawn[:, 0]))
    return Tested(
        value,
        se,
        t,
        float(value[0] - c * se[0]),
        float(value[0] + c * se[0]),
        p_value(abs(value[0] / se[0]), np.abs(t[:, 0])),
        level,
        f"studentised bootstrap within groups, {draws} draws",
        True,
        details,
    )


def _by_randomisation(
    panel: Timed, estimates: Estimates, draws: int, seed: int, level: float
) -> Tested:
    dealt = deal(panel, estimates, draws, seed)
    if dealt.smallest_p > 1 - level + 1e-12:
        raise ModelError(
            f"Not testable with this design: with {int(panel.treated.sum())} treated of "
            f"{len(panel.start)} regions and {draws} draws no p-value can go below "
            f"{dealt.smallest_p:.3g}; a level of {level:g} needs {1 - level:.3g}."
        )
    p, low, high = invert(float(estimates.value[0]), dealt, level)
    se = np.sqrt((dealt.drawn**2).mean(axis=0))
    how = f"all {dealt.draws + 1} dealings" if dealt.enumerated else f"{dealt.draws} dealings"
    t = dealt.drawn / np.where(se > 0, se, 1.0)
    details = {"smallest_p": dealt.smallest_p, "randomisation_p": p}
    how = f"randomisation inference over the timings, {how}"
    return Tested(estimates.value, se, t, low, high, p, level, how, False, details)


def tested(panel: Timed, estimates: Estimates, draws: int, seed: int, level: float) -> Tested:
    """Test estimates jointly: by bootstrap where every group has 3 regions, else by dealing.

    Raises
    ------
    ModelError : too few draws, a level outside (0, 1), no variation, or a design whose smallest
        p-value exceeds 1 - level.
    """
    if not 0 < level < 1 or (1 - level) * (draws + 1) < 1 - 1e-9:
        raise ModelError(f"{draws} draws cannot give an interval of level {level}; take more.")
    kind = _by_bootstrap if bootstraps(panel) else _by_randomisation
    test = kind(panel, estimates, draws, seed, level)
    shift = np.array([1 / test.se[0]])
    mde = detectable(shift, test.t[:, :1], level)
    return Tested(**{**vars(test), "details": test.details | {"mde_approximate": mde}})


def pre_trend(
    test: Tested, part: slice, events: np.ndarray, years: np.ndarray, overall_years: float
) -> dict[str, Any] | None:
    """What the waves before treatment say, and what they could have said.

    Parameters
    ----------
    part : the event-study estimates among the tested. events, years : (J,) theirs; years from
        base to outcome wave. overall_years : the same average behind the reported estimate.

    Returns
    -------
    ``None`` without a wave before the last untreated one; else ``p`` (largest |t| of all
    estimates before treatment), ``estimates``, ``detectable_slope`` (departure from parallel
    trends, units per year, that this test finds with 80 % power) and ``detectable_bias`` (what
    such a departure, going on, adds to the reported estimate).

    Source
    ------
    Roth (2022), American Economic Review: Insights 4:305-322.
    """
    chosen = np.arange(len(test.value))[part][events < 0]
    if not len(chosen):
        return None
    t = np.abs(test.value[chosen] / test.se[chosen]).max()
    slope = detectable(years[events < 0] / test.se[chosen], test.t[:, chosen], test.level)
    return {
        "p": p_value(t, np.abs(test.t[:, chosen]).max(axis=1)),
        "estimates": len(chosen),
        "power": POWER,
        "detectable_slope": slope,
        "detectable_bias": abs(slope * overall_years),
    }
