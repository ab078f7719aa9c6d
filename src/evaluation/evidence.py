"""Strength of evidence: 0 to 5 locks from the design and the checks, never from the estimate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite

from evaluation.errors import KepuError
from evaluation.evidence_words import forbidden, gate, said
from evaluation.results import Check
from evaluation.text import t

__all__ = ["Component", "Design", "Grade", "forbidden", "gate", "grade", "permitted", "said"]

START = {"randomised": 5, "staggered": 4, "continuous": 3, "before_after": 1}
SAMPLING_ERRORS = ("published", "assumed", "none")
VERDICTS = ("positive", "negative", "unknown")
MINIMUM_WAVES, MINIMUM_REGIONS, FEW_TREATED, SUPPORT_SD = 3, 20, 3, 1.0
OPPOSITE_SHARE = 0.25
# Checks without which no grade is given: leaving one unmade would spare the estimate a minus.
NEEDED = ("placebo", "robustness_value", "leave_one_region_out", "specification_curve")


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


@dataclass(frozen=True)
class Grade:
    """Locks, 0 to 5, with every component that moved them."""

    locks: int
    components: tuple[Component, ...]


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


def _unstable(checks: dict[str, Check]) -> Component | None:
    """One minus for a sign that changes, whichever of the two checks finds it."""
    regions, curve = checks["leave_one_region_out"], checks["specification_curve"]
    if regions.passed is not True:
        value = float(regions.values.get("changes", inf))
        return Component("minus", "evidence.minus.sign_regions", 1, value)
    share = float(curve.values.get("opposite_share", inf))
    if curve.passed is None or share > OPPOSITE_SHARE:
        return Component("minus", "evidence.minus.sign_specifications", 1, share)
    return None


def _minuses(design: Design, checks: dict[str, Check]) -> list[Component]:
    found = []
    trend = checks["placebo"].values
    detectable = float(trend.get("minimum_detectable", inf))
    if not detectable <= float(trend.get("headline", 0.0)):
        found.append(Component("minus", "evidence.minus.pre_trend", 1, detectable))
    elif checks["placebo"].passed is False:
        found.append(Component("minus", "evidence.minus.pre_trend_found", 1, float(trend["p"])))
    confounder = checks["robustness_value"]
    if confounder.passed is not True:
        value = float(confounder.values.get("rv", 0.0))
        found.append(Component("minus", "evidence.minus.confounder", 1, value))
    unstable = _unstable(checks)
    found += [] if unstable is None else [unstable]
    if design.mode_changed:
        found.append(Component("minus", "evidence.minus.mode", 1, 1.0))
    return found


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
