"""State of the data: which series are fresh, old, flagged or missing, by number of regions."""

from __future__ import annotations

import pandas as pd

from evaluation.doses import COVARIATES
from evaluation.errors import KepuError
from evaluation.observations import RATE, has_caveat
from evaluation.report.blocks import Paragraph
from evaluation.report.context import Context
from evaluation.views import View, show, table

KINDS = ("fresh", "older", "in_doubt", "absent")


def states(facts: pd.DataFrame, codes: list[str], since: int) -> pd.Series:
    """``fresh``, ``older``, ``in_doubt`` or ``absent`` for each region of ``codes``.

    Parameters
    ----------
    facts : of one indicator. since : first year that counts as fresh.
    """
    barred = has_caveat(facts)
    newest = facts[~barred].groupby("region_code")["year"].max().reindex(codes)
    found = pd.Series("absent", index=codes)
    found[found.index.isin(facts.loc[barred, "region_code"])] = "in_doubt"
    found[newest.notna()] = "older"
    found[newest.ge(since).fillna(False).astype(bool)] = "fresh"
    return found


def overview(page: Context, years: int) -> View:
    """Regions of the page by the state of the series that estimates rest on.

    Parameters
    ----------
    years : a figure of the last so many years is fresh.

    Raises
    ------
    KepuError : ``years`` is not positive.
    """
    if years < 1:
        raise KepuError(f"A figure is fresh for at least 1 year; got {years}.")
    w, facts, day = page.writer, page.study.dataset.facts, int(page.date[:4])
    whole = facts[(facts["group"] == "") & facts["kind"].isin(["survey", "statistic"])]
    rows, rates = [], pd.Series(dtype=int)
    for name in [RATE, *page.study.dataset.doses["indicator"], *sorted(set(COVARIATES.values()))]:
        own = whole[(whole["indicator"] == name) & whole["region_code"].isin(page.codes)]
        if own.empty:
            continue
        found = states(own, page.codes, day - years + 1).value_counts()
        rates = found if name == RATE else rates
        cells = [w.number(f"state.{name}.{kind}", found.get(kind, 0), "", 0) for kind in KINDS]
        newest = own.loc[~has_caveat(own), "year"].max()
        rows.append((w.indicator(name), w.year(newest), *cells))
    given = {"years": w.number("state.years", years, "", 0)}
    lead = w.t(
        "view.state",
        region_count=w.number("state.regions", len(page.codes), "", 0),
        fresh=w.number(f"state.{RATE}.fresh", rates.get("fresh", 0), "", 0),
        missing=w.number(
            "state.unusable", rates.get("absent", 0) + rates.get("in_doubt", 0), "", 0
        ),
        **given,
    )
    body = table(page, w.t("view.state.table"), ("indicator", "newest", *KINDS), rows, range(2, 6))
    note = w.t("view.state.note", day=w.year(day), **given)
    return show(page, Paragraph(lead, "lead"), body, Paragraph(note, "note"))
