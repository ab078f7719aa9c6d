"""Time the inference against pyfixest in one run; prints ratios, because seconds are a machine's.

Needs pyfixest, wildboottest and numba beside the package. Both sides are warm: each ran once
before it is timed, so that neither just-in-time compilation nor imports count.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pyfixest

from evaluation.stats.bootstrap import WildTest, weight_batches, wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation, least_squares
from evaluation.stats.permutation import randomisation_inference

REGIONS, WAVES, DRAWS = 31, 5, 9999
PANELS, ROUNDS = 20, 7
THEIR_PERMUTATIONS = 200
FORMULA = "y ~ dose + income + C(wave)"


def panel(seed: int) -> pd.DataFrame:
    """Generated: a persistent dose, persistent shocks and a modest slope."""
    rng = np.random.default_rng(seed)
    region = np.repeat(np.arange(REGIONS), WAVES)
    size = len(region)
    frame = pd.DataFrame({"region": region, "wave": np.tile(np.arange(WAVES), REGIONS)})
    frame["dose"] = rng.normal(size=REGIONS)[region] + 0.3 * rng.normal(size=size)
    frame["income"] = rng.normal(size=size)
    shock = rng.normal(size=REGIONS)[region]
    frame["y"] = 0.2 * frame["dose"] + shock + rng.normal(size=size)
    return frame


def design(frame: pd.DataFrame) -> pd.DataFrame:
    waves = pd.get_dummies(frame["wave"], prefix="wave", dtype=float)
    return waves.join(frame[["income", "dose"]])


def own_bootstrap(frame: pd.DataFrame):
    X = design(frame)
    return wild_cluster_bootstrap(
        Equation(frame["y"], X, frame["region"]),
        X.shape[1] - 1,
        DRAWS,
        weights="rademacher",
        seed=1,
    )


def own_p(frame: pd.DataFrame) -> float:
    """The p-value alone, without the interval."""
    fit = least_squares(frame["y"], design(frame))
    codes = frame["region"].to_numpy()
    test = WildTest(fit, codes, weight_batches("rademacher", REGIONS, DRAWS, 1))
    return test.p(float(fit.coefficients[-1]))


def fitted(frame: pd.DataFrame):
    return pyfixest.feols(FORMULA, frame, vcov={"CRV1": "region"})


def their_bootstrap(frame: pd.DataFrame) -> float:
    answer = fitted(frame).wildboottest(reps=DRAWS, param="dose", seed=1)
    return float(answer["Pr(>|t|)"])


def own_permutation(frame: pd.DataFrame, statistic: str) -> float:
    X = design(frame)
    return randomisation_inference(
        Equation(frame["y"], X, frame["region"], frame["wave"]), X.shape[1] - 1, DRAWS, seed=1,
        statistic=statistic,
    ).p  # fmt: skip


def their_permutation(frame: pd.DataFrame, statistic: str) -> float:
    """Their t refits the model in each permutation; their coefficient has a fast algorithm."""
    rng = np.random.default_rng(1)
    kind = {"t": "randomization-t", "coefficient": "randomization-c"}[statistic]
    answer = fitted(frame).ritest(
        "dose", reps=THEIR_PERMUTATIONS, type=kind, rng=rng, cluster="region"
    )
    return float(answer["Pr(>|t|)"])


def seconds(work: Callable[[pd.DataFrame], object], frame: pd.DataFrame, rounds: int) -> float:
    """Median of a warm call."""
    work(frame)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work(frame)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def agreement() -> tuple[float, float]:
    """Largest difference of the two bootstraps' p-values, and in Monte Carlo standard errors."""
    pairs = np.array(
        [(own_p(frame), their_bootstrap(frame)) for frame in map(panel, range(PANELS))]
    )
    middle = pairs.mean(axis=1)
    spread = np.sqrt(2 * middle * (1 - middle) / DRAWS)
    gap = np.abs(np.diff(pairs, axis=1).ravel())
    return float(gap.max()), float((gap / np.maximum(spread, 1 / DRAWS)).max())


def main() -> None:
    warnings.simplefilter("ignore")
    frame = panel(0)
    p = seconds(own_p, frame, ROUNDS)
    whole = seconds(own_bootstrap, frame, ROUNDS)
    theirs = seconds(their_bootstrap, frame, ROUNDS)
    ratios, dealt = {}, 0.0
    for statistic in ("coefficient", "t"):
        dealt = seconds(partial(own_permutation, statistic=statistic), frame, ROUNDS) / DRAWS
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            once = seconds(partial(their_permutation, statistic=statistic), frame, 3)
        ratios[f"one permutation, {statistic}: ritest / own"] = once / THEIR_PERMUTATIONS / dealt
    print(f"{REGIONS} regions x {WAVES} waves, {DRAWS:,} draws, medians of {ROUNDS} warm calls")
    print(f"{'':<58}{'ratio':>10}")
    rows = {
        "bootstrap p-value: pyfixest's wildboottest / own": theirs / p,
        "bootstrap p and interval: wildboottest (p only) / own": theirs / whole,
        "own p and interval / own p": whole / p,
    } | ratios
    for name, ratio in rows.items():
        print(f"{name:<58}{ratio:>10,.1f}")
    print(f"own seconds: p {p:.4f}, p and interval {whole:.4f}, permutations {dealt * DRAWS:.4f}")
    gap, errors = agreement()
    print(
        f"p-values on {PANELS} panels differ by at most {gap:.4f}, {errors:.1f} Monte Carlo errors"
    )


if __name__ == "__main__":
    main()
