"""``kepu estimate`` and ``kepu calibrate``: the numbers they print are those of the package."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import evaluation.data
from conftest import DATA
from evaluation.base import errors
from evaluation.base.results import Result
from evaluation.base.text import rounded
from evaluation.batch import cli
from evaluation.models import MODELS


@pytest.fixture
def run(dataset, monkeypatch):
    """Call ``kepu``; the data package is read once for the whole session."""
    monkeypatch.setattr(evaluation.data, "load", lambda _: dataset)
    return lambda *words: CliRunner().invoke(cli.app, [*words])


def test_the_estimate_is_that_of_the_study(run, study):
    words = ("estimate", "--model", "two_way_fixed_effects", "--dose", "fund", "--data", str(DATA))
    answer = run(*words, "--draws", "499", "--seed", "1", "--json")
    assert answer.exit_code == 0, answer.output
    said = Result.from_json(answer.stdout)
    kept = {(item.model, item.dose): item.result for item in study.estimates}
    assert said == kept["two_way_fixed_effects", "fund"]
    assert json.loads(answer.stdout)["coefficients"][0]["term"] == "log2_fund"


def test_the_table_shows_each_dose_with_its_interval_and_what_stands_beside_it(run, study):
    words = ("estimate", "--dose", "fund", "--dose", "personnel", "--draws", "199", "--seed", "1")
    answer = run(*words, "--data", str(DATA))
    result = Result.from_json(run(*words, "--data", str(DATA), "--json").stdout)
    assert answer.exit_code == 0
    lines = {line.split()[0]: line.split() for line in answer.stdout.splitlines() if line}
    for row in result.coefficients[:2]:
        shown = [rounded(row[name], row["se"]) for name in ("estimate", "se", "low", "high")]
        assert lines[row["term"]][1:5] == shown
    assert [row["term"] for row in result.coefficients[:2]] == ["log2_fund", "log2_personnel"]
    assert len(lines["opening"]) == 3
    for word in ("CRV3:", "randomisation", "detectable", "Romano-Wolf:"):
        assert word in lines
    assert "0.000" not in answer.stdout
    assert "associated" not in answer.stdout, "one model has no grade to speak from"


def test_simulated_data_are_called_simulated(simulated, monkeypatch):
    monkeypatch.setattr(evaluation.data, "load", lambda _: simulated.dataset)
    words = ["estimate", "--draws", "99", "--data", str(DATA / "simulated")]
    answer = CliRunner().invoke(cli.app, words)
    assert answer.exit_code == 0, answer.output
    assert "simulated data: nothing here was observed" in answer.stdout


@pytest.mark.parametrize("model", MODELS)
def test_every_registered_model_gives_an_estimate_or_says_why_not(run, model):
    answer = run("estimate", "--model", model, "--draws", "99", "--data", str(DATA), "--json")
    assert answer.exit_code in (0, errors.USAGE), answer.output
    if answer.exit_code == 0:
        assert Result.from_json(answer.stdout).model == model
    else:
        assert len(answer.stderr) > 40
        assert "Traceback" not in answer.stderr


def test_a_model_without_doses_needs_none_and_takes_none(run):
    words = ("estimate", "--model", "mean_gain", "--draws", "99", "--data", str(DATA))
    assert run(*words).exit_code == 0
    refused = run(*words, "--dose", "fund")
    assert refused.exit_code == errors.USAGE
    assert "takes no dose" in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("estimate", "--model", "magic"), "Unknown model 'magic'. Known models: "),
        (("estimate", "--dose", "money"), "Unknown dose 'money'. Known doses: facility, "),
        (("estimate", "--dose", "fund", "--dose", "fund"), "two parts of one model: log2_fund"),
        (("calibrate", "--design", "twelve"), "Unknown design 'twelve'"),
        (("calibrate", "--design", "actual", "--dose", "money"), "Unknown dose 'money'"),
    ],
)
def test_a_wrong_name_is_refused_with_those_that_exist(run, words, message):
    answer = run(*words, "--data", str(DATA))
    assert answer.exit_code == errors.USAGE
    assert message in answer.stderr
    assert answer.stdout == ""


def test_calibration_prints_rates_with_their_monte_carlo_interval(run):
    words = ("calibrate", "--design", "12x3", "--panels", "40", "--draws", "99", "--workers", "1")
    answer = run(*words)
    record = json.loads(run(*words, "--json").stdout)
    assert answer.exit_code == 0, answer.output
    assert "simulated 12x3: 12 regions, 24 gains, 40 panels of 99 draws" in answer.stdout
    for row in record["rates"]:
        assert 0 <= row["low"] <= row["share"] <= row["high"] <= 1
        line = [row["procedure"], row["measure"], f"{row['share']:.1%}", f"{row['low']:.1%} to"]
        assert any(all(part in text for part in line) for text in answer.stdout.splitlines())


def test_calibration_of_the_actual_panel_uses_its_rows(run, study):
    words = ("calibrate", "--design", "actual", "--dose", "fund", "--panels", "4", "--draws", "99")
    record = json.loads(run(*words, "--workers", "1", "--data", str(DATA), "--json").stdout)
    result = next(i.result for i in study.estimates if i.dose == "fund" and "gain" in i.model)
    assert (record["regions"], record["observations"]) == (result.clusters, result.observations)
    assert record["design"] == "actual, fund"


def test_one_treated_region_is_said_not_to_be_testable(run):
    words = ("calibrate", "--design", "12x3", "--treated", "1", "--panels", "3", "--draws", "99")
    answer = run(*words, "--workers", "1")
    assert answer.exit_code == 0
    assert "3 of 3 panels: 'dose' sets only 1 cluster apart" in answer.stdout
    assert "not testable with this design" in answer.stdout
    assert "%" not in answer.stdout.splitlines()[1]
    assert np.isfinite(json.loads(run(*words, "--workers", "1", "--json").stdout)["level"])


def test_recovery_prints_bias_and_coverage_of_each_model_asked_for(run):
    words = ("--model", "mean_gain", "--panels", "20", "--draws", "99", "--workers", "1")
    answer = run("recover", *words)
    assert answer.exit_code == 0, answer.output
    line = next(line for line in answer.stdout.splitlines() if line.startswith("mean_gain"))
    assert len(re.findall(r"\d+\.\d %|\d+\.\d%", line)) >= 3
    refused = run("recover", "--model", "elastic_net", "--panels", "2", "--workers", "1")
    assert refused.exit_code == errors.USAGE
    assert "No generated truth for model 'elastic_net'" in refused.stderr
