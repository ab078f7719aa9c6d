"""The headline: the composite on the ladder of models, with its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import LEAST_LOCKS, Check, Result, Spoken, percent, say
from evaluation.base.text import LANGUAGES, rounded, t
from evaluation.data.package import MIN_REGIONS, Dataset
from evaluation.evidence import checks as robustness
from evaluation.evidence import error
from evaluation.evidence.checks import Estimated, rebuilder
from evaluation.evidence.curve import specification_curve
from evaluation.evidence.grade import Design, Grade, grade, permitted
from evaluation.models import fractional, mixed, named, prediction
from evaluation.models.columns import GAINS, LEVELS, Inference, Roles, equation
from evaluation.models.panels import Panels, roles
from evaluation.stats.least_squares import Equation
from evaluation.survey.panel import composite
from evaluation.survey.standing import normal_quantile

# What a region's gain would be if it followed the others: leave-one-region-out expectations.
COLUMNS = ["observed", "expected", "residual", "se", "low", "high"]


def expected_gains(panel: pd.DataFrame, roles: Roles, level: float = 0.95) -> pd.DataFrame:
    """Each gain against its expectation from the other regions' gain regression.

    The region itself takes no part in the fit its gain is held against, so the residual is a
    forecast error: its variance is the sampling variance of the gain, the residual variance of
    the equation and the variance of the fitted value.

    Parameters
    ----------
    panel : one row a region and interval. level : of the interval, a share.

    Returns
    -------
    DataFrame on the index of ``panel`` with ``observed, expected, residual, se, low, high`` (the
    interval is that of the residual), in the unit of the outcome; missing where the interval was
    seen in no other region or a value is missing.
    """
    made = equation(GAINS, panel, roles)
    result = pd.DataFrame(np.nan, index=panel.index, columns=COLUMNS)
    for name in dict.fromkeys(made.clusters):
        own = made.clusters == name
        result.iloc[made.rows[own]] = _held_out(made, own, level)
    return result


def _held_out(made: Equation, own: np.ndarray, level: float) -> np.ndarray:
    """Forecast errors of one region from the fit to the others, (rows of the region, 6)."""
    others, observed = made.subset(~own), made.y[own]
    seen = others.X.columns[(others.X != 0).any()]
    rows = np.full((len(observed), len(COLUMNS)), np.nan)
    rows[:, 0] = observed
    try:
        others = replace(others, X=others.X[seen])
        sigma2, fit = max(0.0, others.excess), others.fit()
    except ModelError:
        # Without this region the others cannot carry the equation: nothing can be expected.
        return rows
    at = made.X.loc[own, seen].to_numpy(dtype=float)
    spread = np.einsum("ij,jk,ik->i", at, fit.bread, at)
    error = np.sqrt(made.variance[own] + sigma2 + spread)
    fitted = at @ fit.coefficients
    half = normal_quantile(level) * error
    estimable = made.X.loc[own, made.X.columns.difference(seen)].eq(0).all(axis=1).to_numpy()
    columns = [fitted, observed - fitted, error, observed - fitted - half, observed - fitted + half]
    rows[estimable, 1:] = np.column_stack(columns)[estimable]
    return rows


# Reasons to doubt an estimate, in the order they are shown.
CHECKS: dict[str, Callable[[Estimated], Check]] = {
    "leave_one_region_out": robustness.leave_one_region_out,
    "leave_one_wave_out": robustness.leave_one_wave_out,
    "placebo": robustness.placebo,
    "specification_curve": specification_curve,
    "robustness_value": robustness.confounding,
    "measurement_error": error.measurement_error,
    "opening_error": error.opening_error,
    "variance_factor": error.variance_factor,
    "assumption_sweep": robustness.assumption_sweep,
    "breaks": robustness.breaks,
    "collinearity": robustness.collinearity,
    "dose_response": robustness.dose_response,
}


def run_checks(context: Estimated, names: Iterable[str] | None = None) -> tuple[Check, ...]:
    """Make the named checks, or all of them, in the order of the registry.

    Raises
    ------
    KepuError : a name that is no check; the message lists those there are.
    """
    wanted = list(CHECKS) if names is None else list(names)
    if strange := [name for name in wanted if name not in CHECKS]:
        raise KepuError(f"Unknown check {', '.join(strange)}. Known: {', '.join(CHECKS)}.")
    return tuple(CHECKS[name](context) for name in CHECKS if name in wanted)


# The headline: one composite input in every model of the ladder, doubted by checks and graded.
MAIN = GAINS
LADDER = (MAIN, LEVELS, fractional.PROBIT, fractional.LOGIT, mixed.NAME, prediction.NAME)
TERM = "composite"


@dataclass(frozen=True)
class Estimate:
    """What one model says of one dose or of the composite, or why it can say nothing.

    ``result`` is ``None`` exactly when ``reason`` is not empty. ``p_holm`` adjusts the p-value for
    all doses and models tried at the same question; ``names`` are the package's of the dose, by
    language.
    """

    dose: str
    model: str
    result: Result | None
    reason: str = ""
    p_holm: float = float("nan")
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``positive``, ``negative``, ``unknown`` (interval holds zero) or ``not_estimable``."""
        return "not_estimable" if self.result is None else self.result.verdict

    def summary(self, language: str = "en") -> str:
        """The result in sentences, or why there is none."""
        if self.result is not None:
            return self.result.summary(language)
        model = t(f"rung.{self.model}", language)
        own = self.names.get(language, self.dose)
        dose = t("composite.name", language) if self.dose == TERM else own
        return say("speak.estimate.absent", language, dose=dose, model=model, reason=self.reason)


Controls = Mapping[str, tuple[str, ...]]


def attempt(
    dose: str, model: str, frame: pd.DataFrame, term: str, run: Inference, controls: Controls
) -> Estimate:
    """Fit a model to its panel with one dose column, or keep the reason why it cannot be."""
    try:
        return Estimate(dose, model, named(model).fit(frame, roles(model, [term], controls), run))
    except ModelError as error:
        return Estimate(dose, model, None, str(error))


@dataclass(frozen=True, repr=False)
class Headline(Spoken):
    """The composite estimate with everything that bears on how far to trust it.

    Attributes
    ----------
    parts : doses in the composite of gains. level_parts : in that of levels.
    ladder : one estimate a model, the headline first. checks, grade : of the headline.
    outcome : what the package calls it, by language.
    expected : annual gains of the panel's rows against what the other regions lead one to
        expect, see :func:`evaluation.evidence.headline.expected_gains`.
    """

    parts: tuple[str, ...]
    level_parts: tuple[str, ...]
    ladder: tuple[Estimate, ...]
    checks: tuple[Check, ...]
    grade: Grade
    expected: pd.DataFrame
    outcome: Mapping[str, str]

    @property
    def result(self) -> Result:
        """The headline estimate, that of the gain regression."""
        return self.ladder[0].result

    @property
    def priced(self) -> bool:
        """Whether a verdict on money may rest on it: the evidence carries a comparison and the
        interval leaves zero out."""
        return self.grade.locks >= LEAST_LOCKS and self.result.verdict != "unknown"

    def table(self) -> pd.DataFrame:
        """One model a row: ``model, estimate, low, high, p, unit, reason``."""
        names = ("estimate", "low", "high", "p", "unit")
        rows = [
            (e.model, *(getattr(e.result, name, None) for name in names), e.reason)
            for e in self.ladder
        ]
        return pd.DataFrame(rows, columns=["model", *names, "reason"])

    def summary(self, language: str = "en") -> str:
        """The headline estimate and the strength of the evidence, in sentences."""
        result = self.result
        shown = {
            name: rounded(getattr(result, name), result.se) for name in ("estimate", "low", "high")
        }
        key = permitted(self.grade, result.verdict, language)
        name = t("composite.name", language)
        says = t(key, language, dose=name, outcome=self.outcome[language])
        sentence = say(
            "speak.headline", language, name=name, says=says,
            unit=t(f"result.unit.{result.unit}", language), level=percent(result.level), **shown,
        )  # fmt: skip
        return f"{sentence} {self.grade.summary(language)}"

    def __repr__(self) -> str:
        failed = sum(check.passed is False for check in self.checks)
        return (
            f"Headline({self.result!r}, {self.grade.locks} locks, "
            f"{failed} of {len(self.checks)} checks failed)"
        )


def _with_composite(frame: pd.DataFrame, doses: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    try:
        index = composite(frame, doses)
    except ModelError:
        # No two doses are known together: the models that read this panel say so themselves.
        return frame.assign(**{TERM: np.nan}), ()
    return frame.assign(**{TERM: index}), tuple(index.attrs["doses"])


def headline(
    dataset: Dataset, panels: Panels, *, draws: int = 9999, seed: int = 20250101
) -> Headline | str:
    """Climb the ladder with the composite, make every check, grade the evidence.

    Returns
    -------
    Headline, or the reason why the headline model cannot be fitted to these data.
    """
    doses, inference = list(dataset.doses["dose"]), Inference(draws, seed)
    gains, parts = _with_composite(panels.provinces, doses)
    levels, level_parts = _with_composite(panels.levels, doses)
    frames = {"gain": gains, "level": levels}
    ladder = tuple(
        attempt(TERM, model, frames[named(model).outcome], TERM, inference, panels.controls)
        for model in LADDER
    )
    if ladder[0].result is None:
        return ladder[0].reason
    # Only what the panel reads is drawn again: other regions must not shift the random numbers.
    read = panels.rates["region_code"].isin(gains["region_code"])
    context = Estimated(
        gains,
        ladder[0].result,
        roles(MAIN, [TERM], panels.controls),
        inference,
        rates=panels.rates[read & panels.rates["variance"].notna()],
        rebuild=rebuilder(dataset, gains),
        smallest=dataset.assumed("smallest_effect"),
    )
    checks, keys = run_checks(context), ["region_code", "interval", "wave_from", "wave_to"]
    expected = gains[keys].join(expected_gains(gains, context.roles))
    graded = _graded(dataset, context, checks)
    outcome = {language: dataset.words(language)["outcome"] for language in LANGUAGES}
    return Headline(parts, level_parts, ladder, checks, graded, expected, outcome)


def pre_period(rows: pd.DataFrame, roles: Roles) -> bool:
    """Whether enough regions were seen before their input was what it came to be.

    An input that stays has no time before it. It moved where a region's input, less that of all
    regions in the same interval, differs between two gains by one standard deviation of what the
    regions differ by; ``MIN_REGIONS`` such regions are enough.
    """
    own = rows[roles.dose] - rows.groupby(roles.wave)[roles.dose].transform("mean")
    moved = own.groupby(rows[roles.region]).agg(lambda values: values.max() - values.min())
    return bool((moved >= own.std()).sum() >= MIN_REGIONS)


def _graded(dataset: Dataset, context: Estimated, checks: tuple[Check, ...]) -> Grade:
    """Everyone has some input and always had; an earlier gain stands before a later input."""
    rows, region = context.panel[context.used()], context.roles.region
    dose = rows[context.roles.dose]
    design = Design(
        kind="continuous",
        waves=len({*rows["wave_from"], *rows["wave_to"]}),
        pre_period=pre_period(rows, context.roles),
        regions=int(rows[region].nunique()),
        treated=int(rows.loc[dose != dose.mode().iloc[0], region].nunique()),
        sampling_error="assumed" if len(dataset.assumptions) else "published",
        doses_outside_support_sd=0.0,
        mode_changed=bool(rows["crosses_break"].any()),
    )
    return grade(design, checks)
