"""``kepu trace``: from a number on a page to facts, sources and computation, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluation.base.errors import KepuError
from evaluation.batch import pages as reading
from evaluation.batch import trace
from evaluation.batch.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = """<html lang="en"><title>A report</title>
<section id="findings"><ul class="key"><li>It stands at
<data value="10.04" data-fact="F14564">10.04%</data>, that is
<data value="2.89" data-result="distance.150000.2022">2.89 points</data> below the
<data value="12.93" data-fact="F00012">12.93%</data> of all <cite>IM2023</cite>.</li></ul></section>
<section id="inputs"><table><tr><th>Volunteers</th><td>
<data value="187000" data-fact="F14587">18.7万人</data></td></tr>
<tr><th>Effect</th><td>
<data value="0.13" data-result="estimate.gain_regression.fund">0.13</data></td></tr>
</table><p>A second <data value="0.13" data-result="rate.150000.2022.low">0.13</data></p></section>
<template id="results">{"distance.150000.2022": 2.8900000000000006, "rate.150000.2022.low": 9.2,
"estimate.gain_regression.fund": 0.1331}</template></html>"""


@pytest.fixture(scope="module")
def tracer(dataset) -> trace.Tracer:
    return trace.Tracer(dataset, [reading.parse(PAGE, "150000_en.html")])


def test_a_page_is_read_back_with_sections_sentences_and_findings():
    page = reading.parse(PAGE, "a.html")
    assert (page.language, page.title, len(page.numbers)) == ("en", "A report", 6)
    assert page.findings == [
        "It stands at 10.04%, that is 2.89 points below the 12.93% of all IM2023."
    ]
    shown = {number.fact: number.text for number in reversed(page.numbers) if number.fact}
    assert shown == {"F14564": "10.04%", "F00012": "12.93%", "F14587": "18.7万人"}
    row = page.numbers[3].piece
    assert (row.section, row.words) == ("inputs", "Volunteers · 18.7万人")
    with pytest.raises(KepuError, match=r"b\.html is no page of a report"):
        reading.parse("<html></html>", "b.html")


def test_a_fact_leads_to_its_sources_the_pages_and_the_results_that_rest_on_it(tracer):
    [found] = tracer.trace("F14564")
    assert (found["what"], found["value"], found["unit"]) == ("fact", 10.04, "percent")
    assert found["sources"][0] | {"file": ""} == {
        "source_id": "IM2023", "title": "提升全民科学素质 助力科技自立自强",
        "publisher": "内蒙古科协", "date": "2023-09", "url": "", "grade": "A", "file": "",
    }  # fmt: skip
    assert found["locator"].startswith("Opening") and found["enters"] == ["rate"]
    assert [place["section"] for place in found["shown"]] == ["findings"]
    assert found["results"] == ["distance.150000.2022", "rate.150000.2022.low"]


def test_a_barred_fact_enters_nothing_and_names_its_contradictions(tracer):
    [found] = tracer.trace("F14617")
    assert found["enters"] == ["nothing: shown and never estimated from (conflict)"]
    assert {"C01", "C02"} <= set(found["contradictions"]) and found["shown"] == []


def test_what_computes_a_result_is_looked_for_in_rooms_that_are_there():
    from importlib.util import find_spec

    from evaluation.batch.trace import COMPUTING

    assert [name for name in COMPUTING if find_spec(f"evaluation.{name}") is None] == []


def test_a_result_leads_to_what_writes_it_and_the_facts_behind_it(tracer):
    [found] = tracer.trace("distance.150000.2022")
    assert found["values"] == [2.8900000000000006]
    written = found["written_by"][0]
    assert (written["file"], written["function"]) == ("report/chain.py", "level")
    assert "study.rates" in written["uses"]
    assert found["facts"] == ["F14564"] and found["beside"] == ["F00012"]
    assert found["regions"] == {"150000": "Inner Mongolia"} and found["years"] == [2022]


def test_an_estimate_rests_on_the_whole_panel(tracer, dataset):
    behind = tracer.behind("estimate.gain_regression.fund")
    indicator = dataset.doses.set_index("dose").at["fund", "indicator"]
    facts = dataset.facts.set_index("fact_id").loc[list(behind.facts)]
    assert behind.panel and set(facts["indicator"]) == {indicator, "science_literacy_rate"}
    assert facts["region_code"].nunique() >= 31


def test_an_input_of_a_region_rests_on_it_and_its_divisor_in_those_years(tracer, dataset):
    behind = tracer.behind("dose.150000.activity.2018")
    facts = dataset.facts.set_index("fact_id").loc[list(behind.facts)]
    assert set(facts["indicator"]) == {"museum_visitors", "population_resident"}
    assert set(facts["region_code"]) == {"150000"} and set(facts["year"]) == {2018}


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ("10.04%", ["F14564"]),
        ("2.89", ["distance.150000.2022"]),
        ("18.7万", ["F14587"]),
        ("187,000", ["F14587"]),
        ("0.13", ["estimate.gain_regression.fund", "rate.150000.2022.low"]),
        ("8633场次", ["F14589"]),  # on no page: the package's own
    ],
)
def test_a_number_leads_to_whatever_shows_it(tracer, asked, keys):
    assert [found["key"] for found in tracer.trace(asked)] == keys


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("F99999", "the package has no fact F99999"),
        ("0.04%", "is no fact, no result and no number on 1 pages or in the package"),
        ("gap.x", "is no fact, no result"),
        ("5", "facts and results have the number 5"),
    ],
)
def test_what_leads_nowhere_or_everywhere_is_refused(tracer, asked, said):
    with pytest.raises(KepuError, match=said):
        tracer.trace(asked)


def test_the_results_of_the_notebooks_have_their_writers():
    """Stored outputs of the notebooks are those of a report's sections, and more."""
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    keys = {key for text in texts for key in re.findall(r'data-result=\\"([^"\\]+)', text)}
    words = (*trace.RATES, *trace.AIMED, *trace.PANEL)
    known = {key for key in keys if key.split(".")[0] in words}
    assert len(known) > 500
    assert [key for key in sorted(known) if not trace.origins(key)] == []


def test_a_result_of_unknown_kind_rests_on_what_is_shown_beside_it_and_no_more(dataset):
    page = PAGE.replace("distance.150000.2022", "novel.150000.2022")
    tracer = trace.Tracer(dataset, [reading.parse(page, "a.html")])
    assert tracer.behind("novel.150000.2022").facts == ("F14564", "F00012")
    assert tracer.behind("novel.150000.2023").facts == ()


def test_the_command_prints_lines_and_json(tmp_path):
    file = tmp_path / "150000_en.html"
    file.write_text(PAGE, "utf-8")
    given = ["--report", str(file), "--data", str(ROOT / "data")]
    run = CliRunner().invoke(app, ["trace", "2.89", *given])
    assert run.exit_code == 0 and "shown beside F00012 China, science_literacy_rate" in run.stdout
    assert "150000_en.html, findings: 2.89 points — It stands at 10.04%" in run.stdout
    run = CliRunner().invoke(app, ["trace", "F14587", *given, "--json"])
    assert json.loads(run.stdout)[0]["figure_as_written"] == "18.7万人"


def test_a_folder_without_reports_is_refused(tmp_path):
    with pytest.raises(KepuError, match=r"has no reports by its manifest\.json"):
        reading.edition(tmp_path)
    with pytest.raises(KepuError, match="is no folder"):
        reading.edition(tmp_path / "none")
