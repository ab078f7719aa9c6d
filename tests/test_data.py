"""Reading a package: types, row numbers, the hash, and what a reader sees."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import DataError
from evaluation.data import tables
from evaluation.data.package import Dataset, load
from evaluation.data.tables import TABLES, package_hash, parse

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def package(tmp_path) -> Path:
    target = tmp_path / "data"
    shutil.copytree(DATA, target, ignore=shutil.ignore_patterns("simulated"))
    return target


def test_every_described_table_is_a_frame(dataset):
    frames = [f.name for f in dataclasses.fields(Dataset) if f.type == "pd.DataFrame"]
    assert tuple(frames) == TABLES
    assert dataset.counts() == {name: len(getattr(dataset, name)) for name in TABLES}
    assert {path.stem for path in DATA.glob("*.csv")} == set(TABLES)


def test_types(dataset):
    facts = dataset.facts
    assert facts["value"].dtype == float
    assert facts["corroborated"].dtype == "int64"
    assert facts["year"].dtype == "Int64"
    assert dataset.waves["wave"].dtype == "int64"
    assert dataset.measures["year_due"].dtype == "Int64"
    assert dataset.indicators["proxy"].dtype == bool
    assert dataset.waves["break_before"].dtype == bool
    assert dataset.contradictions["blocks_estimates"].dtype == bool
    assert dataset.assumptions["wave"].map(type).eq(str).all()
    text = ["fact_id", "region_code", "period_start", "period_end", "group", "caveats", "note"]
    assert facts[text].map(lambda cell: isinstance(cell, str)).all(axis=None)


def test_values_are_those_of_the_file(dataset):
    facts = dataset.facts.set_index("fact_id")
    assert facts.loc["F00046", "value"] == 8.73
    assert facts.loc["F00046", "year"] == 2020
    assert list(dataset.waves.loc[dataset.waves["break_before"], "wave"]) == [2020, 2022]
    undated = dataset.facts["period_end"] == ""
    assert undated.any()
    assert (dataset.facts["year"].isna() == undated).all()


def test_row_numbers_are_lines_of_the_file(dataset):
    assert list(dataset.facts.index[:2]) == [0, 1]
    lines = (DATA / "facts.csv").read_text(encoding="utf-8").splitlines()
    for _, fact in dataset.facts.iloc[[0, 500, -1]].iterrows():
        assert lines[fact["row"] - 1].startswith(fact["fact_id"])


def test_hash_changes_with_any_byte_of_any_table(package):
    before = package_hash(package)
    assert before == package_hash(DATA)
    (package / "simulated").mkdir()
    (package / "simulated" / "facts.csv").write_text("anything", encoding="utf-8")
    assert package_hash(package) == before
    for name in ("units.csv", "datapackage.json"):
        content = (package / name).read_bytes()
        (package / name).write_bytes(content + b"\n")
        assert package_hash(package) != before
        (package / name).write_bytes(content)
    (package / "units.csv").rename(package / "unit.csv")
    assert package_hash(package) != before


def test_a_breach_stops_loading_and_names_the_cell(package):
    units = (package / "units.csv").read_text(encoding="utf-8")
    units = units.replace("10000", "ten thousand", 1)
    (package / "units.csv").write_text(units, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load(package)
    row = next(i for i, line in enumerate(units.splitlines(), 1) if "ten thousand" in line)
    assert str(caught.value).splitlines() == [
        "1 violation of the data contract:",
        f"units.csv, row {row}, column factor: 'ten thousand' is not a number — "
        "write a plain decimal number such as 12.5, without unit or thousands separator",
    ]


def test_a_checked_hash_skips_the_check_of_that_state_only(package):
    facts = (package / "facts.csv").read_text(encoding="utf-8")
    (package / "facts.csv").write_text(facts.replace(",survey,", ",poll,", 1), encoding="utf-8")
    loaded = load(package, checked_hash=package_hash(package))
    assert "poll" in set(loaded.facts["kind"])
    with pytest.raises(DataError, match="'poll' is not allowed"):
        load(package, checked_hash=package_hash(DATA))


def test_missing_folder_and_table_say_what_to_do(tmp_path, package):
    with pytest.raises(DataError, match=r"folder is missing — give the path of a data package"):
        load(tmp_path / "nowhere")
    (package / "waves.csv").unlink()
    with pytest.raises(DataError, match=r"waves.csv: file is missing — restore the table"):
        load(package)


def test_reader_keeps_whatever_is_there():
    table = parse("t.csv", "\ufeffa,b\n1,NA\n\n2\n3,x,extra\n".encode()).frame
    assert list(table.index) == [2, 4, 5]
    assert table.to_numpy().tolist() == [["1", "NA"], ["2", ""], ["3", "x"]]
    assert parse("t.csv", b"").frame.empty


SIGNS = [*"a中#'\\ ", "NA", "nan", "1.0", "\u2028", "\x85", "\x1c", '""', "", "\ufeff"]


def test_a_table_read_as_a_whole_is_the_one_read_line_by_line(monkeypatch):
    rng, whole = np.random.default_rng(1), 0
    for _ in range(600):
        width = rng.integers(2, 4)
        cells = ["".join(rng.choice(SIGNS, 2)) for _ in range(3 * width)]
        cells = [f'"{cell}"' if rng.random() < 0.4 or '"' in cell else cell for cell in cells]
        lines = [",".join(cells[i : i + width]) for i in range(0, len(cells), width)]
        text = rng.choice(["\n", "\r\n"]).join(lines) + "\n" * rng.integers(0, 2)
        if rng.random() < 0.5:  # a sign too many anywhere
            at = rng.integers(0, len(text) + 1)
            text = text[:at] + rng.choice([",", '"', "\n", "\r", "x"]) + text[at:]
        content = text.encode()
        whole += tables._sound(text, content) is not None
        with monkeypatch.context() as patched:
            patched.setattr(tables, "_sound", lambda *_: None)
            expected = outcome(content)
        assert outcome(content) == expected
    assert 200 < whole < 600


def outcome(content: bytes) -> tuple:
    """What reading gives: header, lines, cells and faults, or the message of the refusal."""
    try:
        found = parse("t.csv", content)
    except DataError as error:
        return (str(error),)
    frame = found.frame
    return [*frame.columns], [*frame.index], frame.to_numpy().tolist(), found.faults


def test_truth_values_as_a_spreadsheet_writes_them(package):
    table = pd.read_csv(package / "waves.csv", dtype=str, keep_default_na=False)
    table["break_before"] = table["break_before"].str.upper()
    table.to_csv(package / "waves.csv", index=False)
    loaded = load(package, checked_hash=package_hash(package))
    assert list(loaded.waves.loc[loaded.waves["break_before"], "wave"]) == [2020, 2022]


def test_what_a_reader_sees(dataset):
    text = repr(dataset)
    assert f"{len(dataset.facts):,} facts" in text
    assert dataset.hash[:12] in text
    page = re.sub(r"\s+", "", dataset._repr_html_())
    for name, count in dataset.counts().items():
        assert f"<td>{name}</td><td>{count:,}</td>" in page


def test_publishers_are_names_without_remarks(dataset):
    names = dataset.sources["publisher"].str.replace("（转载 / repost）", "")
    remark = r"\b(?:repost|copy|copies|mirror|via|citing|posted|undated)\b"
    assert not names.str.contains(remark).any(), "a Chinese page would show them in English"
