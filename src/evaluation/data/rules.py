"""Rules of the contract across columns, rows and tables, each a small vectorised function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import Violation

# Tables of text by name; the index of each is the row number in its file.
Tables = dict[str, pd.DataFrame]
Rule = Callable[[Tables], list[Violation]]

SAMPLE = "survey_sample_valid"
SMOOTHED = "fay_herriot"
CONFLICT = "conflict"
RECORD = "correct the figure, or record it in contradictions.csv and flag the fact 'conflict'"


RULES: list[Rule] = []


def needs(**columns: str) -> Callable[[Rule], Rule]:
    """Enter a rule among ``RULES``; it runs only where its tables have the columns it reads.

    ``columns`` maps a table to column names separated by spaces. A missing table or column is a
    breach of its own and is reported as such.
    """

    def decorate(rule: Rule) -> Rule:
        @wraps(rule)
        def guarded(tables: Tables) -> list[Violation]:
            present = all(
                name in tables and set(wanted.split()) <= set(tables[name].columns)
                for name, wanted in columns.items()
            )
            return rule(tables) if present else []

        RULES.append(guarded)
        return guarded

    return decorate


def breaches(rows: pd.DataFrame, table: str, column: str, rule: str, remedy: str):
    """One violation a row; ``rule`` and ``remedy`` are formats filled from the row's columns."""
    if rows.empty:  # as most are
        return []
    return [
        Violation(f"{table}.csv", int(number), column, rule.format(**row), remedy.format(**row))
        for number, row in zip(rows.index, rows.to_dict("records"), strict=True)
    ]


def number(text: pd.Series) -> pd.Series:
    """Text as float; missing where it is no finite number, which another rule reports."""
    codes, texts = pd.factorize(text.to_numpy(dtype=object))
    few = np.asarray(pd.to_numeric(texts, errors="coerce"), dtype=float)
    values = pd.Series(few[codes], index=text.index)
    return values.where(values.abs() < float("inf"))


def each(column: pd.Series, change: Callable[[str], Any]) -> pd.Series:
    """What ``change`` makes of every text; few of a column differ, and each is changed once."""
    codes, texts = pd.factorize(column.to_numpy(dtype=object))
    changed = pd.Series([change(text) for text in texts], dtype=None if len(texts) else object)
    return pd.Series(changed.to_numpy()[codes], index=column.index)


def ancestors(parents: Mapping[str, str], code: str) -> list[str]:
    """Codes above a region, nearest first; a circle of parents ends where it began."""
    found: list[str] = []
    while (above := parents.get(found[-1] if found else code, "")) and above not in found:
        found.append(above)
    return found


def strange(frame: pd.DataFrame, column: str, known: Iterable[str]) -> pd.DataFrame:
    """Entries of a semicolon-separated column that are not ``known``, as :func:`exploded`."""
    known = set(known)
    odd = each(frame[column], lambda text: not known.issuperset(text.split(";")) and text != "")
    if not odd.any():
        return frame.iloc[:0].assign(entry="")
    rows = exploded(frame[odd.astype(bool)], column)
    return rows[~rows["entry"].isin(known)]


def exploded(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row for each entry of a semicolon-separated column, as the new column ``entry``."""
    entries = frame.assign(entry=frame[column].str.split(";")).explode("entry")
    return entries[(entries[column] != "")]


def flagged(facts: pd.DataFrame, *caveats: str) -> pd.Series:
    """True where a fact carries at least one of ``caveats``."""
    wanted = set(caveats)
    return each(facts["caveats"], lambda text: not wanted.isdisjoint(text.split(";"))).astype(bool)


def subject_of(tables: Tables, column: str) -> str:
    """An indicator that subject.csv names, ``""`` for none; a table without rows names none."""
    return next(iter(tables["subject"][column]), "")


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
    "smoothed": "a small area's rate, drawn towards what a model expects of it",
}
# Facts with one of these are shown, and never estimated from.
BARRED = frozenset({
    "conflict", "weak_source", "suspect", "off_wave", "provincial_survey", "basis_unstated",
    "smoothed",
})  # fmt: skip
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
    ("programmes", "source_id", "sources", "source_id"),
    ("programmes", "lead_unit_zh", "organisations", "name_zh"),
    ("claims", "source_id", "sources", "source_id"),
    ("events", "source_id", "sources", "source_id"),
    ("composites", "denominator", "indicators", "indicator"),
    ("progress", "measure_id", "measures", "measure_id"),
    ("progress", "target_id", "facts", "fact_id"),
    ("progress", "fact_ids", "facts", "fact_id"),
    ("progress", "source_id", "sources", "source_id"),
    ("objectives", "fact_id", "facts", "fact_id"),
    ("objectives", "source_id", "sources", "source_id"),
)
BREAKS = "\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
BREAK = re.compile(f"[{BREAKS}]")
# Characters no page, PDF or Word file can show: control, direction overrides, no characters at all.
CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
# English writes no classifier after a counted number.
UNPAIRED = ("symbol_zh",)
FILLED = ("facts", "sources", "indicators", "regions", "region_sets", "units", "waves", "subject")


@needs()
def entries_are_known(tables: Tables) -> list[Violation]:
    """Every entry of a semicolon-separated list exists in the table it refers to."""
    found = []
    for table, column, other, key in LISTS:
        if column not in tables.get(table, ()) or key not in tables.get(other, ()):
            continue
        rows = strange(tables[table], column, tables[other][key].to_numpy(dtype=object))
        remedy = f"correct it, or add it to {other}.csv first; separate several with a semicolon"
        found += breaches(rows, table, column, f"'{{entry}}' is not in {other}.csv", remedy)
    return found


@needs(facts="caveats")
def caveats_are_known(tables: Tables) -> list[Violation]:
    """Caveats come from the vocabulary ``CAVEATS``."""
    rows = strange(tables["facts"], "caveats", CAVEATS)
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
    rows = facts[each(facts["series"], lambda text: text.partition("@")[0]) != facts["indicator"]]
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


@needs(facts="indicator kind period_end caveats", waves="wave", subject="outcome")
def rate_belongs_to_a_wave(tables: Tables) -> list[Violation]:
    """A surveyed rate of the outcome is dated to a national survey, or flagged ``off_wave``."""
    facts = tables["facts"]
    year = each(facts["period_end"], _year)
    national = year.isin(tables["waves"]["wave"]) | year.isin(EARLY_SURVEYS)
    rates = (facts["indicator"] == subject_of(tables, "outcome")) & (facts["kind"] == "survey")
    rows = facts[rates & ~national & ~flagged(facts, "off_wave")]
    remedy = (
        "correct the year, or add the caveat off_wave; a new national wave is a row of waves.csv"
    )
    return breaches(rows, "facts", "period_end", "no national survey in '{period_end}'", remedy)


@needs(facts="kind standard_error respondents method caveats")
def errors_are_of_surveys(tables: Tables) -> list[Violation]:
    """A standard error is that of a survey with respondents; a smoothed rate is flagged so."""
    facts = tables["facts"]
    told = facts["standard_error"] != ""
    alone = facts[told & ((facts["kind"] != "survey") | (facts["respondents"] == ""))]
    silent = facts[facts["method"].str.startswith(SMOOTHED) & ~flagged(facts, "smoothed")]
    return [
        *breaches(alone, "facts", "standard_error", "no respondents of a survey stand beside it",
                  "give respondents, or leave the error out"),
        *breaches(silent, "facts", "caveats", "method {method} smooths, and no caveat says so",
                  "add the caveat smoothed: such a rate is never estimated from"),
    ]  # fmt: skip


@needs(facts="period_start period_end")
def periods_are_ordered(tables: Tables) -> list[Violation]:
    """A period has a start or an end, and does not end before it starts."""
    facts = tables["facts"]
    start, end = facts["period_start"], facts["period_end"]

    def is_late(pair: str) -> bool:
        first, last = pair.split("/", 1)
        # A year and a month of that year overlap: compare what both state.
        later = first[:4] > last[:4] or (len(first) == len(last) and first > last)
        return bool(first and last and later)

    late = each(start + "/" + end, is_late).astype(bool)
    rule = "period ends in {period_end}, before its start {period_start}"
    undated = facts[(start == "") & (end == "")]
    return [
        *breaches(facts[late], "facts", "period_start", rule, "exchange or correct the two"),
        *breaches(undated, "facts", "period_end", "no period", "give the year the figure is for"),
    ]


def _year(period: str) -> str:
    return period[:4]


@needs()
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
                rows = frame.loc[(frame[empty] == "") & (frame[filled] != ""), filled]
                found += [
                    Violation(
                        f"{table}.csv", int(number), empty, f"empty, while {filled} is '{text}'",
                        "write the text in both languages",
                    )
                    for number, text in rows.items()
                ]  # fmt: skip
    return found


@needs()
def cells_are_trimmed(tables: Tables) -> list[Violation]:
    """No cell starts or ends with white space, holds a line break or a control character."""
    found = []
    for table, frame in tables.items():
        for column in frame.columns:
            for rule, odd in _odd(frame[column]):
                rows = frame.index[frame[column].isin(odd)]
                found += [
                    Violation(f"{table}.csv", int(i), column, rule, "remove it") for i in rows
                ]
    return found


def _odd(column: pd.Series) -> Iterator[tuple[str, list[str]]]:
    """Rules that texts of a column break, with these texts."""
    texts = pd.unique(column.to_numpy(dtype=object)).tolist()
    signs = "".join(set("".join(texts)))
    broken = BREAK.search(signs) is not None
    if any(map(str.isspace, signs)):
        spaced = [t for t in texts if t != t.strip() or (broken and BREAK.search(t))]
        if spaced:
            yield "white space around the cell or a line break in it", spaced
    if CONTROL.search(signs):
        control = [text for text in texts if CONTROL.search(text)]
        yield "a control character in the cell", control


@needs()
def tables_are_filled(tables: Tables) -> list[Violation]:
    """The tables every evaluation reads have at least one row."""
    empty = [name for name in FILLED if name in tables and tables[name].empty]
    return [Violation(f"{name}.csv", None, "", "no rows", "add at least one row") for name in empty]


@needs(assumptions="parameter level wave")
def a_design_effect_holds_for_all(tables: Tables) -> list[Violation]:
    """Every rate has a design effect: there is one for all levels and waves."""
    table = tables["assumptions"]
    general = (table["level"] == "all") & (table["wave"] == "")
    if (general & (table["parameter"] == "design_effect")).any():
        return []
    rule = "no design_effect holds for all levels and waves"
    remedy = (
        "add a row with level all and no wave; rows for a level or a wave take precedence over it"
    )
    return [Violation("assumptions.csv", None, "parameter", rule, remedy)]


# A gain is the difference of two levels, each printed with two decimals.
GAIN_TOLERANCE = 0.011
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
FORMULA = re.compile(r"(?:(?:sum|diff):)?(F\d{5,}(?:;F\d{5,})*)")
FACT = "region_code period_start period_end indicator group kind series value caveats fact_id"


@needs()
def factors_are_positive(tables: Tables) -> list[Violation]:
    """What a value is multiplied by is above zero."""
    found = []
    for table, column in (("units", "factor"), ("doses", "scale")):
        if column in tables.get(table, ()):
            rows = tables[table][number(tables[table][column]) <= 0]
            rule = f"{{{column}}} is not above 0"
            found += breaches(rows, table, column, rule, "write how many base units it stands for")
    return found


@needs(regions="code parent_code")
def no_region_is_its_own_parent(tables: Tables) -> list[Violation]:
    """The parents of a region end in one without a parent."""
    regions = tables["regions"].drop_duplicates("code")
    parents = dict(zip(regions["code"], regions["parent_code"], strict=True))
    found, sound = [], set()
    for row, code in regions["code"].items():
        path = [code]
        while (above := parents.get(path[-1], "")) and above not in sound and above not in path:
            path.append(above)
        if above in path:
            # Each region of a circle names it; one that only leads there does not.
            if above == code:
                rule = f"{code} lies in itself: {' in '.join([*path, code])}"
                remedy = "correct the parent of one of them"
                found.append(Violation("regions.csv", int(row), "parent_code", rule, remedy))
        else:
            sound.update(path)
    return found


@needs(regions="code parent_code")
def one_region_is_the_whole(tables: Tables) -> list[Violation]:
    """One region has no parent: the whole, with which the others are compared."""
    regions = tables["regions"].drop_duplicates("code")
    tops = regions[regions["parent_code"] == ""]
    if len(regions) and tops.empty:
        rule = "every region has a parent; none is the whole"
        remedy = "leave parent_code empty for the region that the others belong to"
        return [Violation("regions.csv", None, "parent_code", rule, remedy)]
    rows = tops.iloc[1:].assign(whole=tops["code"].iloc[0] if len(tops) else "")
    rule = "{code} has no parent, and {whole} has none already"
    remedy = "write the code of the region it belongs to; only the whole has none"
    return breaches(rows, "regions", "parent_code", rule, remedy)


@needs(subject="outcome")
def one_row_names_the_subject(tables: Tables) -> list[Violation]:
    """A package is about one outcome."""
    rows = tables["subject"].iloc[1:]
    rule, remedy = "{outcome} is a second subject", "keep one row; a second outcome is a package"
    return breaches(rows, "subject", "outcome", rule, remedy)


@needs(subject="outcome change", indicators="indicator unit")
def the_outcome_is_a_share(tables: Tables) -> list[Violation]:
    """The outcome is in percent, its printed change in percentage points."""
    units = tables["indicators"].drop_duplicates("indicator").set_index("indicator")["unit"]
    found = []
    for column, wanted in (("outcome", "percent"), ("change", "percentage_point")):
        table = tables["subject"].assign(unit=tables["subject"][column].map(units))
        rows = table[~table["unit"].isin([wanted]) & table["unit"].notna()]
        rule = f"the unit of {{{column}}} is {{unit}}, not {wanted}"
        found += breaches(rows, "subject", column, rule, "name an indicator of that unit")
    return found


@needs(levels="level analysed")
def some_level_is_compared(tables: Tables) -> list[Violation]:
    """At least one level is declared for the models."""
    if tables["levels"]["analysed"].str.lower().eq("true").any():
        return []
    rule, remedy = "no level is compared by the models", "write true for the level to compare"
    return [Violation("levels.csv", None, "analysed", rule, remedy)]


@needs(covariates="covariate", doses="dose")
def covariates_are_no_doses(tables: Tables) -> list[Violation]:
    """No column of the panel is both a dose and a covariate."""
    table = tables["covariates"]
    rows = table[table["covariate"].isin(["opening", *tables["doses"]["dose"]])]
    rule, remedy = "{covariate} names another column of the panel", "give it another name"
    return breaches(rows, "covariates", "covariate", rule, remedy)


@needs(assumptions="level", levels="level")
def assumptions_hold_for_known_levels(tables: Tables) -> list[Violation]:
    """An assumption holds for a declared level or for all."""
    table = tables["assumptions"]
    rows = table[~table["level"].isin(["all", *tables["levels"]["level"]])]
    remedy = "write all, or a level of levels.csv"
    return breaches(rows, "assumptions", "level", "{level} is no level", remedy)


@needs(assumptions="parameter value")
def only_a_smallest_effect_is_below_one(tables: Tables) -> list[Violation]:
    """Ratios, counts, percentages and prices that are assumed are at least 1."""
    table = tables["assumptions"]
    values = pd.to_numeric(table["value"], errors="coerce")
    rows = table[(table["parameter"] != "smallest_effect") & (values < 1)]
    rule, remedy = "{parameter} is {value}, below 1", "write a value of at least 1"
    return breaches(rows, "assumptions", "value", rule, remedy)


@needs(facts=FACT, waves="wave", subject="outcome")
def one_wave_has_one_rate(tables: Tables) -> list[Violation]:
    """Estimates read at most one surveyed rate of a region, group and year, however it is dated."""
    facts = tables["facts"].assign(year=each(tables["facts"]["period_end"], _year))
    rate = subject_of(tables, "outcome")
    facts = facts[(facts["indicator"] == rate) & (facts["kind"] == "survey")]
    facts = facts[~flagged(facts, *BARRED) & (facts["year"] != "")]
    facts = facts.assign(row=facts.index)
    place = ["region_code", "group", "year"]
    first = facts.groupby(place)[["fact_id", "row", "series", "period_start", "period_end"]]
    first = first.transform("first")
    dated = ["series", "period_start", "period_end"]
    again = (facts[dated] != first[dated]).any(axis=1)
    rows = facts.assign(other=first["fact_id"], there=first["row"], dated=first["period_end"])[
        again
    ]
    rule = (
        "{fact_id} is a second rate of {region_code} in {year}: row {there} ({other}) has one, "
        "dated {dated}"
    )
    remedy = (
        "remove one, date both alike, or give one of them a caveat such as conflict or off_wave"
    )
    return breaches(rows, "facts", "period_end", rule, remedy)


@needs(facts=FACT, subject="outcome change")
def gains_agree_with_levels(tables: Tables) -> list[Violation]:
    """A printed gain is the difference of the published levels at its start and end."""
    facts = tables["facts"].assign(number=number(tables["facts"]["value"]))
    facts = facts[(facts["kind"] == "survey") & ~flagged(facts, CONFLICT, "suspect")]
    rate = subject_of(tables, "outcome")
    levels = facts[(facts["indicator"] == rate) & (facts["series"] == rate)]
    levels = levels.assign(year=each(levels["period_end"], _year))
    known = levels.groupby(["region_code", "group", "year"])["number"].agg(["min", "max"])
    # Two different levels of one year are a breach of their own; neither judges a gain.
    known = known.loc[known["min"] == known["max"], "min"]
    gains = facts[facts["indicator"] == subject_of(tables, "change")]
    at = {
        end: known.reindex(
            pd.MultiIndex.from_arrays([gains["region_code"], gains["group"], gains[end].str[:4]])
        ).to_numpy()
        for end in ("period_start", "period_end")
    }
    gains = gains.assign(opening=at["period_start"], closing=at["period_end"])
    gains["difference"] = (gains["closing"] - gains["opening"]).round(4)
    rows = gains[(gains["number"] - gains["difference"]).abs() > GAIN_TOLERANCE]
    rule = "printed gain {value} is not {closing:g} − {opening:g} = {difference:g}"
    return breaches(rows, "facts", "value", rule, RECORD)


@needs(
    facts=FACT,
    part_whole="relation_id indicator across region_code parts tolerance",
    region_sets="set code",
)
def parts_add_to_wholes(tables: Tables) -> list[Violation]:
    """Totals equal the sum of their parts wherever all parts are published."""
    facts = tables["facts"].assign(number=number(tables["facts"]["value"]))
    facts = facts[(facts["group"] == "") & ~flagged(facts, CONFLICT)]
    found = []
    for relation in tables["part_whole"].to_dict("records"):
        rows = _sums(facts, relation, tables["region_sets"])
        rows = rows[(rows["number"] - rows["total"]).abs() > rows["tolerance"] + 1e-9]
        rule = (
            "{indicator} {value} is not {total:.12g}, the sum of its {parts_count} parts ({parts})"
        )
        found += breaches(rows, "facts", "value", rule, RECORD)
    return found


def _sums(facts: pd.DataFrame, relation: dict[str, str], sets: pd.DataFrame) -> pd.DataFrame:
    """Wholes of one relation with ``total``, the sum of all their parts, where all are there."""
    whole = facts["indicator"] == relation["indicator"]
    keys = ["period_start", "period_end", "kind"]
    if relation["across"] == "indicators":
        members, member = relation["parts"].split(";"), "indicator"
        parts, keys = facts[facts["indicator"].isin(members)], ["region_code", *keys]
    else:
        members, member = sets.loc[sets["set"] == relation["parts"], "code"].tolist(), "region_code"
        parts = facts[whole & facts["region_code"].isin(members)]
    if relation["region_code"]:
        whole &= facts["region_code"] == relation["region_code"]
    parts = parts.drop_duplicates([*keys, member]).groupby(keys)["number"].agg(["sum", "count"])
    totals = parts.loc[parts["count"] == len(members), "sum"].rename("total")
    tolerance = float(number(pd.Series([relation["tolerance"]])).fillna(0).iloc[0])
    wholes = facts[whole].join(totals, on=keys)
    return wholes[wholes["total"].notna()].assign(
        tolerance=tolerance, parts=relation["parts"], parts_count=len(members)
    )


@needs(part_whole="across parts", indicators="indicator", region_sets="set")
def parts_are_known(tables: Tables) -> list[Violation]:
    """Parts are indicators, or the name of a region set."""
    rows = exploded(tables["part_whole"], "parts")
    known = {
        "indicators": set(tables["indicators"]["indicator"]),
        "regions": set(tables["region_sets"]["set"]),
    }
    pairs = zip(rows["across"], rows["entry"], strict=True)
    bad = [entry not in known.get(across, ()) for across, entry in pairs]
    rule = "'{entry}' is unknown in {across}"
    return breaches(rows[bad], "part_whole", "parts", rule, "correct it, or add it there first")


@needs(facts=FACT)
def repeated_facts_agree(tables: Tables) -> list[Violation]:
    """Two sources of one figure print the same value, or the disagreement is on record."""
    facts = tables["facts"].assign(number=number(tables["facts"]["value"]))
    facts = facts[~flagged(facts, CONFLICT) & facts["number"].notna()]
    keys = ["region_code", "period_start", "period_end", "indicator", "group", "kind", "series"]
    first = facts.groupby(keys)[["fact_id", "value", "number"]].transform("first")
    facts = facts.assign(other=first["fact_id"], printed=first["value"])
    rows = facts[facts["number"] != first["number"]]
    told = tables.get("contradictions", pd.DataFrame()).get("fact_ids", ())
    recorded = [frozenset(ids.split(";")) for ids in told]
    open_ = [
        not any({fact, other} <= pair for pair in recorded)
        for fact, other in zip(rows["fact_id"], rows["other"], strict=True)
    ]
    rule = "{fact_id} prints {value} where {other} prints {printed} for the same series and period"
    return breaches(rows[open_], "facts", "value", rule, RECORD)


@needs(facts=FACT)
def a_new_scope_begins_a_series(tables: Tables) -> list[Violation]:
    """A figure counted in a new way is not joined to the figures before it."""
    facts = tables["facts"]
    changed = facts.loc[flagged(facts, "scope_change"), "series"]
    facts = facts[facts["series"].isin(changed)]
    facts = facts.assign(
        at=facts["period_end"].where(facts["period_end"] != "", facts["period_start"])
    )
    opening = facts.groupby(["region_code", "series", "group", "kind"])["at"].transform("min")
    rows = facts[flagged(facts, "scope_change") & (facts["at"] > opening)]
    rule = (
        "scope_change in {period_end}, yet the series {series} has earlier facts of {region_code}"
    )
    remedy = "name the series {indicator}@from_{period_end}, here and in the facts after it"
    return breaches(rows, "facts", "series", rule, remedy)


@needs(contradictions="fact_ids text_zh text_en")
def texts_refer_to_listed_facts(tables: Tables) -> list[Violation]:
    """Placeholders of a contradiction name facts listed in its ``fact_ids``, in both languages."""
    found = []
    table = tables["contradictions"]
    for row, record in zip(table.index, table.to_dict("records"), strict=True):
        listed = set(record["fact_ids"].split(";"))
        for column in ("text_zh", "text_en"):
            found += [
                Violation("contradictions.csv", int(row), column, rule, remedy)
                for rule, remedy in _placeholder_faults(record[column], listed)
            ]
    return found


def _placeholder_faults(text: str, listed: set[str]) -> Iterator[tuple[str, str]]:
    for inside in PLACEHOLDER.findall(text):
        match = FORMULA.fullmatch(inside)
        if match is None:
            remedy = "write {F00000}, {sum:F00000;F00001} or {diff:F00000;F00001}"
            yield f"placeholder {{{inside}}} cannot be read", remedy
            continue
        for fact in sorted(set(match[1].split(";")) - listed):
            yield f"{fact} is not among fact_ids", f"add {fact} to fact_ids or correct it"


NAMED = re.compile(r"F[0-9]+", re.A)  # facts in a list or a comparison
# A comparison of a claim: a fact or the difference of two, and a fact or a number.
CHECK = re.compile(r"(F[0-9]+)(?:-(F[0-9]+))?(>=|<=|>|<|=)(?:(F[0-9]+)|([0-9.]+))", re.A)


@needs(claims="checks", facts="fact_id unit")
def claims_compare_like_with_like(tables: Tables) -> list[Violation]:
    """Facts that a claim compares exist, and each comparison stays within one unit."""
    named = {fact for text in tables["claims"]["checks"] for fact in NAMED.findall(text)}
    facts = tables["facts"]
    facts = facts[facts["fact_id"].isin(named)]
    units = dict(zip(facts["fact_id"], facts["unit"], strict=True))
    found = []
    for row, text in tables["claims"]["checks"].items():
        for match in CHECK.finditer(text):
            facts = [match[i] for i in (1, 2, 4) if match[i]]
            absent = [fact for fact in facts if fact not in units]
            # A difference of shares is in points.
            held = {units.get(fact, "").replace("percentage_point", "percent") for fact in facts}
            rule = f"'{absent[0]}' is not in facts.csv" if absent else "compares different units"
            if absent or len(held) > 1:
                remedy = "correct the ids in checks"
                found.append(Violation("claims.csv", int(row), "checks", rule, remedy))
    return found


ONE_A_PROGRAMME = ("programme_zh", "programme_en", "assignment")


@needs(events="programme region_code start end " + " ".join(ONE_A_PROGRAMME))
def programmes_reach_regions_once(tables: Tables) -> list[Violation]:
    """A programme has one name and one assignment, reaches a region once, and ends after it starts;
    a dose has a start.

    A programme that stops and begins again in a region is another programme of its own.
    """
    events = tables["events"]
    found = []
    for column in ONE_A_PROGRAMME:
        first = events.groupby("programme")[column].transform("first")
        rule = f"{{programme}} has another {column} in an earlier row"
        remedy = "write the same in each row of a programme, or give the rows another programme"
        found += breaches(events[events[column] != first], "events", column, rule, remedy)
    again = events[events.duplicated(["programme", "region_code"])]
    rule = "{programme} reaches {region_code} in an earlier row already"
    remedy = "keep the row of its first start, or name the second start another programme"
    found += breaches(again, "events", "region_code", rule, remedy)
    unstarted = events[~events["programme"].isin(events.loc[events["start"] != "", "programme"])]
    rule, remedy = "{programme} has no start in any row", "fill in where it began, or remove it"
    found += breaches(unstarted, "events", "start", rule, remedy)
    if "dose" in events:
        idle = events[(events["start"] == "") & ~events["dose"].isin(["", "0"])]
        rule = "dose {dose} of {programme} in a region it never reached"
        found += breaches(idle, "events", "dose", rule, "fill in its start, or clear the dose")
    # What is not stated to the day is compared as far as both are.
    ended = [bool(start and end) and end[: len(start)] < start[: len(end)]
             for start, end in zip(events["start"], events["end"], strict=True)]  # fmt: skip
    rule, remedy = "ends in {end}, before its start in {start}", "correct one of the two"
    return found + breaches(events[np.array(ended, dtype=bool)], "events", "end", rule, remedy)


@needs(neighbours="region_code neighbour_code")
def no_region_is_its_own_neighbour(tables: Tables) -> list[Violation]:
    """A pair of neighbours is two regions, named once."""
    table = tables["neighbours"]
    own = table[table["region_code"] == table["neighbour_code"]]
    rule, remedy = "{region_code} is named as its own neighbour", "remove the row"
    found = breaches(own, "neighbours", "neighbour_code", rule, remedy)
    pairs = pd.Series([*map(frozenset, table.to_numpy().tolist())], index=table.index, dtype=object)
    rule, remedy = "{neighbour_code} and {region_code} are paired already", "remove the row"
    return found + breaches(table[pairs.duplicated()], "neighbours", "neighbour_code", rule, remedy)


@needs(progress="entry_id measure_id target_id status fact_ids source_id recorded")
def progress_is_evidenced_and_only_added(tables: Tables) -> list[Violation]:
    """An entry is of one measure or target, follows the others, and is not done unproved."""
    table = tables["progress"]
    unclear = table[(table["measure_id"] == "") == (table["target_id"] == "")]
    rule, remedy = "{entry_id} names no measure or two things", "name a measure or a target"
    found = breaches(unclear, "progress", "measure_id", rule, remedy)
    bare = table[
        (table["status"] == "done") & (table["fact_ids"] == "") & (table["source_id"] == "")
    ]
    rule = "{measure_id}{target_id} is called done without evidence"
    remedy = "name the facts or the document that show it, or write under_way"
    found += breaches(bare, "progress", "status", rule, remedy)
    late = table[table["recorded"] < list(accumulate(table["recorded"], max))]
    rule = "{entry_id} is recorded on {recorded}, before an entry above it"
    found += breaches(late, "progress", "recorded", rule, "add new entries at the end")
    again = table[number(table["entry_id"].str[1:]).diff() <= 0]
    rule = "{entry_id} does not follow the id above it"
    return found + breaches(again, "progress", "entry_id", rule, "number entries upward")


@needs(objectives="objective_id actual fact_id unit", facts="fact_id unit")
def actuals_are_stated_once(tables: Tables) -> list[Violation]:
    """An actual figure is a fact of the same unit, or written down, and not both."""
    table = tables["objectives"]
    twice = table[(table["actual"] != "") & (table["fact_id"] != "")]
    rule, remedy = "{objective_id} has an actual beside {fact_id}", "leave actual empty"
    found = breaches(twice, "objectives", "actual", rule, remedy)
    units = tables["facts"].drop_duplicates("fact_id").set_index("fact_id")["unit"]
    own = table.assign(there=table["fact_id"].map(units))
    apart = own[own["there"].notna() & (own["there"] != own["unit"])]
    rule, remedy = "{fact_id} is in {there}, the objective in {unit}", "write the fact's unit"
    return found + breaches(apart, "objectives", "unit", rule, remedy)
