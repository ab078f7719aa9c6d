"""Least squares with weights that are not negative and sum to one."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from evaluation.errors import ModelError


def simplex_weights(A: np.ndarray, b: np.ndarray, ridge: float) -> np.ndarray:
    """Minimise ‖A w - b‖² + ridge ‖w‖² over w >= 0 with Σ w = 1, exactly.

    With M = [A - b 1'; √ridge I] this is the point of least norm in the convex hull of the
    columns of M. Non-negative least squares of [M; 1'] u on (0, 1) meets the same first-order
    conditions up to scale, so w = u / Σ u.

    Parameters
    ----------
    A : (m, J). b : (m,). ridge : positive, which makes the solution unique.

    >>> simplex_weights(np.array([[0.0, 2.0]]), np.array([1.5]), 1e-9).round(3)
    array([0.25, 0.75])
    """
    scale = float(np.abs(A - b[:, None]).max()) or 1.0
    stacked = np.vstack([(A - b[:, None]) / scale, np.sqrt(ridge) / scale * np.eye(A.shape[1])])
    target = np.append(np.zeros(len(stacked)), 1.0)
    try:
        u, _ = nnls(np.vstack([stacked, np.ones(A.shape[1])]), target, maxiter=100 * A.shape[1])
    except RuntimeError as error:
        raise ModelError(f"The weights of the donors did not converge: {error}.") from error
    return u / u.sum()
