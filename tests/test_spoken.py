"""Objects speak: sentences in both languages, tables, figures, one line, few names to complete."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import evaluation
from evaluation.base import results
from evaluation.base.errors import KepuError
from evaluation.base.results import Check
from evaluation.base.text import LANGUAGES
from evaluation.evidence.grade import said
from evaluation.models import panels
from evaluation.value.scenario import parse, scenario

HAN = re.compile(r"[\u3400-\u9fff]")
KINDS = (
    "dataset", "study", "panels", "headline", "result", "grade", "check", "outlook", "value",
    "plan",
)  # fmt: skip


@pytest.fixture(scope="module")
def objects(study):
    head = study.headline
    return {
        "dataset": study.dataset, "study": study, "panels": panels.panels(study.dataset),
        "headline": head, "result": head.result, "grade": head.grade, "check": head.checks[0],
        "outlook": study.outlook, "value": study.value,
        "plan": scenario(study, "150000", parse(["facility=+40%"])),
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_summary_speaks_both_languages_and_repr_is_one_short_line(objects, kind):
    item = objects[kind]
    chinese, english = item.summary("zh"), item.summary("en")
    assert HAN.search(chinese) and not HAN.search(english)
    # Both tell the same numbers, in whatever order.
    numbers = [sorted(re.findall(r"\d[\d,.]*\d|\d", text)) for text in (chinese, english)]
    assert numbers[0] == numbers[1]
    assert "\n" not in repr(item) and len(repr(item)) < 400
    assert "<" not in chinese + english


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_shows_the_sentences_above_the_table(objects, kind):
    item = objects[kind]
    html, table = item._repr_html_(), item.table()
    assert isinstance(table, pd.DataFrame) and len(table)
    assert html.index("<p>") < html.index("<table")
    assert all(f"<th>{name}</th>" in html for name in table.columns)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_of_study_and_headline_passes_the_gate(objects, language):
    locks = objects["grade"].locks
    for kind in ("study", "headline", "grade", "plan"):
        assert not said(objects[kind].summary(language), language, locks)


def test_every_check_says_name_verdict_and_its_numbers(study):
    for check in study.headline.checks:
        for language in LANGUAGES:
            text = check.summary(language)
            assert not re.search(r"[{}]|nan", text), text
    first = study.headline.checks[0]
    impossible = Check("placebo", None, "check.impossible").summary()
    assert "not possible" in impossible and "cannot be made" in impossible
    assert f"{first.values['count']:.0f} refits" in first.summary()


@pytest.mark.parametrize("language", LANGUAGES)
def test_plots_are_drawn_in_the_language(objects, study, language):
    found = {name: objects[name].plot(language) for name in ("dataset", "study", "value", "check")}
    found["outlook"] = study.outlook.plot("150000", language)
    for name, figure in found.items():
        assert bool(HAN.search(figure.alt)) == (language == "zh"), name
    assert objects["result"].plot(language)._repr_svg_().startswith("<svg ")


def test_what_cannot_be_drawn_says_where_to_look(study):
    placebo = next(check for check in study.headline.checks if check.name == "placebo")
    with pytest.raises(KepuError, match=r"No figure of the check 'placebo'; see its table"):
        placebo.plot()
    with pytest.raises(KepuError, match="it has no survey"):
        study.outlook.plot("999999")


def test_simulated_data_say_so(simulated):
    for item in (simulated, simulated.dataset):
        assert item.summary("en").startswith("Every figure is simulated")
        assert item.summary("zh").startswith("全部数值均为模拟")


def test_a_study_without_a_headline_gives_the_reason(study):
    told = replace(study, headline="Too few rows.").summary("en")
    assert "the headline cannot be estimated: Too few rows." in told
    assert "no headline" in repr(replace(study, headline="Too few rows."))


def test_a_table_never_shows_a_p_value_of_zero_and_no_markup_of_others():
    frame = pd.DataFrame({"term": ["<b>x</b>"], "p": [0.00001]})
    html = results.card("1 < 2", frame)
    assert "&lt; 0.001" in html and "0.000" not in html
    assert "<b>" not in html and "1 &lt; 2" in html


def test_long_tables_are_cut_and_say_so():
    html = results.card("x", pd.DataFrame({"n": range(100)}))
    assert html.count("<tr>") == results.SHOWN_ROWS and "/ 100" in html


def test_tab_completion_of_the_package_shows_few_names_that_exist():
    shell = InteractiveShell.instance()
    shell.user_ns["kepu"] = evaluation
    with provisionalcompleter():
        found = {item.text.lstrip(".") for item in shell.Completer.completions("kepu.", 5)}
    names = {name for name in found if "__" not in name}
    assert names == set(evaluation.__all__) and len(names) <= 12
    for name in names:
        assert getattr(evaluation, name).__doc__ or name == "MODELS"


def test_an_unknown_name_lists_the_public_ones():
    with pytest.raises(AttributeError, match="public names are KepuError, MODELS, explore"):
        evaluation.lod  # noqa: B018
