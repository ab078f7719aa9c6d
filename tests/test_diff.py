"""``kepu diff``: what changed between two packages, and between two editions of a batch."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from evaluation.batch import pages
from evaluation.batch.cli import app
from evaluation.data.office import differences

ROOT = Path(__file__).resolve().parents[1]


def changes(dataset, **tables) -> list[differences.Change]:
    return differences.compare(dataset, replace(dataset, **tables))


def test_a_package_does_not_differ_from_itself(dataset):
    assert changes(dataset) == []


def test_added_removed_and_changed_facts_are_told_with_old_and_new(dataset):
    facts = dataset.facts.copy()
    facts.loc[facts["fact_id"] == "F14587", ["value", "figure_as_written"]] = [188000.0, "18.8万人"]
    gone, new = facts.iloc[[7]], facts.iloc[[8]].assign(fact_id="F99999", period_end="2031")
    facts = pd.concat([facts.drop(index=7), new], ignore_index=True)
    found = changes(dataset, facts=facts)
    assert [(c.what, c.key) for c in found] == [
        ("changed", "F14587"), ("removed", gone["fact_id"].iloc[0]), ("added", "F99999")
    ]  # fmt: skip
    assert str(found[0]) == (
        "facts F14587 changed: value 187000 → 188000, figure_as_written 18.7万人 → 18.8万人"
    )
    assert differences.counted(found) == {"facts": {"added": 1, "removed": 1, "changed": 1}}
    record = json.loads(json.dumps(found[0].record(), allow_nan=False))
    assert record["cells"]["value"] == [187000.0, 188000.0]


def test_facts_numbered_anew_are_the_same_facts(dataset):
    """All but their numbers: each is changed in its number alone, none is added or removed."""
    facts = dataset.facts.iloc[:50].copy()
    old = replace(dataset, facts=facts)
    new = replace(dataset, facts=facts.assign(fact_id=list(facts["fact_id"])[::-1]).iloc[::-1])
    found = differences.compare(old, new)
    assert {change.what for change in found} <= {"changed"}
    assert {cell.column for change in found for cell in change.cells} <= {"fact_id"}


def test_rows_of_every_table_are_compared_and_new_columns_are_empty_before(dataset):
    dataset = replace(dataset, sources=dataset.sources.drop(columns="file"))
    sources = dataset.sources.assign(file="")
    sources.loc[sources["source_id"] == "IM2023", "file"] = "review.txt"
    sets = dataset.region_sets.iloc[1:]
    found = changes(dataset, sources=sources, region_sets=sets, doses=dataset.doses.iloc[:2])
    told = {(c.table, c.what) for c in found}
    assert told == {("sources", "changed"), ("region_sets", "removed"), ("doses", "removed")}
    assert str(next(c for c in found if c.table == "sources")) == (
        "sources IM2023 changed: file empty → review.txt"
    )


PAGE = """<html lang="en"><section id="findings"><ul class="key">
<li><strong>Where?</strong>It stands at <data value="{rate}" data-fact="F00001">{rate}%</data>,
<data value="{gap:.2f}" data-result="gap.A.2022">{gap:.2f}</data> below.</li>
<li>What next? Publish.</li></ul></section>
<template id="results">{{"gap.A.2022": {gap}, "constant": 1.0}}</template></html>"""


def edition(root: Path, rate: float, gap: float, stems=("A_en", "A_zh")) -> Path:
    """A folder of reports as a run leaves it, as far as it is read here."""
    root.mkdir()
    reports = []
    for stem in stems:
        (root / f"{stem}.html").write_text(PAGE.format(rate=rate, gap=gap), "utf-8")
        reports.append({
            "id": stem, "stem": stem, "notebook": "region_report", "region": "A", "level": "x",
            "names": {"zh": "甲", "en": "A"}, "language": "en", "parameters": {}, "status": "made",
            "seconds": 1, "attempts": 1, "file": f"{stem}.html", "files": {}, "key": {},
            "error": "", "earlier": {}, "warnings": [], "summary": {}, "date": "",
            "data_hash": "", "simulated": False,
        })  # fmt: skip
    manifest = {"run": {"date": f"day {rate}"}, "front": {}, "reports": reports, "files": []}
    (root / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return root


def test_editions_are_told_apart_by_their_results_and_the_findings_these_stand_in(tmp_path):
    old = edition(tmp_path / "a", 10.04, 2.89)
    new = edition(tmp_path / "b", 9.04, 3.89, ("A_en", "B_en"))
    found = pages.compare(old, new)
    assert (found.pages_added, found.pages_removed) == (("B_en.html",), ("A_zh.html",))
    assert found.results == (pages.Moved("gap.A.2022", 2.89, 3.89, ("A_en.html",)),)
    assert found.facts == (pages.Moved("F00001", 10.04, 9.04, ("A_en.html",)),)
    [finding] = found.findings
    assert finding.because == ("F00001", "gap.A.2022")
    assert finding.old == "Where? It stands at 10.04%, 2.89 below."
    assert finding.new == "Where? It stands at 9.04%, 3.89 below."
    assert found.run == {"date": ("day 10.04", "day 9.04")}


def test_a_change_on_several_pages_is_told_once(tmp_path):
    found = pages.compare(edition(tmp_path / "a", 1, 2), edition(tmp_path / "b", 1, 3))
    assert [item.pages for item in found.results] == [("A_en.html", "A_zh.html")]


def test_the_same_edition_has_not_changed(tmp_path):
    found = pages.compare(edition(tmp_path / "a", 1, 2), edition(tmp_path / "b", 1, 2))
    assert not found and list(pages.lines(found)) == ["nothing a page says has changed"]


def run(*arguments: object):
    return CliRunner().invoke(app, ["diff", *map(str, arguments)])


def test_the_command_tells_packages_from_editions_and_refuses_a_mix(tmp_path):
    old, new = edition(tmp_path / "a", 10, 2), edition(tmp_path / "b", 10, 3)
    found = run(old, new, "--markdown")
    assert found.exit_code == 0
    assert found.stdout.startswith("## What changed since the last edition\n\n- finding")
    assert "- finding on A_en.html [gap.A.2022]:\n    was: Where? It stands at 10%" in found.stdout
    assert json.loads(run(old, new, "--json").stdout)["results"][0]["new"] == 3
    mixed = run(old, ROOT / "data")
    assert mixed.exit_code == 2 and "neither two data packages" in mixed.stderr


def test_the_command_compares_two_packages(tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(ROOT / "data", copy, ignore=shutil.ignore_patterns("simulated"))
    text = (copy / "facts.csv").read_text("utf-8")
    (copy / "facts.csv").write_text(text.replace("18.7万人", "18.7 万人"), "utf-8")
    found = run(ROOT / "data", copy)
    assert found.exit_code == 0
    assert found.stdout.splitlines() == [
        "facts: 1 changed", "facts F14587 changed: figure_as_written 18.7万人 → 18.7 万人"
    ]  # fmt: skip
