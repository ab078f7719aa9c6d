"""A report drawn from its slice is the report drawn from everything; keys change with the slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from conftest import DATE, PROVENANCE, REGIONS, draw, overview_sections
from evaluation import report, study
from evaluation.base.errors import KepuError
from evaluation.batch import run
from evaluation.batch.plan import Job
from evaluation.data import package, slices

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.fixture(scope="module")
def core(dataset):
    return study.build(slices.of_study(dataset), draws=499, seed=1)


def test_estimates_from_their_slice_are_the_estimates_from_everything(core, request, dataset):
    whole = request.getfixturevalue("study")
    for name in ("provinces", "levels", "bands"):
        pd.testing.assert_frame_equal(getattr(core, name), getattr(whole, name))
    for ours, theirs in zip(core.estimates, whole.estimates, strict=True):
        assert (ours.dose, ours.model, ours.reason) == (theirs.dose, theirs.model, theirs.reason)
        if ours.result is not None:
            assert ours.result.to_json() == theirs.result.to_json()
    assert core.headline.grade == whole.headline.grade
    assert core.headline.result.to_json() == whole.headline.result.to_json()
    wide = study.widen(core, dataset)
    pd.testing.assert_frame_equal(wide.rates, whole.rates)
    pd.testing.assert_frame_equal(wide.gains, whole.gains)
    pd.testing.assert_frame_equal(wide.targets, whole.targets)


@pytest.mark.parametrize("code", [*REGIONS, "provinces", "im_leagues"])
def test_page_from_a_slice_is_the_page_from_everything(core, dataset, pages, code):
    from evaluation import report

    if not code.isdigit() and code not in set(dataset.region_sets["set"]):
        code = next(s for s in dataset.region_sets["set"].unique() if s != "provinces")
    region = code.isdigit()
    part = slices.of_region(dataset, code) if region else slices.of_set(dataset, code)
    assert len(part.facts) < len(dataset.facts)
    opened = report.open_report if region else report.open_overview
    arguments = {"date": DATE, "provenance": PROVENANCE}
    context = opened(study.widen(core, part), code, "zh", **arguments)
    parts = report.SECTIONS if region else overview_sections()
    assert draw(context, parts) == pages(code, "zh").html


def job(region: str, **parameters) -> Job:
    given = {"region": region, "date": "2026-03-01", "commit": "a", "data_hash": "b"}
    return Job(region, "region_report", region, "league", {}, "zh", given | parameters)


OVERVIEW = Job("overview", "overview", "", "overview", {}, "zh", {"region_set": "provinces"})
HOHHOT, BAOTOU, INNER_MONGOLIA, BEIJING = "150100", "150200", "150000", "110000"


def remade(dataset, **change) -> set[str]:
    """Which of some reports are made again when one fact is changed."""
    facts = dataset.facts.copy()
    mask = pd.Series(True, index=facts.index)
    for column, value in change.items():
        mask &= facts[column] == value
    facts.loc[facts.index[mask][-1], "value"] += 0.5
    jobs = [job(code) for code in (HOHHOT, BAOTOU, INNER_MONGOLIA, BEIJING)] + [OVERVIEW]
    before = run.keyed(dataset, NOTEBOOKS, DATE)
    after = run.keyed(replace(dataset, facts=facts, hash="changed"), NOTEBOOKS, DATE)
    found = {each.id for each in jobs if before(each) != after(each)}
    for each in jobs:
        differing = {name for name in run.PARTS if before(each)[name] != after(each)[name]}
        assert differing <= {"data"}
    return found


def test_changed_fact_concerns_only_the_reports_that_rest_on_it(dataset):
    gdp = {"indicator": "gdp", "region_code": HOHHOT}
    assert remade(dataset, **gdp) == {HOHHOT}
    rate = {"indicator": "science_literacy_rate", "region_code": HOHHOT}
    # A programme that reached Hohhot is told in every report.
    assert remade(dataset, **rate) == {HOHHOT, BAOTOU, INNER_MONGOLIA, BEIJING, "overview"}
    norm = {"kind": "norm", "region_code": INNER_MONGOLIA}
    assert remade(dataset, **norm) == {HOHHOT, BAOTOU, INNER_MONGOLIA}
    dose = {"indicator": "museum_count", "region_code": BEIJING}
    assert remade(dataset, **dose) == {HOHHOT, BAOTOU, INNER_MONGOLIA, BEIJING, "overview"}


def test_keys_change_with_the_facts_and_sources_of_a_slice_alone(dataset):
    codes = (HOHHOT, INNER_MONGOLIA, BEIJING, "150102")
    slicer = slices.Slicer(dataset)
    parts = {code: slicer.of_region(code) for code in codes}
    before = {code: slicer.key(code) for code in codes}
    far = "science_literacy_rate", "440100"  # a city that Hohhot is placed beside
    rates = dataset.facts[(dataset.facts["indicator"] == far[0]) & (dataset.facts["group"] == "")]
    rows = [rates.index[rates["region_code"] == far[1]][0], *dataset.facts.index[40::2500]]
    for row in rows:
        facts = dataset.facts.copy()
        facts.loc[row, "note"] += "."
        after = slices.Slicer(replace(dataset, facts=facts))
        holds = {code for code in codes if row in parts[code].facts.index}
        assert {code for code in codes if after.key(code) != before[code]} == holds
    source = parts[HOHHOT].facts.iloc[-1]["source_id"].split(";")[0]
    titles = dataset.sources["title"].where(dataset.sources["source_id"] != source, "x")
    after = slices.Slicer(replace(dataset, sources=dataset.sources.assign(title=titles)))
    holds = {code for code in codes if source in set(parts[code].sources["source_id"])}
    assert {code for code in codes if after.key(code) != before[code]} == holds


def test_an_entry_of_progress_concerns_the_region_of_its_measure_and_those_within(dataset):
    codes = (HOHHOT, INNER_MONGOLIA, BEIJING, "150102")
    own = dataset.measures["region_code"] == HOHHOT
    measure = dataset.measures.loc[own, "measure_id"].iloc[0]
    goals = (dataset.facts["region_code"] == HOHHOT) & (dataset.facts["kind"] == "target")
    target = dataset.facts.loc[goals, "fact_id"].iloc[0]
    before = {code: slices.Slicer(dataset).key(code) for code in codes}
    for item in ({"measure_id": measure}, {"target_id": target}):
        entry = {**dict.fromkeys(dataset.progress.columns, ""), **item, "entry_id": "G9999"}
        more = pd.concat([dataset.progress, pd.DataFrame([entry])], ignore_index=True)
        more["score"] = pd.to_numeric(more["score"])
        after = slices.Slicer(replace(dataset, progress=more))
        changed = {code for code in codes if after.key(code) != before[code]}
        assert changed == {HOHHOT, "150102"}
        assert "G9999" in set(after.of_region(HOHHOT).progress["entry_id"])
        assert "G9999" not in set(after.of_region(BEIJING).progress["entry_id"])


def test_parameters_count_but_for_what_is_only_recorded(dataset):
    key = run.keyed(dataset, NOTEBOOKS, "2026-03-01")
    same = key(job(HOHHOT))
    assert key(job(HOHHOT, commit="c", data_hash="d")) == same
    later = run.keyed(dataset, NOTEBOOKS, "2026-03-02")
    assert later(job(HOHHOT, date="2026-03-02")) == same  # another day, the same targets due
    next_year = run.keyed(dataset, NOTEBOOKS, "2027-01-01")
    for other in (
        next_year(job(HOHHOT, date="2027-01-01")),
        key(job(HOHHOT, date="2026-02-01")),  # a day that was asked for
        key(job(HOHHOT, draws=99)),
        key(job(HOHHOT, language="en")),
    ):
        assert {name for name in run.PARTS if other[name] != same[name]} == {"parameters"}


def test_progress_that_became_known_or_overdue_makes_a_report_due(dataset):
    """Dates of the same year: an entry recorded later, then one whose next day has passed."""
    entry = {**dict.fromkeys(dataset.progress.columns, ""), "measure_id": "M061",
             "recorded": "2026-03-02", "next_date": "2026-05-01"}  # fmt: skip
    more = pd.DataFrame([entry]).assign(score=float("nan"))
    package = replace(dataset, progress=more)
    days = ("2026-03-01", "2026-03-02", "2026-05-01", "2026-05-02", "2026-06-01")
    keys = [run.keyed(package, NOTEBOOKS, day)(job(HOHHOT, date=day))["parameters"] for day in days]
    assert keys[1] == keys[2] and keys[3] == keys[4] and len(set(keys)) == 3


def test_reason_says_what_changed_or_is_missing(dataset, tmp_path):
    key = dict.fromkeys(run.PARTS, "0")
    page = tmp_path / "a.html"
    page.write_text("page")
    sha256 = "6b7e0c8bd7bba5d4d2e5f6ba8bd1ce5e"
    files = {kind: {"name": "a.html", "sha256": sha256} for kind in ("html", "notebook")}
    entry = {"status": "made", "key": key, "files": files}
    report = job(HOHHOT)
    assert run.reason(report, key, None, tmp_path) == "not made yet"
    assert run.reason(report, key, {**entry, "status": "failed"}, tmp_path) == "failed before"
    other = {**key, "data": "1", "code": "1"}
    assert run.reason(report, other, entry, tmp_path) == "changed: data, code"
    assert run.reason(report, key, {**entry, "files": {}}, tmp_path) == "no html yet"
    assert run.reason(report, key, entry, tmp_path) == "a.html is missing or was changed"
    import hashlib

    for file in files.values():
        file["sha256"] = hashlib.sha256(b"page").hexdigest()
    assert run.reason(report, key, entry, tmp_path) == ""
    page.unlink()
    assert run.reason(report, key, entry, tmp_path) == "a.html is missing or was changed"


def test_a_number_is_the_code_with_these_digits(dataset):
    assert slices.code_of(dataset, 150100) == slices.code_of(dataset, "150100") == "150100"
    assert slices.of_region(dataset, 150100).hash == slices.of_region(dataset, "150100").hash
    regions = dataset.regions.replace({"code": {"150100": "0042"}})
    assert slices.code_of(replace(dataset, regions=regions), 42) == "0042"
    regions = regions.replace({"code": {"150200": "42"}})
    with pytest.raises(KepuError, match=r"Region 42 may be 0042 or 42; give .* `-r region 0042`"):
        slices.code_of(replace(dataset, regions=regions), 42)


@pytest.mark.parametrize("region", [42, "42", True, 150100.0, None, "１５０１００"])
def test_what_is_no_code_is_refused(dataset, region):
    with pytest.raises(KepuError, match=f"Region '{region}' is not in regions.csv"):
        slices.code_of(dataset, region)


def test_a_page_opens_by_a_number_and_refuses_a_day_that_is_none(request):
    study = request.getfixturevalue("study")
    page = report.open_report(study, 150100, "en", date=DATE)
    assert (page.code, page.name) == ("150100", report.open_report(
        study, "150100", "en", date=DATE).name)  # fmt: skip
    for date in (20260131, "20260131", "2026-02-30", ""):
        with pytest.raises(KepuError, match=f"{date!r} is no date; write it as text in the form"):
            report.open_report(study, "150100", "en", date=date)
        with pytest.raises(KepuError, match="is no date"):
            report.open_overview(study, "provinces", "en", date=date)


def test_what_the_languages_of_a_region_share_is_cut_once(dataset):
    first, again = (package.load(dataset.root, dataset.hash) for _ in range(2))
    part = slices.of_region(first, "150000")
    assert slices.of_region(again, "150000") is part
    assert slices.of_study(slices.of_region(again, "150000")) is slices.of_study(part)


def test_a_package_with_another_figure_is_another_though_its_hash_is_the_same(dataset):
    held = slices.of_region(dataset, "150000")
    facts = dataset.facts.copy()
    own = facts.index[facts["region_code"] == "150000"][0]
    facts.loc[own, "value"] += 1
    changed = replace(dataset, facts=facts)
    assert not dataset.same(changed) and dataset.same(replace(dataset))
    part = slices.of_region(changed, "150000")
    assert part.facts.at[own, "value"] == held.facts.at[own, "value"] + 1
    assert not dataset.same(replace(dataset, root=Path("elsewhere")))
