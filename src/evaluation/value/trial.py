"""How often the rule recommends: panels with a known truth, drawn and decided one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.models import Roles
from evaluation.value.declared import Rule
from evaluation.value.effects import joint
from evaluation.value.reallocate import Reallocation, best_multiples, gained, reallocate

ROLES = Roles(
    outcome="annual",
    doses=("log2_a", "log2_b", "log2_c"),
    covariates=("x",),
    region="region",
    wave="interval",
    variance="variance",
)
RULE = Rule(bound=0.3, probability=0.975, locks=3)
COSTS = np.array([0.25, 0.4, 0.35])


@dataclass(frozen=True)
class Trial:
    """One simulated panel: what was decided, and what the decision was worth in truth.

    ``shortfall`` is the true gain of the best allocation less that of the one found.
    """

    found: Reallocation
    shortfall: float


def panel(
    effects: Sequence[float], rng: np.random.Generator, *, regions: int = 30, waves: int = 3,
    noise: float = 0.15,
) -> pd.DataFrame:  # fmt: skip
    """Yearly gains of regions with three levers in logs, a common factor among them.

    Regions keep a part of their noise over the waves, so that clusters matter.
    """
    n = regions * waves
    region, wave = np.repeat(np.arange(regions), waves), np.tile(np.arange(waves), regions)
    common = rng.standard_normal(regions)[region]
    logs = 0.5 * common[:, None] + rng.standard_normal((n, 3))
    own = 0.5 * noise * rng.standard_normal(regions)[region]
    x = rng.standard_normal(n)
    error = own + noise * rng.standard_normal(n)
    gain = 0.8 + 0.1 * wave + 0.1 * x + logs @ np.asarray(effects, dtype=float) + error
    frame = pd.DataFrame(logs, columns=list(ROLES.doses))
    return frame.assign(region=region, interval=wave.astype(str), x=x, annual=gain, variance=0.01)


def trial(
    effects: Sequence[float], *, panels: int, seed: int, draws: int = 399, locks: int = 5,
    **drawn: float,
) -> list[Trial]:  # fmt: skip
    """Draw panels with these true effects of a doubling and apply the rule to each.

    Parameters
    ----------
    locks : taken as given, so that what is tried is the statistical part of the rule.
    """
    limits = (np.full(3, 1 - RULE.bound), np.full(3, 1 + RULE.bound))
    truth = np.asarray(effects, dtype=float)
    best = float(gained(truth, best_multiples(truth, COSTS, *limits)[0]))
    results = []
    for stream in np.random.SeedSequence(seed).spawn(panels):
        rng = np.random.default_rng(stream)
        frame = panel(effects, rng, **drawn)
        both = joint(frame, ROLES, size=draws, seed=int(rng.integers(2**31)))
        found = reallocate("abc", both, np.eye(3), COSTS, limits, rule=RULE, locks=locks)
        results.append(Trial(found, best - float(gained(truth, np.array(found.multiples)))))
    return results
