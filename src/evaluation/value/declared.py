"""What the analysis of value takes as given: the declared assumptions and the rule to recommend."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.data import Dataset
from evaluation.errors import ModelError


def declared(dataset: Dataset, parameter: str) -> float:
    """The declared value of a parameter of ``assumptions.csv`` that holds for all levels.

    Raises
    ------
    ModelError : the package declares no such value.
    """
    table = dataset.assumptions
    found = table.loc[(table["parameter"] == parameter) & (table["level"] == "all"), "value"]
    if found.empty:
        raise ModelError(
            f"The package declares no '{parameter}'; add a row to assumptions.csv with its reason."
        )
    return float(found.iloc[0])


@dataclass(frozen=True)
class Rule:
    """When a reallocation is recommended.

    Attributes
    ----------
    bound : largest change of an entry of the budget, a share of today's.
    probability : least probability that it beats today's allocation; 1 less this is also the
        level of the test that allows for the choice among allocations.
    locks : least strength of evidence, 0 to 5.
    """

    bound: float
    probability: float
    locks: int


def rule(dataset: Dataset) -> Rule:
    """The rule the package declares."""
    return Rule(
        bound=declared(dataset, "reallocation_bound") / 100,
        probability=declared(dataset, "recommend_probability") / 100,
        locks=int(declared(dataset, "recommend_locks")),
    )
