"""The chosen design: saved and read, departures told, analysed as fixed; protocol and command."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader
from typer.testing import CliRunner

from conftest import DATA
from evaluation.base import errors, files
from evaluation.base.errors import KepuError
from evaluation.base.text import LANGUAGES, t
from evaluation.batch import cli
from evaluation.evidence.design import candidates, plan, power, randomise
from evaluation.evidence.design.candidates import Question
from evaluation.evidence.grade import said
from evaluation.report import planner
from evaluation.report.html import write

DECLARED = {"rate": 10.0, "icc": 0.01, "autocorrelation": 0.9, "design_effect": 1.5}
QUESTION = Question("150000", "county", 103, 1.5, waves=(4,), respondents=(400,))
DAY = "2027-01-05"


def made(kind: str, dataset, seed: int = 2027) -> plan.Plan:
    baseline = candidates.from_record(DECLARED, seed=1)
    found = candidates.compare(QUESTION, baseline)
    one = next(each for each in found if each.layout.kind == kind)
    codes = candidates.below(dataset, "150000")["county"]
    units = randomise.units(plan.units_of(dataset, codes), "stratum")
    dealt = randomise.draw(units, one.layout, seed, DAY)
    return plan.chosen(QUESTION, one, dealt, (2027, 2028, 2029, 2030), baseline)


@pytest.fixture(scope="module")
def own(dataset) -> plan.Plan:
    return made("stepped", dataset)


def surveys(own: plan.Plan, effect: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """The surveys a plan asks for, with the programme worth ``effect`` points."""
    table, starts = own.surveyed(), own.starts()
    begun = (table["wave"] >= table["code"].map(starts)) & (table["code"].map(starts) > 0)
    noise = np.random.default_rng(seed).normal(0, 1, len(table))
    return table.assign(rate=10 + noise + effect * begun, n=400.0)


# ------------------------------------------------------------------------------------------
# Saved and read.


@pytest.mark.parametrize("kind", ["stepped", "staircase", "baseline", "encouragement"])
def test_a_design_is_the_same_after_it_was_saved(kind, dataset, tmp_path):
    own = made(kind, dataset)
    path = tmp_path / "design.yml"
    path.write_text(yaml.safe_dump(own.record(), allow_unicode=True), "utf-8")
    again = plan.from_record(files.read_yaml(path))
    assert again.record() == own.record()
    assert again.allocation.accepted.tolist() == own.allocation.accepted.tolist()
    assert plan.from_record(json.loads(json.dumps(own.record()))).record() == own.record()


def test_what_a_design_can_tell_follows_from_what_was_saved(own):
    read = plan.from_record(own.record())
    found = power.assess(
        read.layout, len(read.allocation.units.codes), read.effect, read.setting
    )  # fmt: skip
    assert found.power == pytest.approx(own.power)
    assert found.detectable == pytest.approx(own.detectable)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r.update(version=0), "no design of version 1"),
        (lambda r: r.pop("survey"), "cannot be read"),
        (lambda r: r["assignment"].update(seed=1), "does not give the list"),
        (lambda r: r["assignment"]["groups"].update({"150102": 4}), "does not give the list"),
        (lambda r: r["units"].pop(), "does not give the list"),
        (lambda r: r.update(waves=[2027, 2028, 2029]), "4 waves; 3 years"),
        (lambda r: r.update(waves=[2027, 2029, 2028, 2030]), "must rise"),
        (lambda r: r["assumed"].pop("icc"), "names value and origin"),
    ],
)
def test_a_design_that_was_changed_by_hand_is_refused(change, told, own):
    record = json.loads(json.dumps(own.record()))
    change(record)
    with pytest.raises(KepuError, match=told):
        plan.from_record(record)


# ------------------------------------------------------------------------------------------
# Departures and analysis.


def test_data_as_planned_depart_in_nothing(own):
    assert plan.departures(own, surveys(own), own.starts()) == []


def test_every_departure_is_named_with_unit_and_wave(own):
    rates = surveys(own)
    codes = sorted(own.starts())
    rates = rates.drop(rates.index[(rates["code"] == codes[0]) & (rates["wave"] == 2028)])
    rates.loc[(rates["code"] == codes[1]) & (rates["wave"] == 2029), "n"] = 300
    rates.loc[(rates["code"] == codes[2]) & (rates["wave"] == 2029), "n"] = np.nan
    more = {"code": ["999999", codes[3]], "wave": [2028, 2030], "rate": 10.0, "n": 400.0}
    rates = pd.concat([rates, pd.DataFrame(more).iloc[:1]])
    starts = own.starts()
    early = next(code for code in codes[4:] if starts[code] == 2030)
    late = next(code for code in codes[4:] if starts[code] == 2028)
    begun = starts | {early: 2029, late: 2030, codes[3]: 0}
    found = {(x.kind, x.code, x.wave) for x in plan.departures(own, rates, begun)}
    assert found == {
        ("no_survey", codes[0], 2028), ("few", codes[1], 2029), ("no_sample", codes[2], 2029),
        ("stranger", "999999", 2028), ("early", early, 2029), ("late", late, 2030),
        ("never", codes[3], starts[codes[3]]),
    }  # fmt: skip


def test_a_survey_between_the_waves_is_a_departure(dataset):
    own = made("staircase", dataset)
    own = replace(own, waves=(2027, 2029, 2031, 2033))
    rates = surveys(own)
    code = rates["code"].iloc[0]
    more = pd.DataFrame({"code": [code], "wave": [2028], "rate": [10.0], "n": [400.0]})
    found = plan.departures(own, pd.concat([rates, more]))
    assert [(x.kind, x.code, x.wave) for x in found] == [("other_wave", code, 2028)]


def test_the_fixed_analysis_finds_an_effect_and_nothing_where_there_is_none(own):
    found = plan.analyse(own, surveys(own, effect=1.5))
    assert found.p == pytest.approx(1 / found.deals)
    assert found.estimate == pytest.approx(1.5, abs=0.8)
    p = [plan.analyse(own, surveys(own, seed=seed)).p for seed in range(40)]
    assert 0.3 < np.mean(p) < 0.7


def test_an_analysis_of_half_the_surveys_is_refused(own):
    rates = surveys(own)
    with pytest.raises(KepuError, match="surveyed cells have no rate"):
        plan.analyse(own, rates.iloc[:-1])
    with pytest.raises(KepuError, match="two rates in one wave"):
        plan.analyse(own, pd.concat([rates, rates.iloc[:1]]))


# ------------------------------------------------------------------------------------------
# Protocol and list.


@pytest.fixture(scope="module", params=LANGUAGES)
def page(request, own, dataset) -> planner.Sheet:
    return planner.sheet(own, dataset, request.param)


def test_the_protocol_is_two_pages_in_every_format(page):
    language = page.writer.language
    notebook = planner.notebook(planner.protocol(page), language, DAY)
    written = write(notebook, language)
    assert set(written) == {"html", "pdf", "docx"}
    text = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(written["pdf"])).pages]
    assert len(text) == 2
    for key in ("protocol.rule.title", "protocol.analysis.title", "protocol.question.title"):
        assert t(key, language).striptags()[:6] in "".join(text).replace("\n", "")
    assert "index.html" not in written["html"].decode()


def test_the_protocol_says_nothing_that_evidence_would_have_to_permit(page):
    html = "".join(str(part.html()) for part in planner.protocol(page))
    text = BeautifulSoup(html, "html.parser").get_text(" ")
    assert said(text, page.writer.language, 0) == []


def test_every_digit_of_protocol_and_list_is_a_result_or_a_constant(page):
    for parts in (planner.protocol(page), planner.roster(page)):
        soup = BeautifulSoup("".join(str(part.html()) for part in parts), "html.parser")
        for tag in soup.select("data, time, .term, code, [data-row], img"):
            tag.decompose()
        assert not re.search(r"\d", soup.get_text()), re.search(r".{20}\d", soup.get_text())


def test_assumptions_are_named_with_their_values(page):
    html = str(planner.protocol(page)[3].html())
    for name, (_, origin) in page.plan.assumed.items():
        assert page.writer.t(f"design.assumed.{name}") in html
        assert page.writer.t(f"design.origin.{origin}") in html


def test_the_list_has_every_unit_with_its_first_year_and_a_line_to_sign(page):
    soup = BeautifulSoup(str(planner.roster(page)[1].html()), "html.parser")
    rows = [[cell.get_text() for cell in row.select("td")] for row in soup.select("tbody tr")]
    starts = page.plan.starts()
    assert {row[0]: row[4] for row in rows} == {code: str(year) for code, year in starts.items()}
    assert "____" in soup.get_text()


def test_a_unit_without_the_programme_is_never_said_to_begin(dataset):
    own = made("baseline", dataset)
    soup = BeautifulSoup(
        str(planner.roster(planner.sheet(own, dataset, "en"))[1].html()), "html.parser"
    )
    last = [row.select("td")[4].get_text() for row in soup.select("tbody tr")]
    assert last.count("never") == 51 and last.count("2028") == 52


# ------------------------------------------------------------------------------------------
# The command.


def kepu(*words: str):
    return CliRunner().invoke(cli.app, ["design", *words])


QUICK = ("--data", str(DATA), "--effect", "1.5", "--waves", "4", "--respondents", "400", "--sims",
         "0")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("design") / "next"
    answer = kepu(*QUICK, "--region", "150000", "--out", str(out), "--lot", "2027", "--first",
                  "2027", "--date", DAY, "--choose", "stepped:4:400")  # fmt: skip
    assert answer.exit_code == 0, answer.output
    return out


def test_the_table_compares_kinds_and_names_what_it_rests_on():
    answer = kepu(*QUICK, "--region", "150000", "--interview", "50", "--json")
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)
    assert {row["design"] for row in rows} == {
        "baseline", "stepped", "staircase", "pairs", "encouragement"
    }  # fmt: skip
    for row in rows:
        assert row["survey_cost"] == 50 * row["interviews"] and row["programme_cost"] is None
        assert row["low"] <= row["power"] <= row["high"]
    shown = kepu(*QUICK, "--region", "150000").stdout
    assert "103 counties and banners" in shown and "not stated" in shown
    assert "taken from another level or region (assumption)" in shown
    assert "假定" in kepu(*QUICK, "--region", "150000", "--language", "zh").stdout


def test_simulated_power_stands_beside_the_formula(monkeypatch, tmp_path):
    monkeypatch.setenv("KEPU_CACHE", str(tmp_path))
    rows = json.loads(kepu(*QUICK[:-1], "40", "--region", "150000", "--json").stdout)
    assert all(row["simulated"]["sims"] == 40 for row in rows)
    assert all(abs(row["simulated"]["power"] - row["power"]) < 0.4 for row in rows)


def test_a_declared_baseline_needs_no_survey_of_the_region(tmp_path):
    path = tmp_path / "baseline.yml"
    path.write_text(yaml.safe_dump(DECLARED | {"icc_range": [0.005, 0.03]}))
    answer = kepu(*QUICK, "--region", "620000", "--level", "county", "--units", "86",
                  "--baseline", str(path))  # fmt: skip
    assert answer.exit_code == 0, answer.output
    assert "86 counties" in answer.stdout and "declared" in answer.stdout


def test_the_smallest_effect_of_the_package_is_taken_and_said():
    answer = kepu("--data", str(DATA), "--region", "150000", "--waves", "4", "--sims", "0")
    assert "smallest difference worth knowing 0.3 points." in answer.stdout
    assert "the package declares, 0.1 points a year, times 3 years" in answer.stdout
    assert "No design finds this difference" in answer.stdout


def test_the_folder_holds_design_list_protocol_and_permutation_set(folder):
    names = {path.name for path in folder.iterdir()}
    pages = {f"{name}.{lang}.{kind}" for name in ("protocol", "list") for lang in LANGUAGES
             for kind in ("html", "pdf", "docx")}  # fmt: skip
    assert names == pages | {"design.yml", "list.xlsx", "accepted.txt"}
    own = plan.from_record(files.read_yaml(folder / "design.yml"))
    lines = (folder / "accepted.txt").read_text().splitlines()
    assert len(lines) == len(own.allocation.accepted)
    assert " ".join(str(g + 1) for g in own.allocation.sequence) in lines
    sheet = openpyxl.load_workbook(folder / "list.xlsx").active
    rows = list(sheet.iter_rows(min_row=2, max_row=104, values_only=True))
    assert {row[0]: row[4] for row in rows} == own.starts()


def test_a_second_list_in_the_same_folder_is_refused(folder):
    before = (folder / "design.yml").read_bytes()
    words = (*QUICK, "--region", "150000", "--out", str(folder), "--first", "2027",
             "--choose", "stepped:4:400", "--date", "2027-02-01")  # fmt: skip
    answer = kepu(*words, "--lot", "2028")
    assert answer.exit_code == errors.USAGE
    assert f"seed 2027 on {DAY}" in answer.stderr and "another seed" in answer.stderr
    assert (folder / "design.yml").read_bytes() == before


def test_check_names_missing_surveys_and_does_not_analyse(folder):
    answer = kepu("check", str(folder / "design.yml"), "--data", str(DATA))
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.count("there is none") == 103 * 4
    assert "Not analysed" in answer.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--out", "x"), "needs --lot"),
        (("--waves", "two"), "--waves is 'two'"),
        (("--level", "planet"), "no level 'planet'"),
        (("--region", "999999"), "999999"),
        (("--region", "620000", "--level", "county"), "state --units"),
        (("--region", "150000", "--units", "50", "--out", "x", "--lot", "1", "--first", "2027"),
         "needs the 50 units by code"),
        (("--region", "150000", "--out", "x", "--lot", "1", "--first", "2027", "--choose", "a:1:2"),
         "No candidate 'a:1:2'"),
        (("--region", "150000", "--out", "x", "--lot", "1", "--first", "2027", "--balance", "zz"),
         "no indicator 'zz'"),
        (("check", "absent.yml"), "does not exist"),
        (("sample", "--group", "farmers"), "write a name and its share"),
    ],
)  # fmt: skip
def test_the_command_refuses_with_a_remedy(words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = words if words[0] in ("check", "sample") else (*QUICK, *words)
    answer = kepu(*own)
    assert answer.exit_code == errors.USAGE, answer.output
    assert told in answer.stderr
    assert not (tmp_path / "x").exists()


def test_samples_of_leagues_name_the_group_that_asks_for_the_most():
    words = ("sample", "--data", str(DATA), "--region", "150000", "--level", "league")
    answer = kepu(*words, "--group", "farmers=0.3", "--visit", "400", "--interview", "60")
    assert answer.exit_code == 0, answer.output
    lines = [line for line in answer.stdout.splitlines() if "farmers" in line]
    assert len(lines) == 12
    assert "declared or assumed" in answer.stdout
