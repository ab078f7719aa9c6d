"""Strength of evidence: 0 to 5 locks, and the words a sentence may use at each."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from math import inf, isfinite

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.base.results import MOST_LOCKS, Check, Spoken, say
from evaluation.base.text import LANGUAGES, chance, t, texts

# The design of a study as the grade reads it, counted from the rows an estimate rests on.
# Locks each design starts with.
START = {
    "randomised": ("evidence.start.randomised", 5),
    "staggered": ("evidence.start.staggered", 4),
    "phased_in": ("evidence.start.phased_in", 4),
    "chosen": ("evidence.start.chosen", 3),
    "one_region": ("evidence.start.one_region", 3),
    "continuous": ("evidence.start.continuous", 3),
    "before_after": ("evidence.start.before_after", 1),
}
SAMPLING_ERRORS = ("published", "assumed", "none")


@dataclass(frozen=True)
class Design:
    """What the data are, as far as it bears on the strength of evidence.

    Attributes
    ----------
    kind : ``randomised``, ``staggered`` (with an untreated comparison), ``phased_in`` (in an order
        set beforehand), ``chosen`` (with a comparison), ``one_region`` (reached, with donors),
        ``continuous`` (everyone has a dose) or ``before_after`` (no comparison).
    waves : survey waves of the panel. pre_period : an outcome observed before the dose is.
    regions : of the panel. treated : regions that received the treatment; for a continuous dose,
        regions whose dose differs from the commonest.
    sampling_error : ``published``, ``assumed`` (declared) or ``none``.
    doses_outside_support_sd : how far a recommended dose lies outside the observed doses, in
        standard deviations; 0 where none is recommended or it lies inside.
    mode_changed : survey mode or definition changed inside the window.
    compared : regions that stand for what would have been without a programme, for some survey.
    """

    kind: str
    waves: int
    pre_period: bool
    regions: int
    treated: int
    sampling_error: str
    doses_outside_support_sd: float
    mode_changed: bool
    compared: float = inf

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


# Strength of evidence: 0 to 5 locks from the design and the checks, never from the estimate.
VERDICTS = ("positive", "negative", "unknown")
MINIMUM_WAVES, MINIMUM_REGIONS, FEW_TREATED, SUPPORT_SD = 3, 20, 3, 1.0
# Of specifications, above which the check fails and the grade falls; the texts say "a quarter".
DEPARTING_SHARE = 0.25
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
        return say("speak.grade", language, locks=self.locks, most=MOST_LOCKS, parts=parts)

    def __repr__(self) -> str:
        moved = ", ".join(f"{item.kind} {item.amount}" for item in self.components)
        return f"Grade({self.locks} of {MOST_LOCKS} locks: {moved})"


# Components whose number is a share, or a chance.
SHARES_OF = ("minus.confounder", "minus.specifications", "minus.attrition")
CHANCES_OF = ("minus.pre_trend_found", "minus.balance", "minus.spillover")


def _worded(item: Component, language: str) -> str:
    stem = item.key.removeprefix("evidence.")
    if stem in SHARES_OF:
        value = f"{100 * item.value:.1f}%"
    elif stem in CHANCES_OF:
        value = chance(item.value)
    else:
        value = f"{item.value:.0f}" if float(item.value).is_integer() else f"{item.value:.2f}"
    return say(item.key, language, amount=item.amount, value=value)


def _caps(design: Design) -> list[Component]:
    outside = design.doses_outside_support_sd
    rules = (
        (design.sampling_error == "none", "evidence.cap.sampling_error", 1, 0.0),
        (design.waves < MINIMUM_WAVES, "evidence.cap.waves", 2, design.waves),
        (not design.pre_period, "evidence.cap.pre_period", 2, 0.0),
        (design.regions < MINIMUM_REGIONS, "evidence.cap.regions", 3, design.regions),
        (design.treated <= FEW_TREATED, "evidence.cap.treated", 2, design.treated),
        (design.compared <= FEW_TREATED, "evidence.cap.compared", 2, design.compared),
        (outside > SUPPORT_SD, "evidence.cap.support", 1, outside),
    )
    return [Component("cap", key, cap, float(value)) for holds, key, cap, value in rules if holds]


def _trend(check: Check) -> tuple[str, float] | None:
    """A test of earlier trends that finds one, could not find one, or could not be made."""
    values = check.values
    if "minimum_detectable" not in values:
        return "evidence.minus.pre_trend_untested", 0
    if check.passed is False:
        return "evidence.minus.pre_trend_found", values["p"]
    powered = values["minimum_detectable"] <= values["smallest"]
    return None if powered else ("evidence.minus.pre_trend", values["minimum_detectable"])


def _confounder(check: Check) -> tuple[str, float] | None:
    if "strongest" not in check.values:
        return "evidence.minus.confounder_untested", 0
    return None if check.passed is True else ("evidence.minus.confounder", check.values["rv"])


def _unstable(regions: Check, curve: Check) -> tuple[str, float] | None:
    """One minus for an estimate that moves, whichever of the two checks finds it."""
    if "changes" not in regions.values or "departing_share" not in curve.values:
        return "evidence.minus.stability_untested", 0
    changes, share = regions.values["changes"], curve.values["departing_share"]
    if changes > 0:
        return "evidence.minus.single_region", changes
    return ("evidence.minus.specifications", share) if share > DEPARTING_SHARE else None


def _locks(design: Design, caps: list[Component], reasons: Iterable, plus=()) -> Grade:
    """Start, caps, one minus a reason, plus; the caps hold to the end."""
    minuses = [Component("minus", key, 1, float(value)) for key, value in filter(None, reasons)]
    key, amount = START[design.kind]
    ceiling = min([MOST_LOCKS, *(cap.amount for cap in caps)])
    locks = max(0, min(ceiling, min(amount, ceiling) - len(minuses) + len(plus)))
    start = Component("start", key, amount, float(amount))
    return Grade(locks, (start, *caps, *minuses, *plus))


def _reasons(design: Design, checks: dict[str, Check]) -> tuple:
    # Where the input never moved there is no time before it: the cap says so, and a test that
    # could not see takes nothing more. What it finds counts all the same.
    trend = _trend(checks["placebo"])
    if not design.pre_period and checks["placebo"].passed is not False:
        trend = None
    return (
        trend,
        _confounder(checks["robustness_value"]),
        _unstable(checks["leave_one_region_out"], checks["specification_curve"]),
        ("evidence.minus.mode", 1) if design.mode_changed else None,
    )


def grade(design: Design, checks: Iterable[Check]) -> Grade:
    """Grade the evidence: start, caps, minuses, at most one plus; the caps hold to the end.

    Blind to sign and size: checks hold standard errors and shifts against the declared smallest
    effect of interest, and nothing of the estimate enters. A check that could not be made counts
    as not passed.

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
    plus = []
    if "dose_response" in named and named["dose_response"].passed is True:
        plus = [Component("plus", "evidence.plus.dose_response", 1, 1.0)]
    return _locks(design, _caps(design), _reasons(design, named), plus)


# Checks of a declared programme that the grade reads, by the kind of its design, and why a check
# that is failed, that tells nothing or that could not be made takes a lock. Only a failure of the
# others counts: what cannot be asked of a design is not held against it.
BELONGS = {
    "randomised": ("balance", "attrition", "leave_one_region_out"),
    "phased_in": ("pre_trend", "departures", "leave_one_region_out"),
    "chosen": ("pre_trend", "departures", "leave_one_region_out"),
    "one_region": ("pre_fit",),
}
# The number behind each, and its text where that is not called as the check.
WEIGHED = {
    "balance": "p", "attrition": "lost", "departures": "multiple",
    "leave_one_region_out": "changes", "pre_fit": "error",
}  # fmt: skip
CALLED = {"leave_one_region_out": "single_region"}
# A lot needs no earlier survey, and a change of the survey meets all that were drawn alike.
SPARED = {"randomised": ("evidence.cap.waves", "evidence.cap.pre_period")}


def _programme_minus(check: Check) -> tuple[str, float] | None:
    """What a check of a declared programme takes, and the number that says why."""
    if check.name == "pre_trend":
        return _trend(check)
    name = CALLED.get(check.name, check.name)
    if check.state == "impossible":
        return f"evidence.minus.{name}_untested", 0
    if check.passed is False:
        return f"evidence.minus.{name}", check.values[WEIGHED[check.name]]
    return None


def grade_programme(design: Design, checks: Iterable[Check]) -> Grade:
    """Grade a declared programme from the checks that belong to its design.

    As :func:`grade`, blind to sign and size of the estimate.

    Raises
    ------
    KepuError : a kind that declares no programme, or a check of its design is absent.
    """
    if design.kind not in BELONGS:
        raise KepuError(f"No programme is a '{design.kind}'; known: {', '.join(BELONGS)}.")
    named = {check.name: check for check in checks}
    if lacking := [name for name in BELONGS[design.kind] if name not in named]:
        raise KepuError(f"No grade without the checks {', '.join(lacking)}.")
    caps = [cap for cap in _caps(design) if cap.key not in SPARED.get(design.kind, ())]
    reasons = [_programme_minus(named[name]) for name in BELONGS[design.kind]]
    if "spillover" in named and named["spillover"].passed is False:
        reasons.append(("evidence.minus.spillover", named["spillover"].values["p"]))
    if design.mode_changed and design.kind != "randomised":
        reasons.append(("evidence.minus.mode", 1))
    return _locks(design, caps, reasons)


# The gate on words: what a sentence may claim at a strength of evidence, in both languages.
@dataclass(frozen=True)
class Words:
    """Expressions that need at least ``locks`` to be said.

    ``beside`` is an expression that, in the same sentence, lifts the ban; empty where nothing does.
    """

    locks: int
    zh: tuple[str, ...]
    en: tuple[str, ...]
    beside_zh: str = ""
    beside_en: str = ""

    def of(self, language: str) -> tuple[str, ...]:
        """The expressions in a language."""
        return self.zh if language == "zh" else self.en

    def beside(self, language: str) -> str:
        """What lifts the ban in a language."""
        return self.beside_zh if language == "zh" else self.beside_en


ASSOCIATION = Words(
    1,
    ("关联", "正相关", "负相关", "相关性", "与.{1,20}相关", "同步(?:上升|提高|变化)",
     "越.{1,12}越"),
    (r"associat\w*", r"correlat\w*", r"goes? with", r"went with", r"go(?:es)? together"),
)  # fmt: skip
EFFECT = Words(
    3,
    ("效果", "效应", "成效", "作用", "影响", "见效", "有效", "效用"),
    (r"effect\w*", r"impact\w*", r"influenc\w+"),
    "关联",
    r"associat\w*",
)
CAUSE = Words(
    5,
    ("导致", "使得", "促使", "引起", "造成", "带来", "促成", "拉动", "归功于", "得益于", "归因",
     "因果", "因为", "由于", "因此", "从而", "源于", "促进了", "提升了", "推动了", "改善了",
     "增强了", "提高了", "使.{0,12}(?:提高|上升|增加|增长|改善|提升|下降|降低)",
     "让.{0,8}(?:提高|上升|提升)"),
    (r"caus(?:e|es|ed|ing|al|ality|ally)", r"le[ad]d?s? to", r"leading to",
     r"result(?:s|ed|ing)? (?:in|from)", r"thanks to", r"due to", r"owing to", r"dr[io]ves?",
     r"driven", r"because(?: of)?", r"contribut\w+ to", r"boost\w*", r"improv\w+",
     r"rais(?:e|es|ed|ing)", r"achiev\w+", r"br(?:ings?|ought) about", r"responsible for",
     r"attribut\w+", r"therefore", r"thus", r"work(?:s|ed)", r"produc(?:e|es|ed)",
     r"ma(?:kes?|de) .{1,40} (?:higher|rise|grow)", r"prov(?:es?|ed|en)"),
)  # fmt: skip
RULES = (ASSOCIATION, EFFECT, CAUSE)

# Names of statistical notions, and headings, in which the word makes no claim.
TERMS = {
    "zh": ("设计效应", "固定效应", "随机效应", "最小可检出效应", "平均偏效应", "成效评价",
           "有效样本", "有效观测", "有效省份", "样本有效", "相关系数"),
    "en": ("design effects?", "fixed[- ]effects?", "random[- ]effects?", "wave effects?",
           "region effects?", "interval effects?", "minimum detectable effects?",
           "average partial effects?",
           "effective (?:samples?|observations|provinces|regions|number|size)"),
}  # fmt: skip

# Sentences of the text table that use such a word to deny the claim or to bound what can be read.
# They are let through word for word, never in a variant.
DENIALS = (
    "effect.some",
    "findings.effect.some",
    "effect.single.some",
    "findings.effect.single.some",
    "effect.here.text",
    "inputs.intro",
    "level.gains.note",
    "method.words",
)
SENTENCE = re.compile(r"(?<=[。！？；!?;])|(?<=\.)(?=\s|$)")


@cache
def _form(words: tuple[str, ...], language: str) -> re.Pattern[str]:
    joined = "|".join(words)
    return re.compile(joined if language == "zh" else rf"\b(?:{joined})\b", re.IGNORECASE)


@cache
def _as_written(key: str, language: str) -> re.Pattern[str]:
    """The sentence of a text key with anything but a further sentence in its places."""
    parts = []
    template = re.sub(r"<[^>]+>", "", texts()[key][language])
    for text, name, _, _ in string.Formatter().parse(template):
        parts.append(re.sub(r"(?:\\\s)+", r"\\s*", re.escape(text)))
        parts.append(r"(?:(?!\.\s)[^。！？!?]){0,400}?" if name else "")
    return re.compile("".join(parts), flags=re.DOTALL)


def said(text: str, language: str, locks: int, denials: Iterable[str] = DENIALS) -> list[str]:
    """Forbidden expressions a text uses, once terms and denials are taken out.

    Below 1 lock association is forbidden as well; below 3 ``effect`` unless the sentence says
    ``associated``; below 5 every word of cause: 3 and 4 permit only "consistent with an effect".

    Raises
    ------
    KepuError : an unknown language or locks outside 0 to 5.
    """
    if language not in LANGUAGES:
        raise KepuError(f"Unknown language '{language}'; known: {', '.join(LANGUAGES)}.")
    if not 0 <= locks <= MOST_LOCKS:
        raise KepuError(f"Locks run from 0 to {MOST_LOCKS}; got {locks}.")
    for key in denials:
        text = _as_written(key, language).sub(" ", text)
    text = _form(TERMS[language], language).sub(" ", text)
    forbidden = []
    for rule in (rule for rule in RULES if locks < rule.locks):
        beside, form = rule.beside(language), _form(rule.of(language), language)
        for sentence in SENTENCE.split(text):
            if not (beside and re.search(beside, sentence, re.IGNORECASE)):
                forbidden += form.findall(sentence)
    return forbidden


def gate(text: str, language: str, locks: int, denials: Iterable[str] = DENIALS) -> str:
    """Return the text unchanged, or refuse it.

    Parameters
    ----------
    text : what a reader would see, without markup. locks : strength of the evidence, 0 to 5.
    denials : keys of sentences that may stand as they are written.

    Raises
    ------
    KepuError : the text says more than the evidence permits; names the words.

    >>> gate("More museums are associated with gains.", "en", 2)
    'More museums are associated with gains.'
    """
    words = said(text, language, locks, denials)
    if words:
        listed = ", ".join(f"'{word}'" for word in dict.fromkeys(words))
        raise KepuError(f"With {locks} of {MOST_LOCKS} locks no sentence may say {listed}: {text}")
    return text


# Least locks and how strong a sentence they permit; an interval that holds zero says the same at
# every strength.
STRENGTHS = ((5, "effect"), (3, "consistent"), (1, "association"))
WAYS = {
    "dose": {"positive": "up", "negative": "down"},
    "programme": {"positive": "up.programme", "negative": "down.programme"},
}
UNKNOWN = {"dose": "evidence.says.unknown", "programme": "evidence.says.unknown.programme"}
DESCRIPTION = {
    "dose": "evidence.says.description",
    "programme": "evidence.says.description.programme",
}


def permitted(grade: Grade, verdict: str, language: str, of: str = "dose") -> str:
    """Text key of the strongest sentence a grade permits; it has passed the gate.

    Below one lock that is a description whatever the verdict.

    Parameters
    ----------
    verdict : of the result, ``positive``, ``negative`` or ``unknown`` (the interval holds zero).
    of : what the sentence is about, a ``dose`` or a ``programme``.

    Raises
    ------
    KepuError : an unknown verdict or language, or a sentence of the table the gate refuses.
    """
    if verdict not in VERDICTS:
        raise KepuError(f"Unknown verdict '{verdict}'; known: {', '.join(VERDICTS)}.")
    strength = next((name for least, name in STRENGTHS if grade.locks >= least), "")
    if not strength:
        key = DESCRIPTION[of]
    elif verdict in WAYS[of]:
        key = f"evidence.says.{strength}.{WAYS[of][verdict]}"
    else:
        key = UNKNOWN[of]
    gate(str(t(key, language, dose="", programme="", outcome="")), language, grade.locks)
    return key
