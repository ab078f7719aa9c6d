"""Panels with a known truth: simulated regions on which every estimator can be checked.

Nothing here is an observation. The names of regions are real, the figures are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from evaluation.simulate_draws import (
    COVARIATES,
    DOSES,
    FLOWS,
    LEAD,
    REFERENCE,
    STOCKS,
    Truth,
    annual_paths,
    interval_doses,
    observed_rates,
    true_gains,
)

__all__ = ["COVARIATES", "DOSES", "REFERENCE", "STOCKS", "Simulation", "Truth", "simulate_panel"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated panel with everything that made it.

    Attributes
    ----------
    truth, seed, waves : the arguments.
    panel : one row a region and wave: ``region_code, wave, true_rate, n, rate`` (percent), the
        doses (stocks: level in the year of the wave; flows: mean of the years since the
        previous wave, of ``LEAD`` years at the first),
        ``income, college_share, urban_share, population, published``.
    gains : one row a region and interval: ``region_code, wave_from, wave_to, years``, the doses as
        they enter the gain, ``opening, trend, region_term, residual, true_gain``.
    annual : one row a region and year, from ``LEAD`` years before the first wave: the doses,
        covariates and population.
    """

    truth: Truth
    seed: int
    waves: tuple[int, ...]
    panel: pd.DataFrame
    gains: pd.DataFrame
    annual: pd.DataFrame


def simulate_panel(
    regions: pd.DataFrame,
    waves: Sequence[int] = (2015, 2018, 2020, 2022, 2023),
    truth: Truth = Truth(),  # noqa: B008 - frozen, so sharing one default is safe
    sample_size: int = 700,
    missing: float = 0.0,
    seed: int = 0,
) -> Simulation:
    r"""Draw a panel of literacy rates whose response to four doses is known.

    The true annualised gain of region i between two waves, in percentage points per year, is

    .. math:: g = trend + \sum_k effect_k \log_2(dose_k / reference_k)
              + opening\_effect (p_{opening} - opening\_mean) + region_i + \varepsilon

    with :data:`REFERENCE` doses. Stocks (facility, personnel) enter with the level in the year of
    the opening wave, flows (activity, fund) with the mean of the years after it up to the closing
    wave. The covariates are correlated with the doses and have no effect of their own. Observed
    rates are beta-binomial with variance ``design_effect * p * (1 - p) / n``.

    Parameters
    ----------
    regions : one row a region, columns ``code`` and ``parent_code``; codes are unique.
    waves : increasing years, at least two.
    truth : the effects and variances.
    sample_size : respondents of each region and wave, more than the design effect.
    missing : share of region-waves that are not published, in [0, 1).
    seed : of the PCG64 generator; true levels do not depend on sample size or missing share.

    Raises
    ------
    ValueError
        For impossible arguments, and when a true or observed rate leaves (0, 100).

    Examples
    --------
    >>> two = pd.DataFrame({"code": ["150100", "150200"], "parent_code": "150000"})
    >>> simulate_panel(two, waves=(2015, 2018), seed=1).panel.shape
    (4, 14)
    """
    waves = tuple(int(wave) for wave in waves)
    _check(regions, waves, truth, sample_size, missing)
    streams = [
        np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(4)
    ]
    years = range(waves[0] - LEAD, waves[-1] + 1)
    annual = annual_paths(streams[0], regions, years, truth)
    gains, levels = true_gains(streams[1], regions, waves, truth, annual)
    panel = _levels_frame(annual, waves, levels)
    _require_open_interval(panel["true_rate"])
    p = panel["true_rate"].to_numpy()
    panel["n"] = sample_size
    panel["rate"] = observed_rates(streams[2], p, sample_size, truth.design_effect)
    _require_open_interval(panel["rate"])
    hidden = streams[3].permutation(len(panel))[: round(missing * len(panel))]
    panel["published"] = ~np.isin(np.arange(len(panel)), hidden)
    order = ["region_code", "wave", "true_rate", "n", "rate", *DOSES, *COVARIATES]
    panel = panel[[*order, "population", "published"]]
    return Simulation(truth, seed, waves, panel, gains, annual)


def _check(regions, waves, truth, sample_size, missing) -> None:
    """Refuse arguments from which no panel can be drawn."""
    if regions.empty or regions["code"].duplicated().any():
        raise ValueError("regions must have at least one row and no code twice.")
    if len(waves) < 2 or any(a >= b for a, b in pairwise(waves)):
        raise ValueError(f"waves must be at least two increasing years, got {waves}.")
    if sample_size <= truth.design_effect:
        raise ValueError(f"sample_size must exceed the design effect, got {sample_size}.")
    if not 0 <= missing < 1:
        raise ValueError(f"missing must lie in [0, 1), got {missing}.")
    if np.ndim(truth.trend) and len(truth.trend) != len(waves) - 1:
        raise ValueError(f"trend needs one number for each of {len(waves) - 1} intervals.")


def _levels_frame(annual: pd.DataFrame, waves, levels: np.ndarray) -> pd.DataFrame:
    """One row a region and wave, with the stocks of that year and the flows since the last."""
    panel = annual[annual["year"].isin(waves)].rename(columns={"year": "wave"})
    panel = panel.assign(true_rate=levels.ravel()).set_index(["region_code", "wave"])
    starts = (waves[0] - LEAD, *waves)
    for start, end in zip(starts, waves, strict=False):
        doses = interval_doses(annual, start, end)
        for flow in FLOWS:
            panel.loc[(doses.index, end), flow] = doses[flow].to_numpy()
    return panel.reset_index()


def _require_open_interval(rates: pd.Series) -> None:
    """Refuse rates of 0, of 100 or outside: nothing is clipped."""
    outside = int(((rates <= 0) | (rates >= 100)).sum())
    if outside:
        raise ValueError(
            f"{outside} simulated values of {rates.name} leave (0, 100); raise opening_mean or "
            "sample_size, or lower the effects, the standard deviations or the trend."
        )
