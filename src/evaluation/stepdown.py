"""Several doses at once: Romano-Wolf step-down p-values from one joint wild bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.inference import WEBB_BELOW
from evaluation.least_squares import LeastSquares
from evaluation.wild import TIE, WildTest, weight_batches


def step_down(observed: Any, drawn: Any) -> np.ndarray:
    """Adjusted p-values of S statistics, large ones being extreme, in the order given.

    From the largest statistic down, each is held against the largest drawn one among itself and
    those below it; p = (1 + k) / (1 + B), and no smaller than the p before it.

    Parameters
    ----------
    observed : (S,). drawn : (S, B), each column one joint draw under the nulls.

    Source
    ------
    Romano & Wolf (2016), Statistics & Probability Letters 113:38-40.

    >>> step_down([3.0, 1.0], [[0.5, 4.0, 1.0], [2.0, 0.1, 0.2]]).tolist()
    [0.5, 0.5]
    """
    observed, drawn = np.asarray(observed, dtype=float), np.asarray(drawn, dtype=float)
    if observed.ndim != 1 or drawn.ndim != 2 or len(drawn) != observed.size or not drawn.size:
        raise ModelError("Step-down needs S observed statistics and S rows of drawn ones.")
    if np.isnan(observed).any() or np.isnan(drawn).any():
        raise ModelError("Step-down needs statistics without missing values.")
    order = np.argsort(-observed, kind="stable")
    # Row j of the running maximum is the largest drawn statistic among ranks j, j + 1, ...
    largest = np.maximum.accumulate(drawn[order][::-1], axis=0)[::-1]
    extreme = (largest >= observed[order, None] * (1 - TIE)).sum(axis=1)
    p = np.empty(observed.size)
    p[order] = np.maximum.accumulate((1 + extreme) / (1 + drawn.shape[1]))
    return p


def romano_wolf(
    fits: Sequence[tuple[LeastSquares, Any]], draws: int = 9999, *, seed: int
) -> np.ndarray:
    """Adjusted p-values of the last coefficients of several fits, each null zero.

    All fits share the draws: a cluster carries one weight in every fit it stands in, so that the
    statistics are dependent as the doses are. Each statistic is that of
    :func:`evaluation.inference.wild_cluster_bootstrap` with its own null imposed.

    Parameters
    ----------
    fits : pairs of a fit, the coefficient tested last, and its (N,) cluster labels; the fits may
        differ in rows, outcomes and covariates. draws, seed : as in the bootstrap.
    """
    if not fits:
        raise ModelError("Step-down needs at least one fit.")
    labels = pd.unique(np.concatenate([np.asarray(clusters) for _, clusters in fits]))
    labels = pd.Index(np.sort(labels))
    kind = "webb" if len(labels) < WEBB_BELOW else "rademacher"
    weights = np.hstack(list(weight_batches(kind, len(labels), draws, seed)))
    observed, drawn = [], []
    for fit, clusters in fits:
        codes, own = pd.factorize(np.asarray(clusters), sort=True)
        test = WildTest(fit, codes, iter([weights[labels.get_indexer(own)]]))
        statistic, values = test.statistics(float(fit.coefficients[-1]))
        observed.append(statistic)
        drawn.append(values)
    return step_down(observed, drawn)
