"""The contract is the program's: no descriptor weakens it, no file breaks or crashes it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from evaluation import study
from evaluation.base.errors import ID, DataError, Violation
from evaluation.data.contract import check
from evaluation.data.package import load

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of the simulated package: small, and it keeps the contract."""
    root = tmp_path / "package"
    shutil.copytree(DATA / "simulated", root)
    return root


def descriptor(root: Path) -> dict:
    return json.loads((root / "datapackage.json").read_text("utf-8"))


def save(root: Path, value: dict) -> None:
    (root / "datapackage.json").write_text(json.dumps(value), "utf-8")


def edit(root: Path, table: str, row: int, **cells: str) -> None:
    """Write cells of one line (the header is line 1) of a table."""
    path = root / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))
    for column, text in cells.items():
        lines[row - 1][lines[0].index(column)] = text
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)


def only(root: Path) -> str:
    (violation,) = check(root)
    return str(violation)


WEAKER = ("constraints", "pattern", "primaryKey", "foreignKeys", "enum", "required", "minimum")


@pytest.mark.parametrize("name", WEAKER)
def test_a_descriptor_cannot_take_anything_from_the_contract(package, name):
    def without(value):
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key != name}
        return [without(item) for item in value] if isinstance(value, list) else value

    edit(package, "facts", 5, kind="poll", region_code="999999", fact_id="F00001", value="")
    before = [str(violation) for violation in check(package)]
    assert len(before) == 4
    save(package, without(descriptor(package)))
    assert [str(violation) for violation in check(package)] == before


def test_a_descriptor_cannot_have_a_table_read_in_another_way(package):
    asked = descriptor(package)
    facts = asked["resources"][0]
    facts |= {"encoding": "gb18030", "dialect": {"csv": {"commentChar": "F"}}}
    facts["schema"]["missingValues"] = ["", "F00001"]
    facts["schema"]["fields"][7]["type"] = "string"
    save(package, asked)
    rules = {violation.rule for violation in check(package)}
    assert rules == {
        "asks to be read with another encoding",
        "asks to be read with another dialect",
        "asks to be read with another missingValues",
        "its type is 'string'",
    }


def test_a_descriptor_may_ask_for_more(package):
    asked = descriptor(package)
    value = asked["resources"][0]["schema"]["fields"][7]
    value["constraints"]["maximum"] = 1
    save(package, asked)
    assert {violation.rule.split(" is ")[1] for violation in check(package)} == {"above 1"}
    value["constraints"] |= {"maximum": 1e9, "pattern": "(a|aa)+$", "colour": "red", "unique": "no"}
    asked["resources"][0]["schema"]["fields"][4]["constraints"]["pattern"] = "([a-z"
    save(package, asked)
    rules = {violation.rule for violation in check(package)}
    unread = {"its constraint 'colour' cannot be read", "its constraint 'unique' cannot be read"}
    assert unread | {"its constraint 'pattern' cannot be read"} <= rules


def test_columns_and_tables_of_ones_own_are_kept(package):
    asked = descriptor(package)
    regions = next(item for item in asked["resources"] if item["name"] == "regions")
    regions["schema"]["fields"].append({"name": "area", "type": "number"})
    own = {"name": "visits", "path": "visits.csv"}
    own["schema"] = {"fields": [{"name": "day"}, {"name": "visits", "type": "integer"}]}
    asked["resources"].append(own)
    save(package, asked)
    text = (package / "regions.csv").read_text("utf-8").splitlines()
    text = [f"{line},{'area' if number == 0 else number}" for number, line in enumerate(text)]
    (package / "regions.csv").write_text("\n".join(text), "utf-8")
    (package / "visits.csv").write_text("day,visits\nMonday,12\n", "utf-8")
    assert check(package) == []
    assert load(package).regions["area"].tolist()[:2] == [1.0, 2.0]
    (package / "visits.csv").write_text("day,visits\nMonday,12.5\n", "utf-8")
    place = "visits.csv, row 2, column visits"
    assert only(package) == f"{place}: '12.5' is not an integer — write a whole number"


def test_no_address_of_a_descriptor_is_opened(package, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    asked = descriptor(package)
    address = "http://127.0.0.1:9/x.json"
    asked |= {"profile": address, "$schema": address}
    asked["resources"][0] |= {"profile": address, "schema": address, "dialect": address}
    asked["resources"][1]["path"] = address
    save(package, asked)
    rule = f"its path is '{address}', no CSV file within the package"
    assert [violation.rule for violation in check(package)] == [rule]


PATHS = ["../regions.csv", "/etc/passwd", "a\\b.csv", "C:x.csv", "", 7, None, ["a.csv"], "a\n.csv"]


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_a_table_lies_in_the_package(package, path):
    asked = descriptor(package)
    asked["resources"][3]["path"] = path
    save(package, asked)
    assert "resources[3]: its path is " in only(package)


CODES = [
    "../../../victim",
    "a/b",
    "a b",
    "..",
    "C:\\x",
    "150000\u202e",
    "１５００００",
    "x" * 65,
    "-rf",
    "a..b",
    "a.",
]
FOREIGN = ["US-CA", "DE21", "GB-ENG", "ZA.WC", "x" * 64]


@pytest.mark.parametrize("code", FOREIGN)
def test_codes_of_other_countries_are_codes(package, code):
    (package / "datapackage.json").write_text(
        (package / "datapackage.json").read_text("utf-8").replace("^[0-9]{6}$", "^.*$"), "utf-8"
    )
    for path in package.glob("*.csv"):
        text = path.read_text("utf-8")
        path.write_text(text.replace("150100", code), "utf-8")
    assert check(package) == []
    assert ID.fullmatch(code)


@pytest.mark.parametrize("code", CODES)
def test_codes_are_plain_whatever_the_package_declares(package, code):
    asked = descriptor(package)
    for resource in asked["resources"]:
        for field in resource["schema"]["fields"]:
            field.pop("constraints", None)
    save(package, asked)
    for path in package.glob("*.csv"):
        text = path.read_text("utf-8")
        path.write_text(text.replace("150100", code), "utf-8")
    rules = {v.rule for v in check(package) if (v.file, v.column) == ("regions.csv", "code")}
    said = "more than 64 characters" if code == "x" * 65 else "does not match"
    assert any(said in rule for rule in rules)


def test_one_wave_has_one_rate(package):
    with (package / "facts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    place = next(
        i for i, row in enumerate(rows)
        if row["indicator"] == "science_literacy_rate" and row["kind"] == "survey"
        and row["period_end"] == "2020" and not row["caveats"]
    )  # fmt: skip
    again = rows[place] | {"fact_id": "F99999", "period_end": "2020-09", "period_start": ""}
    with (package / "facts.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.DictWriter(stream, list(again), lineterminator="\n").writerow(again)
    first = rows[place]["fact_id"]
    code = again["region_code"]
    said = only(package)
    assert said.startswith(
        f"facts.csv, row {len(rows) + 2}, column period_end: F99999 is a second rate of {code} in "
        f"2020: row {place + 2} ({first}) has one, dated 2020 — "
    )
    edit(package, "facts", len(rows) + 2, caveats="provincial_survey")
    assert check(package) == []


NUMBERS = ["１２３", "٩٩", "８．７３", "1_0", "0x1F", "1,5", "1e", "--1", "5 %", "1e4000", "9" * 50]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_written_in_plain_digits(package, text):
    edit(package, "facts", 9, value=text)
    place = "facts.csv, row 9, column value"
    assert only(package).startswith(f"{place}: '{text}' is not a number — write a plain decimal")


@pytest.mark.parametrize("text", ["nan", "-inf", "Infinity", "1e999"])
def test_numbers_are_finite(package, text):
    edit(package, "facts", 9, value=text)
    assert f"row 9, column value: '{text}' is not a finite number" in only(package)


def test_integers_are_whole_and_of_a_size_that_can_be_counted(package):
    edit(package, "facts", 9, corroborated="9" * 16)
    edit(package, "facts", 10, corroborated="２")
    assert [violation.row for violation in check(package)] == [9, 10]


@pytest.mark.parametrize("factor", ["0", "-1"])
def test_a_factor_is_above_zero(package, factor):
    edit(package, "units", 3, factor=factor)
    assert only(package).startswith(f"units.csv, row 3, column factor: {factor} is not above 0")


def test_a_region_does_not_lie_in_itself(package):
    edit(package, "regions", 3, parent_code="150100")
    assert [str(violation) for violation in check(package)] == [
        "regions.csv, row 3, column parent_code: 150000 lies in itself: 150000 in 150100 in 150000 "
        "— correct the parent of one of them",
        "regions.csv, row 4, column parent_code: 150100 lies in itself: 150100 in 150000 in 150100 "
        "— correct the parent of one of them",
    ]


def test_a_missing_quotation_mark_is_one_violation(package):
    lines = (package / "facts.csv").read_text("utf-8").splitlines()
    lines[40] = lines[40].replace(",", ',"', 1)
    lines[60] += ',"quoted, too"'
    (package / "facts.csv").write_text("\n".join(lines), "utf-8")
    assert only(package).startswith(
        "facts.csv, row 41: a quotation mark opens in this row and is not closed before a comma"
    )
    (package / "facts.csv").write_text("\n".join(lines[:60]), "utf-8")
    assert only(package).startswith("facts.csv, row 41: a quotation mark opens in this row")


FILES = {
    b"\xff\xfea\x00": "is UTF-16 text, not UTF-8",
    b"a,b\n1,\x00\n": "holds a NUL character in line 2",
    "code\n科学".encode("gb18030"): "is not UTF-8 text (byte 5, line 2)",
    b"a,b\n1," + b"x" * 140_000: "a cell is longer than 131,072 characters",
    b"": "is empty",
    b"code;name_zh;level\n1;2;3\n": "columns are separated by semicolons, not by commas",
    b"code\tname_zh\n1\t2\n": "columns are separated by tabs, not by commas",
}


@pytest.mark.parametrize(("content", "rule"), FILES.items(), ids=list(FILES.values()))
def test_a_file_that_is_no_table_is_named(package, content, rule):
    (package / "regions.csv").write_bytes(content)
    found = check(package)
    assert found[0].file == "regions.csv" and found[0].rule.startswith(rule)
    assert {violation.file for violation in found} == {"regions.csv"}


def large(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


KINDS = {
    "is no regular file": [os.mkfifo, Path.mkdir],
    "has 1,073,741,824 bytes, more than 256,000,000": [large],
    "is a link out of the package": [lambda path: path.symlink_to("/etc/hostname")],
    "cannot be read (Too many levels of symbolic links)": [lambda p: p.symlink_to(p.name)],
    "file is missing": [lambda path: path.symlink_to("nowhere")],
}
MADE = [(rule, make) for rule, makers in KINDS.items() for make in makers]


@pytest.mark.parametrize(("rule", "make"), MADE)
def test_what_is_no_file_of_the_package_is_not_read(package, rule, make):
    (package / "waves.csv").unlink()
    make(package / "waves.csv")
    assert only(package).startswith(f"waves.csv: {rule} — ")
    with pytest.raises(DataError):
        load(package)


def test_an_unreadable_file_is_named(package, monkeypatch):
    real = Path.read_bytes

    def refuse(path):
        if path.name == "waves.csv":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert only(package) == (
        "waves.csv: cannot be read (Permission denied) — make it a readable file"
    )
    monkeypatch.setattr(Path, "read_bytes", lambda path: refuse(path.with_name("waves.csv")))
    assert "datapackage.json: cannot be read (Permission denied)" in str(check(package)[0])


PLACES = [".facts.csv", ".kept/facts.csv", "simulated/facts.csv", "link/facts.csv"]


@pytest.mark.parametrize("place", PLACES)
def test_a_table_lies_where_the_hash_sees_it(package, place):
    kept = package / place.replace("link", "simulated")
    kept.parent.mkdir(exist_ok=True)
    (package / "facts.csv").rename(kept)
    (package / "link").symlink_to("simulated")
    asked = descriptor(package)
    asked["resources"][0]["path"] = place
    save(package, asked)
    rule = "lies in a hidden place, in simulated/ or behind a link, which no package counts"
    assert only(package).startswith(f"{place}: {rule} — move the file")


@pytest.mark.parametrize("reader", [load, study.load])
def test_each_file_is_read_once(package, monkeypatch, tmp_path, reader):
    monkeypatch.setenv("KEPU_CACHE", str(tmp_path / "cache"))
    real, opened = Path.read_bytes, []

    def counted(path):
        if path.parent == package:
            opened.append(path.name)
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    reader(package)
    files = [path.name for path in package.glob("*.csv")]
    assert sorted(opened) == sorted([*files, "datapackage.json"])


def test_a_path_no_folder_can_have_is_one_violation():
    (violation,) = check(Path("x" * 5000))
    assert violation.rule == "cannot be read (File name too long)"


def test_a_name_that_is_not_utf8_is_shown_in_ascii(package):
    with open(os.path.join(os.fsencode(package), b"caf\xe9.csv"), "wb") as stream:
        stream.write(b"a\n1\n")
    assert only(package).startswith("'caf\\udce9.csv': table is not described")
    with pytest.raises(DataError) as caught:
        load(package)
    str(caught.value).encode()


DESCRIPTORS = {
    "[" * 100_000: "nested too deeply",
    "[]": "no object with a list of resources",
    '{"resources": {}}': "no object with a list of resources",
    '{"resources": []}': "describes no table",
    '{"resources": [1, {"name": 2, "path": "a.csv"}]}': "is no object",
    '{"resources": [{"name": "facts", "path": "facts.csv"}]}': "has no schema",
    '{"resources": [{"name": "a", "path": "a.csv"}, {"name": "a", "path": "a.csv"}]}': "twice",
}


@pytest.mark.parametrize(("text", "rule"), DESCRIPTORS.items(), ids=list(DESCRIPTORS.values()))
def test_a_descriptor_is_read_or_named(package, text, rule):
    (package / "datapackage.json").write_text(text, "utf-8")
    found = check(package)
    assert any(rule in violation.rule for violation in found)
    assert all(violation.remedy for violation in found)


@pytest.mark.parametrize("value", [7, None, [], {}, "x", [[1]], {"fields": 3}, {"fields": [7]}])
@pytest.mark.parametrize("key", ["schema", "fields", "primaryKey", "foreignKeys", "constraints"])
def test_a_part_of_a_descriptor_of_another_type_is_no_traceback(package, key, value):
    asked = descriptor(package)
    schema = asked["resources"][0]["schema"]
    if key == "schema":
        asked["resources"][0][key] = value
    elif key == "constraints":
        schema["fields"][0][key] = value
    else:
        schema[key] = value
    save(package, asked)
    assert all(violation.file == "datapackage.json" for violation in check(package))


UNREAD = {
    "trueValues": (2, "proxy", {"trueValues": 7}, "its trueValues cannot be read"),
    "bound of a text": (0, "unit", {"constraints": {"minimum": 3}}, "'minimum' cannot be read"),
    "bound": (0, "value", {"constraints": {"maximum": float("nan")}}, "'maximum' cannot be read"),
    "enum": (0, "unit", {"constraints": {"enum": [None]}}, "'enum' cannot be read"),
}


@pytest.mark.parametrize(("table", "column", "change", "rule"), UNREAD.values(), ids=list(UNREAD))
def test_what_cannot_be_read_of_a_column_is_named(package, table, column, change, rule):
    asked = descriptor(package)
    fields = asked["resources"][table]["schema"]["fields"]
    next(field for field in fields if field["name"] == column).update(change)
    save(package, asked)
    assert rule in only(package) and f".{column}: " in only(package)


KEYS = [
    ({"primaryKey": ["nowhere"]}, "facts.primaryKey: cannot be read"),
    ({"primaryKey": 7}, "facts.primaryKey: cannot be read"),
    ("halls", "facts.foreignKeys: refers to code of 'halls', which is not there"),
    ("waves", "facts.foreignKeys: refers to code of 'waves', which is not there"),
]


@pytest.mark.parametrize(("change", "rule"), KEYS)
def test_a_key_names_what_is_there(package, change, rule):
    asked = descriptor(package)
    schema = asked["resources"][0]["schema"]
    if isinstance(change, str):
        reference = {"resource": change, "fields": ["code"]}
        schema["foreignKeys"].append({"fields": ["region_code"], "reference": reference})
    else:
        schema.update(change)
    save(package, asked)
    assert rule in only(package)


def test_a_column_the_program_adds_or_one_described_twice_is_refused(package):
    asked = descriptor(package)
    asked["resources"][0]["schema"]["fields"] += [{"name": "row"}, {"name": "unit"}]
    save(package, asked)
    lines = (package / "facts.csv").read_text("utf-8").splitlines()
    lines = [f"{line},{'x' if number else 'row'}" for number, line in enumerate(lines)]
    (package / "facts.csv").write_text("\n".join(lines), "utf-8")
    assert {(v.column, v.rule) for v in check(package)} == {
        ("facts.row", "is a column the program adds itself"),
        ("facts.unit", "is described twice"),
    }


def test_a_rule_names_the_file_a_table_lies_in(package):
    asked = descriptor(package)
    asked["resources"][0]["path"] = "figures.csv"
    save(package, asked)
    edit(package, "facts", 9, value="-1")
    (package / "facts.csv").rename(package / "figures.csv")
    assert only(package).startswith("figures.csv, row 9, column value: ")


@pytest.mark.parametrize("sign", ["\x01", "\x1b", "\x7f", "\u202e", "\u2066", "\uffff"])
def test_a_cell_holds_no_control_character(package, sign):
    edit(package, "regions", 4, name_en=f"Hoh{sign}hot")
    said = "regions.csv, row 4, column name_en: a control character in the cell — remove it"
    assert only(package) == said


NAMES = ["a\nb", "\x1b[2J", "\ud800", "\u202eb", "x" * 10_000]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_message_is_one_line_any_terminal_can_show(package, name):
    asked = descriptor(package)
    asked["resources"][0]["schema"]["fields"].append({"name": name})
    save(package, asked)
    said = only(package)
    assert said.isprintable() and len(said) < 200
    assert str(Violation("a.csv", 2, name, name, name)).isprintable()


def test_a_brace_in_a_name_or_a_cell_is_text(package):
    lines = (package / "indicators.csv").read_text("utf-8").splitlines()
    lines[0] = lines[0].replace("definition_zh", "a}{b_zh")
    (package / "indicators.csv").write_text("\n".join(lines), "utf-8")
    edit(package, "facts", 9, indicator="{a}", series="{0}", caveats="{x!r}")
    assert "column 'a}{b_zh' is not described" in {v.rule for v in check(package)}


def test_many_breaches_of_one_kind_are_told_with_their_number(package):
    for row in range(2, 102):
        edit(package, "facts", row, value="x")
    with pytest.raises(DataError) as caught:
        load(package)
    lines = str(caught.value).splitlines()
    assert lines[0] == "100 violations of the data contract:"
    assert lines[-1] == "… and 80 more in facts.csv, column value"
    assert len(lines) == 22 and len(caught.value.violations) == 100
