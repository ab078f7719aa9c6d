"""A prediction test, not an association: do the inputs help to predict regions held out?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles, checked
from evaluation.stats.bootstrap import cluster_codes, enumerates, weight_batches
from evaluation.stats.least_squares import cluster_sums
from evaluation.stats.permutation import TIE, p_value

RATIOS = (0.2, 0.9)
PENALTIES = 20
FOLDS = 5


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
        # Mean gain of the training regions in the interval of every row; overall mean if none.
        found = pd.Series(y[train]).groupby(waves[train]).mean()
        means = pd.Series(waves).map(found).fillna(y[train].mean()).to_numpy()
        scaler = StandardScaler().fit(X[train])
        net = _elastic_net(scaler.transform(X[train]), (y - means)[train], codes[train], seed)
        trend[test] = means[test]
        predicted[test] = means[test] + net.predict(scaler.transform(X[test]))
        coefficients.append(net.coef_)
    return predicted, trend, np.array(coefficients)


MIN_DRAWS = 99
BISECTIONS = 60
# Distance of a skill from the estimate beyond which an end is called unbounded.
UNBOUNDED = 1e4


class SkillTest:
    """Skill 1 - Σ|e| / Σ|e of the benchmark|, tested by changing signs of whole regions.

    Under skill s the regions' sums M - (1 - s)B centre on 0; p compares |Σ(M - (1 - s)B)| with the
    same sum under random signs, and the interval holds every s that is not rejected.
    """

    def __init__(self, model: np.ndarray, benchmark: np.ndarray, draws: int, seed: int):
        if draws < MIN_DRAWS:
            raise ModelError(f"{draws} draws are too few; take at least {MIN_DRAWS}.")
        self.m, self.b = float(model.sum()), float(benchmark.sum())
        signs = weight_batches("rademacher", len(model), draws, seed)
        pairs = [np.stack([model @ v, benchmark @ v]) for v in signs]
        self.drawn = np.concatenate(pairs, axis=1)

    @property
    def estimate(self) -> float:
        """Share of the benchmark's absolute error that the model takes away."""
        return 1 - self.m / self.b

    def p(self, skill: float) -> float:
        """(1 + number of draws at least as extreme) / (1 + draws)."""
        drawn = np.abs(self.drawn[0] - (1 - skill) * self.drawn[1])
        observed = abs(self.m - (1 - skill) * self.b)
        extreme = np.count_nonzero(drawn >= observed - TIE * self.b)
        return p_value(int(extreme), self.drawn.shape[1])

    def end(self, side: int, alpha: float) -> float:
        """Last skill not rejected on one side, 1 at most: no error can be below 0.

        A skill of 0 is tried where it lies on this side: p at 0 and interval always agree.
        """
        if not 0 < alpha < 1:
            raise ModelError(f"'level' must lie strictly between 0 and 1; it is {1 - alpha:g}.")
        low, high, zero = 0.0, 1e-3, -side * self.estimate
        if zero > 0 and self.p(0.0) > alpha:
            low, high = zero, 2 * zero
        ceiling = zero if zero > 0 and low == 0 else UNBOUNDED
        high = min(high, ceiling)
        while high < ceiling and self.p(self.estimate + side * high) > alpha:
            low, high = high, min(2 * high, ceiling)
        if high >= UNBOUNDED:
            return -np.inf if side < 0 else 1.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            inside = self.p(self.estimate + side * middle) > alpha
            low, high = (middle, high) if inside else (low, middle)
        return float(min(1.0, self.estimate + side * low))


NAME = "elastic_net"
TERM = "skill"
PERCENT = 100.0


def _sums(errors: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Absolute errors by region, (G,)."""
    return cluster_sums(np.abs(errors), codes)


def _errors(
    y: np.ndarray, predicted: np.ndarray, trend: np.ndarray, own: np.ndarray
) -> dict[str, float]:
    """Mean absolute errors, and the skill against no change; ``own`` (G,) are sums by region."""
    return {
        "mae": float(np.abs(y - predicted).mean()),
        "mae_trend": float(np.abs(y - trend).mean()),
        "mae_no_change": float(np.abs(y).mean()),
        "skill_no_change": PERCENT * float(1 - own.sum() / np.abs(y).sum()),
    }


def _selected(roles: Roles, coefficients: np.ndarray) -> dict[str, Any]:
    """How often and how strongly each input entered the folds, doses first; folds without any."""
    rows = [
        {"term": name, "share_of_folds": float((b != 0).mean()), "mean": float(b.mean())}
        for name, b in zip([*roles.doses, *roles.covariates], coefficients.T, strict=True)
    ]
    return {"selected": rows, "empty_folds": int((coefficients == 0).all(axis=1).sum())}


def _beyond(
    covariates: np.ndarray | None, own: np.ndarray, benchmark: np.ndarray
) -> dict[str, float | None]:
    """Skill of the covariates alone, and what the doses take away of the error they leave.

    ``covariates`` are the regions' absolute errors (G,) of predictions without the doses, or None.
    """
    if covariates is None:
        return {"skill_covariates": None, "skill_beyond_covariates": None}
    left = covariates.sum()
    return {
        "skill_covariates": PERCENT * float(1 - left / benchmark.sum()),
        "skill_beyond_covariates": PERCENT * float(1 - own.sum() / left),
    }


def _keys(row: dict[str, Any], covariates: bool) -> list[str]:
    """Text keys of the sentences the skill permits: whether the inputs help to predict, no more."""
    said = "foil.unclear"
    if row["low"] > 0:
        said = "foil.helps"
    elif row["high"] < 0:
        said = "foil.harms"
    return [said, "foil.covariates"] if covariates else [said]


def _description(count: int, draws: int) -> str:
    every = enumerates("rademacher", count, draws)
    how = f"all {2**count} sign changes" if every else f"{draws} draws"
    return f"sign changes of whole regions, {how}"


def _row(
    own: np.ndarray, benchmark: np.ndarray, inference: Inference
) -> tuple[dict[str, Any], int]:
    """The skill with its inference in percent, and the number of draws."""
    if not benchmark.sum():
        raise ModelError("The national trend predicts without error; no skill is defined.")
    test, count = SkillTest(own, benchmark, inference.draws, inference.seed), len(own)
    z = own - (1 - test.estimate) * benchmark
    return {
        "term": TERM,
        "estimate": PERCENT * test.estimate,
        "se": PERCENT * float(np.sqrt(count / (count - 1) * z @ z) / benchmark.sum()),
        "low": PERCENT * test.end(-1, 1 - inference.level),
        "high": PERCENT * test.end(1, 1 - inference.level),
        "p": test.p(0.0),
    }, test.drawn.shape[1]


def fit(panel: pd.DataFrame, roles: Roles, inference: Inference) -> Result:
    """Skill of an elastic net of all inputs in predicting the gains of regions held out.

    The estimate is 100 (1 - MAE / MAE of the national trend), both on regions the fit has not seen:
    above 0 the inputs help to predict, and that is all it says. The outcome is the annualised gain,
    the inputs are doses and covariates; the variance is checked, not used. The seed also shuffles
    the inner folds that choose the penalties. Held-out errors of two regions share most of their
    training data, so the interval is approximate. An opening level holds the sampling error of the
    gain with the opposite sign: it predicts observed gains even where regions do not differ.

    Raises
    ------
    ModelError : national trend without error, and what
        :func:`evaluation.models.columns.checked` refuses.

    Source
    ------
    Zou & Hastie (2005), Journal of the Royal Statistical Society B 67:301-320; sign changes:
    Canay, Romano & Shaikh (2017), Econometrica 85:1013-1030.
    """
    frame, dropped = checked(panel, roles, waves=1)
    frame = frame.sort_values([roles.region, roles.wave], ignore_index=True)
    y, waves = frame[roles.outcome].to_numpy(float), frame[roles.wave].to_numpy()
    codes, count = cluster_codes(frame[roles.region], len(y))
    X = frame[[*roles.doses, *roles.covariates]].to_numpy(float)
    predicted, trend, coefficients = held_out(X, y, codes, waves, inference.seed)
    own, benchmark = _sums(y - predicted, codes), _sums(y - trend, codes)
    without = None
    if roles.covariates:
        others = held_out(X[:, len(roles.doses) :], y, codes, waves, inference.seed)[0]
        without = _sums(y - others, codes)
    row, draws = _row(own, benchmark, inference)
    details = _errors(y, predicted, trend, own) | _beyond(without, own, benchmark)
    details |= _selected(roles, coefficients) | {"keys": _keys(row, bool(roles.covariates))}
    return Result(
        model=NAME, outcome=roles.outcome, **row, level=inference.level,
        inference=_description(count, inference.draws), clusters=count, observations=len(y),
        unit="percent", coefficients=(row,), draws=draws,
        details=details | {"dropped": dropped, "seed": inference.seed},
    )  # fmt: skip
