"""``kepu survey``: tables, and rates with their errors into a package that the panel then uses."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation import data
from evaluation.base.errors import DataError, KepuError
from evaluation.batch.cli import app
from evaluation.data import contract
from evaluation.data.office import create, estimates
from evaluation.report import doubts
from evaluation.report.page import Writer
from evaluation.survey import panel, simulate
from office_samples import plan

RATE = "science_literacy_rate"


@pytest.fixture
def package(tmp_path) -> Path:
    return create.create(tmp_path / "data", plan())


@pytest.fixture
def people(package, tmp_path) -> Path:
    """Two waves of respondents of the package's own regions."""
    dataset = contract.read(data.tables.read_files(package)).tables
    regions, waves = dataset["regions"], sorted(dataset["waves"]["wave"])[-2:]
    codes = regions.loc[regions["parent_code"] != "", "code"].to_numpy()
    made = simulate.population(pd.Series(codes, [f"s{code}" for code in codes]), seed=1)
    frame = pd.concat([
        simulate.draw(made, units=12, take=20, seed=i, wave=wave).assign(
            id=lambda f, i=i: f["id"] + 10**6 * i)
        for i, wave in enumerate(waves)
    ])  # fmt: skip
    frame.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def run(*arguments: object):
    return CliRunner().invoke(app, ["survey", *map(str, arguments)])


def plain(view) -> str:
    return " ".join(re.sub("<[^>]*>", "", view._repr_html_()).split())


def told(*arguments: object) -> str:
    found = run(*arguments)
    assert found.exit_code == 2
    return " ".join(found.output.split())


def test_rates_are_printed_as_a_table_json_and_csv(people, tmp_path):
    found = run(people, "--by", "sex", "--json", "--csv", tmp_path / "out.csv")
    assert found.exit_code == 0, found.output
    records = json.loads(found.stdout)
    assert {r["measure"] for r in records} == {"share_55", "share_70", "share_85", "mean"}
    assert {r["status"] for r in records} <= {"publish", "flag", "suppress"}
    table = pd.read_csv(tmp_path / "out.csv")
    assert list(table["estimate"]) == pytest.approx([r["estimate"] for r in records])
    assert "share_70" in run(people, "--by", "sex").stdout
    assert "is there already" in told(people, "--csv", tmp_path / "out.csv")


def test_rates_enter_a_package_and_the_panel_uses_their_errors(package, people):
    found = run(people, "--by", "region", "--by", "region,sex", "--into", package)
    assert found.exit_code == 0, found.output
    assert contract.check(package) == []
    dataset = data.load(package)
    facts = dataset.facts[dataset.facts["indicator"] == RATE]
    assert (facts["method"] == "linearised").all() and facts["respondents"].min() > 0
    assert set(facts["group"]) == {"", "sex=female", "sex=male"}
    rates = panel.rates(dataset).set_index("fact_id")
    own = facts[facts["group"] == ""].set_index("fact_id").loc[rates.index]
    np.testing.assert_allclose(rates["se"], own["standard_error"])
    assert list(rates["n"]) == list(own["respondents"]) and not rates["n_assumed"].any()
    meant = own["standard_error"] ** 2 * rates["n"] / (rates["rate"] * (100 - rates["rate"]))
    np.testing.assert_allclose(own["design_effect"], meant, rtol=1e-4)
    # A sweep over assumed design effects leaves a measured one alone.
    swept = panel.rates(dataset, panel.Assumed(design_effect=9.0)).set_index("fact_id")
    np.testing.assert_allclose(swept["se"], rates["se"])
    # An error of 0 is none: that rate has the assumed one, the others keep theirs.
    first = rates.index[0]
    zero = facts["fact_id"].eq(first).reindex(dataset.facts.index, fill_value=False)
    errors = dataset.facts["standard_error"].mask(zero, 0.0)
    mended = panel.rates(replace(dataset, facts=dataset.facts.assign(standard_error=errors)))
    mended = mended.set_index("fact_id")["se"]
    assert mended[first] > 0 and mended[first] != pytest.approx(rates.at[first, "se"])
    np.testing.assert_allclose(mended.drop(first), rates["se"].drop(first))
    page = SimpleNamespace(
        writer=Writer(dataset, "en"), first_year=2000,
        study=SimpleNamespace(dataset=dataset, rates=panel.rates(dataset), simulated=False),
    )  # fmt: skip
    assert f"{len(rates)} with a standard error from the design" in plain(doubts.assumptions(page))
    again = run(people, "--by", "region", "--by", "region,sex", "--into", package)
    assert "already there" in again.output and " new" not in again.output


def test_a_preview_writes_nothing(package, people):
    before = {p.name: p.read_bytes() for p in package.iterdir() if p.is_file()}
    assert "rates new" in run(people, "--by", "region", "--into", package, "--preview").output
    assert {p.name: p.read_bytes() for p in package.iterdir() if p.is_file()} == before


def shares(package: Path, value: float, **more) -> pd.DataFrame:
    tables = contract.read(data.tables.read_files(package)).tables
    regions = tables["regions"]
    row = {
        "region_code": regions.loc[regions["parent_code"] != "", "code"].iloc[0], "group": "",
        "period": max(tables["waves"]["wave"]), "value": value, "standard_error": 1.25,
        "respondents": 800, "design_effect": 1.9, "design_freedom": 20, "method": "linearised",
    }  # fmt: skip
    return pd.DataFrame([row | more])


def source(name: str) -> estimates.Source:
    return estimates.Source(name, f"file {name}", "2026-01-01")


def test_a_published_rate_keeps_its_figure_and_gets_the_error(package):
    estimates.apply(
        estimates.merge(package, shares(package, 14.3, standard_error=0.5), source("A"))
    )
    made = estimates.merge(package, shares(package, 14.3412), source("B"))
    assert made.counts == {estimates.ATTACHED: 1}
    estimates.apply(made)
    fact = data.load(package).facts.query("indicator == @RATE").iloc[0]
    assert (fact["value"], fact["source_id"], fact["standard_error"]) == (14.3, "A", 1.25)
    with pytest.raises(KepuError, match=r"\(.*source A\) prints 14.3, estimated 14.3600"):
        estimates.merge(package, shares(package, 14.36), source("B"))
    # The same files estimated anew replace their own figure.
    made = estimates.merge(package, shares(package, 15.0), source("A"))
    assert made.counts == {estimates.CHANGED: 1}


def test_a_smoothed_rate_is_marked_and_never_estimated_from(package):
    smoothed = {"method": "fay_herriot: income"}
    with pytest.raises(
        DataError, match="method fay_herriot: income smooths, and no caveat says so"
    ):
        estimates.merge(package, shares(package, 14.3, **smoothed), source("A"))
    rows = shares(package, 14.3, **smoothed, caveats="smoothed")
    estimates.apply(estimates.merge(package, rows, source("A")))
    dataset = data.load(package)
    assert (dataset.facts["indicator"] == RATE).sum() == 1
    assert panel.rates(dataset).empty


def test_what_a_package_cannot_hold_is_refused(package, people, tmp_path):
    assert "rates of regions and of one group in each" in told(
        people, "--by", "sex", "--into", package
    )
    assert "one group in each" in told(people, "--by", "region,sex,age", "--into", package)
    frame = pd.read_csv(people, dtype=str)
    last = frame["wave"] == frame["wave"].max()
    frame[last].drop(columns="wave").to_csv(tmp_path / "one.csv", index=False)
    assert "no column says the year" in told(
        tmp_path / "one.csv", "--by", "region", "--into", package
    )
    shutil.copy(people, tmp_path / "far.csv")
    frame.assign(region="999999").to_csv(tmp_path / "far.csv", index=False)
    assert "an unknown region (such as 999999)" in told(
        tmp_path / "far.csv", "--by", "region", "--into", package
    )
    with pytest.raises(KepuError, match=r"region 999999 is not in regions.csv"):
        estimates.merge(package, shares(package, 14.3, region_code="999999"), source("A"))
    with pytest.raises(DataError, match="no respondents of a survey stand beside it"):
        estimates.merge(package, shares(package, 14.3, respondents=""), source("A"))


def test_margins_and_trimming_say_what_they_cost(people, tmp_path):
    pd.DataFrame({"sex": ["female", "male"], "total": [100, 101]}).to_csv(
        tmp_path / "sex.csv", index=False
    )
    found = run(people, "--by", "sex", "--margin", tmp_path / "sex.csv", "--trim", 2)
    assert found.exit_code == 0 and "weights: effective sample" in found.output
    (tmp_path / "none.csv").write_text("sex\nfemale\n")
    assert "no column total" in told(people, "--margin", tmp_path / "none.csv")
    assert "write name=value" in told(people, "--columns", "score")
