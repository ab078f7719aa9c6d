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
    coefficients : all coefficients as records ``{"term", "estimate", "se"}``.
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
    details: dict[str, Any] = field(default_factory=dict)

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
