"""Rules of the data contract that judge one row at a time, against the tables it refers to."""

from __future__ import annotations

from evaluation.contract import RATE, Rule, Tables, breaches, exploded, flagged, needs, number
from evaluation.errors import Violation

CAVEATS = {
    "proxy": "stands in for a quantity it does not measure itself",
    "derived": "computed from printed figures; the arithmetic is in the note",
    "scope_change": "what is counted changed; begins a series of its own",
    "off_wave": "survey outside the national waves",
    "provincial_survey": "survey run by the province itself, with its own sample",
    "conflict": "contradicted by another figure; see contradictions.csv",
    "weak_source": "one source of low reliability",
    "suspect": "probably not what it is printed as",
    "basis_unstated": "the source does not say what the figure refers to",
    "lower_bound": "at least this much",
}
# National surveys before provinces were sampled, of which no design usable here is published:
# described years of the rate, but no waves.
EARLY_SURVEYS = ("1992", "1994", "1996", "2001", "2005")
# Column with semicolon-separated entries, and the column that must hold each of them.
LISTS = (
    ("facts", "source_id", "sources", "source_id"),
    ("waves", "source_id", "sources", "source_id"),
    ("measures", "source_id", "sources", "source_id"),
    ("assumptions", "source_id", "sources", "source_id"),
    ("assumptions", "wave", "waves", "wave"),
    ("measures", "lead_unit_zh", "organisations", "name_zh"),
    ("measures", "responsible_units_zh", "organisations", "name_zh"),
    ("contradictions", "fact_ids", "facts", "fact_id"),
)
NUMBERS = (
    ("facts", "value"),
    ("units", "factor"),
    ("assumptions", "value"),
    ("doses", "scale"),
    ("part_whole", "tolerance"),
)
# English writes no classifier after a counted number.
UNPAIRED = ("symbol_zh",)
FILLED = ("facts", "sources", "indicators", "regions", "region_sets", "units", "waves")


def entries_are_known(tables: Tables) -> list[Violation]:
    """Every entry of a semicolon-separated list exists in the table it refers to."""
    found = []
    for table, column, other, key in LISTS:
        if column not in tables.get(table, ()) or key not in tables.get(other, ()):
            continue
        rows = exploded(tables[table], column)
        rows = rows[~rows["entry"].isin(tables[other][key])]
        remedy = f"correct it, or add it to {other}.csv first; separate several with a semicolon"
        found += breaches(rows, table, column, f"'{{entry}}' is not in {other}.csv", remedy)
    return found


@needs(facts="caveats")
def caveats_are_known(tables: Tables) -> list[Violation]:
    """Caveats come from the vocabulary ``CAVEATS``."""
    rows = exploded(tables["facts"], "caveats")
    rows = rows[~rows["entry"].isin(CAVEATS)]
    remedy = f"use {', '.join(CAVEATS)}; put anything else into the note"
    return breaches(rows, "facts", "caveats", "unknown caveat '{entry}'", remedy)


@needs(facts="indicator unit", indicators="indicator unit")
def unit_is_the_indicators(tables: Tables) -> list[Violation]:
    """A fact has the unit of its indicator."""
    units = tables["indicators"].drop_duplicates("indicator").set_index("indicator")["unit"]
    facts = tables["facts"].assign(expected=tables["facts"]["indicator"].map(units))
    rows = facts[facts["expected"].notna() & (facts["unit"] != facts["expected"])]
    rule = "unit '{unit}' is not '{expected}', the unit of {indicator}"
    remedy = "convert the value to {expected}, or add an indicator with the unit {unit}"
    return breaches(rows, "facts", "unit", rule, remedy)


@needs(facts="indicator series")
def series_belongs_to_the_indicator(tables: Tables) -> list[Violation]:
    """A series is the indicator itself, or one of its definitions: ``indicator@definition``."""
    facts = tables["facts"]
    rows = facts[facts["series"].str.split("@").str[0] != facts["indicator"]]
    rule = "series '{series}' is not one of the indicator {indicator}"
    remedy = "name it {indicator}, or {indicator}@ and the definition"
    return breaches(rows, "facts", "series", rule, remedy)


@needs(facts="value unit indicator")
def values_are_possible(tables: Tables) -> list[Violation]:
    """Shares lie between 0 and 100 percent; only differences may be negative."""
    facts = tables["facts"]
    value, share = number(facts["value"]), facts["unit"] == "percent"
    outside = facts[share & ~value.between(0, 100) & value.notna()]
    negative = facts[~share & (facts["unit"] != "percentage_point") & (value < 0)]
    above = "check the figure against the source; a share is printed in percent, not permille"
    below = "check the sign against the source"
    rule, sign = "share {value} is not within 0 to 100 percent", "{indicator} is negative: {value}"
    return [
        *breaches(outside, "facts", "value", rule, above),
        *breaches(negative, "facts", "value", sign, below),
    ]


def numbers_are_finite(tables: Tables) -> list[Violation]:
    """No NaN or infinity in a number column; a missing figure is a missing row."""
    found = []
    for table, column in NUMBERS:
        if column not in tables.get(table, ()):
            continue
        rows = tables[table][[column]]
        rows = rows[rows[column].str.fullmatch(r"(?i)[+-]?(s?nan|inf(inity)?)")]
        rule, remedy = (
            f"'{{{column}}}' is not a finite number",
            "leave the row out or give the number",
        )
        found += breaches(rows, table, column, rule, remedy)
    return found


@needs(facts="indicator kind period_end caveats", waves="wave")
def rate_belongs_to_a_wave(tables: Tables) -> list[Violation]:
    """A surveyed literacy rate is dated to a national survey, or flagged ``off_wave``."""
    facts = tables["facts"]
    year = facts["period_end"].str[:4]
    national = year.isin(tables["waves"]["wave"]) | year.isin(EARLY_SURVEYS)
    rates = (facts["indicator"] == RATE) & (facts["kind"] == "survey")
    rows = facts[rates & ~national & ~flagged(facts, "off_wave")]
    remedy = (
        "correct the year, or add the caveat off_wave; a new national wave is a row of waves.csv"
    )
    return breaches(rows, "facts", "period_end", "no national survey in '{period_end}'", remedy)


@needs(facts="period_start period_end")
def periods_are_ordered(tables: Tables) -> list[Violation]:
    """A period has a start or an end, and does not end before it starts."""
    facts = tables["facts"]
    start, end = facts["period_start"], facts["period_end"]
    # A year and a month of that year overlap: compare what both state.
    late = (start.str[:4] > end.str[:4]) | ((start.str.len() == end.str.len()) & (start > end))
    late &= (start != "") & (end != "")
    rule = "period ends in {period_end}, before its start {period_start}"
    undated = facts[(start == "") & (end == "")]
    return [
        *breaches(facts[late], "facts", "period_start", rule, "exchange or correct the two"),
        *breaches(undated, "facts", "period_end", "no period", "give the year the figure is for"),
    ]


def languages_are_paired(tables: Tables) -> list[Violation]:
    """A text in one language has its counterpart in the other (``x_zh`` and ``x_en``)."""
    found = []
    for table, frame in tables.items():
        for chinese in [name for name in frame.columns if name.endswith("_zh")]:
            if chinese in UNPAIRED:
                continue
            english = f"{chinese.removesuffix('_zh')}_en"
            if english not in frame:
                continue
            for empty, filled in ((chinese, english), (english, chinese)):
                rows = frame[(frame[empty] == "") & (frame[filled] != "")]
                rule = f"empty, while {filled} is '{{{filled}}}'"
                found += breaches(rows, table, empty, rule, "write the text in both languages")
    return found


def cells_are_trimmed(tables: Tables) -> list[Violation]:
    """No cell starts or ends with white space or holds a line break."""
    found = []
    for table, frame in tables.items():
        for column in frame.columns:
            text = frame[column]
            rows = frame[text.ne(text.str.strip()) | text.str.contains(r"[\r\n]")]
            rule, remedy = "white space around the cell or a line break in it", "remove it"
            found += [Violation(f"{table}.csv", int(i), column, rule, remedy) for i in rows.index]
    return found


def tables_are_filled(tables: Tables) -> list[Violation]:
    """The tables every evaluation reads have at least one row."""
    empty = [name for name in FILLED if name in tables and tables[name].empty]
    return [Violation(f"{name}.csv", None, "", "no rows", "add at least one row") for name in empty]


RULES: tuple[Rule, ...] = (
    entries_are_known,
    caveats_are_known,
    unit_is_the_indicators,
    series_belongs_to_the_indicator,
    values_are_possible,
    numbers_are_finite,
    rate_belongs_to_a_wave,
    periods_are_ordered,
    languages_are_paired,
    cells_are_trimmed,
    tables_are_filled,
)
