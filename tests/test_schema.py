"""The data contract: real data keep it, planted defects are found, all in one run."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from evaluation.data import contract, rules
from evaluation.data.contract import check
from evaluation.data.rules import CAVEATS

DATA = Path(__file__).resolve().parents[1] / "data"


def copy_package(target: Path) -> Path:
    """Copy the tables and the descriptor of the real package."""
    shutil.copytree(DATA, target, ignore=shutil.ignore_patterns("simulated"))
    return target


def edit(root: Path, table: str, changes: dict[tuple[str, str], str]) -> dict[str, int]:
    """Set cells ``(key, column) -> text`` of a table; return the row number of each key."""
    path = root / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        header, *lines = csv.reader(stream)
    places = {line[0]: i for i, line in enumerate(lines)}
    for (key, column), text in changes.items():
        lines[places[key]][header.index(column)] = text
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *lines])
    return {key: i + 2 for key, i in places.items()}


def facts(*rows: dict[str, str]) -> dict[str, pd.DataFrame]:
    """A facts table of surveyed rates of Inner Mongolia in 2020, changed as each row says."""
    default = {
        "region_code": "150000",
        "period_start": "2020",
        "period_end": "2020",
        "indicator": "science_literacy_rate",
        "series": "science_literacy_rate",
        "group": "",
        "value": "8.73",
        "unit": "percent",
        "kind": "survey",
        "source_id": "S001",
        "caveats": "",
    }
    table = pd.DataFrame(
        [{**default, "fact_id": f"F0000{i}", **row} for i, row in enumerate(rows)], dtype=str
    )
    subject = {"outcome": "science_literacy_rate", "change": "science_literacy_rate_change"}
    return {
        "facts": table.set_index(pd.RangeIndex(2, len(rows) + 2)),
        "subject": pd.DataFrame([subject], index=[2]),
    }


# (fact, column, text) and where the breach must be reported, with words of rule and remedy.
DEFECTS = {
    "share above 100": ("F00004", "value", "104", "F00004", "value", "share 104", "permille"),
    "unknown region": (
        "F00601", "region_code", "999999", "F00601", "region_code",
        "'999999' is not in regions.csv", "add a row for 999999 to regions.csv",
    ),
    "unknown source": (
        "F00602", "source_id", "S001;S998", "F00602", "source_id",
        "'S998' is not in sources.csv", "sources.csv first",
    ),
    "no source": ("F00603", "source_id", "", "F00603", "source_id", "cell is empty", "fill it in"),
    "wrong unit": ("F00604", "unit", "hour", "F00604", "unit", "unit 'hour' is not", "convert"),
    "repeated id": (
        "F00606", "fact_id", "F00605", "F00606", "fact_id", "repeats a key", "key of its own"
    ),
    "text for a number": (
        "F00607", "value", "1,234人", "F00607", "value", "'1,234人' is not a number", "without unit"
    ),
    "gain that disagrees": (
        "F14565", "value", "1.51", "F14565", "value", 
        "printed gain 1.51 is not 10.04 − 8.73 = 1.31",
        "record it in contradictions.csv and flag the fact 'conflict'",
    ),
    "parts that do not add": (
        "F14725", "value", "556622", "F14747", "value",
        "population_census 24049155 is not 24049156, the sum of its 12 parts",
        "record it in contradictions.csv",
    ),
    "rate between waves": (
        "F00005", "period_end", "2009", "F00005", "period_end", "no national survey in '2009'",
        "off_wave",
    ),
    "unknown caveat": (
        "F00608", "caveats", "guess", "F00608", "caveats", "unknown caveat 'guess'", "weak_source"
    ),
    "unknown kind": ("F00609", "kind", "poll", "F00609", "kind", "'poll'", "survey, statistic"),
    "malformed period": (
        "F00610", "period_end", "2020/1", "F00610", "period_end", "'2020/1' does not match",
        "YYYY or YYYY-MM",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """All defects at once in a copy of the real package: the violations and the row numbers."""
    root = copy_package(tmp_path_factory.mktemp("planted") / "data")
    changes = {(fact, column): text for fact, column, text, *_ in DEFECTS.values()}
    rows = edit(root, "facts", changes)
    edit(root, "facts", {("F00611", name): "magic_wands" for name in ("indicator", "series")})
    return check(root), rows


def test_real_package_keeps_the_contract():
    assert [str(violation) for violation in check(DATA)] == []


def test_the_descriptor_of_the_package_asks_for_all_the_contract_asks():
    descriptor = json.loads((DATA / "datapackage.json").read_text(encoding="utf-8"))
    described = {resource["name"]: resource["schema"] for resource in descriptor["resources"]}
    assert described.keys() == contract.own_schemas().keys()
    for table, schema in contract.own_schemas().items():
        fields = {field["name"]: field for field in described[table]["fields"]}
        for field in schema["fields"]:
            if field.get("optional") and field["name"] not in fields:
                continue
            theirs = fields[field["name"]]
            constraints = theirs.get("constraints", {})
            # How long a code may be is said by the program alone.
            asked = field.get("constraints", {}).keys() - {"maxLength"}
            assert asked <= constraints.keys(), field
            assert theirs["type"] == field["type"]
            assert theirs.get("description") == field.get("description")
        assert described[table]["primaryKey"] == schema["primaryKey"]
        assert described[table].get("foreignKeys") == schema.get("foreignKeys")


@pytest.mark.parametrize("name", DEFECTS)
def test_each_planted_defect_is_reported_with_place_rule_and_remedy(planted, name):
    violations, rows = planted
    *_, fact, column, rule, remedy = DEFECTS[name]
    found = [v for v in violations if (v.row, v.column) == (rows[fact], column)]
    assert [v.file for v in found] == ["facts.csv"], violations
    assert rule in found[0].rule
    assert remedy in found[0].remedy


def test_unknown_indicator_is_reported(planted):
    violations, rows = planted
    found = [v for v in violations if v.row == rows["F00611"]]
    assert [str(v) for v in found] == [
        f"facts.csv, row {rows['F00611']}, column indicator: 'magic_wands' is not in indicators.csv"
        " — correct it, or add a row for magic_wands to indicators.csv first"
    ]


def test_nothing_but_the_planted_defects_is_reported_in_order(planted):
    violations, rows = planted
    expected = {(rows[d[3]], d[4]) for d in DEFECTS.values()} | {(rows["F00611"], "indicator")}
    assert {(v.row, v.column) for v in violations} == expected
    assert len(violations) == len(DEFECTS) + 1
    assert [v.row for v in violations] == sorted(v.row for v in violations)


def test_malformed_files_are_violations_not_tracebacks(tmp_path):
    root = copy_package(tmp_path / "data")
    (root / "waves.csv").unlink()
    (root / "sources.csv").write_bytes("source_id,title\nS001,科学".encode("gbk"))
    regions = (root / "regions.csv").read_text(encoding="utf-8").splitlines()
    regions[3] += ",one cell too many"
    regions[5] = "140000,山西省"
    regions.insert(7, "")
    (root / "regions.csv").write_text("\n".join(regions), encoding="utf-8")
    units = (root / "units.csv").read_text(encoding="utf-8")
    (root / "units.csv").write_text(units.replace("factor", "multiple", 1), encoding="utf-8")
    (root / "notes.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    places = {(v.file, v.row, v.column): v.rule for v in check(root)}
    assert places[("waves.csv", None, "")] == "file is missing"
    assert "not UTF-8" in places[("sources.csv", None, "")]
    assert "more than 8 cells" in places[("regions.csv", 4, "")]
    assert "fewer than 8 cells" in places[("regions.csv", 6, "name_en")]
    assert places[("regions.csv", 8, "")] == "line is empty"
    assert places[("units.csv", 1, "factor")] == "column is missing"
    assert places[("units.csv", 1, "multiple")] == "column 'multiple' is not described"
    assert "not described" in places[("notes.csv", None, "")]


def test_a_package_must_say_whether_it_is_simulated(tmp_path):
    root = copy_package(tmp_path / "data")
    descriptor = json.loads((root / "datapackage.json").read_text(encoding="utf-8"))
    del descriptor["simulated"]
    descriptor["resources"] = [r for r in descriptor["resources"] if r["name"] == "part_whole"]
    (root / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
    places = {(v.file, v.column): v.rule for v in check(root)}
    assert "simulated" in places[("datapackage.json", "simulated")]
    assert places[("datapackage.json", "facts")] == "table facts is not described"


def test_missing_folder_and_broken_descriptor_are_one_violation(tmp_path):
    assert [v.rule for v in check(tmp_path / "nowhere")] == ["folder is missing"]
    rule = "is no data package (it has no datapackage.json)"
    assert [v.rule for v in check(tmp_path)] == [rule]
    (tmp_path / "datapackage.json").write_text("{", encoding="utf-8")
    (violation,) = check(tmp_path)
    assert "not a readable package descriptor" in violation.rule


def test_gain_is_not_judged_by_conflicting_or_missing_levels():
    gain = {
        "indicator": "science_literacy_rate_change",
        "series": "science_literacy_rate_change",
        "period_end": "2022",
        "value": "9.99",
    }
    start, end = {"value": "8.73"}, {"period_end": "2022", "value": "10.04"}
    rule = rules.gains_agree_with_levels
    assert [v.row for v in rule(facts(start, end, gain))] == [4]
    assert rule(facts(start, gain)) == []
    assert rule(facts(start, {**end, "caveats": "derived;conflict"}, gain)) == []
    assert rule(facts(start, end, {**gain, "caveats": "conflict"})) == []
    assert rule(facts(start, end, {**gain, "value": "1.32"})) == []
    assert len(rule(facts(start, end, {**gain, "value": "1.33"}))) == 1


def test_disagreeing_repetitions_need_a_flag_or_a_record():
    rule = rules.repeated_facts_agree
    assert rule(facts({}, {"value": "8.730"})) == []
    (violation,) = rule(facts({}, {"value": "8.8"}))
    assert violation.rule.startswith("F00001 prints 8.8 where F00000 prints 8.73")
    assert rule(facts({}, {"value": "8.8", "caveats": "conflict"})) == []
    assert rule(facts({}, {"value": "8.8", "series": "science_literacy_rate@own_survey"})) == []
    record = {"contradictions": pd.DataFrame({"fact_ids": ["F00000;F00001"]})}
    assert rule(facts({}, {"value": "8.8"}) | record) == []


def test_new_scope_may_not_continue_a_series():
    rule = rules.a_new_scope_begins_a_series
    changed = {"period_end": "2021", "caveats": "proxy;scope_change"}
    (violation,) = rule(facts({}, changed))
    assert (violation.row, violation.column) == (3, "series")
    assert "science_literacy_rate@from_2021" in violation.remedy
    assert rule(facts({}, {**changed, "series": "science_literacy_rate@from_2021"})) == []


def test_parts_are_summed_only_where_all_are_published():
    rule = rules.parts_add_to_wholes
    relation = {
        "relation_id": "P01",
        "indicator": "venues_total",
        "across": "indicators",
        "region_code": "",
        "parts": "museums;halls",
        "tolerance": "0.5",
    }
    tables = {
        "part_whole": pd.DataFrame([relation]),
        "region_sets": pd.DataFrame({"set": [], "code": []}, dtype=str),
    }
    whole, museums, halls = (
        {"indicator": name, "value": value}
        for name, value in (("venues_total", "10"), ("museums", "4"), ("halls", "5.4"))
    )
    (violation,) = rule(facts(whole, museums, halls) | tables)
    assert violation.rule == ("venues_total 10 is not 9.4, the sum of its 2 parts (museums;halls)")
    assert rule(facts(whole, museums, {**halls, "value": "5.5"}) | tables) == []
    assert rule(facts(whole, museums) | tables) == []
    assert rule(facts({**whole, "caveats": "conflict"}, museums, halls) | tables) == []


def test_placeholders_name_listed_facts():
    table = pd.DataFrame(
        {
            "fact_ids": ["F00001;F00002"],
            "text_zh": ["{F00001}与{diff:F00001;F00002}"],
            "text_en": ["{F00001}, {sum:F00001;F00003} and {mean:F00001}"],
        },
        index=[2],
    )
    found = rules.texts_refer_to_listed_facts({"contradictions": table})
    assert {v.column for v in found} == {"text_en"}
    assert {v.rule for v in found} == {
        "F00003 is not among fact_ids",
        "placeholder {mean:F00001} cannot be read",
    }


@pytest.mark.parametrize(
    ("start", "end", "column"),
    [
        ("2020", "2019", "period_start"),
        ("2020-05", "2020-04", "period_start"),
        ("2020", "2020-04", None),
        ("2020-05", "2020", None),
        ("", "2020", None),
        ("", "", "period_end"),
    ],
)
def test_periods_do_not_end_before_they_start(start, end, column):
    found = rules.periods_are_ordered(facts({"period_start": start, "period_end": end}))
    assert [v.column for v in found] == ([column] if column else [])


def test_impossible_values():
    rule = rules.values_are_possible
    assert [v.row for v in rule(facts({"value": "-0.1"}, {"value": "100"}, {"value": "0"}))] == [2]
    assert len(rule(facts({"value": "-1", "unit": "count"}))) == 1
    assert rule(facts({"value": "-1", "unit": "percentage_point"})) == []


def test_text_needs_both_languages_and_no_stray_space():
    table = pd.DataFrame({"label_zh": ["科技馆", " 人"], "label_en": ["", "people"]}, index=[2, 3])
    (unpaired,) = rules.languages_are_paired({"indicators": table})
    assert (unpaired.file, unpaired.row, unpaired.column) == ("indicators.csv", 2, "label_en")
    (untrimmed,) = rules.cells_are_trimmed({"indicators": table})
    assert (untrimmed.row, untrimmed.column) == (3, "label_zh")


def test_bodies_of_measures_and_sets_are_known():
    tables = {
        "measures": pd.DataFrame({"lead_unit_zh": ["教育厅;气象局", ""]}, index=[2, 3]),
        "organisations": pd.DataFrame({"name_zh": ["教育厅"]}),
        "region_sets": pd.DataFrame({"set": [], "code": []}, dtype=str),
    }
    (violation,) = rules.entries_are_known(tables)
    assert (violation.row, violation.rule) == (2, "'气象局' is not in organisations.csv")
    (empty,) = rules.tables_are_filled(tables)
    assert (empty.file, empty.rule) == ("region_sets.csv", "no rows")


def test_vocabulary_of_caveats_is_the_one_the_descriptor_prints():
    descriptor = json.loads((DATA / "datapackage.json").read_text(encoding="utf-8"))
    fields = descriptor["resources"][0]["schema"]["fields"]
    described = next(field for field in fields if field["name"] == "caveats")["description"]
    assert described.split(": ")[1].split(", ") == list(CAVEATS)
