"""A batch becomes the jobs it names; everything wrong with it is told before a kernel starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from evaluation.base.errors import KepuError
from evaluation.batch.plan import (
    BatchError,
    Choice,
    Parameter,
    data_label,
    make_plan,
    read_batch,
    read_notebooks,
)

ROOT = Path(__file__).resolve().parents[1]
BATCHES = ROOT / "reports" / "batches"
FILLED = {"data": "../data", "data_hash": "abc", "date": "2026-01-31", "commit": "1a2b3c4"}


def declared(*names: str) -> dict[str, Parameter]:
    kinds = {"draws": "int", "seed": "int", "share": "float", "plain": "bool"}
    return {name: Parameter(name, kinds.get(name, "str"), "9") for name in names}


NOTEBOOKS = {
    "region_report": declared(
        "region", "language", "data", "data_hash", "draws", "seed", "share", "plain", "date"
    ),
    "overview": declared("region_set", "language", "data", "draws", "date", "commit"),
}


def plan_of(batch, dataset, **choices):
    simulated = choices.pop("simulated", False)
    choice = Choice("b.yml", **choices)
    return make_plan(batch, dataset, NOTEBOOKS, choice, filled=FILLED, simulated=simulated)


def refusal(batch, dataset, **choices) -> str:
    with pytest.raises(BatchError) as caught:
        plan_of(batch, dataset, **choices)
    return str(caught.value)


def one(**changes):
    return {"notebook": "region_report", "regions": ["150000"], **changes}


def test_smoke_batch_is_planned_as_written(dataset):
    jobs = plan_of(read_batch(BATCHES / "smoke.yml"), dataset)
    assert [(job.stem, job.notebook, job.region, job.language) for job in jobs] == [
        ("overview_zh", "overview", "", "zh"),
        ("overview_en", "overview", "", "en"),
        ("150000_zh", "region_report", "150000", "zh"),
        ("150000_en", "region_report", "150000", "en"),
        ("150100_zh", "region_report", "150100", "zh"),
        ("150100_en", "region_report", "150100", "en"),
    ]
    assert jobs[0].parameters == {
        "data": "../data",
        "date": "2026-01-31",
        "commit": "1a2b3c4",
        "region_set": "provinces",
        "language": "zh",
        "draws": 199,
    }
    assert jobs[3].parameters == {
        "data": "../data",
        "data_hash": "abc",
        "date": "2026-01-31",
        "region": "150000",
        "language": "en",
        "draws": 199,
    }
    assert jobs[3].names == {"zh": "内蒙古自治区", "en": "Inner Mongolia"}
    assert (jobs[0].level, jobs[3].level) == ("overview", "province")
    assert jobs[0].names == {"zh": "全国总览", "en": "National overview"}


def test_every_shipped_batch_suits_the_shipped_notebooks(dataset):
    notebooks = read_notebooks(ROOT / "notebooks")
    sizes = {
        path.stem: len(make_plan(read_batch(path), dataset, notebooks, filled=FILLED))
        for path in BATCHES.glob("*.yml")
    }
    assert sizes == {"all": 2 * (31 + 12 + 1), "provinces": 62, "leagues": 24, "smoke": 6}


def test_all_problems_are_told_at_once_with_file_key_allowed_values_and_remedy(dataset):
    text = refusal(
        one(
            regions=["150001", "150000"],
            languages=["zh", "fr"],
            formats=["odt"],
            colour="red",
            parameters={"drws": 1, "seed": "x", "plain": 1, "draws": True, "region": "150000"},
        ),
        dataset,
    )
    lines = text.splitlines()
    assert lines[0] == "9 problems in b.yml; no report was started:"
    assert "  languages: 'fr' is unknown (allowed: zh, en) — correct languages" in lines
    assert (
        "  formats: 'odt' is unknown (allowed: html, pdf, docx, official) — correct formats"
        in lines
    )
    assert any(line.startswith("  colour: 'colour' is unknown (allowed: title,") for line in lines)
    assert any("'150001' is no region code — did you mean 150" in line for line in lines)
    assert any(
        line == "  parameters.drws: 'drws' is unknown (allowed: draws, seed, share, plain, date)"
        " — name a parameter that region_report.ipynb declares"
        for line in lines
    )
    assert any(line.startswith("  parameters.seed: 'x' is str, region_rep") for line in lines)
    assert any(line.startswith("  parameters.plain: 1 is int, region_rep") for line in lines)
    assert any(line.startswith("  parameters.draws: True is bool, region_rep") for line in lines)
    assert any("parameters.region: is filled in by the run itself" in line for line in lines)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (one(notebook="regional"), "notebook: 'regional' is unknown (allowed: overview, region"),
        ({"regions": ["150000"]}, "notebook: nothing is unknown"),
        ({"notebook": "region_report"}, "(file): names no regions"),
        (one(region_set="provinces"), "names both region_set and regions"),
        ({"notebook": "overview", "region_set": "planets"}, "'planets' is unknown (allowed: prov"),
        (one(regions="150000"), "regions: is no list of codes"),
        (one(languages="zh"), "languages: 'zh' is no list (allowed: zh, en)"),
        (one(parameters=[1]), "parameters: holds no parameters"),
        (one(regions=["150000", "150000"]), "150000_zh would be written 2 times"),
        ({"reports": [one(), one()]}, "150000_en would be written 2 times"),
        ({"reports": [], "region_set": "x"}, "reports: is no list of blocks"),
        ({"reports": [one(langs=[])]}, "reports[0].langs: 'langs' is unknown"),
        (None, "(file): holds no keys"),
    ],
)
def test_a_wrong_batch_is_refused(batch, expected, dataset):
    assert expected in refusal(batch, dataset)


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"only": ["150001"]}, "--only: '150001' is no region code"),
        ({"only": ["110000"]}, "--only: '110000' is not in this batch"),
        ({"languages": ["de"]}, "--language: 'de' is unknown (allowed: zh, en)"),
        ({"overrides": {"draws": "many"}}, "--set.draws: 'many' is str, region_report.ipynb decl"),
        ({"overrides": {"drws": "9"}}, "--set.drws: 'drws' is unknown (allowed: draws, seed"),
        ({"overrides": {"region": "110000"}}, "--set.region: is filled in by the run itself"),
    ],
)
def test_a_wrong_choice_is_refused(choices, expected, dataset):
    assert expected in refusal(one(), dataset, **choices)


def test_choices_narrow_the_plan_and_set_parameters(dataset):
    batch = read_batch(BATCHES / "smoke.yml")
    overrides = {"draws": "99", "plain": "true", "share": "0.5"}
    jobs = plan_of(
        batch, dataset, only=["overview", "150100"], languages=["en"], overrides=overrides
    )
    assert [job.id for job in jobs] == ["overview_en", "150100_en"]
    assert [job.parameters["draws"] for job in jobs] == [99, 99]
    assert (jobs[1].parameters["plain"], jobs[1].parameters["share"]) == (True, 0.5)
    assert "plain" not in jobs[0].parameters


def test_simulated_data_show_in_every_file_name(dataset):
    jobs = plan_of(one(), dataset, simulated=True)
    assert [job.stem for job in jobs] == ["150000_zh_simulated", "150000_en_simulated"]


def test_types_come_from_annotations_or_defaults():
    def read(kind, default):
        return Parameter.declared("x", kind, default)

    assert read("list[str]", "[]").type == "list"
    assert read("", "2.5").type == "float"
    assert read("", "False").type == "bool"
    assert read("", "pd.Timestamp('2020')").type is None
    assert read("float", "1.0").accepts(3) and not read("float", "1.0").accepts(True)
    assert not read("int", "1").accepts(1.5) and not read("str", "''").accepts(1)


def test_a_notebook_without_the_tag_is_told_from_one_that_is_not_there(dataset):
    known = NOTEBOOKS | {"plain": {}}
    with pytest.raises(BatchError) as caught:
        make_plan(one(notebook="plain"), dataset, known)
    assert "notebook: plain.ipynb declares no parameters — in JupyterLab give" in str(caught.value)
    with pytest.raises(BatchError) as caught:
        make_plan(one(notebook="none"), dataset, known)
    assert "'none' is unknown (allowed: overview, region_report)" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("date: 20260131", 'date: 20260131 is int, region_report.ipynb declares str — write it in '
                           'quotes: date: "20260131"'),
        ("date: 2026-1-31", "'2026-1-31' is no date — write it as YYYY-MM-DD"),
        ("date: 2026-02-30", "'2026-02-30' is no date — write it as YYYY-MM-DD"),
        ("date: 31.01.2026", "'31.01.2026' is no date — write it as YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_a_date_that_is_none_is_refused_with_the_right_form(written, expected, dataset, tmp_path):
    (tmp_path / "b.yml").write_text(
        f"notebook: region_report\nregions: ['150000']\nparameters: {{{written}}}\n", "utf-8"
    )
    assert expected in refusal(read_batch(tmp_path / "b.yml"), dataset)


def test_a_date_needs_no_quotes(dataset, tmp_path):
    (tmp_path / "b.yml").write_text(
        "notebook: region_report\nregions: [150000]\nparameters: {date: 2026-01-31}\n", "utf-8"
    )
    jobs = plan_of(read_batch(tmp_path / "b.yml"), dataset)
    assert [job.parameters["date"] for job in jobs] == ["2026-01-31"] * 2
    jobs = plan_of(one(parameters={"date": "2026"}), dataset)  # of the notebooks, the last wave
    assert [job.parameters["date"] for job in jobs] == ["2026"] * 2


def test_the_data_folder_is_recorded_without_the_path_of_a_machine(tmp_path):
    root = tmp_path / "project"
    label = data_label(root / "data", root / "notebooks", root)
    assert label == "../data"
    assert data_label(tmp_path / "elsewhere" / "mine", root / "notebooks", root) == "mine"


@pytest.mark.parametrize("code", ["../../../victim", "/etc/x", "a/b", "..", "150000\n", "一"])
def test_region_whose_code_is_no_file_name_is_refused_whatever_the_package_allows(dataset, code):
    regions = dataset.regions.replace({"code": {"150000": code}})
    package = SimpleNamespace(regions=regions, region_sets=dataset.region_sets)
    with pytest.raises(KepuError, match="cannot name a report — correct the code of the region"):
        plan_of(one(regions=[code]), package, only=[code])
