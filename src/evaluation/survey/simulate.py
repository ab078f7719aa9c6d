"""Respondents of a simulated survey with a known truth: strata, clusters, two modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

GROUPS = {
    "sex": (("female", "male"), (0.49, 0.51), (0.0, 1.5)),
    "age": (("18-29", "30-39", "40-49", "50-59", "60-69"), (0.18, 0.2, 0.2, 0.24, 0.18),
            (5.0, 3.0, 0.0, -3.0, -6.0)),
    "education": (("primary", "junior", "senior", "college"), (0.22, 0.34, 0.2, 0.24),
                  (-9.0, -3.0, 3.0, 10.0)),
    "residence": (("rural", "urban"), (0.35, 0.65), (-3.0, 1.6)),
    "occupation": (("farmer", "worker", "official", "other"), (0.2, 0.25, 0.1, 0.45),
                   (-4.0, 0.0, 6.0, 0.4)),
}  # fmt: skip
# Scores of persons within a unit, and of units within a stratum, spread so much (points).
PERSON, UNIT, WEB = 12.0, 4.0, 0.4
LEVEL, SPREAD = 55.0, 4.0  # mean score, and of regions about it


@dataclass(frozen=True)
class Population:
    """Strata of a population.

    Attributes
    ----------
    strata : one row a stratum (a county): ``region``, ``stratum``, ``people``, ``level`` (mean
        score). units : (H,) primary units in each. web : points that the web adds to a score.
    """

    strata: pd.DataFrame
    units: int = 200
    web: float = 0.0

    def share(self, cutoff: float = 70.0, groups: int = 1) -> pd.Series:
        """True share of each stratum at or above ``cutoff``, before any effect of the web.

        Scores are a mixture of normals over the crossed groups, cut at 0 and 100.
        """
        shifts, chances = np.zeros(1), np.ones(1)
        for _, chance, shift in GROUPS.values():
            shifts = np.add.outer(shifts, shift).ravel()
            chances = np.multiply.outer(chances, chance).ravel()
        away = cutoff - self.strata["level"].to_numpy()[:, None] - shifts
        above = stats.norm.sf(away / np.hypot(PERSON, UNIT)) @ chances
        return pd.Series(above, self.strata["stratum"].to_numpy())


def population(counties: pd.Series, seed: int) -> Population:
    """A population of counties (index) in regions (values), with people and levels drawn."""
    rng = np.random.default_rng(seed)
    _, region = np.unique(counties.to_numpy(), return_inverse=True)
    between = rng.normal(0, SPREAD, region.max() + 1)[region]
    strata = pd.DataFrame({
        "region": counties.to_numpy(), "stratum": counties.index.to_numpy(),
        "people": np.exp(rng.normal(12, 0.5, len(counties))).round(),
        "level": LEVEL + between + rng.normal(0, SPREAD / 2, len(counties)),
    })  # fmt: skip
    return Population(strata)


def answers(a: np.ndarray, b: np.ndarray, mean: float, count: int, seed: int) -> np.ndarray:
    """Right (1) and wrong (0) answers of ``count`` people, θ ~ N(mean, 1), to items a, b."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(mean, 1, count)
    return (rng.random((count, len(a))) < expit(a * (ability[:, None] - b))).astype(float)


def draw(made: Population, units: int, take: int, seed: int, wave: str = "") -> pd.DataFrame:
    """A sample: ``units`` primary units a stratum, ``take`` persons in each.

    Returns one row a respondent: ``id, region, stratum, psu, fpc, weight, score, mode``, the groups
    and ``wave`` where one is given. People are as many as the stratum's weights add up to. Rates of
    :meth:`Population.share` are those of the superpopulation, so ``fpc`` is for display.
    """
    rng = np.random.default_rng(seed)
    strata = made.strata
    clusters = len(strata) * units
    n = clusters * take
    cluster = np.repeat(np.arange(clusters), take)
    h = cluster // units
    columns = {"id": np.arange(n), "region": strata["region"].to_numpy()[h],
               "stratum": strata["stratum"].to_numpy()[h], "psu": cluster,
               "fpc": np.full(n, made.units)}  # fmt: skip
    score = strata["level"].to_numpy()[h] + rng.normal(0, UNIT, clusters)[cluster]
    score = score + rng.normal(0, PERSON, n)
    for name, (labels, chances, shifts) in GROUPS.items():
        code = rng.choice(len(labels), n, p=chances)
        columns[name] = np.array(labels)[code]
        score = score + np.array(shifts)[code]
    web = rng.random(n) < WEB
    columns["mode"] = np.where(web, "web", "face_to_face")
    columns["score"] = np.clip(score + made.web * web, 0, 100).round(4)
    # Some answer more readily than others, and are weighted down for it.
    ready = rng.gamma(8, 1 / 8, n)
    people = strata["people"].to_numpy()
    whole = np.bincount(h, ready, len(strata))
    columns["weight"] = ready * (people / whole)[h]
    frame = pd.DataFrame(columns)
    return frame.assign(wave=wave) if wave else frame
