"""One region: a year of more programme funds, what it costs, and what draws say it buys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.data import Dataset
from evaluation.errors import ModelError
from evaluation.headline import TERM
from evaluation.value import cea, costs
from evaluation.value.assemble import Value
from evaluation.value.declared import declared
from evaluation.value.ratio import Ratio, from_draws

# Willingness to pay, yuan per additional literate adult, at which curves are drawn.
WTP = np.unique(np.concatenate([[0.0], np.geomspace(100, 1e6, 81)]))
TAILS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What draws of effect and cost say of one step; money in yuan of the deflator's last year.

    Attributes
    ----------
    share : rise of every input and of the funds. people, people_year, adults : of the region.
    programme : see :func:`evaluation.value.costs.programme`; empty where the cost is given.
    points : draws of the yearly gain in percentage points. decision : to do nothing or this.
    wtp : stated, yuan per additional literate adult. ratio : ``None`` where the interval of the
        effect holds zero.
    """

    share: float
    people: float
    people_year: int
    adults: float
    programme: dict[str, float]
    points: np.ndarray
    decision: cea.Decision
    wtp: float
    ratio: Ratio | None

    @property
    def gained(self) -> np.ndarray:
        """Draws of additional literate adults."""
        return self.decision.delta(1)[0]

    @property
    def spent(self) -> np.ndarray:
        """Draws of the additional cost."""
        return self.decision.delta(1)[1]

    def summary(self) -> dict[str, float]:
        """The numbers a page prints, by name; intervals are those of the draws at 95 %."""
        parts = {"points": self.points, "adults": self.gained, "cost": self.spent}
        found = {name: float(drawn.mean()) for name, drawn in parts.items()}
        for end, share in zip(("low", "high"), TAILS, strict=True):
            found |= {f"{name}.{end}": float(np.quantile(x, share)) for name, x in parts.items()}
        at = np.array([self.wtp])
        worth = self.decision
        return found | {
            "probability": float(cea.acceptability(worth, at)[0, 1]),
            "benefit": float(cea.expected_incremental_benefit(worth, at)[0]),
            "information": float(cea.perfect_information(worth, at)[0]),
            "positive": float((self.gained > 0).mean()),
            "break_even": cea.break_even(worth),
        }

    def curves(self) -> dict[str, np.ndarray]:
        """By willingness to pay: ``wtp, probability`` of the step, ``information`` per head."""
        return {
            "wtp": WTP,
            "probability": cea.acceptability(self.decision, WTP)[:, 1],
            "information": cea.perfect_information(self.decision, WTP) / self.people,
        }

    def benefits(self) -> dict[str, np.ndarray]:
        """By willingness to pay: ``wtp``, expected incremental ``benefit`` per head with ``low``
        and ``high`` (95 %), and ``frontier``, the probability that the better on average is best.
        """
        drawn = cea.net_benefit(self.decision, WTP)
        low, high = np.quantile(drawn[:, :, 1] - drawn[:, :, 0], (0.025, 0.975), axis=1)
        return {
            "wtp": WTP,
            "benefit": cea.expected_incremental_benefit(self.decision, WTP) / self.people,
            "low": low / self.people,
            "high": high / self.people,
            "frontier": cea.frontier(self.decision, WTP)[1],
        }


def assessed(
    points: np.ndarray, cost: Any, residents: tuple[int, float], dataset: Dataset, **given: Any
) -> Assessment:
    """Join draws of a yearly gain in points and of its cost for a region of so many residents."""
    year, people = residents
    adults = people * declared(dataset, "adult_share") / 100
    decision = cea.two_options(points / 100 * adults, cost)
    try:
        ratio = from_draws(decision)
    except ModelError:
        ratio = None  # told from zero or no ratio: the page then shows what remains true
    wtp = given.pop("wtp", None)
    return Assessment(
        people=people, people_year=year, adults=adults, points=points, decision=decision,
        wtp=declared(dataset, "willingness_to_pay") if wtp is None else wtp, ratio=ratio,
        **({"share": float("nan"), "programme": {}} | given),
    )  # fmt: skip


def assess(
    value: Value, dataset: Dataset, region: str, *, seed: int, wtp: float | None = None
) -> Assessment:
    """A year in which funds and every input of the composite are higher by the declared bound.

    The cost is that share of a year's programme funds, drawn log-uniformly from its declared
    range; the gain is the composite's, by the logs it was estimated on.

    Raises
    ------
    ModelError : effects, funds or population are not there.
    """
    if TERM not in value.effects:
        raise ModelError(value.reasons.get("effects", "There are no draws of the effect."))
    if value.people is None:
        raise ModelError(value.reasons["people"])
    share = declared(dataset, "reallocation_bound") / 100
    points = value.effects[TERM] * value.slope * np.log2(1 + share)
    money = costs.programme(dataset, value.funds, region)
    residents = costs.latest(value.people, region)
    logs = np.log([money["low"], money["high"]])
    drawn = np.exp(np.random.default_rng(seed).uniform(*logs, size=len(points)))
    cost = share * drawn * residents[1]
    given = {"share": share, "programme": money, "wtp": wtp}
    return assessed(points, cost, residents, dataset, **given)
