"""Typing slips planted in a data package, for the test and the benchmark of plausibility."""

from dataclasses import replace

import numpy as np
import pandas as pd

RATE = "science_literacy_rate"
KEYS = ["region_code", "series", "group", "kind", "period_start", "period_end"]


def _times(factor):
    return lambda rows: rows.assign(value=rows["value"] * factor)


def _value(change):
    return lambda rows: rows.assign(value=change(rows["value"]))


def _years(change):
    def moved(text):
        return "".join(f"{change(int(text[:4])):04d}{text[4:]}") if text else ""

    def apply(rows):
        rows = rows.assign(**{c: rows[c].map(moved) for c in ("period_start", "period_end")})
        return rows.assign(year=pd.to_numeric(rows["period_end"].str[:4]).astype("Int64"))

    return apply


# Kind of slip: which facts it can befall, and what becomes of them.
SLIPS = {
    "rate / 100": ("rate", _times(0.01)),
    "rate + 5 points": ("rate", _value(lambda v: v + 5)),
    "rate 99 %": ("rate", _value(lambda v: v * 0 + 99)),
    "rate x 10": ("low rate", _times(10)),
    "n = 5": ("sample", _value(lambda v: v * 0 + 5)),
    "year 9999": ("dated", _years(lambda y: 9999)),
    "year a decade later": ("dated", _years(lambda y: y + 10)),
    "year a decade earlier": ("dated", _years(lambda y: y - 10)),
    "year a century earlier": ("dated", _years(lambda y: y - 100)),
    "half a person": ("single", _value(lambda v: v + 0.5)),
    "count x 10^4": ("counted", _times(1e4)),
    "count / 10^4": ("counted", _times(1e-4)),
    "count x 10": ("counted", _times(10)),
}


def cells(dataset):
    """Facts each kind of slip can befall, as a mask by the first entries of ``SLIPS``."""
    facts, units = dataset.facts, dataset.units.set_index("unit")
    surveyed = (facts["indicator"] == RATE) & (facts["kind"] == "survey")
    base = facts["unit"].map(units["base_unit"])
    counted = base.isin(units.index[units["countable"]]) & (facts["value"] > 0)
    return {
        "rate": surveyed & (facts["value"] > 0),
        "low rate": surveyed & facts["value"].between(0, 10, inclusive="neither"),
        "sample": facts["indicator"] == "survey_sample_valid",
        "dated": (facts["period_end"] != "") & facts["kind"].isin(["survey", "statistic"]),
        "single": counted & (facts["unit"].map(units["factor"]) == 1),
        "counted": counted,
    }


def plant(dataset, slips):
    """A copy of ``dataset`` with the ``slips`` in it: pairs of kind and index of the fact."""
    facts = dataset.facts.copy()
    for kind, index in slips:
        years = kind.startswith("year")
        changed = SLIPS[kind][1](facts.loc[[index]])
        for column in ("year", "period_start", "period_end") if years else ("value",):
            facts.loc[index, column] = changed.at[index, column]
    return replace(dataset, facts=facts)


def draw(dataset, count, seed, times=1):
    """Lists of slips, ``times`` of each kind, all in different series, so that none hides another.

    A sample size is changed once in each: there are few. A year that would meet another fact of
    its series is not typed: the contract refuses it.
    """
    rng = np.random.default_rng(seed)
    masks, facts = cells(dataset), dataset.facts
    line = facts.groupby(["region_code", "series", "group", "kind"]).ngroup()
    taken = pd.MultiIndex.from_frame(facts[KEYS])
    pools = {}
    for kind, (where, change) in SLIPS.items():
        rows = facts[masks[where]]
        if kind.startswith("year"):
            rows = rows[~pd.MultiIndex.from_frame(change(rows)[KEYS]).isin(taken)]
        pools[kind] = rows.index.to_numpy()
    again = [kind for kind, (where, _) in SLIPS.items() if where != "sample"]
    kinds = [*SLIPS, *again * (times - 1)]
    drawn = 0
    while drawn < count:
        chosen, used = [], set()
        for kind in kinds[: count - drawn]:
            index = next(i for i in rng.permutation(pools[kind]) if line[i] not in used)
            used.add(line[index])
            chosen.append((kind, index))
        drawn += len(chosen)
        yield chosen
