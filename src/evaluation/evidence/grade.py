"""Locks and grades: what the design of an estimate supports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import isfinite

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.base.results import MOST_LOCKS, Check, Spoken, say
from evaluation.base.text import chance, t
from evaluation.evidence.checks import Estimated
from evaluation.evidence.words import gate

# ------------------------------------------------------------------------------------------
# The design of a study as the grade reads it, counted from the rows an estimate rests on.


# Locks each design starts with.
START = {"randomised": 5, "staggered": 4, "continuous": 3, "before_after": 1}
SAMPLING_ERRORS = ("published", "assumed", "none")


@dataclass(frozen=True)
class Design:
    """What the data are, as far as it bears on the strength of evidence.

    Attributes
    ----------
    kind : ``randomised``, ``staggered`` (with an untreated comparison), ``continuous`` (everyone
        has a dose) or ``before_after`` (no comparison).
    waves : survey waves of the panel. pre_period : an outcome observed before the dose is.
    regions : of the panel. treated : regions that received the treatment; for a continuous dose,
        regions whose dose differs from the commonest.
    sampling_error : ``published``, ``assumed`` (declared) or ``none``.
    doses_outside_support_sd : how far a recommended dose lies outside the observed doses, in
        standard deviations; 0 where none is recommended or it lies inside.
    mode_changed : survey mode or definition changed inside the window.
    """

    kind: str
    waves: int
    pre_period: bool
    regions: int
    treated: int
    sampling_error: str
    doses_outside_support_sd: float
    mode_changed: bool

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("kind", self.kind, tuple(START)),
            ("sampling_error", self.sampling_error, SAMPLING_ERRORS),
        ):
            if value not in allowed:
                raise KepuError(f"Unknown {name} '{value}'; known: {', '.join(allowed)}.")
        for name in ("waves", "regions", "treated", "doses_outside_support_sd"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise KepuError(f"'{name}' must be a finite number of at least 0; it is {value}.")


def waves_of(rows: pd.DataFrame, wave: str) -> int:
    """Survey waves behind the rows; a gain has two."""
    if {"wave_from", "wave_to"} <= set(rows.columns):
        return len(set(rows["wave_from"]) | set(rows["wave_to"]))
    return int(rows[wave].nunique())


def treated_regions(dose: pd.Series, regions: pd.Series) -> int:
    """Regions with any dose other than the commonest; 0 where the dose never varies."""
    return int(regions[dose != dose.mode().iloc[0]].nunique())


def panel_design(
    context: Estimated,
    *,
    kind: str,
    pre_period: bool,
    sampling_error: str,
    mode_changed: bool,
    doses_outside_support_sd: float = 0.0,
) -> Design:
    """Count waves, regions and treated regions of an estimate; the rest must be declared.

    See :class:`Design` for the declared parts and what they may be.
    """
    roles = context.roles
    rows = context.panel[context.used()]
    return Design(
        kind=kind,
        waves=waves_of(rows, roles.wave),
        pre_period=pre_period,
        regions=int(rows[roles.region].nunique()),
        treated=treated_regions(rows[roles.dose], rows[roles.region]),
        sampling_error=sampling_error,
        doses_outside_support_sd=doses_outside_support_sd,
        mode_changed=mode_changed,
    )


# ------------------------------------------------------------------------------------------
# Strength of evidence: 0 to 5 locks from the design and the checks, never from the estimate.


VERDICTS = ("positive", "negative", "unknown")
MINIMUM_WAVES, MINIMUM_REGIONS, FEW_TREATED, SUPPORT_SD = 3, 20, 3, 1.0
OPPOSITE_SHARE = 0.25
# Checks without which no grade is given: leaving one unmade would spare the estimate a minus.
NEEDED = ("placebo", "robustness_value", "leave_one_region_out", "specification_curve")


@dataclass(frozen=True)
class Component:
    """One thing that set or moved the grade.

    ``kind`` is ``start``, ``cap``, ``minus`` or ``plus``; ``key`` the text key that says why;
    ``amount`` the locks it starts with, caps at, takes or gives; ``value`` the number behind it.
    """

    kind: str
    key: str
    amount: int
    value: float


@dataclass(frozen=True, repr=False)
class Grade(Spoken):
    """Locks, 0 to 5, with every component that moved them.

    Examples
    --------
    >>> Grade(3, (Component("start", "evidence.start.continuous", 3, 3.0),))
    Grade(3 of 5 locks: start 3)
    """

    locks: int
    components: tuple[Component, ...]

    def table(self) -> pd.DataFrame:
        """One component a row: ``kind, key, amount, value``."""
        return pd.DataFrame([asdict(item) for item in self.components])

    def summary(self, language: str = "en") -> str:
        """The locks and every component that set or moved them, in plain sentences."""
        end = "。" if language == "zh" else ". "
        parts = "".join(_worded(item, language) + end for item in self.components).strip()
        told = {"locks": self.locks, "most": MOST_LOCKS, "parts": parts}
        return say("speak.grade", language, **told)

    def __repr__(self) -> str:
        moved = ", ".join(f"{item.kind} {item.amount}" for item in self.components)
        return f"Grade({self.locks} of {MOST_LOCKS} locks: {moved})"


def _worded(item: Component, language: str) -> str:
    stem = item.key.removeprefix("evidence.")
    if stem in ("minus.confounder", "minus.sign_specifications"):
        value = f"{100 * item.value:.1f}%"
    elif stem == "minus.pre_trend_found":
        value = chance(item.value)
    else:
        value = f"{item.value:.0f}" if float(item.value).is_integer() else f"{item.value:.2f}"
    return say(item.key, language, amount=item.amount, value=value)


def _start(design: Design) -> Component:
    key = {
        "randomised": "evidence.start.randomised",
        "staggered": "evidence.start.staggered",
        "continuous": "evidence.start.continuous",
        "before_after": "evidence.start.before_after",
    }[design.kind]
    return Component("start", key, START[design.kind], float(START[design.kind]))


def _caps(design: Design) -> list[Component]:
    outside = design.doses_outside_support_sd
    rules = (
        (design.sampling_error == "none", "evidence.cap.sampling_error", 1, 0.0),
        (design.waves < MINIMUM_WAVES, "evidence.cap.waves", 2, design.waves),
        (not design.pre_period, "evidence.cap.pre_period", 2, 0.0),
        (design.regions < MINIMUM_REGIONS, "evidence.cap.regions", 3, design.regions),
        (design.treated <= FEW_TREATED, "evidence.cap.treated", 2, design.treated),
        (outside > SUPPORT_SD, "evidence.cap.support", 1, outside),
    )
    return [Component("cap", key, cap, float(value)) for holds, key, cap, value in rules if holds]


def _minus(key: str, value: float) -> list[Component]:
    return [Component("minus", key, 1, float(value))]


def _trend(check: Check) -> list[Component]:
    """A test of earlier trends that finds one, could not find one, or could not be made."""
    if "minimum_detectable" not in check.values:
        return _minus("evidence.minus.pre_trend_untested", 0)
    if check.values["minimum_detectable"] > check.values["headline"]:
        return _minus("evidence.minus.pre_trend", check.values["minimum_detectable"])
    failed = check.passed is not True
    return _minus("evidence.minus.pre_trend_found", check.values["p"]) if failed else []


def _confounder(check: Check) -> list[Component]:
    if "strongest" not in check.values:
        return _minus("evidence.minus.confounder_untested", 0)
    failed = check.passed is not True
    return _minus("evidence.minus.confounder", check.values["rv"]) if failed else []


def _unstable(regions: Check, curve: Check) -> list[Component]:
    """One minus for a sign that changes, whichever of the two checks finds it."""
    if "changes" not in regions.values or "opposite_share" not in curve.values:
        return _minus("evidence.minus.sign_untested", 0)
    if regions.values["changes"] > 0:
        return _minus("evidence.minus.sign_regions", regions.values["changes"])
    share = curve.values["opposite_share"]
    return _minus("evidence.minus.sign_specifications", share) if share > OPPOSITE_SHARE else []


def _minuses(design: Design, checks: dict[str, Check]) -> list[Component]:
    return [
        *_trend(checks["placebo"]),
        *_confounder(checks["robustness_value"]),
        *_unstable(checks["leave_one_region_out"], checks["specification_curve"]),
        *(_minus("evidence.minus.mode", 1) if design.mode_changed else []),
    ]


def _plus(checks: dict[str, Check]) -> list[Component]:
    response = checks.get("dose_response")
    if response is None or response.passed is not True:
        return []
    return [Component("plus", "evidence.plus.dose_response", 1, 1.0)]


def grade(design: Design, checks: Iterable[Check]) -> Grade:
    """Grade the evidence: start, caps, minuses, at most one plus; the caps hold to the end.

    Blind to sign and size: nothing of the estimate enters but the comparison of what the placebo
    could detect with it. A check that could not be made counts as not passed.

    Parameters
    ----------
    design : what the data are. checks : of one estimate, at least those in ``NEEDED``.

    Raises
    ------
    KepuError : a needed check is absent, or one is given twice.
    """
    listed = list(checks)
    named = {check.name: check for check in listed}
    if len(named) < len(listed):
        raise KepuError("A check is given twice; grade one estimate at a time.")
    if lacking := [name for name in NEEDED if name not in named]:
        raise KepuError(f"No grade without the checks {', '.join(lacking)}.")
    start, caps = _start(design), _caps(design)
    minuses, plus = _minuses(design, named), _plus(named)
    ceiling = min([5, *(cap.amount for cap in caps)])
    locks = min(start.amount, ceiling) - len(minuses) + len(plus)
    locks = max(0, min(ceiling, locks))
    return Grade(locks, (start, *caps, *minuses, *plus))


# Least locks and the sentence they permit, by verdict; an interval that holds zero says the same at
# every strength.
SENTENCES = (
    (5, {"positive": "evidence.says.effect.up", "negative": "evidence.says.effect.down"}),
    (3, {"positive": "evidence.says.consistent.up", "negative": "evidence.says.consistent.down"}),
    (1, {"positive": "evidence.says.association.up", "negative": "evidence.says.association.down"}),
    (0, {}),
)
UNKNOWN, DESCRIPTION = "evidence.says.unknown", "evidence.says.description"


def permitted(grade: Grade, verdict: str, language: str) -> str:
    """Text key of the strongest sentence a grade permits; it has passed the gate.

    Below one lock that is a description whatever the verdict.

    Parameters
    ----------
    verdict : of the result, ``positive``, ``negative`` or ``unknown`` (the interval holds zero).

    Raises
    ------
    KepuError : an unknown verdict or language, or a sentence of the table the gate refuses.
    """
    if verdict not in VERDICTS:
        raise KepuError(f"Unknown verdict '{verdict}'; known: {', '.join(VERDICTS)}.")
    least, sentences = next(entry for entry in SENTENCES if grade.locks >= entry[0])
    key = sentences.get(verdict, UNKNOWN) if least else DESCRIPTION
    gate(str(t(key, language, dose="")), language, grade.locks)
    return key
