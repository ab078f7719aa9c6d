"""What is due when: dates as documents state them, none made up, and a file calendars can read."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import icalendar
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.base.errors import KepuError
from evaluation.batch.cli import app
from evaluation.targets import calendar

DATA = Path(__file__).resolve().parents[1] / "data"
FROM = "2025-03-01"


def own(dataset, **row):
    """The package with one due of its own."""
    full = {"due_id": "C99", "region_code": "", "kind": "survey", "title_zh": "甲；乙，丙",
            "title_en": "a; b, c\\d", "date": "", "until": "", "every": pd.NA, "again": "",
            "source_id": "IM2024", "place_zh": "", "place_en": ""}  # fmt: skip
    table = pd.DataFrame([full | row]).astype({"every": "Int64"})
    return replace(dataset, calendar=table)


def test_the_statistics_of_a_year_are_due_when_the_notice_says(dataset):
    rows = calendar.dues(dataset, "150100", FROM).set_index("due_id")
    assert rows.loc["C02", ["start", "end", "basis"]].tolist() == [
        "2025-06-30", "2025-06-30", "published"]  # fmt: skip
    assert rows.loc["C01", ["start", "end"]].tolist() == ["2025-04-01", "2025-05-31"]
    assert rows.loc["C10", ["start", "end", "kind"]].tolist() == ["2025-01-01", "2025-12-31",
                                                                  "plan"]  # fmt: skip
    assert "STN2024" in rows.at["C02", "source_id"]


def test_a_later_year_is_expected_and_no_published_day(dataset):
    rows = calendar.dues(dataset, "", "2026-11-28").set_index("due_id")
    assert rows.loc["C02", ["start", "basis"]].tolist() == ["2027-06-30", "expected"]
    assert calendar.when(rows.loc["C02"].to_dict(), "en") == (
        "2027-06-30 (as in earlier years, not published yet)"
    )
    assert rows.at["C05", "basis"] == "stated"  # the law names the month


def test_what_has_no_date_says_so_and_comes_last(dataset):
    rows = calendar.dues(dataset, "150100", FROM)
    undated = rows[rows["basis"] == "undated"]
    assert set(undated["due_id"]) == {"C06", "C07", "C08", "C12", "C13", "C14"}
    assert rows["start"].tolist()[-6:] == [""] * 6
    assert {calendar.when(row, "zh") for row in undated.to_dict("records")} == {"未公布日期"}


def test_a_region_has_its_own_dues_and_those_above_it(dataset):
    kept = {code: set(calendar.dues(dataset, code, FROM)["due_id"]) for code in
            ("150600", "310000", "")}  # fmt: skip
    assert {"C15", "C11", "C09", "C01"} <= kept["150600"] and "C10" not in kept["150600"]
    assert "C04" in kept["310000"] and "C08" not in kept["310000"]
    assert kept[""] == {"C01", "C02", "C03", "C05", "C06"}


def test_open_measures_of_a_plan_are_counted_by_year(dataset):
    rows = calendar.dues(dataset, "150100", FROM).set_index("due_id")
    assert rows.at["plan-150100-2025-HH2022", "title_en"].startswith("13 open measures and targets")
    entry = {"entry_id": "G0009", "measure_id": "M061", "status": "under_way", "period": "2025",
             "recorded": "2025-01-05", "next_date": "2025-08-31"}  # fmt: skip
    made = pd.DataFrame([entry]).reindex(columns=dataset.progress.columns, fill_value="")
    made["score"] = float("nan")
    rows = calendar.dues(replace(dataset, progress=made), "150100", FROM).set_index("due_id")
    assert rows.loc["M061", ["start", "end"]].tolist() == ["2025-08-31", "2025-08-31"]


@pytest.mark.parametrize(
    ("row", "start", "years", "spans"),
    [
        ({"date": "2024-02"}, "2024-02-29", 1, [("2024-02-01", "2024-02-29")]),
        ({"date": "2024-02"}, "2024-03-01", 1, []),
        ({"date": "2024", "every": 2, "again": "stated"}, "2025-01-01", 4,
         [("2026-01-01", "2026-12-31"), ("2028-01-01", "2028-12-31")]),
        ({"date": "2024-02-29", "every": 1, "again": "expected"}, "2025-01-01", 1,
         [("2025-02-28", "2025-02-28")]),
        ({"date": "2024-11", "until": "2025-02"}, "2025-02-28", 1, [("2024-11-01", "2025-02-28")]),
        ({"date": "2026-01-01"}, "2025-01-01", 1, []),
    ],
)  # fmt: skip
def test_dates_by_hand(dataset, row, start, years, spans):
    rows = calendar.dues(own(dataset, **row), "", start, years)
    assert list(zip(rows["start"], rows["end"], strict=True)) == spans


@pytest.mark.parametrize(("start", "years"), [("2025", 1), ("2025-02-30", 1), (FROM, 0)])
def test_a_span_needs_a_day_and_a_year(dataset, start, years):
    with pytest.raises(KepuError, match="are no span"):
        calendar.dues(dataset, "", start, years)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_file_is_read_back_by_another_library(dataset, language):
    rows = calendar.dues(dataset, "150100", FROM, 2)
    events = list(
        icalendar.Calendar.from_ical(calendar.to_ics(rows, language, FROM)).walk("VEVENT")
    )
    dated = rows[rows["start"] != ""].to_dict("records")
    assert len(events) == len(dated) > 8
    assert len({str(event["UID"]) for event in events}) == len(events)
    for event, row in zip(events, dated, strict=True):
        assert str(event["SUMMARY"]) == row[f"title_{language}"]
        assert event["DTSTART"].dt == datetime.date.fromisoformat(row["start"])
        assert event["DTEND"].dt - datetime.timedelta(days=1) == datetime.date.fromisoformat(
            row["end"]
        )
        assert calendar.when(row, language) in str(event["DESCRIPTION"])


def test_lines_are_folded_at_75_octets_and_signs_escaped(dataset):
    """RFC 5545, 3.1 and 3.3.11, by hand."""
    made = own(dataset, date="2025-05", title_zh="科" * 60)
    content = calendar.to_ics(calendar.dues(made, "", FROM), "zh", FROM)
    lines = content.split(b"\r\n")
    assert lines[-1] == b"" and max(map(len, lines)) <= 75 and b"\n" not in b"".join(lines)
    assert "SUMMARY:" + "科" * 60 in content.decode().replace("\r\n ", "")
    content = calendar.to_ics(calendar.dues(own(dataset, date="2025-05"), "", FROM), "en", FROM)
    assert b"SUMMARY:a\\; b\\, c\\\\d\r\n" in content
    assert b"DTSTART;VALUE=DATE:20250501\r\nDTEND;VALUE=DATE:20250601\r\n" in content


def test_the_command_shows_and_writes_and_never_over_a_file(tmp_path):
    words = ["calendar", "150600", "--from", FROM, "--language", "zh", "--data", str(DATA)]
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0 and "2025-06-30" in run.output and "未公布日期" in run.output
    file = tmp_path / "due.ics"
    first, again = (CliRunner().invoke(app, [*words, "--ics", str(file)]) for _ in range(2))
    assert first.exit_code == 0 and file.read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")
    assert again.exit_code != 0 and "is there already" in again.output
    wrong = CliRunner().invoke(app, [*words, "--ics", str(tmp_path / "due.txt")])
    assert wrong.exit_code != 0 and "ends with .ics" in wrong.output
