"""The result object: what it keeps, what it says, and that it never says more than it knows."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from bs4 import BeautifulSoup

from evaluation.base.results import COLUMNS, Check, Result
from evaluation.base.text import LANGUAGES, chance, rounded
from evaluation.evidence.grade import gate

COEFFICIENTS = (
    {"term": "fund", "estimate": 0.123, "se": 0.0456, "low": 0.03, "high": 0.21, "p": 0.0001},
    {"term": "opening", "estimate": -2.5, "se": 0.2},
)


def result(**changes) -> Result:
    record = {
        "model": "gain_regression",
        "outcome": "annual",
        "term": "fund",
        "estimate": 0.123456,
        "se": 0.0456,
        "low": 0.0312,
        "high": 0.2109,
        "level": 0.95,
        "p": 0.0001,
        "inference": "wild cluster bootstrap, Webb, 9999 draws",
        "clusters": 12,
        "observations": 36,
        "unit": "percentage_point_per_year",
        "coefficients": COEFFICIENTS,
        "draws": 9999,
    }
    return Result(**record | changes)


DETAILS = {
    "nan": math.nan,
    "ends": [-math.inf, math.inf, 0.1 + 0.2],
    "pair": (1, 2.0, "x", None),
    "deep": {"rows": [{"a": True}, {"b": (math.nan,)}]},
    "text": "NaN, Infinity, 公民",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"details": DETAILS},
        {"low": -math.inf, "high": math.inf},
        {"p": math.nan, "support": 0.4},
    ],
)
def test_json_gives_back_the_same_result(changes):
    before = result(**changes)
    text = before.to_json()
    after = Result.from_json(text)
    assert after == before
    assert repr(dataclasses.astuple(after)) == repr(dataclasses.astuple(before))
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_results_that_differ_in_one_field_are_not_equal():
    others = {"coefficients": ({"term": "x"},), "details": {"a": math.nan}}
    for field in dataclasses.fields(Result):
        value = getattr(result(), field.name)
        changed = others.get(field.name) or (f"{value}x" if isinstance(value, str) else 77)
        assert result(**{field.name: changed}) != result(), field.name
    assert result() != "a result"


@pytest.mark.parametrize("bad", [{"a": object()}, {1: 2.0}, {"$float": "nan"}])
def test_details_that_json_cannot_give_back_are_refused(bad):
    with pytest.raises(TypeError):
        result(details=bad).to_json()


def test_the_table_keeps_the_intervals_of_doses_and_only_theirs():
    table = result().table().set_index("term")
    assert list(table.columns) == COLUMNS[1:]
    assert table.loc["fund"].tolist() == [0.123, 0.0456, 0.03, 0.21, 0.0001]
    assert table.loc["opening", ["low", "high", "p"]].isna().all()
    assert result(coefficients=()).table().columns.tolist() == COLUMNS


def test_the_summary_is_rounded_to_the_error():
    text = result().summary("en")
    for part in ("differs by 0.123 percentage points per year", "0.031 to 0.211", "p < 0.001"):
        assert part in text
    assert "12 regions" in text and "9,999 draws" in text and "95 %" in text
    assert "0.123456" not in text
    assert "0.12 " in result(se=0.2).summary("en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("inference", ["wild cluster bootstrap, Webb", "delta method"])
def test_every_summary_is_plain_text_without_open_places(language, inference):
    for low, high in ((0.1, 0.2), (-0.2, -0.1), (-math.inf, math.inf)):
        text = result(low=low, high=high, inference=inference).summary(language)
        assert not set("{}<>&") & set(text.replace("p < 0.001", ""))
        assert gate(text, language, 0) == text, "a single model has no grade to speak from"
        assert "0.000" not in text
        assert ("delta method" in text) == (inference == "delta method")
    assert {"en": "unbounded", "zh": "无界"}[language] in text


def test_the_sentence_follows_the_interval():
    said = {
        verdict: result(low=low, high=high).summary("en")
        for verdict, low, high in (
            ("positive", 0.1, 0.2), ("negative", -0.2, -0.1), ("unknown", -0.1, 0.1),
        )
    }  # fmt: skip
    assert "lies above zero" in said["positive"]
    assert "lies below zero" in said["negative"]
    assert "cannot be told" in said["unknown"]
    assert all(result(low=low, high=0.5).verdict == "unknown" for low in (-0.1, 0.0))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", ["elastic_net", "mean_gain"])
def test_a_model_without_a_dose_reported_speaks_of_no_association(model, language):
    text = result(model=model, term="skill", low=-0.1).summary(language)
    assert "skill" in text and "0.123" in text
    assert not any(word in text for word in ("associat", "unit more", "关联", "单位"))


def test_a_notebook_shows_the_table_and_never_a_p_of_zero():
    rows = BeautifulSoup(result()._repr_html_(), "html.parser").find_all("tr")
    cells = [[cell.text for cell in row.find_all(["th", "td"])] for row in rows]
    assert cells[0] == COLUMNS
    assert cells[1] == ["fund", "0.123", "0.046", "0.030", "0.210", "< 0.001"]
    assert cells[2] == ["opening", "−2.50", "0.20", "", "", ""]
    assert "p < 0.001" in repr(result())


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.04567, 0.0123, "0.046"),
        (12345.6, 1000.0, "12,346"),
        (-0.004, 1.0, "0.0"),
        (-1.26, 0.5, "−1.26"),
        (2.0, math.inf, "2.00"),
        (math.inf, 1.0, "∞"),
        (-math.inf, 1.0, "−∞"),
        (math.nan, 1.0, "–"),
        (0.0, 0.0, "0"),
    ],
)
def test_numbers_have_the_decimals_of_their_error(value, error, text):
    assert rounded(value, error) == text


@pytest.mark.parametrize("p", [1e-300, 0.0001, 0.00099, 0.001, 0.0014, 0.5, 1.0])
def test_a_p_value_is_never_written_as_zero(p):
    assert "0.000" not in chance(p)
    assert chance(p).startswith("<") == (p < 0.001)


def test_a_check_gives_its_rows_as_a_table():
    check = Check("placebo", None, "check.placebo", {"p": 0.4}, ({"dose": "fund", "p": 0.4},))
    assert check.table().to_dict("records") == [{"dose": "fund", "p": 0.4}]
