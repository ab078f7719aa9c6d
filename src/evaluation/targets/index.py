"""A composite index of regions as intervals of ranks: over every choice that could be made of it.

An index has no true weights. What its makers choose is drawn here again and again (OECD/JRC,
Handbook on Constructing Composite Indicators, 2008, step 7), and what is left is the range of
places a region takes. A score, a mean rank or an order of regions is nowhere kept: no table of
places can be made from a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from evaluation.base.errors import KepuError
from evaluation.base.results import Spoken, whole
from evaluation.base.text import t
from evaluation.data.package import Dataset, by_year
from evaluation.targets import weights as weighting

FACTORS = ("weights", "normalisation", "aggregation", "left_out", "missing")
MISSING = ("leave_out", "median", "worst")
MOST_MISSING = 1 / 3  # of a region's indicators; with more it is left out


@dataclass(frozen=True, eq=False, repr=False)
class Figures:
    """What an index is made of.

    Attributes
    ----------
    x : regions by indicators, oriented so that more is better; missing where nothing is published.
    spec : the rows of ``composites.csv``, in the order of the columns.
    year : of the figures. proxies : whether any indicator only stands in for another.
    left : regions with too few figures to be compared.
    """

    x: pd.DataFrame
    spec: pd.DataFrame
    year: int
    proxies: bool
    left: tuple[str, ...]


def members(dataset: Dataset, region_set: str) -> list[str]:
    """Codes of a set of regions.

    Raises
    ------
    KepuError : no such set.
    """
    sets = dataset.region_sets
    if codes := sets.loc[sets["set"] == region_set, "code"].tolist():
        return codes
    known = ", ".join(dict.fromkeys(sets["set"]))
    raise KepuError(f"Region set '{region_set}' is not in region_sets.csv; known: {known}.")


def figures(dataset: Dataset, index: str, regions: Sequence[str], year: int | None) -> Figures:
    """The figures of an index for ``regions`` in one year; None: the last in which none is missing.

    Raises
    ------
    KepuError : no such index, no year with figures, or fewer than 3 regions with enough of them.
    """
    spec, wide = declared(dataset, index), histories(dataset, index, regions)
    if year is None:
        year = _common(wide)
    x = pd.DataFrame({n: each.get(year, pd.Series(dtype=float)) for n, each in wide.items()})
    x = x.reindex(list(regions)).astype(float) * np.where(spec["direction"] == "up", 1, -1)
    thin = x.isna().mean(axis=1) > MOST_MISSING
    if (~thin).sum() < 3:
        raise KepuError(
            f"Of {len(x)} regions {(~thin).sum()} have figures of {year} for index '{index}'; it "
            "compares at least 3 — name another year, or fill the statistics."
        )
    kinds = dataset.indicators.set_index("indicator")["proxy"]
    proxies = bool(kinds.reindex(spec["indicator"]).any())
    return Figures(x[~thin], spec, int(year), proxies, tuple(x.index[thin]))


def declared(dataset: Dataset, index: str) -> pd.DataFrame:
    """The rows of ``composites.csv`` of an index.

    Raises
    ------
    KepuError : no such index.
    """
    table = dataset.composites
    spec = table[table["index"] == index].reset_index(drop=True)
    if spec.empty:
        known = ", ".join(dict.fromkeys(table["index"])) or "none"
        raise KepuError(f"Index '{index}' is not in composites.csv; declared: {known}.")
    return spec


def histories(dataset: Dataset, index: str, regions: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Each indicator of an index as published, per head where it is so: ``regions`` by years."""

    def wide(indicator: str) -> pd.DataFrame:
        return by_year(dataset, indicator).pivot(
            index="region_code", columns="year", values="value"
        )

    made = {}
    for row in declared(dataset, index).to_dict("records"):
        found = wide(row["indicator"])
        found = found / wide(row["denominator"]) if row["denominator"] else found
        made[row["indicator"]] = found.reindex(list(regions)) * row["scale"]
    return made


def _common(wide: dict[str, pd.DataFrame]) -> int:
    full = [set(each.columns[each.notna().all()]) for each in wide.values()]
    if years := set.intersection(*full):
        return int(max(years))
    raise KepuError("In no year does every region have every indicator — name a year.")


def filled(x: pd.DataFrame, rules: Sequence[str]) -> np.ndarray:
    """Missing figures by the rule of each column; ``leave_out`` stays missing."""
    made = x.to_numpy(dtype=float, copy=True)
    for column, rule in enumerate(rules):
        gaps = np.isnan(made[:, column])
        if gaps.any() and rule != "leave_out":
            taken = np.nanmedian if rule == "median" else np.nanmin
            made[gaps, column] = taken(made[:, column])
    return made


@dataclass(frozen=True, eq=False, repr=False)
class RankIntervals(Spoken):
    """The places each region takes when an index is made in every way that is allowed.

    Attributes
    ----------
    index, year, proxies : see :class:`Figures`.
    frame : ``region_code, rank_low, rank_high``: 1 is the highest; in the order of the regions
        given, never in that of places. The level of the interval is 95 %.
    sensitivity : ``factor, share``: how much of the variance of ranks one choice explains alone;
        ``figures`` is the rest: errors of the figures, and choices together.
    draws, seed : of the choices.
    """

    index: str
    year: int
    proxies: bool
    frame: pd.DataFrame
    sensitivity: pd.DataFrame
    draws: int
    seed: int

    def table(self) -> pd.DataFrame:
        """The intervals, one region a row."""
        return self.frame

    def summary(self, language: str = "en") -> str:
        """How wide the intervals are and which choice moves them most."""
        width = self.frame["rank_high"] - self.frame["rank_low"] + 1
        most = self.sensitivity.sort_values("share").iloc[-1]
        kind = "proxies" if self.proxies else "own"
        factor = t(f"index.factor.{most['factor']}", language)
        text = t(
            f"index.summary.{kind}", language, regions=len(self.frame), year=self.year,
            draws=whole(self.draws), width=f"{width.median():.0f}", factor=factor,
        )  # fmt: skip
        return text.striptags()


def rank_intervals(
    given: Figures, index: str, *, draws: int, seed: int, error: float = 0.05
) -> RankIntervals:
    """Draw weights, normalisation, aggregation, an indicator left out, gaps and errors; rank.

    Parameters
    ----------
    draws : at least 200. error : relative standard error of a published figure, 0 to 1; errors
        of one region have a correlation from 0 to 1, another in each draw.

    Raises
    ------
    KepuError : too few draws, an error out of bounds, or figures that cannot be compared.
    """
    if draws < 200 or not 0 <= error < 1:
        raise KepuError("Ranks need at least 200 draws and an error from 0 to below 1.")
    rng = np.random.default_rng(seed)
    choices = _choices(given, draws, rng)
    ranks = np.array([_ranked(given, each, error, rng) for each in choices])
    low, high = np.quantile(ranks, [0.025, 0.975], axis=0)
    frame = pd.DataFrame({
        "region_code": given.x.index, "rank_low": np.floor(low).astype(int),
        "rank_high": np.ceil(high).astype(int),
    })  # fmt: skip
    return RankIntervals(
        index, given.year, given.proxies, frame, _explained(ranks, choices), draws, seed
    )


def _choices(given: Figures, draws: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """A choice of each factor for each draw; expert weights only where they are declared."""
    expert = given.spec["weight"].notna().all()
    gaps = [*MISSING[1:]] if given.x.isna().any().any() else ["declared"]
    options = {
        "weights": [*weighting.WEIGHTS, *(["expert"] if expert else [])],
        "normalisation": list(weighting.NORMALISATIONS),
        "aggregation": list(weighting.AGGREGATIONS),
        "left_out": [-1, *(range(given.x.shape[1]) if given.x.shape[1] > 2 else [])],
        "missing": [*dict.fromkeys(["declared", *gaps])],
    }
    picked = {name: rng.integers(len(each), size=draws) for name, each in options.items()}
    return [{name: options[name][picked[name][i]] for name in FACTORS} for i in range(draws)]


def _ranked(given: Figures, chosen: dict, error: float, rng: np.random.Generator) -> np.ndarray:
    """Ranks of one draw, 1 the highest, (R,)."""
    rules = (
        given.spec["missing"]
        if chosen["missing"] == "declared"
        else [chosen["missing"]] * len(given.spec)
    )
    kept = [i for i in range(len(given.spec)) if i != chosen["left_out"]]
    x = filled(given.x, rules)[:, kept]
    x = x * np.exp(error * _errors(rng, x.shape))
    known = np.isfinite(x)
    whole_ = np.where(known, x, np.nanmedian(x, axis=0))  # a gap left open says nothing
    shift = np.minimum(whole_.min(axis=0), 0)  # turned figures begin at 0
    expert = given.spec["weight"].to_numpy(float)[kept]
    w = weighting.weights(whole_ - shift, str(chosen["weights"]), expert)
    if chosen["aggregation"] == "topsis":
        score = weighting.topsis(whole_ - shift, w)
    else:
        scaled = weighting.normalised(whole_, str(chosen["normalisation"]))
        score = (scaled * w * known).sum(axis=1) / (w * known).sum(axis=1)
    return rankdata(-score)


def _errors(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Standard errors of one draw, (R, K). How far those of one region go together (one office
    counts, one population divides) is not known: the correlation is drawn from 0 to 1."""
    shared = rng.random()
    own, common = rng.standard_normal(shape), rng.standard_normal((shape[0], 1))
    return np.sqrt(1 - shared) * own + np.sqrt(shared) * common


def _explained(ranks: np.ndarray, choices: list[dict]) -> pd.DataFrame:
    """First-order shares of the variance of ranks, meaned over regions by their variance."""
    total = ranks.var(axis=0).sum()
    shares = {}
    for factor in FACTORS:
        codes, names = pd.factorize(np.array([str(each[factor]) for each in choices]))
        counts = np.bincount(codes)
        means = np.array([ranks[codes == i].mean(axis=0) for i in range(len(names))])
        between = (counts[:, None] * (means - ranks.mean(axis=0)) ** 2).sum() / len(ranks)
        shares[factor] = between / total if total > 0 else 0.0
    shares["figures"] = max(0.0, 1 - sum(shares.values()))
    return pd.DataFrame(list(shares.items()), columns=["factor", "share"])
