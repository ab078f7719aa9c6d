"""The headline: one composite input on every rung of the ladder, doubted by checks and graded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.data import Dataset
from evaluation.doses import composite
from evaluation.errors import ModelError
from evaluation.evidence import Grade, grade, permitted
from evaluation.evidence_design import panel_design
from evaluation.expected import COLUMNS, expected_gains
from evaluation.model_panels import Panels, named, roles
from evaluation.models import Inference
from evaluation.numerals import rounded
from evaluation.results import Check, Result
from evaluation.robustness import Estimated, rebuilder, run_checks
from evaluation.spoken import Spoken, percent, say
from evaluation.text import t

MAIN = "gain_regression"
LADDER = (
    MAIN,
    "two_way_fixed_effects",
    "fractional_probit",
    "fractional_logit",
    "partial_pooling",
    "elastic_net",
)
TERM = "composite"


@dataclass(frozen=True)
class Rung:
    """What one model of the ladder says of the composite, or why it says nothing."""

    model: str
    result: Result | None
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Headline(Spoken):
    """The composite estimate with everything that bears on how far to trust it.

    Attributes
    ----------
    parts : doses in the composite of gains. level_parts : in that of levels.
    ladder : one rung a model, the headline first. checks, grade : of the headline.
    expected : annual gains of the panel's rows against what the other regions lead one to
        expect, see :func:`evaluation.expected.expected_gains`.
    """

    parts: tuple[str, ...]
    level_parts: tuple[str, ...]
    ladder: tuple[Rung, ...]
    checks: tuple[Check, ...]
    grade: Grade
    expected: pd.DataFrame

    @property
    def result(self) -> Result:
        """The headline estimate, that of the gain regression."""
        return self.ladder[0].result

    def table(self) -> pd.DataFrame:
        """One rung a row: ``model, estimate, low, high, p, unit, reason``."""
        names = ("estimate", "low", "high", "p", "unit")
        return pd.DataFrame(
            [
                {"model": rung.model}
                | {name: getattr(rung.result, name, None) for name in names}
                | {"reason": rung.reason}
                for rung in self.ladder
            ]
        )

    def summary(self, language: str = "en") -> str:
        """The headline estimate and the strength of the evidence, in sentences."""
        result = self.result
        shown = {
            name: rounded(getattr(result, name), result.se) for name in ("estimate", "low", "high")
        }
        key = permitted(self.grade, result.verdict, language)
        name = t("composite.name", language)
        told = say(
            "speak.headline", language, name=name, says=t(key, language, dose=name),
            unit=t(f"result.unit.{result.unit}", language), level=percent(result.level), **shown,
        )  # fmt: skip
        return f"{told} {self.grade.summary(language)}"

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
        # No two doses are known together: the rungs that read this panel say so themselves.
        return frame.assign(**{TERM: np.nan}), ()
    return frame.assign(**{TERM: index}), tuple(index.attrs["doses"])


def _rung(model: str, frame: pd.DataFrame, inference: Inference) -> Rung:
    try:
        return Rung(model, named(model).fit(frame, roles(model, [TERM]), inference))
    except ModelError as error:
        return Rung(model, None, str(error))


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
    ladder = tuple(_rung(model, frames[named(model).outcome], inference) for model in LADDER)
    if ladder[0].result is None:
        return ladder[0].reason
    # Only what the panel reads is drawn again: other regions must not shift the random numbers.
    read = panels.rates["region_code"].isin(gains["region_code"])
    context = Estimated(
        gains,
        ladder[0].result,
        roles(MAIN, [TERM]),
        inference,
        rates=panels.rates[read & panels.rates["variance"].notna()],
        rebuild=rebuilder(dataset, gains),
    )
    checks = run_checks(context)
    return Headline(
        parts, level_parts, ladder, checks, _graded(dataset, context, checks), _expected(gains)
    )


def _graded(dataset: Dataset, context: Estimated, checks: tuple[Check, ...]) -> Grade:
    """Everyone has some input and always had: no pre-period; sampling errors are assumed."""
    rows = context.panel[context.used()]
    design = panel_design(
        context,
        kind="continuous",
        pre_period=False,
        sampling_error="assumed" if len(dataset.assumptions) else "published",
        mode_changed=bool(rows["crosses_break"].any()),
    )
    return grade(design, checks)


def _expected(gains: pd.DataFrame) -> pd.DataFrame:
    keys = gains[["region_code", "interval", "wave_from", "wave_to"]]
    return keys.join(expected_gains(gains, roles(MAIN, [TERM]))[COLUMNS])
