"""Locks rule by rule, and the gate on words in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from evaluation.base.errors import KepuError
from evaluation.base.results import Check
from evaluation.base.text import LANGUAGES, t, texts
from evaluation.evidence.checks import check, reference_effect
from evaluation.evidence.grade import DENIALS, RULES, Design, Grade, gate, grade, permitted, said

BEST = Design("randomised", 5, True, 31, 31, "published", 0.0, False)
PASSED = {
    "placebo": Check("placebo", True, "", {"minimum_detectable": 0.1, "smallest": 0.3, "p": 0.5}),
    "robustness_value": Check("robustness_value", True, "", {"rv": 0.3, "strongest": 0.1}),
    "leave_one_region_out": Check("leave_one_region_out", True, "", {"changes": 0}),
    "specification_curve": Check("specification_curve", True, "", {"departing_share": 0.25}),
}
BAD = {
    "placebo": Check("placebo", None, "", {"minimum_detectable": 0.4, "smallest": 0.3, "p": 0.5}),
    "robustness_value": Check("robustness_value", False, "", {"rv": 0.05, "strongest": 0.1}),
    "leave_one_region_out": Check("leave_one_region_out", False, "", {"changes": 2}),
    "specification_curve": Check("specification_curve", False, "", {"departing_share": 0.26}),
}
STEPS = Check("dose_response", True, "", {})


def locks(design=BEST, *, bad=(), plus=False, **changes):
    checks = [BAD[name] if name in bad else check for name, check in PASSED.items()]
    return grade(replace(design, **changes), [*checks, *([STEPS] if plus else [])])


def moved(found: Grade) -> list[tuple[str, str, int]]:
    return [(part.kind, part.key.rpartition(".")[2], part.amount) for part in found.components]


@pytest.mark.parametrize(
    ("kind", "start"),
    [("randomised", 5), ("staggered", 4), ("continuous", 3), ("before_after", 1)],
)
def test_the_design_sets_the_start(kind, start):
    found = locks(kind=kind)
    assert found.locks == start
    assert moved(found) == [("start", kind, start)]


@pytest.mark.parametrize(
    ("changes", "name", "cap"),
    [
        ({"sampling_error": "none"}, "sampling_error", 1),
        ({"waves": 2}, "waves", 2),
        ({"pre_period": False}, "pre_period", 2),
        ({"regions": 19}, "regions", 3),
        ({"treated": 3}, "treated", 2),
        ({"doses_outside_support_sd": 1.01}, "support", 1),
    ],
)
def test_each_cap_holds(changes, name, cap):
    found = locks(**changes)
    assert found.locks == cap
    assert ("cap", name, cap) in moved(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"sampling_error": "assumed"},
        {"waves": 3},
        {"regions": 20},
        {"treated": 4},
        {"doses_outside_support_sd": 1.0},
    ],
)
def test_a_cap_does_not_hold_at_its_limit(changes):
    assert locks(**changes) == locks()


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ("placebo", "pre_trend"),
        ("robustness_value", "confounder"),
        ("leave_one_region_out", "single_region"),
        ("specification_curve", "specifications"),
    ],
)
def test_each_minus_takes_one(bad, name):
    found = locks(bad=(bad,))
    assert found.locks == 4
    assert moved(found)[1:] == [("minus", name, 1)]


def test_a_change_of_mode_takes_one():
    assert locks(mode_changed=True).locks == 4


def test_an_unstable_estimate_takes_one_however_it_is_found():
    assert locks(bad=("leave_one_region_out", "specification_curve")).locks == 4


FOUND = Check("placebo", False, "", {"minimum_detectable": 0.1, "smallest": 0.3, "p": 0.01})


def test_an_earlier_trend_that_was_found_takes_one():
    result = grade(BEST, [FOUND, *list(PASSED.values())[1:]])
    assert moved(result)[1:] == [("minus", "pre_trend_found", 1)]


def test_where_no_time_lies_before_the_input_only_a_trend_that_is_found_takes_one():
    """The cap says that there is no such time; a test that could not see says it no second time."""
    cap = ("cap", "pre_period", 2)
    assert moved(locks(bad=("placebo",), pre_period=False))[1:] == [cap]
    result = grade(replace(BEST, pre_period=False), [FOUND, *list(PASSED.values())[1:]])
    assert moved(result)[1:] == [cap, ("minus", "pre_trend_found", 1)]
    assert result.locks == 1


@pytest.mark.parametrize(
    ("smallest", "detectable", "held"),
    [(0.1, 0.05, 0.1), (0.1, 0.25, 0.25), (0.1, 0.5, 0.3), (0.1, np.inf, 0.3)],
)
def test_checks_are_held_to_what_matters_or_what_can_be_told_within_reach(
    smallest, detectable, held
):
    assert reference_effect(smallest, detectable) == pytest.approx(held)


@pytest.mark.parametrize("smallest", [None, 0.0, -0.1, np.nan])
def test_no_reference_without_a_smallest_effect(smallest):
    with pytest.raises(KepuError, match="No smallest effect of interest is declared"):
        reference_effect(smallest, 0.1)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("placebo", "pre_trend_untested"),
        ("robustness_value", "confounder_untested"),
        ("leave_one_region_out", "stability_untested"),
        ("specification_curve", "stability_untested"),
    ],
)
def test_a_check_that_could_not_be_made_is_not_passed(name, key):
    checks = PASSED | {name: Check(name, None, "check.impossible")}
    result = grade(BEST, checks.values())
    assert result.locks == 4
    assert moved(result)[1:] == [("minus", key, 1)]


def test_dose_response_adds_one_and_only_if_it_passed():
    assert locks(kind="continuous", plus=True).locks == 4
    failed = replace(STEPS, passed=False)
    assert grade(replace(BEST, kind="continuous"), [*PASSED.values(), failed]).locks == 3


def test_nothing_lifts_a_cap_and_a_minus_counts_below_it():
    assert locks(plus=True, waves=2).locks == 2
    assert locks(bad=("robustness_value",), waves=2).locks == 1
    assert locks(bad=("robustness_value",), waves=2, plus=True).locks == 2


def test_locks_stay_between_none_and_five():
    assert locks(kind="before_after", bad=tuple(BAD), mode_changed=True).locks == 0
    assert locks(plus=True).locks == 5


def test_the_grade_is_blind_to_sign_and_size():
    for size in (-7.0, 0.001, 900.0):
        ends = {"estimate": size, "low": size - 1, "high": size + 1}
        same = [replace(check, values=check.values | ends) for check in PASSED.values()]
        assert grade(BEST, same) == locks()


def test_a_grade_needs_its_checks_each_once():
    with pytest.raises(KepuError, match="without the checks robustness_value"):
        grade(BEST, [PASSED["placebo"], *list(PASSED.values())[2:]])
    with pytest.raises(KepuError, match="twice"):
        grade(BEST, [*PASSED.values(), PASSED["placebo"]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "observational"}, "Unknown kind 'observational'; known: randomised"),
        ({"sampling_error": ""}, "Unknown sampling_error ''"),
        ({"regions": -1}, "'regions' must be"),
        ({"doses_outside_support_sd": float("nan")}, "'doses_outside_support_sd' must be"),
    ],
)
def test_an_impossible_design_is_refused(changes, message):
    with pytest.raises(KepuError, match=message):
        replace(BEST, **changes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_component_has_a_sentence(language):
    worst = locks(
        kind="continuous", waves=2, pre_period=False, regions=9, treated=1, mode_changed=True,
        sampling_error="none", doses_outside_support_sd=2.0, bad=tuple(BAD), plus=True,
    )  # fmt: skip
    assert len(worst.components) == 11
    unseen = locks(bad=("placebo",)).components[1]
    for part in (*worst.components, unseen):
        assert str(part.amount) in t(part.key, language, amount=part.amount, value=part.value)


# What each sentence needs: below it is refused, from it on let through.
CLAIMS = [
    ("en", "More museums went with higher literacy.", 1),
    ("en", "Museums are associated with gains.", 1),
    ("en", "The effect of funds on literacy is large.", 3),
    ("en", "Museums had an impact.", 3),
    ("en", "Spending caused the gain.", 5),
    ("en", "Spending led to higher literacy.", 5),
    ("en", "New museums resulted in gains.", 5),
    ("en", "Gains were due to new museums.", 5),
    ("en", "New museums raised literacy.", 5),
    ("en", "Volunteers improved literacy.", 5),
    ("zh", "经费与增幅相关联。", 1),
    ("zh", "经费与增幅呈正相关。", 1),
    ("zh", "科普投入成效显著。", 3),
    ("zh", "活动的效果明显。", 3),
    ("zh", "经费的作用很大。", 3),
    ("zh", "投入导致素质上升。", 5),
    ("zh", "投入使素质明显提高。", 5),
    ("zh", "经费促进了素质提升。", 5),
    ("zh", "场馆带来增幅。", 5),
    ("zh", "增幅得益于场馆。", 5),
]


@pytest.mark.parametrize(("language", "text", "needed"), CLAIMS)
def test_the_gate_opens_at_the_strength_a_claim_needs(language, text, needed):
    for least in range(6):
        if least >= needed:
            assert gate(text, language, least) == text
        else:
            with pytest.raises(KepuError, match=f"With {least} of 5 locks"):
                gate(text, language, least)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", RULES, ids=("association", "effect", "cause"))
def test_every_word_of_the_list_is_caught(language, rule):
    for expression in rule.of(language):
        sample = example(expression)
        text = f"甲{sample}乙。" if language == "zh" else f"It {sample} that."
        assert said(text, language, rule.locks - 1), expression
        above = said(text, language, rule.locks)
        assert len(above) < len(said(text, language, rule.locks - 1)), expression


def example(expression: str) -> str:
    """A text the expression matches: first alternatives, fewest repetitions."""
    expression = re.sub(r"\(\?:([^|)]*)(?:\|[^)]*)?\)\?", "", expression)
    expression = re.sub(r"\(\?:([^|)]*)(?:\|[^)]*)?\)", r"\1", expression)
    expression = re.sub(r"\.\{\d+,\d+\}", "我" if not expression.isascii() else "it", expression)
    expression = re.sub(r"\\w[*+]", "ed", expression)
    expression = re.sub(r"\[(\w)\w*\]", r"\1", expression)
    return re.sub(r"\w\?", "", expression)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "双向固定效应模型；设计效应取假定值；有效样本与有效省份数；成效评价报告"),
        (
            "en",
            "Two-way fixed effects; the design effect is assumed; the minimum detectable effect",
        ),
        ("en", "Interval effects absorb what is common; the effective sample; effective provinces"),
    ],
)
def test_technical_terms_pass(language, text):
    assert gate(text, language, 0) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "数据与相关联的效应相符"),
        ("en", "Consistent with an effect associated with museums"),
    ],
)
def test_an_effect_called_associated_passes_below_three(language, text):
    assert gate(text, language, 2) == text


def test_associated_in_another_sentence_does_not_help():
    with pytest.raises(KepuError, match="'effect'"):
        gate("Museums are associated with gains. The effect is large.", "en", 2)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", DENIALS)
def test_denials_pass_as_they_are_written(key, language):
    text = re.sub(r"<[^>]+>", "", re.sub(r"\{\w+\}", "X", texts()[key][language]))
    assert gate(text, language, 1) == text


@pytest.mark.parametrize("key", DENIALS)
def test_a_denial_is_listed_only_where_it_is_needed(key):
    plain = {x: re.sub(r"<[^>]+>", "", texts()[key][x]) for x in LANGUAGES}
    assert any(said(plain[x], x, 0, denials=()) for x in LANGUAGES)


def test_a_denial_lets_no_other_sentence_through():
    denial = re.sub(r"<[^>]+>", "", texts()["effect.here.text"]["en"])
    with pytest.raises(KepuError, match="'led to'"):
        gate(f"{denial} Museums led to gains.", "en", 2)
    with pytest.raises(KepuError, match="'effect'"):
        gate("The effect is not zero.", "en", 2)


def test_unknown_language_or_locks_are_refused():
    with pytest.raises(KepuError, match="Unknown language 'fr'"):
        gate("", "fr", 1)
    with pytest.raises(KepuError, match="Locks run from 0 to 5; got 6"):
        gate("", "en", 6)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("least", range(6))
def test_the_permitted_sentence_passes_its_own_gate(least, language):
    found = Grade(least, ())
    keys = [permitted(found, verdict, language) for verdict in ("positive", "negative", "unknown")]
    family = ("description", *["association"] * 2, *["consistent"] * 2, "effect")[least]
    assert keys[0].split(".")[2] == keys[1].split(".")[2] == family
    assert (keys[0] != keys[1]) == (least > 0)
    assert keys[2] == ("evidence.says.unknown" if least else "evidence.says.description")
    for key in keys:
        assert gate(t(key, language, dose="", outcome=""), language, least)


def test_a_sentence_of_the_table_that_says_too_much_is_refused(monkeypatch):
    table = {k: {"zh": "{dose}导致增幅", "en": "{dose} caused gains"} for k in texts()}
    monkeypatch.setattr("evaluation.base.text.texts", lambda: table)
    with pytest.raises(KepuError, match="'caused'"):
        permitted(Grade(2, ()), "positive", "en")
    with pytest.raises(KepuError, match="Unknown verdict 'good'"):
        permitted(Grade(2, ()), "good", "en")


def test_numpy_verdict_of_a_check_counts_as_its_truth_value():
    made = check("breaks")(lambda context: (np.float64(2) > 1, {}, []))(None)
    assert made.passed is True
    assert made.key == "check.breaks.passed"
