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


def plant(dataset, kind, indices):
    """A copy of ``dataset`` with one slip in each of the facts ``indices``."""
    facts = dataset.facts.copy()
    changed = SLIPS[kind][1](facts.loc[indices])
    for column in ("value", "year", "period_start", "period_end"):
        facts.loc[indices, column] = changed[column]
    return replace(dataset, facts=facts)


def planted(dataset, count, seed, batch, only=None):
    """Batches ``(kind, indices, dataset with slips)``; ``count`` slips in all, spread over kinds.

    Slips of one batch befall different series, so that none hides another. A year that would meet
    another fact of its series is not typed: the contract refuses it.
    """
    rng = np.random.default_rng(seed)
    masks = cells(dataset)
    line = dataset.facts.groupby(["region_code", "series", "group", "kind"]).ngroup()
    for number, (kind, (where, change)) in enumerate(SLIPS.items()):
        share = count // len(SLIPS) + (number < count % len(SLIPS))
        mask = masks[where] if only is None else masks[where] & only
        rows = dataset.facts[mask]
        if kind.startswith("year"):
            taken = pd.MultiIndex.from_frame(dataset.facts[KEYS])
            rows = rows[~pd.MultiIndex.from_frame(change(rows)[KEYS]).isin(taken)]
        chosen = rng.choice(rows.index, size=share, replace=share > len(rows))
        for group in _apart(chosen, line, batch):
            yield kind, group, plant(dataset, kind, group)


def _apart(chosen, line, batch):
    """Split into groups of at most ``batch`` without two of one series."""
    groups = []
    for index in chosen:
        fitting = (
            g for g in groups if len(g) < batch and line[index] not in {line[i] for i in g}
        )
        group = next(fitting, None)
        groups.append([index]) if group is None else group.append(index)
    return groups
