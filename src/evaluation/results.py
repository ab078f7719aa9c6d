"""The small frozen objects that pass between the layers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Result:
    """One estimate with the inference that made its interval.

    Attributes
    ----------
    model : registry name of the estimator, e.g. ``"gain_regression"``.
    outcome, term : column names of the outcome and of the regressor reported.
    estimate, se, low, high : in ``unit``; ``se`` is cluster-robust (CRV1), for information only.
    level : coverage of ``(low, high)``, a share, e.g. 0.95.
    p : two-sided p-value of the same test whose inversion gave the interval; never 0.
    inference : name of the procedure, e.g. ``"wild cluster bootstrap, Webb, 9999 draws"``.
    clusters, observations : numbers used.
    unit : unit of the estimate, a key of ``units.csv``.
    coefficients : all coefficients as records ``{"term", "estimate", "se"}``; the doses also carry
        ``"low", "high", "p"`` of the same inference.
    draws : draws behind the inference, 0 where it is analytic.
    support : share of the observations that carry the estimate, 0 to 1, missing where undefined.
    details : further numbers of the fit (sigma2, condition number, dropped rows, ...).
    """

    model: str
    outcome: str
    term: str
    estimate: float
    se: float
    low: float
    high: float
    level: float
    p: float
    inference: str
    clusters: int
    observations: int
    unit: str
    coefficients: tuple[dict[str, Any], ...] = ()
    draws: int = 0
    support: float = float("nan")
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``positive``, ``negative`` or ``unknown`` (the interval holds zero)."""
        if self.low > 0:
            return "positive"
        return "negative" if self.high < 0 else "unknown"

    def table(self) -> pd.DataFrame:
        """Coefficients as a frame with columns ``term``, ``estimate``, ``se``."""
        return pd.DataFrame(list(self.coefficients), columns=["term", "estimate", "se"])

    def to_json(self) -> str:
        """Serialise without loss; see :meth:`from_json`."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=True)

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Rebuild a result written by :meth:`to_json`."""
        data = json.loads(text)
        return cls(**{**data, "coefficients": tuple(data["coefficients"])})

    def __repr__(self) -> str:
        return (
            f"Result({self.model}: {self.term} = {self.estimate:.3g} "
            f"[{self.low:.3g}, {self.high:.3g}] {self.unit}, p = {self.p:.3g}, "
            f"{self.observations} observations, {self.clusters} clusters, {self.inference})"
        )


@dataclass(frozen=True)
class Check:
    """One robustness check of an estimate.

    Attributes
    ----------
    name : registry name, e.g. ``"leave_one_region_out"``.
    passed : ``True``, ``False``, or ``None`` where the check informs and cannot fail.
    key : text key of the sentence it permits.
    values : numbers of that sentence by placeholder.
    rows : the tidy table behind it, one record a row.
    """

    name: str
    passed: bool | None
    key: str
    values: dict[str, float] = field(default_factory=dict)
    rows: tuple[dict[str, Any], ...] = ()

    def table(self) -> pd.DataFrame:
        """The numbers behind the verdict, one row each."""
        return pd.DataFrame(list(self.rows))
