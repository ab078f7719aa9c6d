"""One treated region against weighted donors: synthetic control and synthetic differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.models.simplex import simplex_weights

METHODS = ("synthetic_control", "synthetic_did", "did")
# Share of the donors' noise that makes otherwise free weights unique.
_TINY = 1e-6


@dataclass(frozen=True)
class Fit:
    """A treated region and its weighted donors.

    Attributes
    ----------
    estimate : mean gap after treatment less the weighted gap before it.
    donors : (J,) weights of the donors. times : (T0,) of the waves before treatment.
    gaps : (T,) outcome less that of the weighted donors, less the weighted gap before treatment.
    before, after : root mean square of the gaps before and after treatment.
    """

    estimate: float
    donors: np.ndarray
    times: np.ndarray
    gaps: np.ndarray
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """Gap after treatment over the gap before; infinite for a perfect fit before."""
        return self.after / self.before if self.before > 0 else float("inf")


def _centred(rows: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """Simplex weights with a free intercept."""
    return simplex_weights(rows - rows.mean(axis=0), target - target.mean(), ridge)


def weights(y: np.ndarray, others: np.ndarray, before: int, method: str) -> tuple[np.ndarray, ...]:
    """Donor weights (J,) and time weights (T0,).

    Parameters
    ----------
    y : (T,) treated region. others : (J, T) donors. before : T0 waves before treatment.
    method : ``"synthetic_control"`` matches levels before treatment and weighs no wave before;
        ``"synthetic_did"`` matches movements, with a penalty ζ² = √T1 σ² that spreads the weights,
        and weighs the waves before treatment alike; ``"did"`` weighs all equally.

    Source
    ------
    Abadie, Diamond & Hainmueller (2010), Journal of the American Statistical Association
    105:493-505; Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review
    111:4088-4118.
    """
    count, past = len(others), others[:, :before]
    if method == "did":
        return np.full(count, 1 / count), np.full(before, 1 / before)
    noise = max(float(np.diff(past, axis=1).std(ddof=1)), 1e-12)
    tiny = (_TINY * noise) ** 2
    if method == "synthetic_control":
        return simplex_weights(past.T, y[:before], before * tiny), np.zeros(before)
    penalty = np.sqrt(len(y) - before) * noise**2
    donors = _centred(past.T, y[:before], before * penalty)
    return donors, _centred(past, others[:, before:].mean(axis=1), count * tiny)


def compare(y: np.ndarray, others: np.ndarray, before: int, method: str) -> Fit:
    """Fit one region against its donors; arguments as in :func:`weights`."""
    donors, times = weights(y, others, before, method)
    gaps = y - donors @ others
    # Synthetic control keeps the level of the gap; the others allow a constant one.
    level = float(times @ gaps[:before])
    gaps = gaps - level
    size = [float(np.sqrt((part**2).mean())) for part in (gaps[:before], gaps[before:])]
    return Fit(float(gaps[before:].mean()), donors, times, gaps, *size)


def placebos(others: np.ndarray, before: int, method: str) -> list[Fit]:
    """Each donor in turn as if it had been treated, the rest its donors."""
    rows = range(len(others))
    return [compare(others[j], np.delete(others, j, axis=0), before, method) for j in rows]
