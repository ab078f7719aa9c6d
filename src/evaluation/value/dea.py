"""Data envelopment analysis: how far a unit lies from the best that others show.

Own code on ``scipy.optimize.linprog``: the packages on PyPI bring solvers or interfaces of their
own and none has the bootstrap an interval needs.

Source
------
Charnes, Cooper & Rhodes (1978), European Journal of Operational Research 2:429-444; Banker,
Charnes & Cooper (1984), Management Science 30:1078-1092.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import linprog

from evaluation.errors import ModelError

RETURNS = ("constant", "variable")
# Bases of the envelopment problem that are enumerated at most.
MAXIMUM_BASES = 200_000


def _checked(inputs: Any, outputs: Any, returns: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(inputs, dtype=float), np.asarray(outputs, dtype=float)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ModelError("Inputs and outputs must be units by columns, with the same units.")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ModelError("All inputs and outputs must be above 0, none missing.")
    if returns not in RETURNS:
        raise ModelError(f"Unknown returns to scale '{returns}': use {' or '.join(RETURNS)}.")
    return x, y


def output_factors(inputs: Any, outputs: Any, returns: str = "variable") -> np.ndarray:
    """Factor, at least 1, by which each unit's outputs could grow at its inputs, (units,).

    Parameters
    ----------
    inputs : (units, m). outputs : (units, s), all above 0. returns : to scale, ``"constant"``
        (CCR) or ``"variable"`` (BCC).

    Examples
    --------
    >>> output_factors([[2], [4]], [[1], [1]], "constant").tolist()
    [1.0, 2.0]
    """
    x, y = _checked(inputs, outputs, returns)
    units = len(x)
    objective = np.append(np.zeros(units), -1.0)
    fixed = np.append(np.ones(units), 0.0)[None, :] if returns == "variable" else None
    factors = []
    for own_x, own_y in zip(x, y, strict=True):
        rows = np.vstack(
            [np.column_stack([x.T, np.zeros(x.shape[1])]), np.column_stack([-y.T, own_y])]
        )
        right = np.concatenate([own_x, np.zeros(y.shape[1])])
        one = None if fixed is None else [1.0]
        found = linprog(objective, A_ub=rows, b_ub=right, A_eq=fixed, b_eq=one)
        if found.status != 0:
            raise ModelError(f"The envelopment problem has no solution: {found.message}")
        factors.append(-found.fun)
    return np.asarray(factors)


class Reference:
    """All corners of one-output problems with variable returns, for many outputs at once.

    The peers' weights may take the same corners whatever the outputs are, so the corners are
    found once and a bootstrap draw costs one product.
    """

    def __init__(self, inputs: Any):
        x, _ = _checked(inputs, np.ones((len(inputs), 1)), "variable")
        units, m = x.shape
        # Scaled inputs and slacks: x'λ + s = x_i, 1'λ = 1.
        scaled = x / x.mean(axis=0)
        columns = np.vstack([np.hstack([scaled.T, np.eye(m)]), np.r_[np.ones(units), np.zeros(m)]])
        bases = np.array(list(combinations(range(units + m), m + 1)))
        if len(bases) > MAXIMUM_BASES:
            raise ModelError(
                f"{units} units with {m} inputs have {len(bases):,} corners; use fewer inputs."
            )
        matrices = columns[:, bases].transpose(1, 0, 2)
        kept = np.abs(np.linalg.det(matrices)) > 1e-10
        self.bases, inverse = bases[kept], np.linalg.inv(matrices[kept])
        self.units, self.peers, self.weights = units, [], []
        for own in scaled:
            solved = inverse @ np.append(own, 1.0)
            good = (solved > -1e-9).all(axis=1)
            peers, weights = self.bases[good], np.maximum(solved[good], 0)
            weights = np.where(peers < units, weights, 0.0)
            self.peers.append(np.where(peers < units, peers, 0))
            self.weights.append(weights)

    def best(self, outputs: np.ndarray) -> np.ndarray:
        """Largest output at each unit's inputs, (draws, units), of outputs (draws, units)."""
        drawn = np.atleast_2d(outputs)
        found = []
        for peers, weights in zip(self.peers, self.weights, strict=True):
            total = sum(drawn[:, peers[:, j]] * weights[:, j] for j in range(peers.shape[1]))
            found.append(total.max(axis=1))
        return np.column_stack(found)
