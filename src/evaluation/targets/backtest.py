"""Forecasts from data up to each wave, held against the waves that followed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.survey import normal_quantile
from evaluation.targets.series import percent, to_logit
from evaluation.targets.trend import CANDIDATES, fit_trend, points_of

BENCHMARKS = ("no_change", "national_trend")
LEVELS = (50, 80, 95)


def _whole(series: pd.DataFrame) -> pd.Series:
    """Rates of the whole by wave."""
    return series[~series["own"]].groupby("wave")["rate"].mean()


def yearly_gain(series: pd.DataFrame) -> float:
    """Percentage points a year the whole gained between its last two waves."""
    path = _whole(series).iloc[-2:]
    return float(np.diff(path)[0] / np.diff(path.index)[0])


def benchmark(name: str, past: pd.DataFrame, region: str, years: np.ndarray) -> np.ndarray:
    """Rates in percent that a benchmark expects of a region: its last one, or that plus the gain
    of the whole between its last two waves, year by year, kept inside 0 to 100."""
    last = past[past["region_code"] == region].iloc[-1]
    gain = 0.0 if name == "no_change" else yearly_gain(past)
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
        tables.append(
            held.assign(model=name, mean=mean, sd=sd, point=percent(mean), fit=trend.fit.loglike)
        )
    return pd.concat(tables, ignore_index=True)


def backtest(series: pd.DataFrame, breaks: Sequence[int] = ()) -> pd.DataFrame:
    """Forecast every later published rate of a region from the data up to each wave.

    Parameters
    ----------
    series : as from :func:`evaluation.targets.series.logit_rates`, panel regions and the whole.
    breaks : years of a new instrument; one that is still to come is not foreseen.

    Returns
    -------
    DataFrame, one row a model, origin and held-out rate: ``model, origin, wave, region_code,
    rate, point, error`` (percent and points), ``mean, sd, z`` (logits, missing for benchmarks),
    ``fit`` (restricted log-likelihood of the data up to the origin), ``in_50, in_80, in_95``.

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
    rows["error"] = rows["point"] - rows["rate"]
    rows["z"] = (rows["y"] - rows["mean"]) / rows["sd"]
    for level in LEVELS:
        inside = (rows["z"].abs() <= normal_quantile(level / 100)).astype(float)
        rows[f"in_{level}"] = inside.mask(rows["z"].isna())
    return rows.drop(columns=["v", "y", "own"])


def scores(rows: pd.DataFrame, by: Sequence[str] = ("model",)) -> pd.DataFrame:
    """Mean absolute error (points) and coverage (shares) of a back-test.

    Returns ``by, rates, regions, mae, cover_50, cover_80, cover_95``, smallest error first.
    """
    table = (
        rows.assign(size=rows["error"].abs())
        .groupby(list(by))
        .agg(
            rates=("size", "size"),
            regions=("region_code", "nunique"),
            mae=("size", "mean"),
            **{f"cover_{level}": (f"in_{level}", "mean") for level in LEVELS},
        )
    )
    return table.sort_values("mae", kind="stable").reset_index()


def choose(table: pd.DataFrame) -> tuple[str, str]:
    """The trend with the smallest error, and the model forecasts are made with.

    The second is the first where it beats every benchmark on mean absolute error, and the better
    benchmark where it does not.
    """
    best = table[table["model"].isin(CANDIDATES)].iloc[0]
    rival = table[table["model"].isin(BENCHMARKS)].iloc[0]
    return best["model"], best["model"] if best["mae"] < rival["mae"] else rival["model"]


def preferred(rows: pd.DataFrame) -> pd.Series:
    """Trend with the highest restricted likelihood at each origin: a choice made without the
    held-out waves."""
    tried = rows.dropna(subset="fit").drop_duplicates(["origin", "model"])
    return tried.sort_values("fit").groupby("origin")["model"].last()


def drift_variance(rows: pd.DataFrame, name: str) -> float:
    """Squared logit error of a benchmark for each year ahead, sampling error included."""
    own = rows[rows["model"] == name]
    off = to_logit(own["rate"].to_numpy()) - to_logit(own["point"].to_numpy())
    return float(np.mean(off**2 / (own["wave"] - own["origin"])))
