"""Performance self-assessment of a programme: declared rules, and no total where one is missing.

Points of an objective follow its weight and its rule. What was spent counts in proportion to the
budget and never above its weight. Nothing is guessed: an objective without a target, an actual
figure or a weight has no points, and then the programme has no total.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.data.package import Dataset

KINDS = ("budget", "quantity", "quality", "timeliness", "cost", "benefit", "satisfaction")
OUTPUT = KINDS[1:5]  # the customary first level: output, benefit, satisfaction
BUDGET_POINTS = (10.0, 20.0)
FULL = 100.0
GRADES = ((90.0, "excellent"), (80.0, "good"), (60.0, "fair"), (0.0, "poor"))
# An actual figure so far from its target, as a share of it, asks for a reason.
DEVIATION = 0.2


def points(weight: float, target: float, actual: float, comparator: str, scoring: str) -> float:
    """Points of one objective, from 0 to ``weight``.

    Parameters
    ----------
    comparator : ``>=`` more is better, ``<=`` less is better, ``=`` exactly so much.
    scoring : ``proportional`` to the target, or ``all_or_nothing``.

    Examples
    --------
    >>> points(10, 60, 45, ">=", "proportional"), points(10, 5, 10, "<=", "all_or_nothing")
    (7.5, 0.0)
    """
    met = {">=": actual >= target, "<=": actual <= target, "=": actual == target}[comparator]
    if met:
        return float(weight)
    if scoring == "all_or_nothing" or not target:
        return 0.0
    if comparator == ">=":
        return weight * actual / target
    if comparator == "<=":
        return weight * target / actual
    return weight * max(0.0, 1 - abs(actual - target) / target)


@dataclass(frozen=True, eq=False)
class Assessment:
    """A self-assessment.

    Attributes
    ----------
    programme : its row of ``programmes.csv``.
    lines : its objectives in the order of ``KINDS``, with ``actual`` from the facts where they
        hold it, ``rate`` (of the target), ``points`` and ``lacks``: what keeps it from points,
        ``target``, ``actual`` or ``weight``, separated by semicolons.
    unexplained : ids of objectives whose actual figure is far from the target without a reason.
    """

    programme: pd.Series
    lines: pd.DataFrame
    unexplained: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every objective has points."""
        return not self.lines["lacks"].any()

    def total(self) -> float:
        """Points of 100.

        Raises
        ------
        KepuError : an objective lacks something, which is named; or weights do not add up.
        """
        bare = self.lines[self.lines["lacks"] != ""]
        if len(bare):
            named = "; ".join(f"{row.objective_id} ({row.lacks})" for row in bare.itertuples())
            raise KepuError(
                f"{self.programme['programme_id']} has no total: {named} missing — fill them in "
                "objectives.csv, nothing is taken for them."
            )
        given = float(self.lines["weight"].sum())
        if abs(given - FULL) > 1e-9:
            raise KepuError(f"Weights add to {given:g} and not to 100 — correct objectives.csv.")
        budget = self.lines.loc[self.lines["kind"] == "budget", "weight"]
        if len(budget) != 1 or float(budget.iloc[0]) not in BUDGET_POINTS:
            raise KepuError(
                "Budget execution has one line of 10 or 20 points — correct its weight."
            )
        return float(self.lines["points"].sum())

    def grade(self) -> str:
        """``excellent`` from 90, ``good`` from 80, ``fair`` from 60, else ``poor``; see total."""
        total = self.total()
        return next(name for least, name in GRADES if total >= least - 1e-9)


def assess(dataset: Dataset, programme: str, period: str = "") -> Assessment:
    """The self-assessment of a programme; ``period``: the end of that meant, else the last.

    Raises
    ------
    KepuError : an unknown programme, or none of its objectives is declared.
    """
    known = dataset.programmes.set_index("programme_id", drop=False)
    if programme not in known.index:
        raise KepuError(f"Programme '{programme}' is not in programmes.csv — name one of its ids.")
    rows = dataset.objectives[dataset.objectives["programme_id"] == programme]
    end = period or rows["period_end"].max()
    rows = rows[rows["period_end"] == end]
    if rows.empty:
        raise KepuError(f"{programme} has no objectives {period} — declare them in objectives.csv.")
    lines = _scored(rows, dataset.facts.set_index("fact_id")["value"])
    far = ((lines["rate"] - 1).abs() > DEVIATION) & (lines["reason_zh"] == "")
    return Assessment(known.loc[programme], lines, tuple(lines.loc[far, "objective_id"]))


def _scored(rows: pd.DataFrame, facts: pd.Series) -> pd.DataFrame:
    lines = rows.assign(order=rows["kind"].map(KINDS.index))
    lines = lines.sort_values(["order", "objective_id"], kind="stable", ignore_index=True)
    lines["actual"] = lines["actual"].fillna(lines["fact_id"].map(facts).astype(float))
    wanted = ("target", "actual", "weight")
    lines["lacks"] = [
        ";".join(name for name in wanted if pd.isna(row[name])) for row in lines.to_dict("records")
    ]
    lines["rate"] = lines["actual"] / lines["target"].where(lines["target"] > 0)
    lines["points"] = [
        float("nan") if row["lacks"] else _points(row) for row in lines.to_dict("records")
    ]
    return lines.drop(columns="order")


def _points(row: dict) -> float:
    """Money that is not spent loses points in proportion, whatever the budget line compares."""
    if row["kind"] == "budget":
        return points(row["weight"], row["target"], min(row["actual"], row["target"]), ">=",
                      "proportional")  # fmt: skip
    return points(row["weight"], row["target"], row["actual"], row["comparator"], row["scoring"])
