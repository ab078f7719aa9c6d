"""A foil, not an association: do the inputs help to predict regions that were held out?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.design import Columns, checked, columns
from evaluation.models.held_out import held_out
from evaluation.models.skill import SkillTest
from evaluation.results import Result
from evaluation.stats.bootstrap import cluster_codes, enumerates
from evaluation.stats.least_squares import cluster_sums

NAME = "elastic_net"
TERM = "skill"
PERCENT = 100.0


def _selected(roles: Columns, coefficients: np.ndarray) -> list[dict[str, Any]]:
    """How often and how strongly each input entered the folds; doses first."""
    return [
        {"term": name, "share_of_folds": float((b != 0).mean()), "mean": float(b.mean())}
        for name, b in zip([*roles.doses, *roles.covariates], coefficients.T, strict=True)
    ]


def _beyond(
    X: np.ndarray,
    y: np.ndarray,
    codes: np.ndarray,
    waves: np.ndarray,
    seed: int,
    own: np.ndarray,
    benchmark: np.ndarray,
) -> dict[str, float | None]:
    """Skill of the covariates alone, and what the doses take away of the error they leave."""
    if not X.shape[1]:
        return {"skill_covariates": None, "skill_beyond_covariates": None}
    left = _sums(y - held_out(X, y, codes, waves, seed)[0], codes).sum()
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


def _sums(errors: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return cluster_sums(np.abs(errors), codes)


def _row(own, benchmark, draws: int, seed: int, level: float) -> tuple[dict[str, Any], int]:
    """The skill with its inference in percent, and the number of draws."""
    if not benchmark.sum():
        raise ModelError("The national trend predicts without error; no skill is defined.")
    test, count = SkillTest(own, benchmark, draws, seed), len(own)
    z = own - (1 - test.estimate) * benchmark
    return {
        "term": TERM,
        "estimate": PERCENT * test.estimate,
        "se": PERCENT * float(np.sqrt(count / (count - 1) * z @ z) / benchmark.sum()),
        "low": PERCENT * test.end(-1, 1 - level),
        "high": PERCENT * test.end(1, 1 - level),
        "p": test.p(0.0),
    }, test.drawn.shape[1]


def fit(
    panel: pd.DataFrame,
    *,
    outcome: str,
    doses: Sequence[str],
    region: str,
    wave: str,
    variance: str | None = None,
    covariates: Sequence[str] = (),
    unit: str = "percent",
    draws: int = 9999,
    seed: int = 1,
    level: float = 0.95,
) -> Result:
    """Skill of an elastic net of all inputs in predicting the gains of regions held out.

    The estimate is 100 (1 - MAE / MAE of the national trend), both on regions the fit has not seen:
    above 0 the inputs help to predict, and that is all it says. Penalties are chosen inside the
    training regions. ``details`` holds the skill against no change, the absolute errors, and how
    often each input was selected, and apart what the covariates predict without the doses: a skill
    that the covariates have alone is none of the doses. ``details["keys"]`` names the sentences it
    permits, to be filled with ``skill``, ``low``, ``high`` and ``covariates`` in percent.

    Parameters
    ----------
    panel : one row a region and interval. Other arguments name its columns.
    outcome : annualised gain. doses, covariates : inputs, the opening level among them.
    region : clusters, held out one at a time. wave : interval. variance : checked, not used: every
        row's error counts alike.
    unit : of the skill. draws, seed, level : of the test; the seed also shuffles the inner folds.

    Raises
    ------
    ModelError : national trend without error, and what
        :func:`evaluation.models.columns.checked` refuses.

    Notes
    -----
    Held-out errors of two regions share most of their training data, so the interval is
    approximate. The opening level holds the sampling error of the gain with the opposite sign: it
    predicts observed gains even where nothing differs between regions.

    Source
    ------
    Zou & Hastie (2005), Journal of the Royal Statistical Society B 67:301-320; sign changes:
    Canay, Romano & Shaikh (2017), Econometrica 85:1013-1030.
    """
    roles = columns(outcome, doses, covariates, region, wave, variance)
    frame, dropped = checked(panel, roles, waves=1)
    frame = frame.sort_values([region, wave], ignore_index=True)
    y, X = frame[outcome].to_numpy(float), frame[[*doses, *covariates]].to_numpy(float)
    codes, count = cluster_codes(frame[region], len(y))
    predicted, trend, coefficients = held_out(X, y, codes, frame[wave].to_numpy(), seed)
    own, benchmark = _sums(y - predicted, codes), _sums(y - trend, codes)
    row, drawn = _row(own, benchmark, draws, seed, level)
    return Result(
        model=NAME,
        outcome=outcome,
        **row,
        level=level,
        inference=_description(count, draws),
        clusters=count,
        observations=len(y),
        unit=unit,
        coefficients=(row,),
        draws=drawn,
        details={
            "mae": float(np.abs(y - predicted).mean()),
            "mae_trend": float(np.abs(y - trend).mean()),
            "mae_no_change": float(np.abs(y).mean()),
            "skill_no_change": PERCENT * float(1 - own.sum() / np.abs(y).sum()),
            **_beyond(X[:, len(doses) :], y, codes, frame[wave].to_numpy(), seed, own, benchmark),
            "selected": _selected(roles, coefficients),
            "empty_folds": int((coefficients == 0).all(axis=1).sum()),
            "keys": _keys(row, bool(roles.covariates)),
            "dropped": dropped,
            "seed": seed,
        },
    )
