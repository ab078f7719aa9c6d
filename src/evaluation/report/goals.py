"""The targets that no survey has decided yet, as the blocks on the future take them up."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from evaluation.report.context import NATION, Context
from evaluation.report.writer import plain


@dataclass(frozen=True)
class Goal:
    """A target held against a region: its own, or one of the levels above it."""

    fact: pd.Series
    own: bool

    @property
    def year(self) -> int:
        return int(self.fact["year"])

    @property
    def value(self) -> float:
        return float(self.fact["value"])


def goals_of(context: Context, code: str) -> list[Goal]:
    """Targets no survey of the region (or, without one, of what lies above it) has decided yet:
    its own, then the nation's, by year."""
    goals, rates = context.study.targets, context.rates_of(code)
    if rates["variance"].notna().sum() == 0:
        rates = context.rates_of(context.parent)
    first = int(rates.loc[rates["variance"].notna(), "wave"].max()) + 1
    found = []
    for holder in dict.fromkeys([code, NATION]):
        rows = goals[(goals["region_code"] == holder) & (goals["year"] >= first)]
        found += [Goal(row, holder == code) for _, row in rows.iterrows()]
    return found


def mark(context: Context, goal: Goal) -> str:
    """What is written beside a target in a figure."""
    w = context.writer
    name = w.short(goal.fact["region_code"])
    return str(w.t("figure.goal", name=name, value=f"{plain(goal.value, w.language)}%"))
