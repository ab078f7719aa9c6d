"""Rules of the data contract that compare facts with each other and with their descriptions."""

from __future__ import annotations

import re

import pandas as pd

from evaluation.contract import (
    CONFLICT,
    GAIN,
    RATE,
    RECORD,
    Rule,
    Tables,
    breaches,
    exploded,
    flagged,
    needs,
    number,
    recorded_pairs,
)
from evaluation.errors import Violation

# A gain is the difference of two levels, each printed with two decimals.
GAIN_TOLERANCE = 0.011
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
FORMULA = re.compile(r"(?:(?:sum|diff):)?(F\d{5,}(?:;F\d{5,})*)")
FACT = "region_code period_start period_end indicator group kind series value caveats fact_id"


@needs(facts=FACT)
def gains_agree_with_levels(tables: Tables) -> list[Violation]:
    """A printed gain is the difference of the published levels at its start and end."""
    facts = tables["facts"].assign(number=number(tables["facts"]["value"]))
    facts = facts[(facts["kind"] == "survey") & ~flagged(facts, CONFLICT, "suspect")]
    levels = facts[(facts["indicator"] == RATE) & (facts["series"] == RATE)]
    levels = levels.assign(year=levels["period_end"].str[:4])
    known = levels.groupby(["region_code", "group", "year"])["number"].agg(["min", "max"])
    # Two different levels of one year are a breach of their own; neither judges a gain.
    known = known.loc[known["min"] == known["max"], "min"]
    gains = facts[facts["indicator"] == GAIN]
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
    recorded = recorded_pairs(tables)
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


def _placeholder_faults(text: str, listed: set[str]) -> list[tuple[str, str]]:
    faults = []
    for inside in PLACEHOLDER.findall(text):
        match = FORMULA.fullmatch(inside)
        if match is None:
            remedy = "write {F00000}, {sum:F00000;F00001} or {diff:F00000;F00001}"
            faults.append((f"placeholder {{{inside}}} cannot be read", remedy))
            continue
        for fact in [fact for fact in match[1].split(";") if fact not in listed]:
            faults.append(
                (f"{fact} is not among fact_ids", f"add {fact} to fact_ids or correct it")
            )
    return faults


RULES: tuple[Rule, ...] = (
    gains_agree_with_levels,
    parts_add_to_wholes,
    parts_are_known,
    repeated_facts_agree,
    a_new_scope_begins_a_series,
    texts_refer_to_listed_facts,
)
