"""Quantities and periods as officials write them: exact values, units, bounds; clear refusals."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.base.errors import KepuError
from evaluation.data.office import periods, quantities
from evaluation.data.office.periods import period
from evaluation.data.office.quantities import QuantityError, find, measure, parse

ROOT = Path(__file__).resolve().parents[1]
UNITS = {
    row["unit"] for row in csv.DictReader((ROOT / "data" / "units.csv").open("r", -1, "utf-8"))
}
WRITTEN = [
    ("1.18亿元", "118000000", "yuan", "="),
    ("18.7万人", "187000", "person", "="),
    ("640多万人次", "6400000", "person_time", ">"),
    ("10.04%", "10.04", "percent", "="),
    ("１０．０４％", "10.04", "percent", "="),
    ("1.31个百分点", "1.31", "percentage_point", "="),
    ("2.5万平方米", "25000", "sqm", "="),
    ("超过15%", "15", "percent", ">"),
    ("≥10名", "10", "person", ">="),
    ("7600多场次", "7600", "session", ">"),
    ("七成", "70", "percent", "="),
    ("百分之十", "10", "percent", "="),
    ("三分之二", "66.6667", "percent", "="),
    ("约120人", "120", "person", "approx"),
    ("近500人", "500", "person", "nearly"),
    ("十余人", "10", "person", ">"),
    ("三百五十", "350", "", "="),
    ("两万三千人", "23000", "person", "="),
    ("一万两千人次", "12000", "person_time", "="),
    ("1,234.5万元", "12345000", "yuan", "="),
    ("1，234", "1234", "", "="),
    ("100家以上", "100", "count", ">="),
    ("不少于10名", "10", "person", ">="),
    ("至少3场", "3", "session", ">="),
    ("30个左右", "30", "count", "approx"),
    ("不超过50人", "50", "person", "<="),
    ("第4位", "4", "rank", "="),
    ("前5位", "5", "rank", "<="),
    ("第19届至23届", "5", "edition", "="),
    ("200多万篇(条)次", "2000000", "item_time", ">"),
    ("3.5倍", "3.5", "multiple", "="),
    ("-3.2%", "-3.2", "percent", "="),
    ("共12个", "12", "count", "="),
    ("1.2 million people", "1200000", "person", "="),
    ("more than 3,000 visits", "3000", "person_time", ">"),
    ("0.695", "0.695", "", "="),
]  # fmt: skip


@pytest.mark.parametrize("text, value, unit, comparator", WRITTEN)
def test_a_cell_is_read_exactly(text, value, unit, comparator):
    found = parse(text)
    assert (found.value, found.unit, found.comparator) == (Decimal(value), unit, comparator)
    assert found.upper is None


def test_a_range_keeps_both_ends_and_a_size_belongs_to_both():
    found = parse("2.5—3万")
    assert (found.value, found.upper, found.comparator) == (25000, 30000, ">=")
    assert (parse("3万至5万人次").value, parse("3万至5万人次").upper) == (30000, 50000)


@pytest.mark.parametrize(
    "text, step", [("18.7万人", 1000), ("640多万人次", 100000), ("7633场", 1), ("10.04%", "0.01")]
)
def test_roundness_is_the_size_of_the_last_digit(text, step):
    assert parse(text).roundness == Decimal(step)


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "is empty"),
        ("暂无", "there is no number in it"),
        ("12个人和3个", "not understood: '人和3个'"),
        ("2021年", "is a year and no quantity"),
        ("5—3万", "from high to low"),
        ("12,34", "not understood"),
        ("零分之三", "divides by nought"),
        ("9" * 201, "longer than 200"),
        ("=1+1", "not understood"),
        ("__import__('os')", "there is no number in it"),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_to_write(text, told):
    with pytest.raises(QuantityError) as refused:
        parse(text)
    assert told in str(refused.value) and "—" in str(refused.value)
    assert isinstance(refused.value, KepuError) and isinstance(refused.value, ValueError)


def test_units_are_those_of_the_package():
    none = {
        "multiple",
        "mu",
        "point",
        "day",
        "metre",
        "tonne",
        "kilogram",
        "jin",
    }  # has the package
    words = {row.unit for rows in quantities.measures().values() for row in rows}
    assert words - UNITS == none
    assert {row["unit"] for row in quantities.table("ledger_units")} <= UNITS | none


def test_a_header_states_a_unit_and_its_factor():
    assert measure("万人") == ("person", 10000)
    assert measure("（亿元）") == ("yuan", 100000000)
    assert measure("%") == ("percent", 1)
    with pytest.raises(QuantityError, match="no measure word"):
        measure("bananas")


NONE = [
    "2021年6月15日上午9时30分", "“十三五”期间", "国发〔2021〕9号", "党的二十大", "十九届五中全会",
    "“五位一体”总体布局", "增强“四个意识”", "千家万户", "百名专家走进校园", "二十四节气",
    "第七次全国人口普查", "《纲要（2021—2035年）》", "打通“最后一公里”", "三部曲", "一大批工程",
    "2021年1—10月", "每个县", "5G和4K", "20:15:37", "第三章", "18—69岁公民", "二期工程",
    "电话0477-8581234", "第十九届青年科技奖候选人", "近五年来",
]  # fmt: skip


@pytest.mark.parametrize("text", NONE)
def test_dates_slogans_and_names_are_no_quantities(text):
    assert [found.figure for found in find(text)] == []


def test_a_figure_in_a_text_is_what_was_printed_with_the_unit_its_clause_gives():
    text = (
        "培训班8期，短视频100余期，点击量600多万次，答题活动12次，作品641件获奖，"
        "４所学校，每年举办20场，每万人拥有科普人员12.5人，人均科普经费3.86元，"
        "常住人口30万以上的县，至少建成2个基地"
    )
    found = [(one.figure, one.quantity.unit, one.quantity.comparator) for one in find(text)]
    assert found == [
        ("8期", "course", "="), ("100余期", "episode", ">"), ("600多万次", "click", ">"),
        ("12次", "session", "="), ("641件", "work", "="), ("４所", "school", "="),
        ("20场", "session_per_year", "="), ("12.5人", "person_per_10k", "="),
        ("3.86元", "yuan_per_person", "="), ("30万以上", "person", ">="), ("2个", "count", ">="),
    ]  # fmt: skip
    assert all(text[one.start : one.end] == one.figure for one in find(text))


@pytest.mark.parametrize(
    "text, start, end",
    [
        ("2021年以来", "2021", "2023-09"),
        ("“十三五”期间", "2016", "2020"),
        ("截至2023年9月", "", "2023-09"),
        ("近五年", "2019", "2023-09"),
        ("2021-2022年", "2021", "2022"),
        ("2019年至2023年", "2019", "2023"),
        ("今年", "2023", "2023"),
        ("去年", "2022", "2022"),
        ("到2025年", "", "2025"),
        ("2020年底", "2020", "2020"),
        ("2021年6月15日", "2021-06", "2021-06"),
        ("2023年1—8月", "2023-01", "2023-08"),
        ("今年上半年", "2023-01", "2023-06"),
        ("前三季度", "2023-01", "2023-09"),
        ("2022", "2022", "2022"),
        ("2022-07", "2022-07", "2022-07"),
        ("since 2021", "2021", "2023-09"),
        ("as of September 2023", "", "2023-09"),
    ],
)
def test_a_period_is_read_from_the_date_of_the_document(text, start, end):
    assert period(text, "2023-09") == (start, end)


def test_in_the_first_months_of_a_year_the_last_years_are_whole_ones():
    assert period("近五年", "2024-02") == ("2019", "2023")


@pytest.mark.parametrize(
    "text, date, told",
    [
        ("", "", "is empty"),
        ("近五年", "", "give the date"),
        ("2021年13月", "", "no month"),
        ("2025—2021年", "", "from late to early"),
        ("某年", "", "not understood as a period"),
        ("今年", "May 2023", "no date of a document"),
    ],
)
def test_what_is_no_period_is_refused(text, date, told):
    with pytest.raises(QuantityError, match=told):
        period(text, date)


SIGNS = (
    "0123456789.,，%约近超多余万亿千百十两三分之第至—-个人次元年月日成倍“”()（） =+@<>至少以上届位"
)


@settings(max_examples=400, deadline=None)
@given(st.text(SIGNS, max_size=24))
def test_any_text_is_a_quantity_or_refused_and_never_an_error(text):
    for read in (parse, lambda cell: period(cell, "2023-09")):
        try:
            read(text)
        except QuantityError as error:
            assert "—" in str(error)
    for one in find(text):
        assert text[one.start : one.end] == one.figure and one.quantity.value >= 0
    periods.find(text, "2023-09")


@given(st.integers(1, 10**9), st.sampled_from(["人", "场次", "元", "册"]))
def test_a_whole_number_comes_back_as_it_was(number, word):
    assert parse(f"{number}{word}").value == parse(f"{number:,}{word}").value == number
