"""Decompose the difference between two rates into composition and rates; bound what is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import KepuError

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Kitagawa:
    """Parts of a difference, in the unit of the rates; ``by_group`` arrays sum to the parts."""

    composition: float
    rates: float
    composition_by_group: np.ndarray
    rates_by_group: np.ndarray

    @property
    def difference(self) -> float:
        return self.composition + self.rates


def kitagawa(
    shares0: Sequence[float],
    rates0: Sequence[float],
    shares1: Sequence[float],
    rates1: Sequence[float],
) -> Kitagawa:
    """Split R1 - R0, R = Σ w r, into composition Σ Δw r̄ and rates Σ w̄ Δr; nothing is left over.

    It is the Oaxaca-Blinder decomposition with group indicators as regressors and the mean of both
    coefficient vectors as the reference.

    Parameters
    ----------
    shares0, shares1 : shares of the groups before and after, each adding to 1.
    rates0, rates1 : rates of the groups, any unit.

    Raises
    ------
    KepuError : unequal lengths, a negative share, or shares that do not add to 1.

    Source
    ------
    Kitagawa (1955), Journal of the American Statistical Association 50:1168-1194.
    """
    arrays = [np.asarray(a, dtype=float) for a in (shares0, rates0, shares1, rates1)]
    w0, r0, w1, r1 = arrays
    if w0.ndim != 1 or len({a.shape for a in arrays}) != 1:
        raise KepuError("Shares and rates need one value for each group, before and after.")
    for name, w in (("shares0", w0), ("shares1", w1)):
        if (w < 0).any() or abs(w.sum() - 1) > TOLERANCE:
            raise KepuError(f"'{name}' must be at least 0 and add to 1; they add to {w.sum():.6g}.")
    composition, rates = (w1 - w0) * (r0 + r1) / 2, (r1 - r0) * (w0 + w1) / 2
    return Kitagawa(float(composition.sum()), float(rates.sum()), composition, rates)


def implied_share(total: float, first: float, second: float) -> float:
    """Share of the first of two groups that makes their rates average to the total.

    Raises
    ------
    KepuError : equal rates, or a total outside them.

    >>> round(implied_share(10.56, 13.75, 6.45), 3)
    0.563
    """
    if first == second or not min(first, second) <= total <= max(first, second):
        raise KepuError(f"No mix of {first} and {second} averages to {total}.")
    return (total - second) / (first - second)


def gap_bounds(
    total: float, least_share: float, upper: tuple[float, float], lower: tuple[float, float]
) -> tuple[float, float]:
    """Bounds of the gap between a group's rate and that of the rest, from published margins.

    Only rates of finer groups are published: the group's own rate lies in ``upper``, that of the
    rest in ``lower``, the total is known, and the group's share is at least ``least_share``.

    Returns
    -------
    low, high : with r the rate of the rest and g the gap, total = r + share·g must hold.

    Raises
    ------
    KepuError : margins that no share can reconcile.
    """
    share = np.linspace(max(least_share, 1e-9), 1, 100_001)[:-1]
    # r_group = total + (1 - share) g and r_rest = total - share g, each inside its range.
    start = np.maximum((upper[0] - total) / (1 - share), (total - lower[1]) / share)
    end = np.minimum((upper[1] - total) / (1 - share), (total - lower[0]) / share)
    possible = start <= end
    if not possible.any():
        raise KepuError("No share of the group reconciles the total with the rates of its parts.")
    return float(start[possible].min()), float(end[possible].max())


def joint_bounds(
    gaps: tuple[tuple[float, float], tuple[float, float]],
    changes: tuple[float, float],
    shares: tuple[float, float],
) -> tuple[float, float]:
    """Bounds of what two compositions account for together when their cross-tabulation is unknown.

    Each gap mixes in the other characteristic: with correlation φ between the two indicators and
    additive rates, b + c d₁ = B and c + b d₂ = C, d₁ = φ s, d₂ = φ/s, s² = u(1-u)/(e(1-e)). The
    joint part is bΔe + cΔu; φ runs over every value from 0 to its largest at which neither b nor
    c is negative.

    Parameters
    ----------
    gaps : bounds of the gap B of the first and C of the second characteristic.
    changes : of their shares e and u. shares : e and u themselves, between 0 and 1.

    Raises
    ------
    KepuError : a share outside 0 to 1 or a negative gap.
    """
    e, u = shares
    if not (0 < e < 1 and 0 < u < 1) or min(gaps[0][0], gaps[1][0]) < 0:
        raise KepuError("Joint bounds need shares inside 0 to 1 and gaps of at least 0.")
    s = np.sqrt(u * (1 - u) / (e * (1 - e)))
    largest = min(np.sqrt(e * (1 - u) / (u * (1 - e))), np.sqrt(u * (1 - e) / (e * (1 - u))))
    phi = np.linspace(0, largest * (1 - 1e-9), 501)
    found = []
    for B in np.linspace(*gaps[0], 41):
        for C in np.linspace(*gaps[1], 5):
            b, c = (B - phi * s * C) / (1 - phi**2), (C - phi / s * B) / (1 - phi**2)
            found.append((b * changes[0] + c * changes[1])[(b >= 0) & (c >= 0)])
    values = np.concatenate(found)
    return float(values.min()), float(values.max())
