"""Predictions of regions that were held out, by an elastic net and by the national trend."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

RATIOS = (0.2, 0.9)
PENALTIES = 20
FOLDS = 5


def _wave_means(y: np.ndarray, waves: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Mean gain of the training regions in the interval of every row; overall mean if none."""
    found = pd.Series(y[train]).groupby(waves[train]).mean()
    return pd.Series(waves).map(found).fillna(y[train].mean()).to_numpy()


def _elastic_net(X: np.ndarray, y: np.ndarray, codes: np.ndarray, seed: int):
    """Elastic net with penalties chosen by cross-validation over regions of the training part."""
    # Imported where it is used: a report reads results that are kept and need not wait for it.
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import ElasticNetCV
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(X, y, codes)
    net = ElasticNetCV(
        l1_ratio=list(RATIOS), alphas=PENALTIES, cv=list(folds), fit_intercept=False, max_iter=5000
    )
    # The panel is checked already; checking it again at every penalty takes most of the time.
    with config_context(assume_finite=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.fit(X, y)


def held_out(
    X: np.ndarray, y: np.ndarray, codes: np.ndarray, waves: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions of each region from a fit on all others.

    The elastic net predicts the deviation from the mean of the other regions in the same interval,
    so with every coefficient at 0 it is the national trend.

    Returns
    -------
    predictions (N,), national trend (N,), and the coefficients of each fold (G, k) for inputs
    scaled to standard deviation 1.
    """
    from sklearn.preprocessing import StandardScaler

    predicted, trend = np.empty(len(y)), np.empty(len(y))
    coefficients = []
    for region in range(codes.max() + 1):
        test = codes == region
        train = ~test
        means = _wave_means(y, waves, train)
        scaler = StandardScaler().fit(X[train])
        net = _elastic_net(scaler.transform(X[train]), (y - means)[train], codes[train], seed)
        trend[test] = means[test]
        predicted[test] = means[test] + net.predict(scaler.transform(X[test]))
        coefficients.append(net.coef_)
    return predicted, trend, np.array(coefficients)
