"""Trends of rates, the back-test that weighs them, and the forecasts they make together."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr
from scipy.stats import binom, norm

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import Spoken, figures, say, whole
from evaluation.base.results import percent as share_text
from evaluation.base.text import fixed, t
from evaluation.data.package import Dataset
from evaluation.stats.reml import Reml, reml
from evaluation.survey.standing import normal_quantile

if TYPE_CHECKING:
    from evaluation.figures.svg import Picture

# Covariances of the parts of a trend between two sets of observations.
ORIGIN = 2015  # year in which slopes turn and distances are counted as 1
DECADE = 10.0


class Points(NamedTuple):
    """Where a trend is observed or asked for: region, year, and whether it deviates on its own."""

    region: np.ndarray
    year: np.ndarray
    own: np.ndarray


def _decades(a: Points, start: float = ORIGIN) -> np.ndarray:
    return (a.year - start) / DECADE


def covariance(
    name: str, a: Points, b: Points, start: float, life: float, breaks: Sequence[int]
) -> np.ndarray:
    """Covariance (n, m) of one component at unit variance.

    ``level``, ``slope``, ``walk`` : a region's own level, slope and random walk. ``distance`` : its
    distance from the common path, falling by a factor e in ``life`` years. ``step`` : its own jump
    at each change of instrument. ``wave`` : a shock of one year common to all. ``shift`` : a jump
    common to all at each change of instrument. ``common_walk``, ``common_slope`` : random walk of
    the common path, and of its slope (a cubic smoothing spline). Walks run from ``start``.
    """
    u, w = _decades(a, start)[:, None], _decades(b, start)[None, :]
    same = (a.region[:, None] == b.region[None, :]) & a.own[:, None] & b.own[None, :]
    low, high = np.minimum(u, w), np.maximum(u, w)
    made = {
        "level": lambda: same.astype(float),
        "slope": lambda: same * np.outer(_decades(a), _decades(b)),
        "distance": lambda: same * np.outer(*(np.exp(-(p.year - ORIGIN) / life) for p in (a, b))),
        "walk": lambda: same * low,
        "step": lambda: same * _jumps(a, b, breaks),
        "wave": lambda: (u == w).astype(float),
        "shift": lambda: _jumps(a, b, breaks),
        "common_walk": lambda: low,
        "common_slope": lambda: low**2 * (3 * high - low) / 6,
    }
    return made[name]()


def _jumps(a: Points, b: Points, breaks: Sequence[int]) -> np.ndarray:
    """How many changes of instrument lie behind both points."""
    return sum(np.outer(a.year >= year, b.year >= year).astype(float) for year in breaks)


def mean_columns(a: Points) -> np.ndarray:
    """Columns of the mean: intercept, decades, and the whole's distance from its parts' mean."""
    return np.column_stack([np.ones(len(a.year)), _decades(a), (~a.own).astype(float)])


# Partially pooled trends on the logit scale: fitted by REML, continued as Gaussian paths.
# The declared trends. Each also has the jumps at changes of instrument that its waves span.
CANDIDATES: dict[str, tuple[str, ...]] = {
    # Random walk with one drift for all.
    "drift": ("level", "walk", "common_walk", "wave"),
    # Local linear common path; each region's slope pooled towards it.
    "slopes": ("level", "slope", "walk", "common_slope", "wave"),
    # Local linear common path; each region's distance from it shrinks at one pace.
    "converging": ("distance", "walk", "common_slope", "wave"),
}
JUMPS = ("shift", "step")
LIVES = (15.0, 20.0, 25.0, 30.0, 40.0, 60.0)
MINIMUM_WAVES, MINIMUM_REGIONS = 3, 5


@dataclass(frozen=True, eq=False)
class Trend:
    """A fitted trend.

    Attributes
    ----------
    name : of the candidate. variances : by component, logits², walks per decade. life : years in
        which a distance falls by a factor e (``converging`` only). fit : the REML fit.
    points, y, known : the series. start, breaks : first year; years of new instruments.
    """

    name: str
    variances: dict[str, float]
    life: float
    fit: Reml
    points: Points
    y: np.ndarray
    known: np.ndarray
    start: float
    breaks: tuple[int, ...]

    def _sum(self, a: Points, b: Points) -> np.ndarray:
        return sum(
            theta * covariance(name, a, b, self.start, self.life, self.breaks)
            for name, theta in self.variances.items()
        )

    def given(self, rows: pd.DataFrame) -> Trend:
        """The same trend with further rows (of a region outside the panel), not fitted again."""
        more = points_of(rows)
        points = Points(*(np.concatenate(pair) for pair in zip(self.points, more, strict=True)))
        y, known = np.append(self.y, rows["y"]), np.append(self.known, rows["v"])
        X, V = mean_columns(points), self._sum(points, points) + np.diag(known)
        L = np.linalg.cholesky(V)
        Xw, yw = np.linalg.solve(L, X), np.linalg.solve(L, y)
        spread = np.linalg.inv(Xw.T @ Xw)
        fit = replace(self.fit, coefficients=spread @ Xw.T @ yw, covariance=spread, factor=L)
        return replace(self, fit=fit, points=points, y=y, known=known)

    def predict(self, at: Points) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n,) and covariance (n, n) of the logit shares at points.

        The best linear unbiased prediction and its error, coefficients estimated; the variances
        and the pace of convergence are taken as known.
        """
        X, b = mean_columns(self.points), self.fit.coefficients
        K = self._sum(at, self.points)
        white = self.fit.whiten(np.column_stack([K.T, X, self.y]))
        n = len(at.year)
        Kw, Xw, yw = white[:, :n], white[:, n:-1], white[:, -1]
        rest = mean_columns(at) - Kw.T @ Xw
        mean = mean_columns(at) @ b + Kw.T @ (yw - Xw @ b)
        return mean, self._sum(at, at) - Kw.T @ Kw + rest @ self.fit.covariance @ rest.T


def points_of(series: pd.DataFrame) -> Points:
    """Regions and years of the rows of a series."""
    regions, years = series["region_code"].to_numpy(str), series["wave"].to_numpy(float)
    return Points(regions, years, series["own"].to_numpy(bool))


def _checked(series: pd.DataFrame) -> None:
    waves, regions = series["wave"].nunique(), series.loc[series["own"], "region_code"].nunique()
    if waves < MINIMUM_WAVES or regions < MINIMUM_REGIONS:
        raise ModelError(
            f"A pooled trend needs {MINIMUM_WAVES} waves and {MINIMUM_REGIONS} regions with a "
            f"sampling error; there are {waves} and {regions}."
        )
    if series["own"].all():
        raise ModelError("A pooled trend needs the rates of the whole its regions are parts of.")
    if (series[series["own"]].groupby("region_code")["wave"].nunique() > 1).sum() < 2:
        raise ModelError("A pooled trend needs two regions seen in more than one wave.")


def fit_trend(series: pd.DataFrame, name: str, breaks: Sequence[int] = ()) -> Trend:
    """Fit one candidate by REML.

    Parameters
    ----------
    series : as from :func:`logit_rates`. name : of ``CANDIDATES``.
    breaks : years of a new instrument, used by the components ``step`` and ``shift``.

    Raises
    ------
    ModelError : an unknown candidate, too few waves or regions, or parts the waves cannot tell
        apart.
    """
    if name not in CANDIDATES:
        raise ModelError(f"Unknown trend '{name}'; known: {', '.join(CANDIDATES)}.")
    _checked(series)
    points = points_of(series)
    start = points.year.min()
    seen = tuple(year for year in breaks if start < year <= points.year.max())
    names = CANDIDATES[name] + (JUMPS if seen else ())
    y, known = series["y"].to_numpy(), series["v"].to_numpy()
    best: Trend | None = None
    starts: list = [0.1]
    for life in LIVES if "distance" in names else LIVES[:1]:
        parts = {part: covariance(part, points, points, start, life, seen) for part in names}
        try:
            fit = reml(
                y, mean_columns(points), known, parts, tested=False, starts=starts, tolerance=1e-5
            )
        except np.linalg.LinAlgError as error:
            raise ModelError(
                f"The waves from {start:.0f} to {points.year.max():.0f} cannot tell the parts of "
                f"the trend '{name}' apart; it needs more waves."
            ) from error
        if best is not None and fit.loglike < best.fit.loglike:
            break
        best = Trend(name, fit.variances, life, fit, points, y, known, start, seen)
        # The optimum moves little from one pace to the next: climb on from a little above it.
        starts = [np.array(list(fit.variances.values())) / np.var(y) + 1e-3]
    return best


# Published rates on the logit scale with their sampling variances.
RATE_COLUMNS = ("region_code", "wave", "rate", "variance")


def logit_rates(rates: pd.DataFrame, waves: pd.DataFrame, common: Set[str]) -> pd.DataFrame:
    """Empirical logits of rates whose sampling error is known.

    With m = p(1 - p)/v the effective sample, the logit is log((mp + ½)/(m(1 - p) + ½)) and its
    variance 1/(mp + ½) + 1/(m(1 - p) + ½): finite and nearly unbiased where a sample held only
    one or two literate respondents. A wave whose frame was the nation as one unit is left out: its
    sample was not drawn to speak of the regions that the trend is pooled over.

    Parameters
    ----------
    rates : ``region_code, wave, rate`` (percent) and ``variance`` (squared percentage points).
    waves : ``wave, frame``. common : codes of the whole of which the regions are parts (the
        nation): they follow the common path without a deviation of their own.

    Returns
    -------
    DataFrame ``region_code, wave, rate, y, v, own``; ``own`` is False for codes in ``common``.

    Raises
    ------
    KepuError : a column is missing, or a rate is outside 0 to 100.

    Source
    ------
    Gart & Zweifel (1967), Biometrika 54:181-187.
    """
    lacking = [name for name in RATE_COLUMNS if name not in rates]
    if lacking:
        raise KepuError(f"The rates lack {', '.join(lacking)}; panel.rates gives all columns.")
    whole = set(waves.loc[waves["frame"] == "nation", "wave"])
    kept = rates[(rates["variance"] > 0) & ~rates["wave"].isin(whole)]
    p = kept["rate"].to_numpy(dtype=float) / 100
    if not ((p > 0) & (p < 1)).all():
        raise KepuError("Rates on the logit scale must lie strictly between 0 and 100.")
    m = p * (1 - p) / (kept["variance"].to_numpy(dtype=float) / 1e4)
    with_, without = m * p + 0.5, m * (1 - p) + 0.5
    frame = kept[["region_code", "wave", "rate"]].assign(
        y=np.log(with_ / without),
        v=1 / with_ + 1 / without,
        own=~kept["region_code"].isin(common),
    )
    return frame.sort_values(["region_code", "wave"], ignore_index=True)


def percent(y: np.ndarray) -> np.ndarray:
    """Logits back to percent."""
    return 100 * expit(y)


def to_logit(rate: np.ndarray | float) -> np.ndarray:
    """Percent to logits."""
    return logit(np.asarray(rate, dtype=float) / 100)


# Forecasts from data up to each wave, held against the waves that followed.
BENCHMARKS = ("no_change", "national_trend")
LEVELS = (50, 80, 95)


def _whole(series: pd.DataFrame) -> pd.Series:
    """Rates of the whole by wave."""
    return series[~series["own"]].groupby("wave")["rate"].mean()


def benchmark(name: str, past: pd.DataFrame, region: str, years: np.ndarray) -> np.ndarray:
    """Rates in percent that a benchmark expects of a region: its last one, or that plus the gain
    of the whole between its last two waves, year by year, kept inside 0 to 100."""
    last, path = past[past["region_code"] == region].iloc[-1], _whole(past)
    gain = 0.0 if name == "no_change" else np.diff(path)[-1] / np.diff(path.index)[-1]
    return np.clip(last["rate"] + gain * (years - last["wave"]), 0.01, 99.99)


def _rows(past: pd.DataFrame, held: pd.DataFrame, breaks: Sequence[int]) -> pd.DataFrame:
    tables = [
        held.assign(model=name, sd=np.nan, point=[
            benchmark(name, past, code, np.array([wave]))[0]
            for code, wave in zip(held["region_code"], held["wave"], strict=True)
        ])
        for name in BENCHMARKS
    ]  # fmt: skip
    for name in CANDIDATES:
        trend = fit_trend(past, name, breaks)
        mean, covariance = trend.predict(points_of(held))
        # The held-out figure is itself a survey: its own sampling error is part of the forecast.
        sd = np.sqrt(np.diag(covariance) + held["v"].to_numpy())
        tables.append(held.assign(model=name, mean=mean, sd=sd, point=percent(mean)))
    return pd.concat(tables, ignore_index=True)


def backtest(series: pd.DataFrame, breaks: Sequence[int] = ()) -> pd.DataFrame:
    """Forecast every later published rate of a region from the data up to each wave.

    Parameters
    ----------
    series : as from :func:`logit_rates`, panel regions and the whole.
    breaks : years of a new instrument; one that is still to come is not foreseen.

    Returns
    -------
    DataFrame, one row a model, origin and held-out rate: ``model, origin, wave, region_code,
    rate, point, error`` (percent and points), ``mean, sd, z`` (logits, missing for benchmarks),
    ``in_50, in_80, in_95``. The model ``average`` is weighed at each origin by the errors that were
    known by then, see :func:`weights`.

    Raises
    ------
    ModelError : no wave has enough behind it and a rate after it.
    """
    tables = []
    for origin in sorted(series["wave"].unique())[:-1]:
        past = series[series["wave"] <= origin]
        known = past.loc[past["own"], "region_code"].unique()
        held = series[(series["wave"] > origin) & series["region_code"].isin(known)]
        if held.empty or len(_whole(past)) < 2:
            continue
        try:
            tables.append(_rows(past, held, breaks).assign(origin=int(origin)))
        except ModelError:
            # Too few waves yet: forecasting starts with the first wave that carries a trend.
            continue
    if not tables:
        raise ModelError("No wave can be held out: a back-test needs a trend and a later rate.")
    rows = pd.concat(tables, ignore_index=True)
    rows["z"] = (rows["y"] - rows["mean"]) / rows["sd"]
    rows = pd.concat([rows, _averaged(rows)], ignore_index=True)
    rows["error"] = rows["point"] - rows["rate"]
    for level in LEVELS:
        inside = (rows["z"].abs() <= normal_quantile(level / 100)).astype(float)
        rows[f"in_{level}"] = inside.mask(rows["z"].isna())
    return rows.drop(columns=["v", "y", "own"])


def scores(rows: pd.DataFrame, by: Sequence[str] = ("model",)) -> pd.DataFrame:
    """Mean absolute error (points) and coverage (shares) of a back-test.

    Returns ``by, rates, regions, mae, cover_50, cover_80, cover_95``, smallest error first.
    """
    table = rows.assign(size=rows["error"].abs()).groupby(list(by)).agg(
        rates=("size", "size"), regions=("region_code", "nunique"), mae=("size", "mean"),
        **{f"cover_{level}": (f"in_{level}", "mean") for level in LEVELS},
    )  # fmt: skip
    return table.sort_values("mae", kind="stable").reset_index()


# Forecasts of several trends are averaged: what a choice would gain by luck it would lose later.
AVERAGE = "average"


def weights(rows: pd.DataFrame) -> np.ndarray:
    """Weight of each of ``CANDIDATES``: the inverse of its mean squared error in logits.

    Parameters
    ----------
    rows : of a back-test; where none is there, all trends weigh alike.

    Source
    ------
    Bates & Granger (1969), Operational Research Quarterly 20:451-468.
    """
    squared = (rows["z"] * rows["sd"]) ** 2
    errors = squared.groupby(rows["model"]).mean().reindex(list(CANDIDATES)).to_numpy()
    if np.isnan(errors).any():
        return np.full(len(CANDIDATES), 1 / len(CANDIDATES))
    return (1 / errors) / (1 / errors).sum()


@dataclass(frozen=True)
class Mixture:
    """Normal laws of K trends at n points, weighed: ``weights`` (K,), ``means, sds`` (K, n)."""

    weights: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    def below(self, y: np.ndarray | float) -> np.ndarray:
        """Probability (n,) of a logit of at most ``y``."""
        return self.weights @ ndtr((y - self.means) / self.sds)

    def quantile(self, q: float) -> np.ndarray:
        """Logits (n,) not exceeded with probability ``q``, by bisection to 1e-12."""
        ends = self.means + self.sds * norm.ppf(q)
        low, high = ends.min(axis=0), ends.max(axis=0)
        while np.max(high - low) > 1e-12:
            middle = (low + high) / 2
            under = self.below(middle) < q
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        return (low + high) / 2


def _averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the average; ``z`` is the normal score of the held-out value in its law."""
    keys, tables = ["origin", "region_code", "wave"], []
    for origin, part in rows.groupby("origin"):
        weighed = weights(rows[rows["wave"] <= origin])
        own = [part[part["model"] == name].sort_values(keys) for name in CANDIDATES]
        law = Mixture(weighed, *(np.array([each[c] for each in own]) for c in ("mean", "sd")))
        first, mean = own[0], weighed @ law.means
        spread = np.sqrt(weighed @ (law.sds**2 + (law.means - mean) ** 2))
        z = norm.ppf(np.clip(law.below(first["y"].to_numpy()), 1e-9, 1 - 1e-9))
        point = percent(law.quantile(0.5))
        tables.append(first.assign(model=AVERAGE, mean=mean, sd=spread, z=z, point=point))
    return pd.concat(tables, ignore_index=True)


def used(table: pd.DataFrame) -> str:
    """The model forecasts are made with: the average where it beats every benchmark on mean
    absolute error, and the better benchmark where it does not."""
    sizes = table.set_index("model")["mae"]
    rival = sizes[list(BENCHMARKS)].idxmin()
    return AVERAGE if sizes[AVERAGE] < sizes[rival] else rival


def drift_variance(rows: pd.DataFrame, name: str) -> float:
    """Squared logit error of a benchmark for each year ahead, sampling error included."""
    own = rows[rows["model"] == name]
    off = to_logit(own["rate"].to_numpy()) - to_logit(own["point"].to_numpy())
    return float(np.mean(off**2 / (own["wave"] - own["origin"])))


# The outlook: where each region's share is heading, and how likely it meets a target by a year.
ENOUGH = 5  # held-out rates that make a horizon count as checked
# Words for a chance, from the lower bound of each; after Mastrandrea et al. (2010), Guidance note
# for lead authors of the IPCC fifth assessment report on consistent treatment of uncertainties.
WORDS = ((0.9, "very_likely"), (0.66, "likely"), (0.33, "even"), (0.1, "unlikely"), (0.0, "remote"))


class Errors(NamedTuple):
    """Back-test of one region: held-out rates and waves, mean absolute and mean error (points).

    ``way`` is ``over`` or ``under`` where every forecast, of two waves or more, erred to that side.
    """

    rates: int
    waves: int
    mae: float
    mean: float
    way: str


@dataclass(frozen=True, eq=False, repr=False)
class Outlook(Spoken):
    """Forecasts of every surveyed region with the back-test that speaks for or against them.

    Nothing is forecast beyond the horizon that the back-test reached.

    Attributes
    ----------
    model : forecasts are made with, ``average`` or a benchmark. trends : the fitted candidates.
    weights : of the trends. records, scores : the back-test, see :func:`backtest`.
    series : the logit rates of all regions. gain_variance : logits² a year, of a benchmark.
    """

    model: str
    trends: tuple[Trend, ...]
    weights: np.ndarray
    records: pd.DataFrame
    scores: pd.DataFrame
    series: pd.DataFrame
    gain_variance: float

    def table(self) -> pd.DataFrame:
        """The back-test, one model a row: error in percentage points, shares covered."""
        return self.scores

    def summary(self, language: str = "en") -> str:
        """The model forecasts are made with, and how it did on surveys held out."""
        own = self.score()
        return say(
            "speak.outlook", language, regions=len(self.regions),
            trend=t(f"trend.{self.model}", language), rates=whole(own["rates"]),
            error=fixed(own["mae"], 2), level=share_text(0.8), cover=share_text(own["cover_80"]),
        )  # fmt: skip

    def plot(self, region: str, language: str = "en") -> Picture:
        """Published rates of a region and the fan of its forecast.

        Raises
        ------
        KepuError : a region without a survey.
        """
        own = self.series[self.series["region_code"] == region]
        start = int(own["wave"].max()) if len(own) else 0
        fan = self.fan(region, range(start, start + self.reach + 1))  # refuses an unknown region
        published = pd.DataFrame({"year": own["wave"], "value": percent(own["y"])})
        for end, side in (("low", -1), ("high", 1)):
            published[end] = percent(own["y"] + side * 1.96 * own["v"] ** 0.5)
        goals = pd.DataFrame(columns=["year", "value", "label", "own"])
        names = {"median": str(t("figure.median", language))} | {str(n): f"{n}%" for n in LEVELS}
        ylabel = str(t("axis.share", language))
        return figures().fan(published, fan, goals, ylabel=ylabel, names=names)

    def __repr__(self) -> str:
        return f"Outlook({self.model}: {len(self.regions)} regions, {len(self.records)} records)"

    @property
    def beats_benchmarks(self) -> bool:
        """Whether the average's mean absolute error is below that of every benchmark."""
        return self.model == AVERAGE

    def over(self, dataset: Dataset, rates: pd.DataFrame) -> Outlook:
        """The same trend read with the rates of other regions than it was fitted to."""
        return replace(self, series=logit_rates(rates, dataset.waves, {dataset.whole}))

    @property
    def regions(self) -> list[str]:
        """Regions with at least one survey, in order of code."""
        return sorted(self.series["region_code"].unique())

    @cached_property
    def reach(self) -> int:
        """Longest horizon in years over which the back-test held out at least ``ENOUGH`` rates."""
        ahead = self.records.loc[self.records["model"] == self.model]
        counts = (ahead["wave"] - ahead["origin"]).value_counts()
        return int(max(counts.index[counts >= ENOUGH], default=0))

    def score(self, model: str = "") -> pd.Series:
        """The back-test of one model, of the average by default."""
        return self.scores.set_index("model").loc[model or AVERAGE]

    def band(self, level: int) -> tuple[float, float]:
        """Shares of the held-out rates that intervals of ``level`` percent hold 19 times in 20 if
        they are as wide as they claim: binomial, each rate counted as one."""
        n = int(self.score()["rates"])
        low, high = binom.interval(0.95, n, level / 100)
        return float(low / n), float(high / n)

    @property
    def width(self) -> str:
        """``fair`` only where the coverage at every one of ``LEVELS`` lies in its band; else
        ``wide``, ``narrow``, or ``uneven`` where levels disagree."""
        own, said = self.score(), set()
        for level in LEVELS:
            low, high = self.band(level)
            share = own[f"cover_{level}"]
            said |= {"wide"} if share > high else {"narrow"} if share < low else set()
        return "uneven" if len(said) > 1 else said.pop() if said else "fair"

    def errors(self, region: str) -> Errors | None:
        """The back-test of one region's own rates; ``None`` where none was held out."""
        rows = self.records[self.records["model"] == self.model]
        rows = rows[rows["region_code"] == region]
        if rows.empty:
            return None
        size, waves = rows["error"], rows["wave"].nunique()
        way = "over" if (size > 0).all() else "under" if (size < 0).all() else ""
        told = way if waves > 1 else ""
        return Errors(len(rows), waves, float(size.abs().mean()), float(size.mean()), told)

    def within(self, region: str, year: int) -> bool:
        """Whether a year lies between the last survey and the horizon of the back-test."""
        last = self.series.loc[self.series["region_code"] == region, "wave"].max()
        return bool(last <= year <= last + self.reach)

    def paths(self, region: str, years: Sequence[int]) -> tuple[np.ndarray, ...]:
        """Weights (K,), means (K, years) and covariances (K, years, years) of the logit share.

        Raises
        ------
        KepuError : a region without a survey, or a year before its last one or beyond the horizon
            of the back-test.
        """
        own = self.series[self.series["region_code"] == region]
        if own.empty:
            raise KepuError(f"No forecast of {region}: it has no survey with a sampling error.")
        last = own["wave"].max()
        if min(years) < last:
            raise KepuError(f"A forecast of {region} starts in {last}, its last wave.")
        if max(years) > last + self.reach:
            raise KepuError(
                f"No forecast of {region} for {max(years)}: its last survey is of {last}, and the "
                f"back-test reached {self.reach} years."
            )
        if not self.beats_benchmarks:
            at = np.asarray(years, dtype=float)
            mean = to_logit(benchmark(self.model, self.series, region, at))
            ahead = np.minimum.outer(at - last, at - last)
            spread = own["v"].iloc[-1] + self.gain_variance * ahead
            return np.ones(1), mean[None], spread[None]
        points = points_of(own.iloc[[0] * len(years)].assign(wave=list(years)))
        trends = (
            trend if region in trend.points.region else trend.given(own) for trend in self.trends
        )
        means, spreads = zip(*(trend.predict(points) for trend in trends), strict=True)
        return self.weights, np.array(means), np.array(spreads)

    def fan(self, region: str, years: Sequence[int]) -> pd.DataFrame:
        """Median and intervals of the share in percent: ``year, median, low_50, high_50, …``."""
        return _fan(self, region, tuple(years)).copy()

    def chance(self, region: str, year: int, target: float) -> float:
        """Probability that the region's share is at least ``target`` percent in a year."""
        return float(1 - _law(self, region, (year,)).below(to_logit(target))[0])

    def holds(self, region: str, year: int, target: float) -> bool:
        """Whether the word for a chance outlives the region's own errors in the back-test.

        Where every forecast of the region erred to one side, the fan moved by their mean must
        lead to the same word; else the chance says more of the trend than of the region.
        """
        own = self.errors(region)
        if own is None or not own.way:
            return True
        moved = np.clip(target + own.mean, 0.01, 99.99)
        return word(self.chance(region, year, target)) == word(self.chance(region, year, moved))

    def draws(self, region: str, years: Sequence[int], draws: int, seed: int) -> np.ndarray:
        """Draws (draws, years) of the share in percent, a whole path of one trend a row."""
        weighed, means, spreads = self.paths(region, years)
        rng = np.random.default_rng(seed)
        drawn = [
            rng.multivariate_normal(mean, spread, size=count, method="cholesky")
            for count, mean, spread in zip(
                rng.multinomial(draws, weighed), means, spreads, strict=True
            )
        ]
        return percent(rng.permutation(np.concatenate(drawn)))


# A page asks for the same forecast in several places, and again in its other language.
KEPT = 64


@lru_cache(maxsize=KEPT)
def _law(outlook: Outlook, region: str, years: tuple[int, ...]) -> Mixture:
    weighed, means, spreads = outlook.paths(region, years)
    return Mixture(weighed, means, np.sqrt(np.diagonal(spreads, axis1=1, axis2=2)))


@lru_cache(maxsize=KEPT)
def _fan(outlook: Outlook, region: str, years: tuple[int, ...]) -> pd.DataFrame:
    law = _law(outlook, region, years)
    table = {"year": list(years), "median": percent(law.quantile(0.5))}
    for level in LEVELS:
        ends = (0.5 - level / 200, 0.5 + level / 200)
        low, high = (percent(law.quantile(q)) for q in ends)
        table |= {f"low_{level}": low, f"high_{level}": high}
    return pd.DataFrame(table)


def word(chance: float) -> str:
    """The word of :data:`WORDS` for a probability.

    >>> word(0.7), word(0.02)
    ('likely', 'remote')
    """
    return next(name for least, name in WORDS if chance >= least)


def outlook(dataset: Dataset, rates: pd.DataFrame) -> Outlook | str:
    """Fit, back-test and weigh; trends are fitted to the panel regions and the nation.

    The other regions with a survey (cities) are read with the trends so found: their own rates
    place them, the pooled paths carry them on.

    Returns
    -------
    Outlook, or the reason why these data carry no forecast.
    """
    inside = {*dataset.model_regions, dataset.whole}
    breaks = dataset.waves.loc[dataset.waves["break_before"], "wave"].astype(int).tolist()
    try:
        series = logit_rates(rates, dataset.waves, {dataset.whole})
        panel = series[series["region_code"].isin(inside)]
        records = backtest(panel, breaks)
        table = scores(records)
        trends = tuple(fit_trend(panel, name, breaks) for name in CANDIDATES)
    except ModelError as error:
        return str(error)
    model, rival = used(table), table.loc[table["model"].isin(BENCHMARKS), "model"].iloc[0]
    ahead = drift_variance(records, rival)
    return Outlook(model, trends, weights(records), records, table, series, ahead)
