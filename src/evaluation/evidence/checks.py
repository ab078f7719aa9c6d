"""Reasons to doubt an estimate, one function a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import wraps
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import Check, Result
from evaluation.data.package import MIN_REGIONS, Dataset
from evaluation.models import named
from evaluation.models.columns import EFFECTS, Inference, Roles, equation
from evaluation.models.linear import minimum_detectable
from evaluation.stats.bootstrap import wild_cluster_bootstrap
from evaluation.stats.least_squares import (
    Equation,
    LeastSquares,
    fgls_many,
    least_squares,
    solve_many,
)
from evaluation.survey import panel

# A check is read beside others, not on its own: fewer draws than the headline.
DRAWS = 999
# A refit on a remnant of the panel can reach any p-value; with fewer degrees of freedom than this
# the check counts as not made.
MINIMUM_FREE = 10


# Where a design cannot tell the smallest effect of interest, its checks are held to what it can
# tell, to at most so many times the former.
REACH = 3.0


def reference_effect(smallest: float | None, detectable: float) -> float:
    """The effect checks are held to: the smallest of interest, or the least the design can find.

    A check cannot see what the estimate itself could not, so a bias is looked for that is as large
    as what the design could claim; beyond ``REACH`` times the smallest of interest not seeing it
    counts against the design. Blind to the estimate: only its standard error enters.

    Parameters
    ----------
    smallest : declared before any estimate. detectable : minimum detectable effect of the
        estimate, in the same unit.

    Raises
    ------
    ModelError : no smallest effect of interest is declared, or none above 0.
    """
    if smallest is None or not smallest > 0:
        raise ModelError("No smallest effect of interest is declared to hold this check to.")
    return min(max(smallest, detectable), REACH * smallest)


ENDS = ("estimate", "low", "high", "p")


@dataclass(frozen=True)
class Refit:
    """What a check reads of a second fit; names as in :class:`evaluation.base.results.Result`."""

    estimate: float
    se: float
    low: float
    high: float
    p: float
    clusters: int
    observations: int

    @property
    def verdict(self) -> str:
        """``positive``, ``negative`` or ``unknown`` (the interval holds zero)."""
        return reading(self.low, self.high)


def reading(low: float, high: float) -> str:
    """``positive``, ``negative`` or ``unknown``: on which side of zero an interval lies."""
    return "positive" if low > 0 else "negative" if high < 0 else "unknown"


def numbers(fit: Any, names: Iterable[str] = ENDS) -> dict[str, float]:
    """Attributes of a fit by name, the estimate with its interval and p-value unless others."""
    return {name: float(getattr(fit, name)) for name in names}


def _bootstrapped(model: str, panel: pd.DataFrame, roles: Roles, inference: Inference) -> Refit:
    made = equation(model, panel, roles)
    regions = int(made.codes.max()) + 1
    if regions < MIN_REGIONS:
        raise ModelError(f"{regions} regions remain; at least {MIN_REGIONS} are needed.")
    free = len(made.y) - len(made.names)
    if free < MINIMUM_FREE:
        raise ModelError(f"{free} degrees of freedom are left; at least {MINIMUM_FREE} are needed.")
    test = wild_cluster_bootstrap(
        made,
        len(made.names) - 1,
        inference.draws,
        seed=inference.seed,
        level=inference.level,
    )
    return Refit(**numbers(test, ("se", *ENDS)), clusters=regions, observations=len(made.y))


@dataclass(frozen=True, eq=False)
class Estimated:
    """An estimate with all that is needed to doubt it.

    Attributes
    ----------
    panel : the panel it was made from. result : the estimate, of the first dose.
    roles : of the panel. inference : of the estimate.
    rates : ``region_code, wave, rate, variance`` of the published rates, or None.
    rebuild : ``rebuild(design_effect, sample_factor) -> panel`` under other survey assumptions,
        or None.
    smallest : the smallest effect of interest, declared before any estimate, in the unit of the
        estimate; what checks hold their own power against. Or None.
    """

    panel: pd.DataFrame
    result: Result
    roles: Roles
    inference: Inference
    rates: pd.DataFrame | None = None
    rebuild: Callable[[float, float], pd.DataFrame] | None = None
    smallest: float | None = None

    def __post_init__(self) -> None:
        if self.result.term != self.roles.dose:
            raise ModelError(
                f"The estimate is of '{self.result.term}', the first dose of the panel is "
                f"'{self.roles.dose}'."
            )
        if self.linear:
            own = self.equations().fit().coefficients[-1]
            if not np.isclose(own, self.result.estimate, rtol=1e-6):
                raise ModelError(
                    f"Panel and columns give {own:.6g}, the estimate is "
                    f"{self.result.estimate:.6g}: the checks would doubt another estimate."
                )

    @property
    def linear(self) -> bool:
        """Whether the model is one whose refits are one batch of normal equations."""
        return self.result.model in EFFECTS

    @property
    def draws(self) -> int:
        """Draws of a check: those of the estimate, at most 999."""
        return min(self.inference.draws, DRAWS)

    @property
    def interest(self) -> float:
        """What checks are held to, see :func:`reference_effect`."""
        found = self.result
        detectable = minimum_detectable(found.se, found.clusters, found.level)
        return reference_effect(self.smallest, detectable)

    def shift(self, estimate: Any) -> Any:
        """How far other estimates lie from this one, in its standard errors; blind to its size."""
        return abs(estimate - self.result.estimate) / self.result.se

    def equations(self) -> Equation:
        """The equation of the estimate."""
        return equation(self.result.model, self.panel, self.roles)

    def refit(self, panel: pd.DataFrame, draws: int | None = None, **changes: Any) -> Refit:
        """The model on another panel or with other columns, by its own inference.

        A linear model is refitted by its bootstrap alone, without all that the registered model
        puts beside an estimate.
        """
        roles, model = replace(self.roles, **changes), self.result.model
        inference = replace(self.inference, draws=draws or self.draws, level=self.result.level)
        if self.linear:
            return _bootstrapped(model, panel, roles, inference)
        result = named(model).fit(panel, roles, inference)
        return Refit(**{name: getattr(result, name) for name in Refit.__dataclass_fields__})

    def used(self) -> np.ndarray:
        """Rows of the panel the estimate rests on, (N,) bool."""
        if self.linear:
            return np.isin(np.arange(len(self.panel)), self.equations().rows)
        return self.panel[self.roles.used].notna().all(axis=1).to_numpy()


def check(name: str, *, linear: bool = False, undecided: str = "") -> Callable:
    """Make a :class:`Check` of a function that returns ``(passed, values, rows)``.

    What the function refuses stands as the reason in the row of a check that could not be made;
    it is never counted as passed. ``linear`` refuses other models; ``undecided`` ends the text
    key of a check that neither passes nor fails.
    """
    endings = {True: "passed", False: "failed", None: undecided}

    def decorate(finding: Callable[[Estimated], tuple]) -> Callable[[Estimated], Check]:
        @wraps(finding)
        def made(context: Estimated) -> Check:
            try:
                if linear and not context.linear:
                    model = context.result.model
                    raise ModelError(f"This check needs a linear model, not {model}.")
                passed, values, rows = finding(context)
            except KepuError as error:
                return Check(name, None, "check.impossible", {}, ({"reason": str(error)},))
            passed = None if passed is None else bool(passed)
            ending = endings[passed]
            key = f"check.{name}.{ending}" if ending else f"check.{name}"
            return Check(name, passed, key, values, tuple(rows))

        return made

    return decorate


def estimates_without(context: Estimated, labels: pd.Series) -> pd.DataFrame:
    """The estimate with each label left out in turn.

    Parameters
    ----------
    labels : one label a row of the panel.

    Returns
    -------
    DataFrame ``left_out, rows, estimate``; missing where the rest does not identify the dose.
    """
    used = context.used()
    names = sorted(labels[used].unique())
    if context.linear:
        made = context.equations()
        kept = labels.to_numpy()[made.rows][None, :] != np.array(names, dtype=object)[:, None]
        values = fgls_many(made, kept)[:, -1]
    else:
        values = np.array([_one(context, (labels != name).to_numpy() & used) for name in names])
    counts = [int((labels[used] == name).sum()) for name in names]
    return pd.DataFrame({"left_out": names, "rows": counts, "estimate": values})


def _one(context: Estimated, keep: np.ndarray) -> float:
    try:
        return context.refit(context.panel[keep].reset_index(drop=True), draws=99).estimate
    except ModelError:
        return float("nan")


# The estimate under other survey assumptions: sample sizes and the design effect.
DESIGN_EFFECTS = (1.0, 1.5, 2.0, 3.0)
SAMPLE_FACTORS = (0.5, 1.0, 2.0)
GAIN_ERRORS = ("annual_variance", "annual_opening_variance")


def rebuilder(dataset: Dataset, frame: pd.DataFrame) -> Callable[[float, float], pd.DataFrame]:
    """A function that gives the same panel with the variances of other assumptions.

    ``frame`` is a panel of gains or of levels made from ``dataset``; only what depends on the
    assumptions (variance, standard error, interval) is computed anew.
    """
    gains = "wave_from" in frame.columns
    keys = ["region_code", "wave_from", "wave_to"] if gains else ["region_code", "wave"]

    def rebuild(design_effect: float, sample_factor: float) -> pd.DataFrame:
        table = panel.rates(dataset, panel.Assumed(design_effect, sample_factor))
        table = panel.gains(table, dataset.waves) if gains else table
        changing = ["se", "low", "high", *(GAIN_ERRORS if gains else ["n", "variance"])]
        fresh = table.set_index(keys)[changing]
        wanted = pd.MultiIndex.from_frame(frame[keys])
        return frame.assign(**fresh.reindex(wanted).reset_index(drop=True).set_axis(frame.index))

    return rebuild


@check("assumption_sweep")
def assumption_sweep(context: Estimated):
    """Refit under each pair of design effect and factor on the assumed samples.

    Fails if the estimate moves by more than its standard error under any of them: then it rests
    on an assumption.
    """
    if context.rebuild is None:
        raise ModelError("No function was given that rebuilds the panel.")
    rows = []
    for deff, factor in product(DESIGN_EFFECTS, SAMPLE_FACTORS):
        try:
            fit = context.refit(context.rebuild(deff, factor))
        except KepuError as error:
            raise ModelError(f"design effect {deff}, sample factor {factor}: {error}") from error
        row = {"design_effect": deff, "sample_factor": factor, "verdict": fit.verdict}
        rows.append(row | numbers(fit))
    table = pd.DataFrame(rows)
    differing = context.shift(table["estimate"]) > MAXIMUM_SHIFT
    values = {
        "count": len(table),
        "estimate_low": float(table["estimate"].min()),
        "estimate_high": float(table["estimate"].max()),
        "low": float(table["low"].min()),
        "high": float(table["high"].max()),
        "differing": int(differing.sum()),
    }
    return not differing.any(), values, rows


# Can the data tell the doses apart: condition number and variance inflation.
MAXIMUM_VIF = 10.0
MAXIMUM_CONDITION = 30.0


def within(X: np.ndarray, effects: int) -> np.ndarray:
    """Covariates and doses less the fixed effects, unit length, (N, k - effects)."""
    left, right = X[:, :effects], X[:, effects:]
    rest = right - left @ np.linalg.lstsq(left, right, rcond=None)[0]
    return rest / np.linalg.norm(rest, axis=0)


@check("collinearity", linear=True, undecided="one")
def collinearity(context: Estimated):
    """Condition number of covariates and doses, and the variance inflation of each.

    Fixed effects are taken out and columns scaled to unit length first. With several doses it
    fails if a dose's VIF exceeds 10 or the condition number 30: then no dose has an estimate of
    its own. With one dose it informs.
    """
    eqs = context.equations()
    columns = within(eqs.white.matrix, eqs.effects)
    vif = np.diag(np.linalg.inv(columns.T @ columns))
    values = {
        "condition_number": float(np.linalg.cond(columns)),
        "vif": float(vif[-eqs.doses :].max()),
        "doses": eqs.doses,
    }
    apart = values["vif"] <= MAXIMUM_VIF and values["condition_number"] <= MAXIMUM_CONDITION
    names = eqs.names[eqs.effects :]
    rows = [{"column": n, "vif": float(v)} for n, v in zip(names, vif, strict=True)]
    return apart if eqs.doses > 1 else None, values, rows


# How strong an unobserved confounder would have to be (Cinelli & Hazlett 2020).


def _equal_strength(f: float) -> float:
    """The r with r / √(1 - r) = f: equal partial R² with dose and outcome that give bias f."""
    return 0.5 * (np.sqrt(f**4 + 4 * f**2) - f**2)


def robustness_value(estimate: float, se: float, dof: int) -> float:
    r"""Partial R² with dose and outcome that would take the whole estimate away.

    .. math:: RV = \tfrac12(\sqrt{f^4 + 4f^2} - f^2), \quad f = |t| / \sqrt{dof}

    Parameters
    ----------
    estimate, se : coefficient and its classical standard error. dof : residual degrees of freedom.

    Raises
    ------
    ModelError : ``se`` not positive or ``dof`` below 2.

    Source
    ------
    Cinelli & Hazlett (2020), Journal of the Royal Statistical Society B 82:39-67, section 4.

    >>> round(robustness_value(estimate=4.184, se=1, dof=783), 3)  # Darfur, t = 4.184
    0.139
    """
    if not (se > 0 and dof >= 2 and np.isfinite(estimate)):
        raise ModelError("A robustness value needs se > 0, dof >= 2, a finite estimate.")
    return float(_equal_strength(abs(estimate / se) / np.sqrt(dof)))


def _partial_r2(fit: LeastSquares, position: int) -> float:
    """Partial R² of one column with the outcome, t²/(t² + dof) with the classical t."""
    variance = fit.bread[position, position] * float(fit.residuals @ fit.residuals) / fit.free
    t2 = fit.coefficients[position] ** 2 / variance
    return float(t2 / (t2 + fit.free))


def _strength(with_dose: float, with_outcome: float) -> float:
    """Equal-strength partial R² of a confounder as strong as a covariate; 1 if it has no bound.

    The covariate's own partial R² with dose and outcome give the largest a confounder as strong
    as it can have; the pair is turned to one number on the scale of the robustness value.
    """
    dose = with_dose / (1 - with_dose)
    shared = with_dose**2 / ((1 - with_dose) * (1 - with_dose))
    if dose >= 1 or shared >= 1:
        return 1.0
    outcome = ((1 + np.sqrt(shared)) / np.sqrt(1 - shared)) ** 2
    outcome = min(1.0, outcome * with_outcome / (1 - with_outcome))
    return float(_equal_strength(np.sqrt(outcome * dose / (1 - dose))))


def benchmarks(y: Any, X: Any, names: tuple[str, ...], chosen: list[str], dose: str):
    """Partial R² of each chosen column with dose and outcome, and its strength; list of records."""
    order = [*(n for n in names if n != dose), dose]
    place = [names.index(n) for n in order]
    X = np.asarray(X)[:, place]
    outcome, treatment = least_squares(y, X), least_squares(X[:, -1], X[:, :-1])
    rows = []
    for name in chosen:
        i = order.index(name)
        pair = {
            "r2_with_dose": _partial_r2(treatment, i),
            "r2_with_outcome": _partial_r2(outcome, i),
        }
        rows.append({"covariate": name, **pair, "strength": _strength(*pair.values())})
    return rows


@check("robustness_value", linear=True, undecided="no_covariate")
def confounding(context: Estimated):
    """Robustness value of the reference effect against the strongest covariate.

    Fails if a confounder no stronger than it would bias the estimate by that much; without a
    covariate there is nothing to compare with, and the check is not made. Partial R² of a
    covariate with the outcome are given the dose, so nothing depends on the estimate.
    """
    eqs, roles = context.equations(), context.roles
    fit, white = eqs.fit(), eqs.white
    k, rss = len(eqs.names) - 1, float(fit.residuals @ fit.residuals)
    se = np.sqrt(fit.bread[k, k] * rss / fit.free)
    values = {
        "rv": robustness_value(context.interest, se, fit.free),
        "smallest": context.interest,
        "dof": fit.free,
    }
    chosen = [*roles.covariates, *roles.doses[1:]]
    if not chosen:
        return None, values, [{"reason": "No covariate to compare an unobserved confounder with."}]
    rows = benchmarks(white.y, white.matrix, eqs.names, chosen, roles.dose)
    rows = sorted(rows, key=lambda row: -row["strength"])
    strongest = rows[0]["strength"]
    return values["rv"] > strongest, values | {"strongest": strongest}, rows


# Does more of the dose go with more of the gain, step by step, and in a straight line?
GROUPS = 4
SQUARE = "dose_squared"


def _steps(context: Estimated, panel: pd.DataFrame) -> pd.DataFrame:
    """Adjusted outcome of the quarters of the dose, the lowest set to zero."""
    s, used = context.roles, context.used()
    dose = panel[s.dose]
    try:
        group = pd.qcut(dose.where(used).rank(method="first"), GROUPS, labels=False)
    except ValueError as error:
        raise ModelError(str(error)) from error
    names = [f"quarter_{i}" for i in range(1, GROUPS)]
    panel = panel.assign(
        **{name: (group == i + 1).astype(float).where(used) for i, name in enumerate(names)}
    )
    # The last columns are the quarters in their order, then any further doses.
    roles = replace(s, doses=[*names, *s.doses[1:]][::-1])
    eqs = equation(context.result.model, panel, roles)
    white = eqs.white
    b = solve_many(white.y, white.matrix, np.ones((1, len(white.y)))).coefficients[0]
    adjusted = np.concatenate([[0.0], b[-eqs.doses :][: GROUPS - 1]])
    middle = dose[used].groupby(group[used]).median()
    return pd.DataFrame({"quarter": range(1, GROUPS + 1), "dose": middle, "adjusted": adjusted})


@check("dose_response", linear=True, undecided="unclear")
def dose_response(context: Estimated):
    """A straight line must hold, by tests that would have found a bend that matters.

    Fails where the wild bootstrap test of the squared dose rejects. Passes only if a bend that
    makes a difference of the reference effect one standard deviation from the middle
    would have been found with 80 % power, and if the quarters of the dose would be in order were
    the slope no more than that effect. The slope found plays no part: a shape is what is left of
    the quarters without it.
    """
    roles, dose = context.roles, context.panel[context.roles.dose]
    used, interest = context.used(), context.interest
    middle, spread = float(dose[used].mean()), float(dose[used].std())
    panel = context.panel.assign(**{SQUARE: ((dose - middle) / spread) ** 2})
    square = context.refit(panel, doses=[SQUARE], covariates=(*roles.covariates, *roles.doses))
    slope = context.result.estimate - interest
    least = context.panel.assign(**{roles.outcome: context.panel[roles.outcome] - slope * dose})
    steps, shown = _steps(context, least), _steps(context, context.panel)
    values = {
        "p_square": float(square.p),
        "ordered": float((np.diff(steps["adjusted"]) > 0).all()),
        "minimum_detectable": minimum_detectable(square.se, square.clusters, context.result.level),
        "smallest": interest,
    }
    powered = values["minimum_detectable"] <= interest and values["ordered"]
    bent = square.p <= 1 - context.result.level
    return False if bent else True if powered else None, values, shown.to_dict("records")


# Leave one region out, one wave out, and the gains across an instrument break out.
BREAK = "crosses_break"


# Standard errors by which an estimate may move: on the same rows under another assumption; and
# without a region, a wave or the gains across a break. One in a dozen regions moves a sound
# estimate by one standard error more often than not; by two, about half the width of the interval,
# seldom (benchmarks/checks.py).
MAXIMUM_SHIFT, LEFT_OUT_SHIFT = 1.0, 2.0


def held_without(table: pd.DataFrame, result: Result) -> tuple[bool, dict, list]:
    """Whether an estimate stays within two standard errors without each label in turn.

    Parameters
    ----------
    table : ``left_out, estimate`` and what else is shown; missing where there is no estimate.

    Raises
    ------
    ModelError : there is none without any of them.
    """
    table = table.assign(shift=(table["estimate"] - result.estimate).abs() / result.se)
    known = table.dropna(subset="estimate")
    if known.empty:
        raise ModelError("No subset of the panel identifies the estimate.")
    values = {
        "low": float(known["estimate"].min()),
        "high": float(known["estimate"].max()),
        "count": len(known),
        "changes": int((known["shift"] > LEFT_OUT_SHIFT).sum()),
        "not_estimable": int(table["estimate"].isna().sum()),
        "largest_shift": float(known["shift"].max()),
    }
    ordered = table.sort_values("estimate", ignore_index=True)
    return values["changes"] == 0, values, ordered.to_dict("records")


def _without(context: Estimated, part: str) -> tuple[bool, dict, list]:
    return held_without(estimates_without(context, context.panel[part]), context.result)


@check("leave_one_region_out")
def leave_one_region_out(context: Estimated):
    """Refit without each region; fails if the estimate moves beyond two standard errors."""
    return _without(context, context.roles.region)


@check("leave_one_wave_out")
def leave_one_wave_out(context: Estimated):
    """Refit without each wave (interval, of gains); fails beyond two standard errors."""
    return _without(context, context.roles.wave)


@check("breaks")
def breaks(context: Estimated):
    """Refit without the gains across an instrument break; fails beyond two standard errors.

    A wider interval on fewer gains is no failure.
    """
    if BREAK not in context.panel.columns:
        raise ModelError(f"The panel has no column '{BREAK}'.")
    flagged = context.panel[BREAK].to_numpy(dtype=bool)
    left = int((flagged & context.used()).sum())
    if left == 0:
        raise ModelError("No gain crosses a break.")
    first, other = context.result, context.refit(context.panel[~flagged].reset_index(drop=True))
    rows = [
        {"breaks": label, **numbers(fit), "observations": fit.observations}
        for label, fit in (("in", first), ("out", other))
    ]
    shift = float(context.shift(other.estimate))
    values = numbers(other) | {
        "left_out": left,
        "observations": other.observations,
        "shift": shift,
    }
    return shift <= LEFT_OUT_SHIFT, values, rows


# Placebo: the dose of the next interval can have no part in the gain before it.
LEAD = "next_interval_dose"


def with_lead(context: Estimated):
    """The panel with the first dose of each region's next interval (or wave), ``LEAD``."""
    s = context.roles
    frame = context.panel.sort_values([s.region, s.wave])
    lead = frame.groupby(s.region)[s.dose].shift(-1)
    return context.panel.assign(**{LEAD: lead})


@check("placebo", undecided="unclear")
def placebo(context: Estimated):
    """Regress the gain on the next interval's dose, the current doses held.

    A region's dose moves slowly, so without the current one the future dose would only repeat it.
    Fails where the coefficient differs from zero at the level of the estimate. It passes only if
    a violation as large as the reference effect would have been found: where the
    minimum detectable violation (80 % power) exceeds that, not finding one says nothing, and the
    check neither passes nor fails.
    """
    roles, first, interest = context.roles, context.result, context.interest
    held = (*roles.covariates, *roles.doses)
    fit = context.refit(with_lead(context), doses=[LEAD], covariates=held)
    detectable = minimum_detectable(fit.se, fit.clusters, first.level)
    if not np.isfinite(detectable):
        raise ModelError("The standard error of the placebo is not finite.")
    powered = detectable <= interest
    passed = False if fit.p <= 1 - first.level else True if powered else None
    values = numbers(fit) | {
        "minimum_detectable": detectable,
        "smallest": interest,
        "observations": fit.observations,
        "clusters": fit.clusters,
    }
    return passed, values, [{"dose": roles.dose, **values}]
