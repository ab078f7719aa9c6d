"""``kepu export``: other programs read the same figures, and no small number of people."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.base.errors import KepuError
from evaluation.batch.cli import app
from evaluation.data.contract import check
from evaluation.data.office import export, protect
from evaluation.data.package import Dataset, load
from evaluation.data.tables import package_hash

DATA = Path(__file__).resolve().parents[1] / "data"
TEXT = {name: str for name in export.CODEBOOK if name not in ("value", "proxy", "withheld")}
READ = {
    "dtype": TEXT | {"corroborated": "int64"},
    "keep_default_na": False,
    "na_values": {"value": ""},
}


@pytest.fixture(scope="module")
def written(dataset, tmp_path_factory) -> Path:
    """Every format of the whole package, in one folder."""
    out = tmp_path_factory.mktemp("export")
    for form in export.FORMATS:
        export.export(dataset, out, form)
    return out


def same(read: pd.DataFrame, dataset: Dataset) -> None:
    facts = dataset.facts
    assert list(read["fact_id"]) == list(facts["fact_id"])
    assert (read["value"].to_numpy() == facts["value"].to_numpy()).all()  # to the last digit
    for name in ("region_code", "indicator", "group", "period_end", "note", "figure_as_written"):
        assert list(read[name].fillna("")) == list(facts[name]), name


def test_the_files_are_all_there_and_nothing_else(written):
    names = ["codebook.csv", "codelists.csv", "facts.csv", "facts.xlsx", "sdmx.csv", "sources.csv"]
    assert sorted(path.name for path in written.iterdir()) == names


def test_pandas_reads_the_same_figures_from_csv(written, dataset):
    read = pd.read_csv(written / "facts.csv", **READ)
    same(read, dataset)
    assert list(read.columns) == list(export.CODEBOOK) and not read["withheld"].any()
    one = read.set_index("fact_id").loc["F14587"]
    assert (one["region_en"], one["unit_zh"], one["grade"]) == ("Inner Mongolia", "人", "A")
    book = pd.read_csv(written / "codebook.csv")
    assert list(book["column"]) == list(read.columns) and book["description"].notna().all()


def test_duckdb_reads_the_same_figures_from_csv(written, dataset):
    rows = duckdb.sql(f"select fact_id, value from read_csv('{written}/facts.csv')").fetchall()
    facts = dataset.facts
    assert rows == list(zip(facts["fact_id"], facts["value"], strict=True))
    [[joined]] = duckdb.sql(
        f"select count(*) from read_csv('{written}/facts.csv') f "
        f"join read_csv('{written}/sources.csv') s on f.source_id = s.source_id"
    ).fetchall()
    assert joined == (~facts["source_id"].str.contains(";")).sum()


def test_a_spreadsheet_reads_the_same_figures_and_no_formula(written, dataset):
    sheets = pd.read_excel(
        written / "facts.xlsx", sheet_name=None, engine="calamine", dtype=TEXT,
        keep_default_na=False, na_values={"value": ""},
    )  # fmt: skip
    same(sheets["facts"], dataset)
    assert list(sheets) == ["facts", "codebook", "indicators", "regions", "sources"]
    assert set(sheets["facts"]["comparator"]) >= {"=", ">"}  # texts, whatever they begin with
    assert sheets["regions"]["code"].astype(str).tolist() == list(dataset.regions["code"])


def test_sdmx_has_one_observation_a_row_told_apart_by_its_dimensions(written, dataset):
    read = pd.read_csv(written / "sdmx.csv", dtype=str, keep_default_na=False)
    assert list(read.columns[:3]) == ["STRUCTURE", "STRUCTURE_ID", "ACTION"]
    head = read[["STRUCTURE", "STRUCTURE_ID", "ACTION"]].drop_duplicates().to_numpy().tolist()
    assert head == [["dataflow", "KEPU:FACTS(1.0)", "I"]]
    assert not read.duplicated([*export.DIMENSIONS, "TIME_PERIOD"]).any()
    facts = dataset.facts.set_index("fact_id")
    undated = facts[(facts["period_start"] == "") & (facts["period_end"] == "")].index
    assert set(facts.index) - set(read["OBS_ID"]) == set(undated) and len(undated) < 10
    assert (read["OBS_VALUE"].astype(float).to_numpy() == facts.loc[read["OBS_ID"], "value"]).all()
    code, period = r"[A-Za-z0-9_@$-]+", r"\d{4}(-\d{2}(-\d{2}/P\d+[YM])?)?"
    assert all(re.fullmatch(code, text) for name in export.DIMENSIONS for text in set(read[name]))
    assert all(re.fullmatch(period, text) for text in set(read["TIME_PERIOD"]))
    assert set(read["OBS_STATUS"]) == {"A"} and set(read["CONF_STATUS"]) == {"F"}


def test_every_code_of_sdmx_is_in_its_list_once(written):
    lists = pd.read_csv(written / "codelists.csv", dtype=str, keep_default_na=False)
    read = pd.read_csv(written / "sdmx.csv", dtype=str, keep_default_na=False)
    assert not lists.duplicated(["codelist", "code"]).any()
    for name in export.DIMENSIONS:
        assert set(read[name]) == set(lists.loc[lists["codelist"] == f"CL_{name}", "code"])


def counted(dataset: Dataset) -> Dataset:
    """The package with the volunteers of cities, one of few, that add up to their region's."""
    regions = dataset.regions
    parent = regions.loc[regions["parent_code"].isin(regions["code"]), "parent_code"].iloc[-1]
    codes = list(regions.loc[regions["parent_code"] == parent, "code"])
    values = [3.0, *range(20, 19 + len(codes))]
    like = dataset.facts[dataset.facts["fact_id"] == "F14587"].iloc[0]
    places = [*zip(codes, values, strict=True), (parent, sum(values))]
    rows = [
        {**like, "fact_id": f"F9{i:04}", "region_code": code, "value": value,
         "figure_as_written": f"{value:g}人"}
        for i, (code, value) in enumerate(places)
    ]  # fmt: skip
    return replace(dataset, facts=pd.DataFrame(rows, columns=dataset.facts.columns))


def test_a_small_count_is_withheld_in_every_place_and_with_it_what_would_tell_it(dataset, tmp_path):
    data = counted(dataset)
    out = protect.protected(data, 5)
    hidden = out.facts[out.facts["withheld"]]
    assert "F90000" in set(hidden["fact_id"]) and len(hidden) >= 2
    shown = out.facts[~out.facts["withheld"]]
    total = data.facts.iloc[-1]
    if total["fact_id"] in set(shown["fact_id"]):  # who subtracts is left with more than the one
        rest = total["value"] - shown["value"].iloc[:-1].sum()
        assert rest >= 3 + 5
    export.export(data, tmp_path, "csv", threshold=5)
    export.export(data, tmp_path, "sdmx-csv", threshold=5)
    read = pd.read_csv(tmp_path / "facts.csv", **READ).set_index("fact_id")
    assert np.isnan(read.at["F90000", "value"]) and read.at["F90000", "withheld"]
    assert read.at["F90000", "figure_as_written"] == "" == read.at["F90000", "note"]
    sdmx = pd.read_csv(tmp_path / "sdmx.csv", dtype=str, keep_default_na=False).set_index("OBS_ID")
    assert sdmx.loc["F90000", ["OBS_VALUE", "OBS_STATUS", "CONF_STATUS"]].tolist() == ["", "Q", "C"]
    assert not any("3人" in path.read_text("utf-8") for path in tmp_path.iterdir())


def test_a_rate_on_few_respondents_goes_with_the_change_that_would_tell_it(dataset):
    facts = dataset.facts.set_index("fact_id", drop=False)
    rate, change = facts.loc["F14564"], facts.loc["F14565"]
    before = facts[(facts["indicator"] == rate["indicator"]) & (facts["region_code"] == "150000")
                   & (facts["period_end"] == "2020") & (facts["group"] == "")].iloc[0]  # fmt: skip
    sample = {**rate, "fact_id": "F90000", "indicator": "survey_sample_valid", "value": 25.0,
              "unit": "count"}  # fmt: skip
    data = replace(dataset, facts=pd.DataFrame([rate, change, before, pd.Series(sample)]))
    hidden = set(protect.protected(data, 30).facts.query("withheld")["fact_id"])
    assert "F14564" in hidden and hidden & {"F14565", before["fact_id"]}
    assert set(protect.protected(data, 20).facts.query("withheld")["fact_id"]) == set()


def test_the_threshold_a_package_declares_holds(dataset):
    row = {"assumption_id": "A99", "parameter": "small_number_threshold", "value": 10.0}
    rows = pd.concat([dataset.assumptions, pd.DataFrame([row])])
    data = replace(dataset, assumptions=rows.fillna({"level": "all", "wave": ""}))
    assert protect.threshold_of(dataset, None) is None and protect.threshold_of(dataset, 5) == 5
    assert protect.threshold_of(data, None) == 10 and protect.threshold_of(data, 20) == 20
    with pytest.raises(KepuError, match="a threshold of 5 is less than 10, which the package"):
        protect.threshold_of(data, 5)


def test_nothing_is_written_over_and_nothing_half(dataset, tmp_path, monkeypatch):
    small = replace(dataset, facts=dataset.facts.head(5))
    (tmp_path / "sources.csv").write_text("mine")
    with pytest.raises(KepuError, match=r"sources\.csv is there already"):
        export.export(small, tmp_path, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["sources.csv"]
    with pytest.raises(KepuError, match="unknown format 'ods' — use one of csv, sdmx-csv"):
        export.export(small, tmp_path, "ods")
    monkeypatch.setattr(export.os, "replace", _second_fails())
    with pytest.raises(KepuError, match="No space left"):
        export.export(small, tmp_path / "new", "csv")
    assert [path.name for path in (tmp_path / "new").iterdir() if path.name[0] != "."] == []


def _second_fails():
    calls, move = [], export.os.replace

    def replaced(source, target):
        calls.append(target)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        move(source, target)

    return replaced


def test_the_command_says_what_it_wrote_and_withheld(tmp_path):
    given = [str(tmp_path), "--data", str(DATA), "--threshold", "10"]
    run = CliRunner().invoke(app, ["export", *given, "--format", "sdmx-csv"])
    assert run.exit_code == 0, run.output
    assert "sdmx.csv" in run.stdout and "counts of people under 10 are withheld" in run.stdout


def test_a_package_that_declares_a_threshold_shows_no_small_number_anywhere(tmp_path):
    """What is withheld is left out where a package is read: no page, figure or estimate has it."""
    copy = tmp_path / "data"
    shutil.copytree(DATA, copy, ignore=shutil.ignore_patterns("simulated"))
    descriptor = (copy / "datapackage.json").read_text("utf-8")
    listed = descriptor.replace('"recommend_locks"', '"recommend_locks", "small_number_threshold"')
    (copy / "datapackage.json").write_text(listed, "utf-8")
    table = copy / "assumptions.csv"
    width = table.read_text("utf-8").partition("\n")[0].count(",")
    row = "A99,small_number_threshold,all,,10,保密,Confidential," + "," * (width - 7)
    table.write_text(table.read_text("utf-8") + row + "\n", "utf-8")
    assert check(copy) == []
    whole = load(copy, package_hash(copy), complete=True)
    shown = load(copy, package_hash(copy))
    gone = set(whole.facts["fact_id"]) - set(shown.facts["fact_id"])
    small = whole.facts[(whole.facts["unit"] == "person") & whole.facts["value"].between(1, 9)]
    assert gone >= set(small["fact_id"]) and "F14686" in gone
    assert not any(gone & set(ids.split(";")) for ids in shown.contradictions["fact_ids"])
    hidden = export.tidy(protect.protected(whole, 10)).query("withheld")
    assert set(hidden["fact_id"]) == gone
